// The picture of the editor by hand: its parts are dragged, or moved with the arrow keys, and
// connected from the dot below one to another. Where they are stands in the field `positions`; a
// connection is a button of the form. Without this script all of it is done in the forms.
(() => {
  // As `graph.py` has them.
  const WIDTH = 168;
  const HEIGHT = 52;
  const MARGIN = 12;
  const NEAR = 38;
  const BY_KEY = 20;
  /** Nearer than this it was a click. */
  const CLICK = 4;
  /** @typedef {{ x: number, y: number }} Place */
  /** What was before each move. @type {{ value: string, places: Map<string, Place> }[]} */
  const moves = [];
  /** @type {Record<string, [number, number]>} */
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  /** The hand that is down. @type {{ node: SVGGElement, from: Place, at: Place, line: SVGPathElement | null, moved: boolean } | null} */
  let hand = null;
  /** A click ends a drag; it opens nothing. */
  let dragged = false;
  /** The part that the keys move: all their steps are one move. @type {SVGGElement | null} */
  let byKeys = null;

  const svg = () => document.querySelector('#editor .graph svg');
  const field = () => /** @type {HTMLInputElement | null} */ (document.querySelector('#editor [name=positions]'));
  /** @returns {SVGGElement[]} */
  const nodes = () => [...document.querySelectorAll('#editor .graph [data-node]')].filter((one) => one instanceof SVGGElement);

  /** @param {SVGGElement} node @returns {Place} */
  const placeOf = (node) => ({ x: Number(node.dataset.x), y: Number(node.dataset.y) });
  const places = () => new Map(nodes().map((node) => [node.dataset.node ?? '', placeOf(node)]));

  /** @param {SVGGElement} node @param {Place} place */
  function put(node, { x, y }) {
    node.dataset.x = String(x);
    node.dataset.y = String(y);
    node.setAttribute('transform', `translate(${x} ${y})`);
  }

  /** A line as `_line` of `graph.py` has it. @param {Place} a @param {Place} b */
  function curve(a, b) {
    const [x1, y1, x2, y2] = [a.x + WIDTH / 2, a.y + HEIGHT, b.x + WIDTH / 2, b.y - 6];
    const down = y2 - y1;
    const reach = down >= NEAR ? down / 2 : Math.min(80, NEAR - down / 2);
    return { d: `M ${x1} ${y1} C ${x1} ${y1 + reach}, ${x2} ${y2 - reach}, ${x2} ${y2}`, x: x1 + (x2 - x1) * 0.8, y: y1 + down * 0.62 };
  }

  function drawLines() {
    const known = places();
    for (const one of document.querySelectorAll('#editor .graph [data-from]')) {
      if (!(one instanceof SVGElement)) continue;
      const [from, to] = [known.get(one.dataset.from ?? ''), known.get(one.dataset.to ?? '')];
      if (!from || !to) continue;
      const { d, x, y } = curve(from, to);
      if (one.tagName === 'path') one.setAttribute('d', d);
      else for (const [name, value] of Object.entries({ x, y })) one.setAttribute(name, String(value));
    }
  }

  /** All parts are in the picture; it grows and never shrinks under the hand. */
  function fit() {
    const all = nodes();
    const now = all.map(placeOf);
    const left = Math.max(0, MARGIN - Math.min(...now.map(({ x }) => x)));
    const top = Math.max(0, MARGIN - Math.min(...now.map(({ y }) => y)));
    if (left || top) all.forEach((node, index) => { put(node, { x: now[index].x + left, y: now[index].y + top }); });
    const wide = Math.max(Number(svg()?.getAttribute('width')), ...now.map(({ x }) => x + left + WIDTH + MARGIN));
    const high = Math.max(Number(svg()?.getAttribute('height')), ...now.map(({ y }) => y + top + HEIGHT + MARGIN));
    for (const [name, value] of Object.entries({ width: wide, height: high, viewBox: `0 0 ${wide} ${high}` })) svg()?.setAttribute(name, String(value));
    drawLines();
  }

  /** @param {string} value */
  function write(value) {
    const kept = field();
    if (!kept) return;
    kept.value = value;
    kept.dispatchEvent(new Event('input', { bubbles: true }));
    ready();
  }

  /** @param {SVGGElement} node */
  function keep(node) {
    fit();
    write(JSON.stringify(Object.fromEntries(places())));
    const told = document.getElementById('moved');
    if (told) told.textContent = say('moved', { name: node.querySelector('title')?.textContent ?? '' });
  }

  const remember = () => { moves.push({ value: field()?.value ?? '', places: places() }); };

  function undo() {
    const last = moves.pop();
    if (!last) return;
    for (const node of nodes()) put(node, last.places.get(node.dataset.node ?? '') ?? placeOf(node));
    byKeys = null;
    fit();
    write(last.value);
  }

  /** What is there only with a script, and the button that takes back a move. */
  function ready() {
    document.querySelector('#editor .graph')?.classList.add('by-hand');
    for (const one of document.querySelectorAll('#by-hand [data-script]')) one.toggleAttribute('hidden', one.id === 'undo-move' && !moves.length);
    document.getElementById('arrange')?.toggleAttribute('hidden', !field()?.value);
  }

  /** @param {EventTarget | null} target @returns {SVGGElement | null} */
  const nodeAt = (target) => (target instanceof Element ? target.closest('#editor .graph [data-node]') : null);

  document.addEventListener('pointerdown', (event) => {
    dragged = false;
    const node = nodeAt(event.target);
    if (!node || !event.isPrimary || event.button) return;
    const connects = event.target instanceof Element && event.target.matches('.handle');
    const line = connects ? document.createElementNS('http://www.w3.org/2000/svg', 'path') : null;
    line?.setAttribute('class', 'edge new');
    if (line) svg()?.append(line);
    hand = { node, from: { x: event.clientX, y: event.clientY }, at: placeOf(node), line, moved: false };
  });

  document.addEventListener('pointermove', (event) => {
    if (!hand) return;
    const { node, from, at, line } = hand;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (!hand.moved && Math.hypot(dx, dy) < CLICK) return;
    if (!hand.moved && !line) remember();
    hand.moved = true;
    if (!line) {
      put(node, { x: Math.round(at.x + dx), y: Math.round(at.y + dy) });
      drawLines();
      return;
    }
    const box = svg()?.getBoundingClientRect();
    if (!box) return;
    line.setAttribute('d', curve(at, { x: event.clientX - box.x - WIDTH / 2, y: event.clientY - box.y + 6 }).d);
    aim(document.elementFromPoint(event.clientX, event.clientY));
  });

  /** @param {Element | null} under what a connection would lead to */
  function aim(under) {
    const node = nodeAt(under);
    const good = node?.dataset.kind === 'job' && node !== hand?.node ? node : null;
    for (const one of nodes()) one.classList.toggle('aim', one === good);
    return good;
  }

  document.addEventListener('pointerup', (event) => {
    if (!hand) return;
    const { node, line, moved } = hand;
    const target = line && moved ? aim(document.elementFromPoint(event.clientX, event.clientY)) : null;
    hand = null;
    line?.remove();
    dragged = moved;
    byKeys = null;
    if (moved && !line) keep(node);
    const button = document.querySelector('#connect');
    if (!target || !(button instanceof HTMLButtonElement)) return;
    button.value = `connect:${node.dataset.node}:${target.dataset.node}`;
    button.click();
  });

  /** The hand lets go, and nothing has happened. */
  function letGo() {
    if (!hand) return;
    const { line, moved } = hand;
    line?.remove();
    aim(null);
    hand = null;
    dragged = moved;
    if (moved && !line) undo();
  }

  document.addEventListener('pointercancel', letGo);
  document.addEventListener('dragstart', (event) => { if (nodeAt(event.target)) event.preventDefault(); });
  document.addEventListener('click', (event) => {
    if (dragged && nodeAt(event.target)) {
      event.preventDefault();
      event.stopPropagation();
    }
    dragged = false;
    if (event.target instanceof Element && event.target.id === 'undo-move') undo();
  }, true);

  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') letGo();
    if (!(event.target instanceof Element) || !event.target.closest('#editor .graph')) return;
    if ((event.ctrlKey || event.metaKey) && event.key === 'z' && moves.length) {
      event.preventDefault();
      undo();
      return;
    }
    const [way, node] = [ARROWS[event.key], nodeAt(event.target)];
    if (!way || !node || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (byKeys !== node) remember();
    byKeys = node;
    const step = event.shiftKey ? 1 : BY_KEY;
    const { x, y } = placeOf(node);
    put(node, { x: x + way[0] * step, y: y + way[1] * step });
    keep(node);
    node.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  });
  document.addEventListener('focusout', ({ target }) => { if (nodeAt(target)) byKeys = null; });
  document.addEventListener('htmx:afterSettle', ready);
  ready();
})();
