// What a step's imports resolve to, and how an adaptor looks from job code
// (docs/spec/runtime.md 4.2 to 4.5).

import nodeModule from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

import { release } from './channel.mjs';
import { importFailed } from './faults.mjs';
import { JOINED, evaluate } from './joined.mjs';
import { newestAlias } from './repo.mjs';
import * as runtime from './runtime.mjs';

/**
 * @import { Logger } from './log.mjs'
 *
 * @typedef {{ file: string, version: string }} Place
 */

const RUNTIME = '@openfn/runtime';
const ADAPTOR = '@openfn/language-';

/**
 * Namespaces by file, one table for the process: it also has what standby loaded ahead.
 * @type {Map<string, Promise<Bag>>}
 */
const loaded = new Map();

let hooked = false;

/** Try an import inside an adaptor again with `.js`, if it was not found and has no extension. */
function addExtensionHook() {
  if (hooked) return;
  hooked = true;
  nodeModule.registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        const { code } = /** @type {NodeJS.ErrnoException} */ (error);
        if (code !== 'ERR_MODULE_NOT_FOUND' || path.extname(specifier)) throw error;
        try {
          return next(`${specifier}.js`, context);
        } catch {
          throw error; // with the name as it was written
        }
      }
    },
  });
}

/**
 * `{name, version}` of `name@version`; the version may be missing.
 * @param {string} specifier
 * @returns {{ name: string, version?: string }}
 */
export function splitSpecifier(specifier) {
  const at = specifier.lastIndexOf('@');
  if (at <= 0) return { name: specifier };
  return { name: specifier.slice(0, at), version: specifier.slice(at + 1) };
}

/**
 * A regular expression from text: `pattern`, or `/pattern/flags`.
 * @param {string} text
 */
export function pattern(text) {
  const parts = /^\/(.*)\/([a-z]*)$/s.exec(text);
  return parts ? new RegExp(parts[1], parts[2]) : new RegExp(text);
}

export class Linker {
  /**
   * `adaptors`: from OPTIONS, plan specifier → where it is; `whitelist`: patterns of what may be
   * imported, anything when there are none.
   * @param {{
   *   adaptors?: Record<string, InstalledAdaptor>, whitelist?: string[],
   *   log: Pick<Logger, 'debug' | 'info'>,
   * }} given
   */
  constructor({ adaptors = {}, whitelist, log }) {
    this.adaptors = adaptors;
    this.whitelist = whitelist?.map(pattern);
    this.log = log;
  }

  /**
   * Load an adaptor ahead of its run. Raises ImportError.
   * @param {string} specifier
   */
  async preload(specifier) {
    const { name } = splitSpecifier(specifier);
    const place = this.given(name, { adaptors: [specifier] });
    if (place !== undefined) await this.#import(name, place.file);
  }

  /**
   * The module that `specifier` means to a step, in the step's context. Raises ImportError.
   * @param {string} specifier
   * @param {PlannedStep} step
   * @param {vm.Context} context
   */
  async link(specifier, step, context) {
    if (!this.allows(specifier)) throw importFailed(`module blacklisted: ${specifier}`);
    if (specifier === RUNTIME) return synthetic(runtime, specifier, context);
    this.log.debug(`[linker] loading module ${specifier}`);
    const place = this.locate(specifier, step);
    if (place === undefined) throw importFailed(`Failed to import module "${specifier}"`);
    const namespace = await this.#import(specifier, place.file);
    if (specifier.startsWith(ADAPTOR)) {
      this.log.info(`Resolved adaptor ${specifier} to version ${place.version}`);
    }
    return synthetic(namespace, specifier, context);
  }

  /** @param {string} specifier */
  allows(specifier) {
    return specifier === RUNTIME || this.isListed(specifier);
  }

  /** @param {string} specifier */
  isListed(specifier) {
    return this.whitelist === undefined || this.whitelist.some((allowed) => allowed.test(specifier));
  }

