"""The catalogue, part three: credentials, the network and other systems, limits, this machine."""

from __future__ import annotations

from holdfast.diagnosis.entry import Entry, Turn

WORLD = (
    Entry(
        "HF1201",
        "A step without a credential",
        Turn.AUTHOR,
        "The adaptor {adaptor} needs a credential, and this step has none: {said}.",
        "Give the step a credential with {required}. In project.yaml: `credential: name` of the "
        "job; `holdfast run` takes --credentials FILE.",
        "jobs: {send: {adaptor: http@7.2.10}}\n"
        "  ->  jobs: {send: {adaptor: http@7.2.10, credential: my-login}}",
    ),
    Entry(
        "HF1202",
        "A credential without a key that the adaptor needs",
        Turn.AUTHOR,
        "The credential of this step has the keys {given}, but {reader} reads {absent}: {said}.",
        "{advice}",
        "{baseURL: …}\n  ->  {baseUrl: …}",
    ),
    Entry(
        "HF1204",
        "Collections without a platform",
        Turn.AUTHOR,
        "The step uses collections, which a platform keeps, and this run has no platform: {said}.",
        "Run it there: `holdfast up`, then `holdfast deploy project.yaml`. In a test case or a replay "
        "its requests are answered by those that the case tells of.",
        "holdfast deploy project.yaml",
    ),
    Entry(
        "HF1203",
        "A credential that could not be loaded",
        Turn.OPERATOR,
        "The platform did not give the worker a credential of this run: {said}.",
        "Set the credential's secret on the project's credentials page, then retry.",
        "holdfast deploy project.yaml --credentials secrets.yaml",
    ),
    Entry(
        "HF1301",
        "Refused by the egress policy",
        Turn.OPERATOR,
        "The connection to {target} was refused by this run's egress policy (rule {rule}), before "
        "it left the machine.",
        "If the address is wrong, correct it. If the run should reach it, the operator allows it: "
        "{wider}`--egress open`, of `holdfast up`, `worker` or `run`. A workflow's own `egress:` can only narrow that.",
        "holdfast up --egress lan",
    ),
    Entry(
        "HF1302",
        "A host name that does not exist",
        Turn.AUTHOR,
        "The host name {host} could not be found (DNS: {said}).",
        "Check its spelling in the step's code or credential. If the name is right, the name "
        "server of the worker's machine does not know it.",
        "https://api.exmaple.org\n  ->  https://api.example.org",
    ),
    Entry(
        "HF1303",
        "A certificate that is not accepted",
        Turn.SYSTEM,
        "The TLS certificate of {host} was not accepted: {said}.",
        "{advice}",
        "a self-signed certificate  ->  NODE_EXTRA_CA_CERTS=/etc/ssl/our-ca.pem for the worker",
    ),
    Entry(
        "HF1304",
        "Nothing listens there",
        Turn.SYSTEM,
        "{target} refused the connection: nothing listens there.",
        "Check host and port. If they are right, the other system is down: retry when it is up.",
        "http://127.0.0.1:8080  ->  the port that the service listens on",
    ),
    Entry(
        "HF1305",
        "A connection that broke",
        Turn.SYSTEM,
        "The connection to {target} broke off: {said}.",
        "The request may have been carried out. Look in the other system, then retry.",
        "retry from the step on the run's page",
    ),
    Entry(
        "HF1306",
        "No answer in time from the other system",
        Turn.SYSTEM,
        "{target} did not answer in time: {said}.",
        "Ask for less at a time (pages, smaller batches), or give the request a longer timeout. If "
        "this goes on, the other system is overloaded or not reachable.",
        "get('/all')  ->  get('/all', { query: { pageSize: 100 } })",
    ),
    Entry(
        "HF1307",
        "An address that is none",
        Turn.AUTHOR,
        "The code asks for an address that is not valid: {said}.",
        "Write the whole address with https:// and host, or set baseUrl in the credential. A part "
        "that comes from the state may be missing.",
        "fetch('/patients')\n  ->  fetch('https://example.org/patients')",
    ),
    Entry(
        "HF1308",
        "Not allowed by the other system",
        Turn.OPERATOR,
        "{request} was answered {status}: {meaning}.{answer}",
        "{advice}",
        "401 Unauthorized  ->  a credential with a valid token",
    ),
    Entry(
        "HF1309",
        "Not found in the other system",
        Turn.AUTHOR,
        "{request} was answered {status}: there is nothing at this path.{answer}",
        "Check the path and the ids in it. If an id comes from the data, it does not exist there.",
        "get('/patient/1')\n  ->  get('/patients/1')",
    ),
    Entry(
        "HF1310",
        "Refused by the other system",
        Turn.DATA,
        "{request} was answered {status}: the other system does not take what was sent.{answer}",
        "The answer says which part it does not take. Mend the data, or the code that builds it.",
        "post('/patients', { born: '1.2.1990' })\n  ->  post('/patients', { born: '1990-02-01' })",
    ),
    Entry(
        "HF1311",
        "Too many requests",
        Turn.SYSTEM,
        "{request} was answered {status}: the other system wants fewer requests.{answer}",
        "Wait and retry; send fewer at a time, or pause between them.",
        "each('$.data[*]', post(…))  ->  batches of 100 in one request",
    ),
    Entry(
        "HF1312",
        "A failure of the other system",
        Turn.SYSTEM,
        "{request} was answered {status}: the other system failed.{answer}",
        "Nothing in the workflow caused this by itself. Retry later; tell whoever runs it when it "
        "stays.",
        "503 Service Unavailable  ->  retry from the step",
    ),
    Entry(
        "HF1313",
        "A hole in an address",
        Turn.DATA,
        "{request} has {hole} in its address: a part that the code puts there was missing.",
        "See where this part comes from, and check it before the request is made: "
        "`if (!state.data.id) throw new Error('no id');`.",
        "get(`/patients/${$.data.ID}`)\n  ->  get(`/patients/${$.data.id}`)",
    ),
    Entry(
        "HF1401",
        "The time was up while something was waited for",
        Turn.SYSTEM,
        "The run took longer than its {limit} s. It was waiting{what}{where}.",
        "{advice} A longer limit is "
        "set with `holdfast up --run-timeout` or `holdfast run --timeout`.",
        "get('/all')  ->  get('/all', { query: { page: 1 } })",
    ),
    Entry(
        "HF1402",
        "A loop without end",
        Turn.AUTHOR,
        "The run took longer than its {limit} s, and its code was computing when it was stopped"
        "{where}. It had a processor for {share} % of the time: {likely}.",
        "Look at the loop around this line: what ends it, and does that change in each round? If it "
        "is only long work, do less of it at a time.",
        "while (page) { … }\n  ->  while (page) { …; page = page.next; }",
    ),
    Entry(
        "HF1403",
        "Out of memory",
        Turn.AUTHOR,
        "The run needed more memory than its {limit} MB{where}.{grew}",
        "Work on less at a time: pages and batches; keep in state only what later steps need. A "
        "higher limit is set with `holdfast up --run-memory` or `holdfast run --memory`.",
        "get('/all')  ->  pages of 100, each written before the next",
    ),
    Entry(
        "HF1404",
        "A state that is too large",
        Turn.AUTHOR,
        "The state at the end of the step is larger than allowed: {said}.",
        "Return only what the next step needs; put large tables into a Collection.",
        "return state\n  ->  return { data: { ids: state.data.map(item => item.id) } }",
    ),
    Entry(
        "HF1405",
        "Too many logs or files",
        Turn.AUTHOR,
        "The run wrote more than it may: {said}.",
        "Log less, return less from each step, and remove files that are no longer needed.",
        "console.log(state)  ->  console.log(state.data.length)",
    ),
    Entry(
        "HF1406",
        "Large data in the code",
        Turn.AUTHOR,
        "{said}. A step carries {size} of data in its code, which each run loads: {holders}.",
        "Move it into a collection: `holdfast collections import NAME data.json`, then read "
        "it with `collections.get(NAME, {{ key: … }})`.",
        "const sites = [ …25 MB… ];\n  ->  collections.get('sites', { key: $.data.site });",
    ),
    Entry(
        "HF1501",
        "An adaptor that cannot be installed",
        Turn.AUTHOR,
        "An adaptor of this run cannot be installed: {said}.",
        "{advice}",
        "adaptor: http@99.0.0\n  ->  adaptor: http@7.2.10",
    ),
    Entry(
        "HF1502",
        "An adaptor that cannot be loaded",
        Turn.AUTHOR,
        "The adaptor {package} cannot be loaded: {said}.",
        "{advice}",
        "import { get } from '@openfn/language-htpp';\n"
        "  ->  import { get } from '@openfn/language-http';",
    ),
    Entry(
        "HF1503",
        "Forbidden by the sandbox",
        Turn.AUTHOR,
        "The code tried what no run may do: {said}.",
        "Remove it. A run can compute and make requests; it cannot start programs or listen.",
        "child_process.exec('ls')  ->  no replacement",
    ),
    Entry(
        "HF1901",
        "This machine could not run it",
        Turn.OPERATOR,
        "The machine or the worker's folder failed, not the workflow: {said}.",
        "`holdfast doctor` says what is missing; look at disk and memory of the machine. Then retry "
        "the run.",
        "holdfast doctor",
    ),
    Entry(
        "HF1902",
        "Interrupted from outside",
        Turn.OPERATOR,
        "The run was interrupted from outside: {said}.",
        "What it had done until then stays done: see in the timeline how far it came, then retry.",
        "holdfast postmortem 4f1c2a90",
    ),
    Entry(
        "HF1903",
        "A fault of Holdfast",
        Turn.HOLDFAST,
        "Holdfast itself failed: {said}.",
        "Report it together with `holdfast postmortem RUN --json`. A retry may succeed.",
        "holdfast postmortem 4f1c2a90 --json > report.json",
    ),
    Entry(
        "HF1904",
        "Cancelled",
        Turn.NOBODY,
        "Somebody cancelled the run{where}.",
        "Nothing: retry it when it is wanted again.",
        "retry on the run's page",
    ),
    Entry(
        "HF1905",
        "Lost sight of",
        Turn.OPERATOR,
        "The worker that had the run was not heard of again: {said}.",
        "See whether the worker lives (`holdfast status`), and what the run has done; then retry.",
        "holdfast status",
    ),
    Entry(
        "HF1999",
        "An end that is not in the catalogue",
        Turn.AUTHOR,
        "{said}.",
        "Look at the line that is shown and at the step's input.",
        "holdfast postmortem 4f1c2a90",
    ),
)
