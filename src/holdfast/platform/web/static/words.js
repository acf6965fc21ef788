// The words that scripts show, in the reader's language: the page brings them (`SCRIPT_WORDS`).
(() => {
  /** @type {Record<string, string>} */
  const words = JSON.parse(document.getElementById('words')?.textContent ?? '{}');
  /**
   * @param {string} key
   * @param {Record<string, string | number>} values of `{name}` in the words
   */
  globalThis.say = (key, values = {}) => (words[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all));
})();
