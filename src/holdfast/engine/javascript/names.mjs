// Where a run has no namespaces, the walls hide what would tell the name of its machine: the system
// call `uname` and, if that name stands in it, /etc/hosts. Here is what stands in for both.

import { internalBinding } from './internals.mjs';

/** What a run takes for the name of its machine, as in a namespace. */
const NAME = 'run';
const system = ['Linux', '', '0.0.0', 'x86_64'];
const soon = setImmediate;

/**
 * Answer for them. `hosts`: name in lower case → addresses.
 * @param {Record<string, string[]>} hosts
 */
export function standIn(hosts) {
  const os = internalBinding?.('os');
  if (os === undefined) return;
  const { getOSInformation } = os;
  os.getOSInformation = (/** @type {object} */ context) => getOSInformation(context) ?? system;
  os.getHostname = () => NAME;
  const names = new Map(Object.entries(hosts));
  if (names.size > 0) answerLookups(names);
}

/**
 * Lookups of these names need no file and no server.
 * @param {Map<string, string[]>} names
 */
function answerLookups(names) {
  const cares = internalBinding('cares_wrap');
  const { getaddrinfo } = cares;
  /**
   * @param {{ oncomplete: (error: null, addresses: string[]) => void }} request
   * @param {string} name
   * @param {number} family 0, 4 or 6
   * @param {...number} rest
   */
  cares.getaddrinfo = (request, name, family, ...rest) => {
    const known = names.get(String(name).toLowerCase()) ?? [];
    const fitting = known.filter((address) => (
      family === 0 || (family === 6) === address.includes(':')
    ));
    if (fitting.length === 0) return getaddrinfo(request, name, family, ...rest);
    soon(() => request.oncomplete(null, fitting));
    return 0;
  };
}
