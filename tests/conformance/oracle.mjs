/**
 * A second opinion: the rules of docs/spec/compiler.md, written down again on acorn's tree and without
 * any regard to text. Reads a list of {source, code, adaptors, ignore, disable} and prints, for
 * each, null, or how the module differs from what the rules demand.
 *
 * node oracle.mjs <compare-asts.mjs> < cases.json      (ACORN_DIR as for compare-asts.mjs)
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const { canonicalAst, firstDifference, parse } = await import(pathToFileURL(process.argv[2]).href);

const isNode = (value) => value !== null && typeof value === 'object' && typeof value.type === 'string';
const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);
const RESERVED = new Set(['undefined', 'NaN', 'arguments', 'await', 'yield', 'let', 'static', 'implements',
  'interface', 'package', 'private', 'protected', 'public', 'eval']);
const GLOBALS = `AggregateError Array ArrayBuffer AsyncFuction AsyncGenerator atob Atomics BigInt
  BigInt64Array BigUint64Array Blob Boolean btoa Buffer clearInterval clearTimeout console DataView
  Date decodeURI decodeURIComponent encodeURI encodeURIComponent Error eval EvalError Event exports
  FinalizationRegistry Float32Array Float64Array Function Generator global Infinity Int16Array
  Int32Array Int8Array isFinite isNaN JSON Map Math module Number Object parseFloat parseInt process
  Promise Proxy RangeError ReferenceError Reflect RegExp require Set setInterval setTimeout
  SharedArrayBuffer state String Symbol TypedArray Uint16Array Uint32Array Uint8Array
  Uint8ClampedArray URIError URL WeakMap WeakRef WeakSet`.split(/\s+/);

/** Calls `visit(node, parents)`; `parents` from the root, each {node, key}. False: do not enter. */
function walk(node, visit, parents = []) {
  if (visit(node, parents) === false) return;
  for (const key of Object.keys(node)) {
    for (const child of Array.isArray(node[key]) ? node[key] : [node[key]]) {
      if (isNode(child)) walk(child, visit, [...parents, { node, key }]);
    }
  }
}

/** Put another node in the place of one. */
function replace(parents, node, other) {
  const { node: parent, key } = parents.at(-1);
  if (Array.isArray(parent[key])) parent[key][parent[key].indexOf(node)] = other;
  else parent[key] = other;
}

function isTopLevelObject(node, parents) {
  const [program, declaration, declarator] = parents.map((item) => item.node).slice(0, 3);
  return parents.length === 3 && node.type === 'ObjectExpression' && program.type === 'Program'
    && declaration.type === 'VariableDeclaration' && !declaration.kind.endsWith('using')
    && declarator.init === node;
}

function patternNames(pattern) {
  switch (pattern?.type) {
    case 'Identifier': return [pattern.name];
    case 'ObjectPattern': return pattern.properties.flatMap((item) => patternNames(item.value ?? item));
    case 'ArrayPattern': return pattern.elements.flatMap(patternNames);
    case 'RestElement': return patternNames(pattern.argument);
    case 'AssignmentPattern': return patternNames(pattern.left);
    default: return [];
  }
}

/** Scopes by node: Set of names for the program, functions, catch clauses, class expressions. */
function scopesOf(program) {
  const scopes = new Map();
  walk(program, (node) => {
    if (node.type === 'Program') scopes.set(node, new Set());
    if (FUNCTIONS.has(node.type)) {
      const own = node.type === 'FunctionExpression' && node.id ? [node.id.name] : [];
      scopes.set(node, new Set([...own, ...node.params.flatMap(patternNames)]));
    }
    if (node.type === 'CatchClause') scopes.set(node, new Set(patternNames(node.param)));
    if (node.type === 'ClassExpression') scopes.set(node, new Set(node.id ? [node.id.name] : []));
  });
  const declare = (names, parents) => {
    for (const name of names) {
      for (const { node } of [...parents].reverse()) {
        if (node.type === 'CatchClause' && scopes.get(node).has(name)) break;
        if (node.type === 'CatchClause' || node.type === 'ClassExpression') continue;
        if (scopes.has(node)) {
          scopes.get(node).add(name);
          break;
        }
      }
    }
  };
  walk(program, (node, parents) => {
    if (node.type === 'VariableDeclarator') declare(patternNames(node.id), parents);
    if (/^(Function|Class)Declaration$/.test(node.type) && node.id) declare([node.id.name], parents);
    if (/^Import.*Specifier$/.test(node.type)) declare([node.local.name], parents);
  });
  return scopes;
}

