"""The catalogue, part one: code that cannot be read, and names that mean nothing."""

from __future__ import annotations

from holdfast.diagnosis.entry import Entry, Turn

CODE = (
    Entry(
        "HF1001",
        "The code is not JavaScript",
        Turn.AUTHOR,
        "The code cannot be read as JavaScript: {said}.",
        "{advice}",
        "fn(state => { return state;\n  ->  fn(state => { return state; });",
    ),
    Entry(
        "HF1002",
        "A name that nobody declares",
        Turn.AUTHOR,
        "{name} is used, but neither this step nor its adaptor ({adaptors}) has anything of that "
        "name.",
        "{advice}",
        "gett('https://example.org')\n  ->  get('https://example.org')",
    ),
    Entry(
        "HF1003",
        "A library that was not imported",
        Turn.AUTHOR,
        "{name} is the usual name of the library {library}, which this step has not imported.",
        "{advice}",
        "fn(state => ({ names: _.map(state.data, 'name') }))\n"
        "  ->  fn(state => ({ names: state.data.map(item => item.name) }))",
    ),
    Entry(
        "HF1004",
        "require is not there",
        Turn.AUTHOR,
        "The code calls require, which job code does not have.",
        "Remove the line. What the step's adaptor exports can be used without an import, or with "
        "`import {{ name }} from '{adaptor}'`; other packages cannot be loaded.",
        "const { dateFns } = require('@openfn/language-common');\n"
        "  ->  import { dateFns } from '@openfn/language-common';",
    ),
    Entry(
        "HF1005",
        "A package that may not be imported",
        Turn.AUTHOR,
        "The code imports {package}, but a step can only import OpenFn adaptors.",
        "Remove the import{name}. Use what the step's adaptor ({adaptors}) exports, or plain "
        "JavaScript.",
        "import _ from 'lodash';\n  ->  import { fn, dateFns } from '@openfn/language-common';",
    ),
    Entry(
        "HF1006",
        "An adaptor without that export",
        Turn.AUTHOR,
        "The code imports {name} from {package}, which does not export it.",
        "{advice}",
        "import { gett } from '@openfn/language-http';\n"
        "  ->  import { get } from '@openfn/language-http';",
    ),
    Entry(
        "HF1007",
        "$ outside of an operation",
        Turn.AUTHOR,
        "$ is used where no operation runs: {said}. $ means the state at the moment when an "
        "operation runs, so it can only stand among an operation's arguments.",
        "{advice}",
        "const name = $.data.name;\n  ->  fn(state => { const name = state.data.name; return state; });",
    ),
    Entry(
        "HF1008",
        "$ inside of a function",
        Turn.AUTHOR,
        "$ is used inside of a function {said}.",
        "Inside of a function read from its own state: write `state => …` and `state.data` instead "
        "of `$.data`.",
        "fn(s => ({ ...s, name: $.data.name }))\n  ->  fn(state => ({ ...state, name: state.data.name }))",
    ),
    Entry(
        "HF1009",
        "$ together with await",
        Turn.AUTHOR,
        "An argument that uses $ also waits for a promise. Such an argument becomes a plain "
        "function, which cannot wait.",
        "Wait in an operation before: `fn(async state => ({{ ...state, found: await … }}))`, then "
        "use `$.found`.",
        "post('/x', await find($.data.id))\n"
        "  ->  fn(async state => ({ ...state, found: await find(state.data.id) }));\n"
        "      post('/x', $.found);",
    ),
    Entry(
        "HF1010",
        "A name of Node.js or of browsers",
        Turn.AUTHOR,
        "{name} belongs to {world} and is not there for job code.",
        "{advice}",
        "process.env.TOKEN\n  ->  state.configuration.token",
    ),
    Entry(
        "HF1011",
        "Code made from text",
        Turn.AUTHOR,
        "The code makes code from text (eval or new Function), which no step may do.",
        "Write the code itself instead. To read data from text use JSON.parse.",
        "eval('(' + state.data + ')')\n  ->  JSON.parse(state.data)",
    ),
    Entry(
        "HF1012",
        "A bad pattern",
        Turn.AUTHOR,
        "A regular expression is not valid: {said}.",
        "Close every bracket, and put a backslash before . * + ? ( ) [ ] that mean themselves. A "
        "pattern made from data needs them escaped first.",
        r"new RegExp('([')" + "\n  ->  " + r"new RegExp('\\(\\[')",
    ),
    Entry(
        "HF1013",
        "A variable that cannot be used or changed here",
        Turn.AUTHOR,
        "{said}.",
        "{advice}",
        "const total = 0; total = 1;\n  ->  let total = 0; total = 1;",
    ),
    Entry(
        "HF1014",
        "Something at the top level that is no operation",
        Turn.AUTHOR,
        "Statement {number} at the top level of the step is no operation, so nothing can be run.",
        "Put it into an operation: `fn(state => {{ …; return state; }})`.",
        "console.log('hello');\n  ->  fn(state => { console.log('hello'); return state; });",
    ),
    Entry(
        "HF1015",
        "A structure that cannot be compiled",
        Turn.AUTHOR,
        "The code is JavaScript, but it cannot be made into a step: {said}.",
        "{advice}",
        "get('/x').then(async state => { await other(); })\n"
        "  ->  get('/x'); fn(async state => { await other(); return state; });",
    ),
    Entry(
        "HF1016",
        "An operation with another number of arguments",
        Turn.AUTHOR,
        "{name} is called with {count} arguments, but takes ({wanted}).",
        "Give it what it takes, in this order: ({wanted}). The state is not among the arguments: "
        "the operation gets it when it runs.",
        "get(state, '/patients', {})\n  ->  get('/patients', {})",
    ),
    Entry(
        "HF1017",
        "A mark that no request carried",
        Turn.AUTHOR,
        "The operation on line {line} is marked as idempotent, but no request that may change "
        "something was seen in it, so no key was sent.",
        "Mark the operation that makes the request, by HTTP. What leaves by another protocol, such "
        "as that of a database, has no headers: use its own way to do a thing only once.",
        "idempotent('load', get('/patients'))\n  ->  get('/patients')",
    ),
    Entry(
        "HF1018",
        "The same key for two requests",
        Turn.AUTHOR,
        "{request} was sent again with the key of a request that was answered before: perhaps the "
        "other system does not carry it out.",
        "Give each thing a name of its own, and mark the operation inside of the loop: "
        "`each('$.items[*]', idempotent($.data.id, post(…)))`.",
        "idempotent('all', each('$.items[*]', post('/orders', $.data)))\n"
        "  ->  each('$.items[*]', idempotent($.data.id, post('/orders', $.data)))",
    ),
    Entry(
        "HF1019",
        "A mark that names nothing",
        Turn.AUTHOR,
        "An operation cannot be marked: {said}.",
        "Name what is done once by something that stays the same when the step is run again, such "
        "as an id in the state: `idempotent($.data.id, post(…))`.",
        "idempotent(post('/orders', $.data))\n  ->  idempotent($.data.id, post('/orders', $.data))",
    ),
    Entry(
        "HF1020",
        "An operation that never runs",
        Turn.AUTHOR,
        "{name}(…) on line {line} only makes an operation there, inside of a function: nothing runs "
        "it.",
        "Write it at the top level of the step, where operations run one after the other; or run it "
        "at once, in an async function: `await {name}(…)(state);`.",
        "fn(state => { post('/x', state.data); return state; });\n  ->  post('/x', $.data);",
    ),
    Entry(
        "HF1021",
        "$ inside of quotes",
        Turn.AUTHOR,
        "{text} on line {line} stands in quotes, so it is sent as this text and not as the value.",
        "Write it without quotes: `{text}`. Within a text write `${{{text}}}`, between backticks.",
        "get('/patients/$.data.id')\n  ->  get(`/patients/${$.data.id}`)",
    ),
    Entry(
        "HF1022",
        "A step without an operation",
        Turn.AUTHOR,
        "The step has no operation, so it does nothing: what it gets is what it leaves.",
        "Write operations at the top level: `fn(state => {{ …; return state; }})`.",
        "function go(state) { return state; }\n  ->  fn(go);\n"
        "      function go(state) { return state; }",
    ),
    Entry(
        "HF1023",
        "The name p in a chain",
        Turn.AUTHOR,
        "The name p on line {line} means the promise of the chain it stands in, not what this step "
        "calls p.",
        "Call it something else.",
        "const p = 1; get('/x').then(s => ({ ...s, p }));\n"
        "  ->  const page = 1; get('/x').then(s => ({ ...s, page }));",
    ),
    Entry(
        "HF1024",
        "A list that nobody gets",
        Turn.AUTHOR,
        "{call}(…) on line {line} makes a new list, and nobody gets it: the list that it is called on "
        "stays as it is.",
        "Keep what it makes: `const list = {call}(…);`. To do something with each item write forEach.",
        "fn(state => { state.data.map(x => x.id); return state; })\n"
        "  ->  fn(state => ({ ...state, ids: state.data.map(x => x.id) }))",
    ),
    Entry(
        "HF1025",
        "A misspelled length",
        Turn.AUTHOR,
        "{name} on line {line} is not length: it is undefined, and nothing is more or less than "
        "undefined.",
        "Write length instead of {name}.",
        "for (let i = 0; i < items.lenght; i++)\n  ->  for (let i = 0; i < items.length; i++)",
    ),
)
