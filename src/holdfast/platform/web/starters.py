"""Workflows to begin with: each runs at once, and says where its own system belongs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.platform.web.draft import Begin, Draft, Path, Step, fresh


@dataclass(frozen=True, slots=True)
class Starter:
    """`steps`: names and code, one after the other. `sample`: a state to try it with."""

    title: str
    steps: tuple[tuple[str, str], ...]
    sample: str
    cron: str = ""


_SEND = """\
// Here it would be sent. Give this step the adaptor "{adaptor}" and a credential, then write:
// {call}
fn(state => {{
  console.log('would send', JSON.stringify(state.data));
  return state;
}});
"""


def _send(adaptor: str, call: str) -> tuple[str, str]:
    """The last step: it only shows what it would send, and says how to send it."""
    return "Send", _SEND.format(adaptor=f"@openfn/language-{adaptor}", call=call)


STARTERS = {
    "fhir": Starter(
        "FHIR bundle to a register",
        (
            (
                "Pick patients",
                """\
// A bundle holds resources of many kinds; only patients go on.
fn(state => {
  const resources = (state.data.entry || []).map(entry => entry.resource);
  return { ...state, data: resources.filter(item => item.resourceType === 'Patient') };
});
""",
            ),
            (
                "Make records",
                """\
fn(state => ({
  ...state,
  data: state.data.map(patient => ({
    id: patient.id,
    family: patient.name?.[0]?.family,
    given: patient.name?.[0]?.given?.join(' '),
    born: patient.birthDate,
  })),
}));
""",
            ),
            _send("http", "post('/patients', $.data);"),
        ),
        """\
{
  "data": {
    "resourceType": "Bundle",
    "entry": [
      { "resource": { "resourceType": "Patient", "id": "p1", "birthDate": "1990-04-01",
        "name": [{ "family": "Otieno", "given": ["Amina"] }] } },
      { "resource": { "resourceType": "Observation", "id": "o1" } }
    ]
  }
}""",
    ),
    "dhis2": Starter(
        "Form to DHIS2",
        (
            (
                "Check the form",
                """\
// What is not complete must not reach DHIS2.
fn(state => {
  const { facility, period, cases } = state.data;
  if (!facility || !period) throw new Error('facility and period are needed');
  return { ...state, data: { facility, period, cases: Number(cases || 0) } };
});
""",
            ),
            (
                "Make data values",
                """\
fn(state => ({
  ...state,
  data: {
    orgUnit: state.data.facility,
    period: state.data.period,
    dataValues: [{ dataElement: 'PUT-THE-ID-HERE', value: state.data.cases }],
  },
}));
""",
            ),
            _send("dhis2", "create('dataValueSets', $.data);"),
        ),
        '{\n  "data": { "facility": "DiszpKrYNg8", "period": "202611", "cases": "12" }\n}',
    ),
    "openmrs": Starter(
        "OpenMRS to FHIR",
        (
            (
                "Read patients",
                """\
// With the adaptor "@openfn/language-openmrs": get('patient', { q: 'Amina' });
fn(state => ({ ...state, data: state.data.results || [] }));
""",
            ),
            (
                "Make FHIR patients",
                """\
fn(state => ({
  ...state,
  data: state.data.map(patient => ({
    resourceType: 'Patient',
    id: patient.uuid,
    name: [{ text: patient.person.display }],
    gender: patient.person.gender === 'F' ? 'female' : 'male',
    birthDate: (patient.person.birthdate || '').slice(0, 10),
  })),
}));
""",
            ),
            _send("fhir-4", "create('Patient', $.data[0]);"),
        ),
        """\
{
  "data": {
    "results": [
      { "uuid": "a1b2", "person": { "display": "Amina Otieno", "gender": "F",
        "birthdate": "1990-04-01T00:00:00.000+0000" } }
    ]
  }
}""",
    ),
    "csv": Starter(
        "CSV to HTTP",
        (
            (
                "Read the rows",
                """\
// A simple table without quoted commas. For others: parseCsv of "@openfn/language-common".
fn(state => {
  const [head, ...lines] = state.data.csv.trim().split('\\n').map(line => line.split(','));
  const rows = lines.map(line => Object.fromEntries(head.map((name, n) => [name, line[n]])));
  return { ...state, data: rows };
});
""",
            ),
            _send("http", "post('/rows', $.data);"),
        ),
        '{\n  "data": { "csv": "name,village\\nAmina,Kisumu\\nJoseph,Siaya" }\n}',
    ),
    "report": Starter(
        "Nightly report",
        (
            (
                "Count",
                """\
// At night the state begins with what the last run left.
fn(state => {
  const visits = state.data.visits || [];
  const byPlace = {};
  for (const { place } of visits) byPlace[place] = (byPlace[place] || 0) + 1;
  return { ...state, data: { total: visits.length, byPlace } };
});
""",
            ),
            _send("http", "post('/report', $.data);"),
        ),
        '{\n  "data": { "visits": [{ "place": "Kisumu" }, { "place": "Siaya" }] }\n}',
        "0 2 * * *",
    ),
}


def example_of(codes: Iterable[str]) -> str:
    """The key of the example that begins with one of these codes; empty: none does."""
    known = {starter.steps[0][1].strip(): key for key, starter in STARTERS.items()}
    return next((known[code.strip()] for code in codes if code.strip() in known), "")


def draft_of(key: str, name: str) -> tuple[str, Draft]:
    """The id and the draft of a new workflow. An unknown key: one step that does nothing."""
    starter = STARTERS.get(key)
    workflow_id, empty = fresh(name or (starter.title if starter else "New workflow"))
    if starter is None:
        return workflow_id, empty
    begin = empty.begins[0]
    if starter.cron:
        begin = Begin(begin.id, "cron", starter.cron)
    steps = [Step(fresh("")[0], title, body=body) for title, body in starter.steps]
    sources = [(begin.id, "always"), *((step.id, "on_job_success") for step in steps)]
    paths = [
        Path(fresh("")[0], source, step.id, condition)
        for (source, condition), step in zip(sources, steps, strict=False)
    ]
    return workflow_id, Draft(empty.name, 0, steps, [begin], paths)