class Refused extends Error {}

const inside = (node) => (node.type === 'ChainExpression' ? node.expression : node);

function lazyState(program) {
  const scopes = scopesOf(program);
  const subjects = [];
  const endsInDollar = (node) => {
    let base = node.object;
    while (base.type === 'MemberExpression') base = base.object;
    return base.type === 'Identifier' && base.name === '$' ? base : undefined;
  };
  walk(program, (node, parents) => {
    if (isTopLevelObject(node, parents)) return false;
    if (node.type !== 'MemberExpression') return true;
    const { node: parent, key } = parents.at(-1);
    if (parent.type === 'MemberExpression' && key === 'object') return true;
    const dollar = endsInDollar(node);
    const hidden = parents.some((item) => (FUNCTIONS.has(item.node.type) || item.node.type === 'CatchClause')
      && scopes.get(item.node).has('$'));
    if (dollar && !hidden) subjects.push({ node, dollar, parents });
    return true;
  });
  const renamed = new Set(subjects.map((item) => item.dollar));
  const onState = (call) => {
    if (call.callee.type !== 'MemberExpression' && call.callee.type !== 'ChainExpression') return false;
    let base = inside(call.callee);
    if (base.type !== 'MemberExpression') return false;
    base = inside(base.object);
    if (base.type === 'Identifier' && base.name === 'state') return true;
    while (/^(Call|Member)Expression$/.test(base.type)) base = inside(base.object ?? base.callee);
    return renamed.has(base);
  };
  const targets = new Map();
  for (const { node, parents } of subjects) {
    let target;
    let child = node;
    const chain = [...parents];
    while (chain.length > 0) {
      const { node: parent, key } = chain.at(-1);
      const stops = /(Statement|Declaration|ClassBody|StaticBlock|Program)$/.test(parent.type)
        || parent.type === 'SwitchCase';
      if (stops) break;
      if (parent.type === 'CallExpression' && key === 'arguments' && !onState(parent)) {
        target = { child, parents: [...chain] };
        break;
      }
      if (parent.type === 'CallExpression' && key === 'callee' && child.type === 'ArrowFunctionExpression') {
        target = { child, parents: [...chain] };
        break;
      }
      child = parent;
      chain.pop();
    }
    if (!target) throw new Refused('Must be inside an operation');
    if (target.child.type === 'SpreadElement') throw new Refused('spread');
    targets.set(target.child, target.parents);
  }
  const wrapped = [];
  for (const [node, parents] of targets) {
    if (node.type === 'ArrowFunctionExpression') {
      const [parameter] = node.params;
      if (node.params.length !== 1 || parameter.name !== 'state') throw new Refused('arrow');
      continue;
    }
    walk(node, (inner) => {
      if (/^(Await|Yield)Expression$/.test(inner.type)) throw new Refused('await in an argument');
      return !FUNCTIONS.has(inner.type);
    });
    wrapped.push([node, parents]);
  }
  for (const { dollar } of subjects) dollar.name = 'state';
  // the innermost first, so that the parents that were noted stay true
  for (const [node, parents] of wrapped.reverse()) {
    replace(parents, node, {
      type: 'ArrowFunctionExpression', id: null, expression: true, generator: false, async: false,
      params: [{ type: 'Identifier', name: 'state' }], body: node,
    });
  }
}

