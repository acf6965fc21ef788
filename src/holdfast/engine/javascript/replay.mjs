// In a replay every connection goes to the recording: a server on this machine that answers as the
// other systems did (`holdfast.bench.recording`). TLS ends here, so no certificates are needed.

/**
 * @param {unknown[]} args of `connect`
 * @returns {any} its callback
 */
const callbackOf = (args) => args.flat().findLast((item) => typeof item === 'function');

/**
 * From here on connections of this process go to `host`:`port`.
 * @param {{ host: string, port: number }} recording
 */
export function redirect({ host, port }) {
  // only here: each run would pay for loading them
  const net = process.getBuiltinModule('node:net');
  const tls = process.getBuiltinModule('node:tls');
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function connectToRecording(/** @type {any[]} */ ...args) {
    const callback = callbackOf(args);
    return Reflect.apply(connect, this, [{ host, port }, ...(callback ? [callback] : [])]);
  };
  const secure = /** @type {Bag} */ (tls);
  secure.connect = (/** @type {any[]} */ ...args) => {
    const callback = callbackOf(args);
    const socket = Object.assign(new net.Socket(), {
      encrypted: true, authorized: true, authorizationError: null, alpnProtocol: false,
      getPeerCertificate: () => ({}), getSession: () => undefined, isSessionReused: () => false,
      getProtocol: () => 'TLSv1.3', getCipher: () => ({}), setServername: () => {},
    });
    if (callback) socket.once('secureConnect', callback);
    socket.once('connect', () => socket.emit('secureConnect'));
    return socket.connect({ host, port });
  };
  process.getBuiltinModule('node:module').syncBuiltinESMExports();
}
