// Keeps a page up to date. Without this script every page works, and shows what was when it loaded.
(() => {
  // `changed` makes the page fetch its live part; of it only what differs is replaced, so that
  // nothing jumps. Log lines come as HTML that the server has escaped. Hidden tabs let go of their
  // connection: browsers allow six for each host.
  const MOST_LINES = 2000;
  const TRY_AGAIN_MS = 3000;
  const LOST_MS = 1500;
  const light = document.getElementById('live');
  const banner = document.getElementById('lost');
  /** @type {EventSource | null} */
  let source = null;
  /**
   * The number of the last log line that is known.
   * @type {string | null}
   */
  let last = null;
  let lostTimer = 0;

  const events = () => /** @type {HTMLElement | null} */ (document.querySelector('[data-events]'))?.dataset.events;

  // Times in the reader's zone, the exact one on pointing at it.

  /** @param {Element | Document} root */
  function localTimes(root) {
    for (const time of root.querySelectorAll('time[datetime]:not(.ago)')) {
      if (!(time instanceof HTMLTimeElement) || time.dataset.local) continue;
      time.dataset.local = 'yes';
      const shift = -new Date(time.dateTime).getTimezoneOffset();
      if (!shift) continue;
      const moved = new Date(new Date(time.dateTime).getTime() + shift * 60000).toISOString();
      const text = time.textContent ?? '';
      time.textContent = text.includes('-') ? moved.slice(0, 19).replace('T', ' ') : moved.slice(11, 23);
    }
  }

  /** @param {number} ms */
  function words(ms) {
    const seconds = Math.max(0, ms) / 1000;
    if (seconds < 60) return say('seconds', { s: seconds.toFixed(1) });
    if (seconds < 5400) return say('minutes', { min: Math.floor(seconds / 60), s: Math.floor(seconds % 60) });
    return say('hours', { h: (seconds / 3600).toFixed(1) });
  }

  function count() {
    for (const one of document.querySelectorAll('[data-since]')) {
      if (one instanceof HTMLElement) one.textContent = words(Date.now() - Number(one.dataset.since));
    }
  }

  // The live part.

  /** @param {Element} fresh @param {Element} old */
  function renew(fresh, old) {
    const parts = [...fresh.querySelectorAll('[data-rev][id]')];
    const known = parts.map((part) => document.getElementById(part.id));
    const focused = document.activeElement?.getAttribute('href');
    if (!parts.length || known.includes(null) || old.querySelectorAll('[data-rev][id]').length !== parts.length) {
      const ticked = new Set([...old.querySelectorAll('input[name=run]:checked')].map((box) => box.getAttribute('value')));
      old.replaceChildren(...fresh.childNodes);
      for (const box of boxes('run')) box.checked = ticked.has(box.value);
      enhance(old);
      focusAgain(focused);
      return;
    }
    parts.forEach((part, index) => {
      const before = known[index];
      if (!(before instanceof HTMLElement) || !(part instanceof HTMLElement)) return;
      if (before.dataset.rev === part.dataset.rev) return;
      const open = [...before.querySelectorAll('details[open][id]')].map((one) => one.id);
      before.replaceWith(part);
      for (const id of open) document.getElementById(id)?.setAttribute('open', '');
      enhance(part);
    });
    focusAgain(focused);
  }

  /** @param {string | null | undefined} link the address of the link that had the focus */
  function focusAgain(link) {
    if (!link || document.activeElement !== document.body) return;
    const same = document.querySelector(`#live-part a[href="${CSS.escape(link)}"]`);
    if (same instanceof HTMLElement) same.focus({ preventScroll: true });
  }

  let fetching = false;
  let again = false;

  /** Where the live part of what is shown now comes from. @param {HTMLElement} part */
  function addressOf(part) {
    const address = new URL(location.href);
    address.hash = '';
    if (part.dataset.page) address.pathname = part.dataset.page; // shown in answer to a form
    if (part.dataset.live) {
      address.pathname = part.dataset.live;
      address.searchParams.set('part', 'live');
    }
    return address.href;
  }

  async function refresh() {
    const part = document.getElementById('live-part');
    if (!part) return;
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const address = addressOf(part);
      const answer = await fetch(address, { headers: { 'hx-request': 'true' } });
      if (answer.redirected && new URL(answer.url).pathname === '/login') location.reload();
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const now = document.getElementById('live-part') ?? part;
      if (addressOf(now) === address) renew(page.getElementById('live-part') ?? page.body, now);
      else again = true; // somebody has chosen something else meanwhile
    } catch {
      tell(false); // the connection is gone; it is told, and tried again
    } finally {
      fetching = false;
      if (again) { again = false; refresh(); }
    }
  }

  // The log.

  /** @param {MessageEvent<string>} event */
  function show(event) {
    last = event.lastEventId;
    const panel = document.getElementById('log-panel');
    const log = document.getElementById('log');
    if (!panel || !log) return;
    panel.dataset.total = last;
    if (panel.dataset.atEnd !== 'yes') {
      document.getElementById('log-new')?.removeAttribute('hidden');
      return;
    }
    const following = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    log.insertAdjacentHTML('beforeend', JSON.parse(event.data));
    const shown = log.dataset.step;
    if (shown) {
      for (const line of log.querySelectorAll(`.line:not([data-step="${CSS.escape(shown)}"])`)) line.remove();
    }
    let dropped = 0;
    while (log.children.length > MOST_LINES && following) {
      log.firstElementChild?.remove();
      dropped += 1;
    }
    if (log.children.length > MOST_LINES) { // the reader is further up: nothing is taken away
      panel.dataset.atEnd = '';
      document.getElementById('log-new')?.removeAttribute('hidden');
    }
    const where = document.getElementById('log-where');
    const first = log.firstElementChild?.id.slice(1) ?? '1';
    const between = { first: Number(first).toLocaleString('en'), last: Number(last).toLocaleString('en') };
    if (where) where.textContent = say(dropped ? 'lines-dropped' : 'lines', between);
    const empty = document.getElementById('log-empty');
    if (empty) empty.hidden = true;
    localTimes(log);
    if (following) log.scrollTop = log.scrollHeight;
  }

  // The connection.

  /** @param {boolean} on */
  function tell(on) {
    clearTimeout(lostTimer);
    if (light) {
      if (on) light.dataset.on = 'yes';
      else delete light.dataset.on;
      light.textContent = say(on ? 'live' : 'not-connected');
    }
    if (!banner) return;
    if (on) banner.hidden = true;
    else lostTimer = window.setTimeout(() => { banner.hidden = document.hidden; }, LOST_MS);
  }

  /** @param {string} address where the page's events come from */
  function connect(address) {
    const opened = new EventSource(last === null ? address : address.replace(/after=\d+/, `after=${last}`));
    source = opened;
    opened.addEventListener('log', show);
    opened.addEventListener('changed', () => { refresh(); });
    opened.addEventListener('open', () => tell(true));
    opened.addEventListener('error', () => {
      tell(false);
      if (opened.readyState !== EventSource.CLOSED) return; // the browser tries by itself
      opened.close();
      setTimeout(() => {
        const now = events();
        if (source === opened && now && !document.hidden) connect(now);
      }, TRY_AGAIN_MS);
    });
  }

  function disconnect() {
    clearTimeout(lostTimer);
    source?.close();
    source = null;
    if (light) delete light.dataset.on;
  }

  const address = events();
  if (address) {
    if (!document.hidden) connect(address);
    document.addEventListener('visibilitychange', () => {
      disconnect();
      if (!document.hidden) connect(address);
    });
    window.addEventListener('pagehide', disconnect);
    window.addEventListener('offline', () => tell(false));
    window.addEventListener('online', () => {
      disconnect();
      if (!document.hidden) connect(address);
    });
    setInterval(count, 1000);
  }

  // Parts that came later, or are there from the start.

  /** @param {Element | Document} root */
  function enhance(root) {
    localTimes(root);
    count();
    const marked = document.querySelector('#log .line.marked');
    const log = document.getElementById('log');
    if (marked instanceof HTMLElement && log && document.querySelector('#log-panel[data-quiet]')) {
      log.scrollTop = marked.offsetTop - log.offsetTop - 20; // chosen elsewhere: the page stays
    } else if (marked && root.contains(marked)) marked.scrollIntoView({ block: 'center' });
    root.dispatchEvent(new CustomEvent('enhanced', { bubbles: true }));
  }

  document.addEventListener('htmx:afterSettle', ({ target }) => {
    if (target instanceof Element) enhance(target);
  });
  document.addEventListener('htmx:afterSwap', () => {
    localTimes(document);
  });
  document.addEventListener('change', ({ target }) => {
    const log = document.getElementById('log');
    if (log && target instanceof HTMLSelectElement && target.id === 'log-level') log.dataset.level = target.value;
  });

  // One box ticks all of a list.

  /** @param {string} name @returns {HTMLInputElement[]} */
  const boxes = (name) => [...document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`)].filter((box) => box instanceof HTMLInputElement);

  for (const all of document.querySelectorAll('label.all')) all.removeAttribute('hidden');
  document.addEventListener('change', ({ target }) => {
    if (!(target instanceof HTMLInputElement) || !target.dataset.all) return;
    for (const box of boxes(target.dataset.all)) box.checked = target.checked;
  });

  // A file's text goes into a field; what its name ends with says how it is written.

  for (const part of document.querySelectorAll('.from-file')) part.removeAttribute('hidden');
  document.addEventListener('change', async ({ target }) => {
    if (!(target instanceof HTMLInputElement) || !target.dataset.into || !target.files?.[0]) return;
    const [file] = target.files;
    const field = document.getElementById(target.dataset.into);
    if (!(field instanceof HTMLTextAreaElement) || !file) return;
    field.value = await file.text();
    const kind = file.name.slice(file.name.lastIndexOf('.') + 1);
    const choice = target.form?.elements.namedItem('form');
    if (choice instanceof HTMLSelectElement && [...choice.options].some((one) => one.value === kind)) choice.value = kind;
  });

  // A row of a list goes where its first own link goes.
  document.addEventListener('click', (event) => {
    const { target } = event;
    if (!(target instanceof Element) || target.closest('a, button, input, label, summary')) return;
    if (window.getSelection()?.toString()) return;
    const link = target.closest('tr.goes')?.querySelector('a.whole');
    if (!(link instanceof HTMLAnchorElement)) return;
    if (event.ctrlKey || event.metaKey) window.open(link.href);
    else location.assign(link.href);
  });

  // Copy buttons.
  document.addEventListener('click', async ({ target }) => {
    /** @type {HTMLElement | null} */
    const button = target instanceof Element ? target.closest('[data-copy]') : null;
    if (!button || !navigator.clipboard) return;
    await navigator.clipboard.writeText(button.dataset.copy ?? '');
    const text = button.textContent;
    button.textContent = say('copied');
    setTimeout(() => { button.textContent = text; }, 1200);
  });

  // The keyboard: `?` lists what there is.

  /** @param {number} step */
  function move(step) {
    const rows = [...document.querySelectorAll('a.whole, .steps a')].filter((row) => row instanceof HTMLElement);
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.matches(':focus'));
    const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
    if (next instanceof HTMLElement) next.focus();
  }

  /** @type {Record<string, () => void>} */
  const KEYS = {
    '?': () => {
      const help = document.getElementById('keys');
      if (help instanceof HTMLDialogElement) help.showModal();
    },
    '/': () => {
      const search = document.querySelector('input[type=search]');
      if (search instanceof HTMLElement) search.focus();
      else location.assign('/runs#search');
    },
    j: () => move(1),
    k: () => move(-1),
    o: () => location.assign('/'),
    r: () => location.assign('/runs'),
    w: () => location.assign('/workers'),
  };
  document.addEventListener('keydown', (event) => {
    const [target] = event.composedPath(); // the editor for code is in a shadow root
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // A dialog that has just closed keeps the focus until the browser draws again.
    if (target instanceof Element && target.closest('input, textarea, select, dialog[open], [contenteditable]')) return;
    const action = KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  if (location.hash === '#search') document.querySelector('input[type=search]')?.scrollIntoView();

  enhance(document);
})();
