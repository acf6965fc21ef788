// What imports resolve to in the reference's own test cases: a plan, or its runtime's options, may
// name folders, and a repository of its command line (docs/spec/runtime.md 4.2).

import fs from 'node:fs';
import path from 'node:path';

import { importFailed, messageOf } from './faults.mjs';
import { Linker, splitSpecifier } from './linker.mjs';
import { newestAlias } from './repo.mjs';

/** @import { Place } from './linker.mjs' */

/**
 * Entry file of a package folder; raises what reading its package.json raises.
 * @param {string} folder
 * @returns {Place}
 */
function entryOf(folder) {
  const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  let entry = manifest.exports;
  if (typeof entry === 'object' && entry !== null) {
    entry = entry['.'] ?? undefined;
    for (const condition of ['import', 'default']) {
      if (typeof entry === 'object' && entry !== null) entry = entry[condition];
    }
  }
  if (typeof entry !== 'string') entry = manifest.main ?? 'index.js';
  return { file: path.join(folder, entry), version: manifest.version };
}

/**
 * The aliases that a repository of the reference lists; none when there is no repository.
 * @param {string} repo
 * @returns {Record<string, string>}
 */
function dependenciesOf(repo) {
  try {
    const manifest = fs.readFileSync(path.join(repo, 'package.json'), 'utf8');
    return JSON.parse(manifest).dependencies ?? {};
  } catch {
    return {};
  }
}

/**
 * Versions by name, from the `adaptors` of a step.
 * @param {PlannedStep} step
 * @returns {Record<string, { path?: string, version?: string }>}
 */
function versionsOf(step) {
  const pairs = (step.adaptors ?? []).map((specifier) => {
    const { name, version } = splitSpecifier(specifier);
    return [name, { version }];
  });
  return Object.fromEntries(pairs);
}

export class TracedLinker extends Linker {
  /** @param {ConstructorParameters<typeof Linker>[0] & LinkerOptions} given */
  constructor({ modules = {}, repo, openRuntime = true, ...given }) {
    super(given);
    this.modules = modules;
    this.repo = repo;
    this.openRuntime = openRuntime;
  }

  /** @param {string} specifier */
  allows(specifier) {
    return this.openRuntime ? super.allows(specifier) : this.isListed(specifier);
  }

  /**
   * @param {string} specifier
   * @param {PlannedStep} step
   * @returns {Place | undefined}
   */
  locate(specifier, step) {
    const given = this.given(specifier, step);
    if (given !== undefined) return given;
    const versions = step.linker ?? versionsOf(step);
    const { path: folder, version } = { ...this.modules[specifier], ...versions[specifier] };
    const found = folder ?? this.#alias(specifier, version);
    if (found === undefined) return this.elsewhere(specifier);
    try {
      return entryOf(found);
    } catch (error) {
      throw importFailed(`Failed to import module ${specifier} from ${found} (${messageOf(error)})`);
    }
  }

  /**
   * @param {string} specifier
   * @param {string} [version]
   */
  #alias(specifier, version) {
    if (!this.repo) return undefined;
    const dependencies = dependenciesOf(this.repo);
    // a specifier may carry its version itself: `import … from 'name@1.2.3'`
    const own = splitSpecifier(specifier);
    const exact = version ?? own.version;
    const alias = exact === undefined ? newestAlias(Object.keys(dependencies), specifier)
      : `${own.name}_${exact}`;
    if (alias === undefined || !Object.hasOwn(dependencies, alias)) return undefined;
    return path.join(this.repo, 'node_modules', alias);
  }
}
