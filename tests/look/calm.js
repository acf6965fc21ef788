// No digits, no bars by time, nothing that moves. Run in the page before its picture is taken.
() => {
  const style = document.createElement('style');
  style.textContent = `*, *::before, *::after { animation: none !important;
    transition: none !important; caret-color: transparent !important; }
    .track svg > *, #log, .spark { visibility: hidden; }`;
  document.head.append(style);
  /** @param {string} text */
  const plain = (text) => text
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '00000000-0000')
    .replace(/\b(?=[a-f]*\d)[0-9a-f]{8}\b/g, '00000000')
    .replace(/\/\S+\/data\b/g, '/data') // the folder of this run
    .replace(/\d+(\.\d+)?\s(ms|s|min|h|d)\b( \d+ s)?/g, '0 s')
    .replace(/\d+(\.\d+)?\s(B|KB|MB)\b/g, '0 B')
    .replace(/\d+/g, '0');
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { currentNode } = walker;
    if (currentNode instanceof Text) currentNode.data = plain(currentNode.data);
  }
  for (const field of document.querySelectorAll('input, textarea')) {
    if (field instanceof HTMLTextAreaElement) field.value = plain(field.value);
    else if (field instanceof HTMLInputElement && field.type === 'text') field.value = plain(field.value);
  }
}
