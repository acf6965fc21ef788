"""What a check says of correct code, and that it tells what the compiler warns of."""

from __future__ import annotations

import ctypes
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

from holdfast.adaptors import Store
from holdfast.adaptors.manual import manual
from holdfast.checking.codecheck import Checker, Code
from holdfast.cli.check_project import doubt
from support.correct_jobs import JOBS, MSSQL
from support.mistakes import COMMON, HTTP, WARNINGS

#: The words above an example in an adaptor's documentation.
_CAPTION = re.compile(r"<caption>.*?</caption>", re.DOTALL)
#: Causes that an example may have: some are no JavaScript, most use names of another adaptor.
_EXAMPLES = {"HF1001", "HF1002"}


def test_nothing_is_said_of_correct_jobs(adaptor_store: Store) -> None:
    checker = Checker(adaptor_store)
    found = checker.check([Code(job.name, job.code, (job.adaptor,)) for job in JOBS])
    assert [(item.code.name, item.line, item.diagnosis.what) for item in found] == []
    assert checker.absent == {MSSQL}


def test_examples_of_adaptors_are_taken_as_they_are(adaptor_store: Store) -> None:
    adaptors = [record.at(folder) for folder, record in adaptor_store.installed()]
    codes = [
        Code(name, _CAPTION.sub("", example), (str(adaptor),))
        for adaptor in adaptors
        for name, operation in manual(adaptor.path, adaptor.exports).operations.items()
        for example in operation.examples
    ]
    assert len(codes) > 100
    found = Checker(adaptor_store).check(codes)
    said = [item.diagnosis.what for item in found if item.diagnosis.code not in _EXAMPLES]
    assert said == []


#: Those of the silent mistakes that the text alone shows.
SEEN = ("dollar in a call inside", "operation in a function", "dollar in quotes",
        "list for nobody", "misspelled length")  # fmt: skip
WRONG = (
    ("HF1020", "fn(s => { s.data.map(x => post('/x', x)); return s; });"),
    ("HF1020", "fn(async s => { await Promise.all(s.ids.map(x => get(x))); return s; });"),
    ("HF1020", "fn(s => { s.data.forEach(x => post('/x', x)); return s; });"),
    ("HF1020", "fn(s => { if (s.data) post('/x', s.data); return s; });"),
    ("HF1020", "fn(s => { s.data && get('/x'); return s; });"),
    ("HF1020", "fn(s => { s.data.forEach(async x => { await get('/x'); }); return s; });"),
    ("HF1021", "get('/patients/$.data.id');"),
    ("HF1021", "get(`URL/x?a=1&b=$.data.id&c=${$.data.c}`);"),
    ("HF1008", "fn(s => clean($.data.x));\nfunction clean(x) { return x; }"),
    ("HF1016", "get('/x', {}, {});"),
    ("HF1024", "fn(s => { s.data?.filter(x => { return x.name.trim() === ''; }); return s; });"),
    (
        "HF1025",
        "const many = list => list.lenght > 1;\nfn(s => ({ ...s, n: many([]) }));",
    ),
    ("HF1023", "const p = 1;\nget('/x').then(s => ({ ...s, p }));"),
)


def test_a_check_tells_what_the_compiler_warns_of(adaptor_store: Store) -> None:
    known = {mistake.name: mistake for mistake in WARNINGS}
    codes = [Code(name, known[name].code, (known[name].adaptor,)) for name in SEEN]
    found = Checker(adaptor_store).check(codes)
    assert [item.code.name for item in found] == [*SEEN]
    for item in found:
        mistake = known[item.code.name]
        assert item.diagnosis.code == mistake.expected
        assert mistake.says in item.diagnosis.what
        assert item.warning
        assert item.line is not None


def test_what_is_wrong_is_told_once(adaptor_store: Store) -> None:
    found = Checker(adaptor_store).check([Code(code, code, (HTTP,)) for _, code in WRONG])
    assert [(item.diagnosis.code, item.code.text) for item in found] == [*WRONG]


def test_helpers_take_as_many_arguments_as_they_do(adaptor_store: Store) -> None:
    code = "validate();\nfn();\nfields();\nlog();\nindex(1);\neach('$.a', fn(s => s), 1);"
    found = Checker(adaptor_store).check([Code("a", code, (COMMON,))])
    assert [item.line for item in found if item.diagnosis.code == "HF1016"] == [2, 5, 6]


def test_an_unknown_adaptor_is_asked_about() -> None:
    assert doubt("@openfn/language-commn@3.3.4") == " Is it common?"
    assert doubt("@openfn/language-http@99.0.0") == ""
    assert doubt("@openfn/language-of-nobody@1.0.0") == ""


def _allow_no_dumps() -> None:
    """As the worker's service may be: no core dumps, and no right to allow them again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    drop_from_bounds = cap_sys_resource = 24
    ctypes.CDLL(None).prctl(drop_from_bounds, cap_sys_resource, 0, 0, 0)


def test_a_check_keeps_a_limit_that_is_lower_than_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "holdfast.checking"]
    asked = json.dumps({"store": str(tmp_path), "codes": [], "conditions": []})
    told = subprocess.run(
        command,
        input=asked,
        capture_output=True,
        text=True,
        preexec_fn=_allow_no_dumps,
        check=True,
    )
    assert json.loads(told.stdout)["found"] == {}