  /**
   * File and version of a module; undefined when nothing is known of it.
   * @param {string} specifier
   * @param {PlannedStep} step
   * @returns {Place | undefined}
   */
  locate(specifier, step) {
    return this.given(specifier, step) ?? this.elsewhere(specifier);
  }

  /**
   * An adaptor that only another step names: the version that the specifier asks for, else the
   * newest. In the reference all steps share one repository.
   * @param {string} specifier
   */
  elsewhere(specifier) {
    const { name, version } = splitSpecifier(specifier);
    const installed = Object.keys(this.adaptors)
      .filter((wanted) => splitSpecifier(wanted).name === name)
      .filter((wanted) => version === undefined || this.adaptors[wanted].version === version);
    const versions = installed.map((wanted) => `${name}_${this.adaptors[wanted].version}`);
    const newest = newestAlias(versions, name);
    if (newest === undefined) return undefined;
    const { path: folder, entry, version: exact } = this.adaptors[installed[versions.indexOf(newest)]];
    return { file: path.join(folder, entry), version: exact };
  }

  /**
   * Where the worker's store has the adaptor that the plan names for this step.
   * @param {string} name
   * @param {{ adaptors?: string[] }} step
   */
  given(name, step) {
    const specifier = (step.adaptors ?? []).find(
      (wanted) => splitSpecifier(wanted).name === name && Object.hasOwn(this.adaptors, wanted),
    );
    if (specifier === undefined) return undefined;
    const { path: folder, entry, version } = this.adaptors[specifier];
    return { file: path.join(folder, entry), version };
  }

  /**
   * @param {string} file
   * @returns {Promise<Bag>}
   */
  async #load(file) {
    if (!file.endsWith(JOINED)) return import(pathToFileURL(file).href);
    const { namespace, rejected } = evaluate(file);
    if (rejected) this.log.debug(`[linker] the code cache of ${file} does not fit this Node.js`);
    return namespace;
  }

  /**
   * The namespace of a file, loaded once in this process.
   * @param {string} specifier
   * @param {string} file
   * @returns {Promise<Bag>}
   */
  #import(specifier, file) {
    addExtensionHook();
    let loading = loaded.get(file);
    if (loading === undefined) {
      release();
      loading = this.#load(file).catch((error) => {
        const reason = error?.message ?? error;
        throw importFailed(`Failed to import module ${specifier} from ${file} (${reason})`);
      });
      loading.catch(() => {}); // whoever awaits it gets the error
      loaded.set(file, loading);
    }
    return loading;
  }
}

/**
 * The names a job sees of a module, each value as it is now (docs/spec/runtime.md 4.5).
 * @param {Bag} namespace
 * @returns {Bag}
 */
function visible(namespace) {
  const names = Object.keys(namespace);
  const { default: inner } = namespace;
  if (namespace.__esModule && hasKeys(inner?.default)) return inner.default;
  if (names.length === 1 && names[0] === 'default' && hasKeys(inner)) return inner;
  const all = Object.fromEntries(names.map((name) => [name, namespace[name]]));
  // Since Node 23 a CommonJS namespace has the name `module.exports`. Jobs still import the whole
  // by `default` and its members by name, as on Node 20.
  if (names.length === 2 && 'module.exports' in all && isObject(inner)) return { ...inner, ...all };
  return all;
}

/** @param {unknown} value */
const isObject = (value) => value !== null && ['object', 'function'].includes(typeof value);

/** @param {any} value */
function hasKeys(value) {
  return value !== null && ['object', 'function', 'string'].includes(typeof value)
    && Object.keys(value).length > 0;
}

/**
 * @param {Bag} namespace
 * @param {string} specifier
 * @param {vm.Context} context
 */
function synthetic(namespace, specifier, context) {
  const values = visible(namespace);
  const names = Object.keys(values);
  return new vm.SyntheticModule(
    names,
    function copyOnce() {
      for (const name of names) this.setExport(name, values[name]);
    },
    { context, identifier: specifier },
  );
}
