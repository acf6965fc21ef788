// Names of adaptors as the reference's repository has them (docs/spec/runtime.md 4.3): one folder
// `name_version` for each version.

/**
 * The alias of `name` with the highest version, by semantic-version order (docs/compatibility.md 9).
 * @param {string[]} aliases
 * @param {string} name
 */
export function newestAlias(aliases, name) {
  const versions = aliases
    .filter((alias) => alias.startsWith(`${name}_`))
    .map((alias) => alias.slice(name.length + 1));
  const newest = versions.sort(compareVersions).at(-1);
  return newest === undefined ? undefined : `${name}_${newest}`;
}

/**
 * Order of two versions. Parts that are not numbers compare as text; a pre-release comes before
 * its release.
 * @param {string} a
 * @param {string} b
 */
export function compareVersions(a, b) {
  const [mainA, preA] = split(a);
  const [mainB, preB] = split(b);
  const main = compareParts(mainA, mainB);
  if (main !== 0 || preA === preB) return main;
  if (preA === undefined) return 1;
  if (preB === undefined) return -1;
  return compareParts(preA, preB);
}

/**
 * @param {string} version
 * @returns {[string[], string[] | undefined]}
 */
function split(version) {
  const plain = version.split('+')[0];
  const dash = plain.indexOf('-');
  const main = dash < 0 ? plain : plain.slice(0, dash);
  return [main.split('.'), dash < 0 ? undefined : plain.slice(dash + 1).split('.')];
}

/**
 * @param {string[]} a
 * @param {string[]} b
 */
function compareParts(a, b) {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === undefined) return -1;
    if (b[i] === undefined) return 1;
    const numeric = /^\d+$/.test(a[i]) && /^\d+$/.test(b[i]);
    const order = numeric ? Number(a[i]) - Number(b[i]) : a[i] < b[i] ? -1 : Number(a[i] > b[i]);
    if (order !== 0) return order;
  }
  return 0;
}
