// Makes the fields of code of the editing page into editors, with checks at their lines. Without
// this script the fields are plain text, and everything else of the page works as it does with it.
(() => {
  /** @typedef {{ line: number, column: number, warning: boolean, message: string }} Said */
  /** @typedef {{ found?: Record<string, Said[]>, names: Record<string, { name: string, about: string }[]>, trouble: string | null }} Checked */
  /** @type {Record<string, { name: string, about: string }[]>} */
  const names = {};
  /** The checks under way, by step: a newer one ends the older. @type {Record<string, AbortController>} */
  const asked = {};
  /** Resolves when the check before has ended: they go one after another. */
  let before = Promise.resolve();
  /** What is open; it stays so when a button has changed the form. */
  let open = /** @type {string[]} */ ([]);
  let dirty = false;

  const form = () => /** @type {HTMLFormElement | null} */ (document.getElementById('editor'));

  /** @param {string} step @returns {Promise<Said[]>} */
  async function check(step) {
    const now = form();
    if (!now) return [];
    const sent = new URLSearchParams();
    for (const [name, value] of new FormData(now)) {
      if (name.includes(step) || name.startsWith('form_token')) sent.append(name, String(value));
    }
    sent.set('only', step);
    asked[step]?.abort();
    const mine = new AbortController();
    asked[step] = mine;
    const said = before.then(() => ask(now.dataset.check ?? '', sent, step, mine.signal));
    before = said.then(() => {});
    return said;
  }

  /** @param {string} path @param {URLSearchParams} sent @param {string} step @param {AbortSignal} signal @returns {Promise<Said[]>} */
  async function ask(path, sent, step, signal) {
    try {
      const answer = await fetch(path, { method: 'POST', body: sent, signal });
      const json = answer.headers.get('content-type')?.includes('json');
      /** @type {Checked | null} */
      const told = json ? await answer.json() : null;
      if (!told?.found || told.trouble) return unchecked(told?.trouble ?? say('answered', { status: answer.status }));
      names[step] = told.names[step] ?? [];
      return told.found[step] ?? [];
    } catch {
      return signal.aborted ? [] : unchecked(say('unreachable'));
    }
  }

  /** What is said where nothing was checked. @param {string} why @returns {Said[]} */
  const unchecked = (why) => [{ line: 1, column: 1, warning: true, message: say('unchecked', { why }) }];

  /** @param {HTMLTextAreaElement} text */
  function enrich(text) {
    const step = text.dataset.step;
    if (!step || text.dataset.rich || !text.checkVisibility() || typeof CodeMirror === 'undefined') return;
    text.dataset.rich = 'yes';
    const host = document.createElement('div');
    host.className = 'rich';
    const hadFocus = document.activeElement === text;
    text.after(host);
    const editor = CodeMirror.open(host, {
      text: text.value,
      label: text.dataset.label ?? say('code'),
      changed: (now) => {
        text.value = now;
        dirty = true;
      },
      check: () => check(step),
      names: () => names[step] ?? [],
    });
    text.hidden = true;
    document.querySelector(`label[for="${CSS.escape(text.id)}"]`)?.addEventListener('click', () => editor.focus());
    if (hadFocus) editor.focus();
  }

  function enrichAll() {
    for (const text of document.querySelectorAll('textarea.code-text')) {
      if (text instanceof HTMLTextAreaElement) enrich(text);
    }
    if (form()?.dataset.dirty) dirty = true;
  }

  document.addEventListener('toggle', ({ target }) => {
    if (target instanceof HTMLDetailsElement && target.open) enrichAll();
  }, true);
  document.addEventListener('input', ({ target }) => {
    if (target instanceof Element && target.closest('#editor')) dirty = true;
  });
  document.addEventListener('submit', ({ target }) => {
    if (target === form()) dirty = false;
  });
  window.addEventListener('beforeunload', (event) => { if (dirty) event.preventDefault(); });

  // A node of the picture opens its part.
  document.addEventListener('click', ({ target }) => {
    const link = target instanceof Element ? target.closest('#editor .graph a') : null;
    const key = link?.getAttribute('href')?.slice(1);
    const part = key ? document.getElementById(key) : null;
    const details = part?.closest('details');
    if (details) details.open = true;
  });
  document.addEventListener('htmx:beforeSwap', () => {
    open = [...document.querySelectorAll('#editor details[open]')].map((one) => one.id);
  });
  document.addEventListener('htmx:afterSettle', () => {
    for (const id of open) document.getElementById(id)?.setAttribute('open', '');
    open = [];
    enrichAll();
  });
  document.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey)) return;
    const wanted = { s: 'save', Enter: 'save-run' }[event.key];
    const button = wanted && form()?.querySelector(`button[value="${wanted}"]`);
    if (!(button instanceof HTMLButtonElement)) return;
    event.preventDefault();
    form()?.requestSubmit(button);
  });
  enrichAll();
})();
