// Keeps a page up to date. Without this script every page works, and shows what was when it loaded.
(() => {
  // Log lines come as HTML that the server has escaped; `changed` asks htmx to fetch the live part.
  // Hidden tabs let go of their connection: browsers allow six for each host.
  /** @type {HTMLElement | null} */
  const page = document.querySelector('[data-events]');
  const light = document.getElementById('live');
  /** @type {EventSource | null} */
  let source = null;
  /**
   * The id of the last log line that is shown.
   * @type {string | null}
   */
  let last = null;

  /** @param {MessageEvent<string>} event */
  function show(event) {
    const log = document.getElementById('log');
    if (!log) return;
    const following = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    last = event.lastEventId;
    log.insertAdjacentHTML('beforeend', JSON.parse(event.data));
    while (log.children.length > 5000) log.firstElementChild?.remove();
    const empty = document.getElementById('log-empty');
    if (empty) empty.hidden = true;
    if (following) log.scrollTop = log.scrollHeight;
  }

  /** @param {boolean} on */
  function tell(on) {
    if (!light) return;
    if (on) light.dataset.on = 'yes';
    else delete light.dataset.on;
    light.title = on ? 'Live' : 'Not connected';
  }

  /** @param {string} events where the page's events come from */
  function connect(events) {
    source = new EventSource(last === null ? events : events.replace(/after=\d+/, `after=${last}`));
    source.addEventListener('log', show);
    source.addEventListener('changed', () => {
      document.body.dispatchEvent(new CustomEvent('changed'));
    });
    source.addEventListener('open', () => tell(true));
    source.addEventListener('error', () => tell(false));
  }

  function disconnect() {
    if (!source) return;
    source.close();
    source = null;
    if (light) delete light.dataset.on;
  }

  const events = page?.dataset.events;
  if (events) {
    if (!document.hidden) connect(events);
    document.addEventListener('visibilitychange', () => {
      disconnect();
      if (!document.hidden) connect(events);
    });
    window.addEventListener('pagehide', disconnect);
  }

  // Which log levels are shown.
  document.addEventListener('change', ({ target }) => {
    const log = document.getElementById('log');
    if (log && target instanceof HTMLSelectElement && target.id === 'log-level') {
      log.dataset.level = target.value;
    }
  });

  // Copy buttons.
  document.addEventListener('click', async ({ target }) => {
    /** @type {HTMLElement | null} */
    const button = target instanceof Element ? target.closest('[data-copy]') : null;
    if (!button || !navigator.clipboard) return;
    await navigator.clipboard.writeText(button.dataset.copy ?? '');
    const text = button.textContent;
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = text; }, 1200);
  });
})();
