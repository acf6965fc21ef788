"""The catalogue, part two: state, what operations return, and what job code throws."""

from __future__ import annotations

from holdfast.diagnosis.entry import Entry, Turn

STATE = (
    Entry(
        "HF1101",
        "A misspelled key of the state",
        Turn.AUTHOR,
        "{path} is {missing}, so its {key} cannot be {done}. There is {nearest} beside it.",
        "Write {nearest} instead of {path}.",
        "state.data.pateint.name\n  ->  state.data.patient.name",
    ),
    Entry(
        "HF1102",
        "A value that is not there",
        Turn.DATA,
        "{path} is {missing}, so its {key} cannot be {done}. {there}",
        "See why it is missing in this step's input. Where it may be missing, write {safe}.",
        "state.data.patient.name\n  ->  state.data.patient?.name ?? 'unknown'",
    ),
    Entry(
        "HF1103",
        "An operation that returned no state",
        Turn.AUTHOR,
        "Operation {operation}{name} returned nothing{where}, so the state is lost: {after}.",
        "End its function with `return state;`. In an arrow function with braces nothing is "
        "returned by itself.",
        "fn(state => { state.done = true; })\n  ->  fn(state => { state.done = true; return state; })",
    ),
    Entry(
        "HF1104",
        "A promise that was not awaited",
        Turn.AUTHOR,
        "{what} when its operation had already ended{where}: what it gives is lost.",
        "Write `await` before the call, and `async` before the function it stands in; in "
        "`.then(…)` chains return the promise.",
        "fn(state => { const answer = fetch(url); return state; })\n"
        "  ->  fn(async state => { const answer = await fetch(url); return state; })",
    ),
    Entry(
        "HF1105",
        "A circular state",
        Turn.AUTHOR,
        "state.{path} refers back to an object that contains it. State is kept as JSON, so that "
        "place became the text [Circular].",
        "Copy what is needed instead of keeping a reference to the whole: "
        "`state.copy = {{ id: state.data.id }}`, or delete the key before the step ends.",
        "fn(state => { state.me = state; return state; })\n"
        "  ->  fn(state => ({ ...state, copy: { id: state.data.id } }))",
    ),
    Entry(
        "HF1106",
        "A result that is no object",
        Turn.AUTHOR,
        "The step returned a {kind} instead of a state object. It is kept as {{data: …}}, and "
        "everything else that was in the state is gone.",
        "Return an object: `return {{ ...state, data: value }};`.",
        "fn(state => state.data.length)\n  ->  fn(state => ({ ...state, count: state.data.length }))",
    ),
    Entry(
        "HF1107",
        "A function as the result",
        Turn.AUTHOR,
        "The last operation returned a function instead of state: an operation was made but not "
        "called with the state.",
        "Write the operation at the top level, or call what it gives with the state: "
        "`return post(url, body)(state);`.",
        "fn(state => post('/x', state.data))\n  ->  fn(state => post('/x', state.data)(state))",
    ),
    Entry(
        "HF1108",
        "A state that cannot be written",
        Turn.AUTHOR,
        "The state that the step returned cannot be written as JSON: {said}.",
        "{advice}",
        "fn(state => ({ ...state, client }))\n  ->  fn(state => ({ ...state, name: client.name }))",
    ),
    Entry(
        "HF1109",
        "A value that JSON does not keep",
        Turn.AUTHOR,
        "state.{path} is a {kind}. State is kept as JSON, where it becomes an empty object.",
        "Make it plain data before the step ends: `Object.fromEntries(map)` or `[...set]`.",
        "state.names = new Set(names)\n  ->  state.names = [...new Set(names)]",
    ),
    Entry(
        "HF1110",
        "Something called that is no function",
        Turn.AUTHOR,
        "{path} is called as a function, but it is {kind}.",
        "{advice}",
        "state.data.map(item => item.id)\n  ->  state.data.items.map(item => item.id)",
    ),
    Entry(
        "HF1111",
        "Something gone through that is no list",
        Turn.AUTHOR,
        "{path} is used as a list, but it is {kind}.",
        "{advice}",
        "for (const item of state.data)\n  ->  for (const item of state.data.items)",
    ),
    Entry(
        "HF1112",
        "Text that is not JSON",
        Turn.DATA,
        "A text that should be JSON is not: {said}.",
        "See what the text is; a page of HTML or an empty answer is common. {advice}",
        "JSON.parse(state.response)\n"
        "  ->  typeof state.data === 'string' ? JSON.parse(state.data) : state.data",
    ),
    Entry(
        "HF1113",
        "A recursion without end",
        Turn.AUTHOR,
        "A function calls itself more often than there is room for{where}.",
        "Give the recursion an end, or use a loop. Data that contains itself makes a walk through "
        "it endless.",
        "const walk = n => walk(n.parent)\n  ->  const walk = n => (n.parent ? walk(n.parent) : n)",
    ),
    Entry(
        "HF1114",
        "A value out of range",
        Turn.DATA,
        "A value is outside of what is possible: {said}.",
        "{advice}",
        "new Date(state.data.born).toISOString()\n"
        "  ->  state.data.born ? new Date(state.data.born).toISOString() : null",
    ),
    Entry(
        "HF1115",
        "An error that the job threw itself",
        Turn.AUTHOR,
        "The step's own code threw: {said}.",
        "Look at the line that throws it: mend what it complains of, in the code or in the data, or "
        "handle it in a step behind an edge with condition_type on_job_failure.",
        "throw new Error('no patient')\n  ->  an edge with condition_type: on_job_failure",
    ),
    Entry(
        "HF1116",
        "Something thrown that is no error",
        Turn.AUTHOR,
        "The step's own code threw {kind} instead of an error: {said}.",
        "Write `throw new Error('what happened')`: then the place of the failure is known.",
        "throw 'no patient'\n  ->  throw new Error('no patient')",
    ),
    Entry(
        "HF1117",
        "A rejected promise that nobody waited for",
        Turn.AUTHOR,
        "An error came from a promise or a timer that nobody waited for: {said}.",
        "Write `await` before the call and catch its error, or return the promise.",
        "fn(state => { save(state.data); return state; })\n"
        "  ->  fn(async state => { await save(state.data); return state; })",
    ),
    Entry(
        "HF1118",
        "A promise that is never settled",
        Turn.AUTHOR,
        "The step waits for a promise that nothing can settle any more{where}.",
        "See that every path of `new Promise((resolve, reject) => …)` calls resolve or reject.",
        "new Promise(() => {})\n  ->  new Promise(resolve => setTimeout(resolve, 100))",
    ),
    Entry(
        "HF1119",
        "A call of process.exit",
        Turn.AUTHOR,
        "Something in the step, or in its adaptor, ended the process with code {exit}.",
        "Throw an error instead, or return the state to end early.",
        "process.exit(1)\n  ->  throw new Error('nothing to do')",
    ),
    Entry(
        "HF1120",
        "State read before an operation ran",
        Turn.AUTHOR,
        "Line {line} reads state outside of every operation. Such lines run before the first "
        "operation, whatever stands above them, so nothing has been fetched yet: {said}.",
        "Move the line into an operation: `fn(state => {{ …; return state; }})`.",
        "get('/x');\nconst ids = state.data.items.map(i => i.id);\n"
        "  ->  get('/x');\n      fn(state => ({ ...state, ids: state.data.items.map(i => i.id) }));",
    ),
    Entry(
        "HF1121",
        "An edge's condition that is no expression",
        Turn.AUTHOR,
        "The condition of the edge from {source} to {target} is no JavaScript expression: {said}.",
        "Write one expression about state, without `return` and without `=>`, such as "
        "`state.data.length > 0`.",
        "condition_expression: state.data.length >\n"
        "  ->  condition_expression: state.data.length > 0",
    ),
    Entry(
        "HF1122",
        "An edge's condition that throws",
        Turn.AUTHOR,
        "The condition of the edge from {source} to {target} threw: {said}. It is: {text}",
        "{advice}",
        "state.data.items.length > 0\n  ->  state.data?.items?.length > 0",
    ),
    Entry(
        "HF1123",
        "A plan that makes no sense",
        Turn.AUTHOR,
        "The workflow cannot be run: {said}.",
        "See that every edge leads to a step that exists, and that the edges form no circle.",
        "next: { transfrom: true }\n  ->  next: { transform: true }",
    ),
    Entry(
        "HF1124",
        "An input that is not JSON",
        Turn.DATA,
        "{said}.",
        "Start the run with a JSON object.",
        '{data: 1}\n  ->  {"data": 1}',
    ),
    Entry(
        "HF1125",
        "An operation that refused what it was given",
        Turn.AUTHOR,
        "The operation {name} of {adaptor} failed: {said}.",
        "Check the arguments of {name} on the line shown against the adaptor's documentation, "
        "and look at the state it got.",
        "each('items', fn(…))\n  ->  each('$.data.items[*]', fn(…))",
    ),
    Entry(
        "HF1126",
        "A function that gave its operation nothing",
        Turn.AUTHOR,
        "A function that was given to {name} returned nothing, and {name} needs the state from it.",
        "Return the state at its end, or give {name} an operation: `{name}(…, fn(state => {{ …; "
        "return state; }}))`.",
        "each('$.data[*]', state => { console.log(state.data); })\n"
        "  ->  each('$.data[*]', fn(state => { console.log(state.data); return state; }))",
    ),
    Entry(
        "HF1127",
        "An argument of another kind",
        Turn.AUTHOR,
        "The operation {name} of {adaptor} needs {wanted}, and got something else.",
        "{advice}",
        "fn({ name: 'x' })\n  ->  fn(state => ({ ...state, name: 'x' }))",
    ),
    Entry(
        "HF1128",
        "A promise used as the value that it gives",
        Turn.AUTHOR,
        "{name} is a promise, and not yet what it gives: {call} was not waited for. So {path} is "
        "{missing}, and its {key} cannot be {done}.",
        "Write `await` before {call}, and `async` before the function it stands in.",
        "const body = response.json();\n  ->  const body = await response.json();",
    ),
    Entry(
        "HF1129",
        "A value that JSON.stringify cannot write",
        Turn.AUTHOR,
        "The code calls JSON.stringify with a value that JSON cannot hold: {said}.",
        "{advice}",
        "JSON.stringify(state)\n  ->  JSON.stringify({ id: state.data.id })",
    ),
    Entry(
        "HF1130",
        "A condition that asks nothing",
        Turn.AUTHOR,
        "The condition of the edge from {source} to {target} {said}: {text}",
        "{advice}",
        "condition_expression: state => state.data.ok\n  ->  condition_expression: state.data.ok",
    ),
    Entry(
        "HF1131",
        "JSON that came as a form",
        Turn.DATA,
        "{path} is {missing}, so its {key} cannot be {done}. The request's body was JSON, but it was sent "
        "as a form: all of it became the name of one field.",
        "Whoever sends it adds the header Content-Type: application/json. Without it curl and others "
        "say that the body is a form.",
        "-d '{\"id\": 5}'\n  ->  -H 'Content-Type: application/json' -d '{\"id\": 5}'",
    ),
)
