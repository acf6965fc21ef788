// Compares two folders of pictures: `node compare.mjs BEFORE AFTER OUT`.
//
// Prints JSON: name -> the share of points that differ, 1 for a picture that only one folder has.
// OUT gets a picture of the differences of each pair that has any.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// The tools lie in a cache, not beside this file.
const tools = createRequire(path.join(process.env.LOOK_TOOLS ?? '.', 'package.json'));
const { PNG } = tools('pngjs');
const { default: pixelmatch } = await import(pathToFileURL(tools.resolve('pixelmatch')).href);

/** Of two colours that are nearly the same; smoothed edges of letters are no difference. */
const THRESHOLD = 0.1;
const [before, after, out] = process.argv.slice(2);

/**
 * On a sheet of this size: what is not there is transparent.
 * @param {string} file
 * @param {number} width
 * @param {number} height
 */
function sheet(file, width, height) {
  const picture = PNG.sync.read(readFileSync(file));
  const whole = new PNG({ width, height });
  PNG.bitblt(picture, whole, 0, 0, picture.width, picture.height, 0, 0);
  return whole;
}

/** @param {string} name */
function difference(name) {
  const files = [path.join(before, name), path.join(after, name)];
  if (!files.every((file) => existsSync(file))) return 1;
  const sizes = files.map((file) => PNG.sync.read(readFileSync(file)));
  const width = Math.max(...sizes.map((size) => size.width));
  const height = Math.max(...sizes.map((size) => size.height));
  const [one, two] = files.map((file) => sheet(file, width, height));
  const shown = new PNG({ width, height });
  const points = pixelmatch(one.data, two.data, shown.data, width, height, { threshold: THRESHOLD });
  if (points) writeFileSync(path.join(out, name), PNG.sync.write(shown));
  return points / (width * height);
}

mkdirSync(out, { recursive: true });
const names = new Set([before, after].flatMap((folder) => readdirSync(folder)).filter((name) => name.endsWith('.png')));
process.stdout.write(JSON.stringify(Object.fromEntries([...names].sort().map((name) => [name, difference(name)]))));