const call = (callee, ...list) => ({ type: 'CallExpression', callee, arguments: list, optional: false });
const name = (text) => ({ type: 'Identifier', name: text });

function promises(program) {
  let changed = false;
  const linkName = (node) => {
    if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return undefined;
    const { property } = node.callee;
    return property.type === 'Identifier' && /^(then|catch)$/.test(property.name) ? property.name : undefined;
  };
  walk(program, (node, parents) => {
    if (FUNCTIONS.has(node.type) || /^(BlockStatement|ClassBody)$/.test(node.type)) return false;
    if (isTopLevelObject(node, parents)) return false;
    if (!linkName(node)) return true;
    const links = [];
    let base = node;
    while (linkName(base)) {
      links.push(base);
      base = inside(base.callee.object);
    }
    if (base.type !== 'CallExpression' && base.type !== 'NewExpression') return true;
    const first = links.at(-1);
    let operation = first.callee.object;
    for (let item = operation; item !== undefined; item = item.object ?? item.callee) {
      if (item.optional) operation = { type: 'ChainExpression', expression: operation };
      if (item.optional || !/^(Call|Member)Expression$/.test(item.type)) break;
    }
    let handler;
    let kept = links;
    if (linkName(first) === 'catch' && first.arguments.length > 0) {
      [handler] = first.arguments;
      kept = links.slice(0, -1);
    }
    if (kept.length > 0) {
      kept.at(-1).callee.object = name('p');
      walk(node, (inner) => {
        if (inner.type === 'AwaitExpression') throw new Refused('await in a chain');
        return !FUNCTIONS.has(inner.type);
      });
    }
    const complete = kept.length > 0 ? {
      type: 'ArrowFunctionExpression', id: null, expression: true, generator: false, async: false,
      params: [name('p')], body: kept.some((link) => link.optional || link.callee.optional)
        ? { type: 'ChainExpression', expression: node } : node,
    } : name('undefined');
    const helper = call(name('_defer'), operation, complete, ...(handler ? [handler] : []));
    // an optional chain ends with the promise it was about
    const outer = parents.at(-1);
    if (outer.node.type === 'ChainExpression') replace(parents.slice(0, -1), outer.node, helper);
    else replace(parents, node, helper);
    changed = true;
    return false;
  });
  // a chain whose optional link went into the function is no optional chain any more
  walk(program, (node, parents) => {
    if (node.type !== 'ChainExpression') return true;
    for (let item = node.expression; item !== undefined; item = item.object ?? item.callee) {
      if (item.optional) return true;
      if (item.callee?.name === '_defer' || !/^(Call|Member)Expression$/.test(item.type)) break;
    }
    replace(parents, node, node.expression);
    return true;
  });
  return changed;
}

function freeNames(program) {
  const scopes = scopesOf(program);
  const found = new Set();
  walk(program, (node, parents) => {
    if (isTopLevelObject(node, parents)) return false;
    if (/^Import.*Specifier$/.test(node.type) || node.type === 'MetaProperty') return false;
    if (node.type === 'ImportAttribute' || node.type === 'ExportAllDeclaration') return false;
    if (node.type === 'ExportNamedDeclaration' && node.source) return false;
    if (node.type !== 'Identifier' || RESERVED.has(node.name)) return true;
    const { node: parent, key } = parents.at(-1);
    if (key === 'label' || (parent.type === 'ExportSpecifier' && key === 'exported')) return true;
    if (parent.type === 'Property' && key === 'key') return true;
    if (/^(MethodDefinition|PropertyDefinition)$/.test(parent.type) && key === 'key' && !parent.computed) return true;
    if (key === 'id' && /^(Class|Function)Expression$/.test(parent.type)) return true;
    for (let at = parents.length - 1; parents[at].node.type === 'MemberExpression'; at--) {
      if (parents[at].key === 'property') return true;
    }
    const scope = parents.filter((item) => scopes.has(item.node));
    // what a function or class is called is declared around it, and its key stands around it
    if (!scope.some((item) => scopes.get(item.node).has(node.name))) found.add(node.name);
    return true;
  });
  return [...found];
}

