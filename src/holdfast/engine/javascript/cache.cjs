'use strict';
// Makes the code cache that `load.cjs` uses: goes through a run (frames on descriptor 0, as in any
// run) and writes what V8 has compiled by its end to the file that is named.

const fs = require('node:fs');

const exit = process.reallyExit.bind(process);
const { createCachedData } = require('node:vm').Script.prototype;

/** @param {number} [code] */
process.reallyExit = (code) => {
  const { cachedDataRejected } = require.cache[require.resolve('./load.cjs')]?.exports ?? {};
  if (cachedDataRejected !== undefined) exit(1); // there was one already
  fs.writeFileSync(process.argv[2], createCachedData.call(require('./load.cjs')));
  return exit(code);
};
require('./load.cjs');
