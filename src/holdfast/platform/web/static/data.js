// Shows JSON documents as trees that fold. Without this script the page has their text.
(() => {
  // A branch is made when it is opened, a part at a time: ten megabytes must not freeze the page.
  const PART = 200;
  const MOST_FOUND = 500;
  const LONG = 300;

  /**
   * @param {string} tag
   * @param {string} [name]
   * @param {string} [text]
   */
  function make(tag, name, text) {
    const one = document.createElement(tag);
    if (name) one.className = name;
    if (text !== undefined) one.textContent = text;
    return one;
  }

  /** @param {string} path @param {string | number} key */
  const joined = (path, key) => {
    if (typeof key === 'number') return `${path}[${key}]`;
    return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
  };

  /** @param {unknown} value */
  function about(value) {
    if (Array.isArray(value)) return `[${say(value.length === 1 ? 'item' : 'items', { count: value.length })}]`;
    const size = Object.keys(/** @type {object} */ (value)).length;
    return `{${say(size === 1 ? 'key' : 'keys', { count: size })}}`;
  }

  /** @param {unknown} value */
  const isBranch = (value) => typeof value === 'object' && value !== null;

  /** @param {unknown} value @param {string | number} key */
  const inside = (value, key) => /** @type {Record<string | number, unknown>} */ (value)[key];

  /** @param {unknown} value @returns {(string | number)[]} */
  const keysOf = (value) => (Array.isArray(value) ? [...value.keys()] : Object.keys(/** @type {object} */ (value)));

  /** @param {unknown} value */
  function leaf(value) {
    const text = JSON.stringify(value);
    const shown = text.length > LONG ? `${text.slice(0, LONG)}… (${say('characters', { count: text.length })})` : text;
    return make('span', `v-${value === null ? 'null' : typeof value}`, shown);
  }

  /** @param {string} path @param {() => unknown} value */
  function tools(path, value) {
    const box = make('span', 'tools');
    for (const [name, text] of /** @type {[string, () => string][]} */ ([
      ['path', () => path],
      ['value', () => JSON.stringify(value(), null, 2)],
    ])) {
      const button = make('button', 'tiny', say(name));
      button.setAttribute('type', 'button');
      button.setAttribute('aria-label', say(`copy-${name}`, { path }));
      button.addEventListener('click', async (event) => {
        event.preventDefault();
        await navigator.clipboard?.writeText(text());
        button.textContent = say('copied');
        setTimeout(() => { button.textContent = say(name); }, 1200);
      });
      box.append(button);
    }
    return box;
  }

  /**
   * @param {HTMLElement} list
   * @param {unknown} value
   * @param {string} path
   * @param {number} from
   */
  function fill(list, value, path, from) {
    const keys = keysOf(value);
    for (const key of keys.slice(from, from + PART)) list.append(row(inside(value, key), key, joined(path, key)));
    const left = keys.length - from - PART;
    if (left <= 0) return;
    const more = make('li');
    const button = make('button', 'tiny', say('more-of', { count: Math.min(left, PART), left }));
    button.setAttribute('type', 'button');
    button.addEventListener('click', () => {
      more.remove();
      fill(list, value, path, from + PART);
    });
    more.append(button);
    list.append(more);
  }

  /** @param {HTMLDetailsElement} branch @param {unknown} value @param {string} path */
  function openBranch(branch, value, path) {
    if (branch.dataset.filled) return;
    branch.dataset.filled = 'yes';
    const list = make('ul');
    fill(list, value, path, 0);
    branch.append(list);
  }

  /**
   * @param {unknown} value
   * @param {string | number} key
   * @param {string} path
   */
  function row(value, key, path) {
    const item = make('li');
    item.dataset.path = path;
    const name = make('span', 'key', typeof key === 'number' ? `${key}` : key);
    if (!isBranch(value)) {
      item.append(name, ': ', leaf(value), tools(path, () => value));
      return item;
    }
    const branch = /** @type {HTMLDetailsElement} */ (make('details'));
    const head = make('summary');
    head.append(name, ' ', make('span', 'soft', about(value)));
    branch.append(head);
    branch.addEventListener('toggle', () => { if (branch.open) openBranch(branch, value, path); });
    item.append(branch, tools(path, () => value));
    return item;
  }

  /** @param {unknown} value */
  function treeOf(value) {
    const list = make('ul', 'tree');
    fill(list, isBranch(value) ? value : { value }, 'state', 0);
    const first = list.querySelectorAll(':scope > li > details');
    if (first.length <= 3) {
      for (const branch of first) if (branch instanceof HTMLDetailsElement) branch.open = true;
    }
    return list;
  }

  /**
   * Paths whose key or value has a text.
   * @param {unknown} root
   * @param {string} text
   */
  function find(root, text) {
    const wanted = text.toLowerCase();
    /** @type {(string | number)[][]} */
    const found = [];
    /** @type {[unknown, (string | number)[]][]} */
    const open = [[root, []]];
    while (open.length && found.length < MOST_FOUND) {
      const [value, path] = /** @type {[unknown, (string | number)[]]} */ (open.pop());
      for (const key of keysOf(value).reverse()) {
        const child = inside(value, key);
        const here = [...path, key];
        if (isBranch(child)) open.push([child, here]);
        if (String(key).toLowerCase().includes(wanted) || (!isBranch(child) && String(child).toLowerCase().includes(wanted))) {
          found.push(here);
        }
      }
    }
    return found;
  }

  /** @param {HTMLElement} tree @param {unknown} root @param {(string | number)[]} keys */
  function reveal(tree, root, keys) {
    let path = 'state';
    let value = root;
    let list = /** @type {Element} */ (tree);
    /** @type {Element | null} */
    let item = null;
    for (const key of keys) {
      const place = keysOf(value).indexOf(key);
      path = joined(path, key);
      const wanted = path;
      const pick = () => [...list.children].find((one) => one instanceof HTMLElement && one.dataset.path === wanted) ?? null;
      item = pick();
      while (!item && place >= list.children.length - 1) {
        const more = list.lastElementChild?.querySelector(':scope > button');
        if (!(more instanceof HTMLElement)) return;
        more.click();
        item = pick();
      }
      if (!item) return;
      value = inside(value, key);
      const branch = item.querySelector(':scope > details');
      if (branch instanceof HTMLDetailsElement) {
        openBranch(branch, value, path);
        branch.open = true;
        list = branch.querySelector(':scope > ul') ?? list;
      }
    }
    for (const old of tree.querySelectorAll('.found')) old.classList.remove('found');
    item?.classList.add('found');
    item?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {HTMLElement} box @param {unknown} value @param {HTMLElement} text */
  function show(box, value, text) {
    const tree = treeOf(value);
    tree.id = `${text.id}-tree`;
    const bar = make('div', 'treebar');
    const search = /** @type {HTMLInputElement} */ (make('input'));
    search.setAttribute('aria-label', say('search-in', { name: text.getAttribute('aria-label') ?? '' }));
    search.placeholder = say('search');
    const told = make('span', 'small soft');
    told.setAttribute('role', 'status');
    const swap = make('button', 'tiny', say('text'));
    swap.setAttribute('type', 'button');
    swap.addEventListener('click', () => {
      tree.hidden = !tree.hidden;
      text.hidden = !tree.hidden;
      swap.textContent = say(tree.hidden ? 'tree' : 'text');
    });
    /** @type {(string | number)[][]} */
    let found = [];
    let at = 0;
    let asked = '';
    search.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      if (search.value !== asked) {
        asked = search.value;
        found = asked && isBranch(value) ? find(value, asked) : [];
        at = 0;
      } else if (found.length) at = (at + (event.shiftKey ? found.length - 1 : 1)) % found.length;
      told.textContent = !asked ? '' : found.length ? say(found.length === MOST_FOUND ? 'found-or-more' : 'found', { at: at + 1, count: found.length }) : say('not-found');
      const one = found[at];
      if (one) reveal(tree, value, one);
    });
    bar.append(search, told, swap);
    text.hidden = true;
    text.before(bar, tree);
    box.dataset.tree = 'yes';
  }

  /** @param {HTMLElement} box */
  function offer(box) {
    const text = box.querySelector('pre');
    if (!text || box.dataset.tree) return;
    const { raw, cut } = box.dataset;
    if (!cut) {
      try {
        show(box, JSON.parse(text.textContent ?? ''), text);
      } catch {
        box.dataset.tree = 'no'; // it is no JSON: its text is what there is
      }
      return;
    }
    const button = make('button', 'tiny', say('open-all'));
    button.setAttribute('type', 'button');
    button.addEventListener('click', async () => {
      button.textContent = say('loading');
      const answer = await fetch(raw ?? '');
      if (!answer.ok) { button.textContent = say('not-loaded'); return; }
      show(box, await answer.json(), text);
      button.remove();
    });
    box.dataset.tree = 'asks';
    text.before(button);
  }

  /** @param {Element | Document} root */
  function all(root) {
    const here = root instanceof HTMLElement && root.dataset.json ? [root] : [];
    for (const box of [...here, ...root.querySelectorAll('[data-json]')]) if (box instanceof HTMLElement) offer(box);
  }

  document.addEventListener('enhanced', ({ target }) => {
    if (target instanceof Element || target instanceof Document) all(target);
  });
  all(document);
})();