function imports(program, { adaptors, ignore = [] }) {
  const free = freeNames(program);
  const taken = new Set();
  for (const { name: from, exports = [], exportAll } of adaptors ?? []) {
    if (!from) continue;
    const names = (exports.length > 0 ? exports.filter((item) => free.includes(item))
      : free.filter((item) => !GLOBALS.some((global) => item.includes(global))))
      .filter((item) => !ignore.includes(item) && !taken.has(item) && !(item in Object.prototype));
    if (names.length === 0) continue;
    for (const item of names) taken.add(item);
    const source = { type: 'Literal', value: from };
    program.body.unshift({
      type: 'ImportDeclaration', source, attributes: [],
      specifiers: names.map((item) => ({ type: 'ImportSpecifier', imported: name(item), local: name(item) })),
    });
    if (exportAll) program.body.unshift({ type: 'ExportAllDeclaration', source, exported: null, attributes: [] });
  }
}

function expected({ source, disable = [], ...options }) {
  const program = parse(source.replace(/^\ufeff/, ''));
  const on = (transform) => !disable.includes(transform);
  if (on('lazy-state')) lazyState(program);
  const deferred = on('promises') && promises(program);
  const listed = program.body.some((item) => item.type === 'ExportAllDeclaration'
    && (item.exported?.name ?? item.exported?.value) === 'default')
    || program.body.some((item) => item.type === 'ExportNamedDeclaration'
    && item.specifiers.some((one) => (one.exported.name ?? one.exported.value) === 'default'));
  const isDefault = (item) => item.type === 'ExportDefaultDeclaration';
  if (on('ensure-exports') && !listed && !program.body.some(isDefault)) {
    program.body.push({ type: 'ExportDefaultDeclaration', declaration: { type: 'ArrayExpression', elements: [] } });
  }
  program.body = program.body.filter((item) => item.type !== 'EmptyStatement');
  const last = program.body.at(-1);
  if (on('top-level-operations')) {
    const isOperation = (item) => item.type === 'ExpressionStatement' && item.expression.type === 'CallExpression';
    if (listed && program.body.some(isOperation)) throw new Refused('listed default');
    if (last && isDefault(last) && last.declaration.type === 'ArrayExpression') {
      last.declaration.elements.push(...program.body.filter(isOperation).map((item) => item.expression));
      program.body = program.body.filter((item) => !isOperation(item));
    }
  }
  if (deferred && !/defer as _defer/.test(source)) {
    program.body.unshift({
      type: 'ImportDeclaration', source: { type: 'Literal', value: '@openfn/runtime' }, attributes: [],
      specifiers: [{ type: 'ImportSpecifier', imported: name('defer'), local: name('_defer') }],
    });
  }
  if (on('add-imports')) imports(program, options);
  return program;
}

function verdict(item) {
  let wanted;
  try {
    wanted = canonicalAst(expected(item));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null; // V8's business
    if (!(error instanceof Refused)) return `oracle: ${error.stack}`;
    return item.code === null ? null : `should be refused: ${error.message}`;
  }
  if (item.code === null) return `refused, but nothing is wrong: ${item.error}`;
  try {
    const difference = firstDifference(wanted, canonicalAst(parse(item.code)));
    return difference && JSON.stringify(difference).slice(0, 600);
  } catch (error) {
    return error instanceof RangeError ? null : `the module does not parse: ${error.message}`;
  }
}

const items = JSON.parse(readFileSync(0, 'utf8'));
writeFileSync(1, JSON.stringify(items.map(verdict)));
