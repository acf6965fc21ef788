// Sends what the forms of the API's page say, and shows the answer as text.
(() => {
  /**
   * The address that a form means.
   * @param {HTMLFormElement} form
   */
  function address(form) {
    let path = form.dataset.path ?? '';
    const query = new URLSearchParams();
    for (const field of form.querySelectorAll('input')) {
      if (field.dataset.in === 'path') path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
      else if (field.value) query.set(field.name, field.value);
    }
    const text = query.toString();
    return text ? `${path}?${text}` : path;
  }

  /** @param {HTMLFormElement} form */
  async function send(form) {
    const shown = form.querySelector('pre');
    if (!shown) return;
    /** @type {Record<string, string>} */
    const headers = {};
    const token = document.getElementById('api-token');
    if (token instanceof HTMLInputElement && token.value) headers.authorization = `Bearer ${token.value}`;
    const body = form.querySelector('textarea')?.value;
    if (body !== undefined) headers['content-type'] = 'application/json';
    shown.hidden = false;
    shown.textContent = '…';
    try {
      const answer = await fetch(address(form), { method: form.dataset.method, headers, body });
      const text = await answer.text();
      shown.textContent = `${answer.status} ${answer.statusText}\n${pretty(text)}`;
    } catch (error) {
      shown.textContent = String(error);
    }
  }

  /** @param {string} text */
  function pretty(text) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }

  document.addEventListener('submit', event => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.dataset.path) return;
    event.preventDefault();
    void send(form);
  });
})();
