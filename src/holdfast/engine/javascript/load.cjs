'use strict';
// Starts the joined program with V8's code cache (`holdfast.engine.program`); both lie beside this.

const fs = require('node:fs');
const vm = require('node:vm');
const { pathToFileURL } = require('node:url');

const filename = `${__dirname}/program.js`;

function cache() {
  try {
    return fs.readFileSync(`${filename}.cache`);
  } catch {
    return undefined; // not made yet: it starts without, only later
  }
}

// pure ASCII by construction: a string of one byte per character
const script = new vm.Script(fs.readFileSync(filename, 'latin1'), {
  filename,
  cachedData: cache(),
  importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
module.exports = script;
script.runInThisContext()(require, pathToFileURL(filename).href);
