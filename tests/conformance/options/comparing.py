"""Whether our worker makes of a command line what the reference made of it, and where not, why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.options.matrix import LISTS, NUMBERS, PAUSES, TABLE, Asked, Case
from holdfast.model.errors import UsageError
from holdfast.paths import absolute
from holdfast.worker.arguments import parse
from holdfast.worker.options import OPTIONS, leading_integer, read_all, seconds

RECORDED = Path(__file__).with_name("cases.json")
_BY_KEY = {option.key: option for option in TABLE}
_OURS = {option.field: option for option in OPTIONS}


def ours(case: Case) -> Any:
    """The value of the case's field with us, or the UsageError that refuses it."""
    try:
        arguments = parse(case["argv"])
        values = read_all(arguments.over(case["env"]))
    except UsageError as error:
        return error
    if case["key"] == "_":
        return [arguments.words, values["port"], values["batch_logs"]]
    return values[_BY_KEY[case["key"]].field]


def difference(case: Case) -> str | None:
    """None if ours is the same, or differs by a rule of DEVIATIONS; else both values."""
    mine = ours(case)
    if case["key"] == "_":
        same = str(mine) == str(case.get("result")) or "error" in case
        return None if same else f"ours: {mine!r}"
    option = _BY_KEY[case["key"]]
    if "error" not in case and _same(option, mine, case["result"]):
        return None
    if any(rule(option, case, mine) for rule in DEVIATIONS.values()):
        return None
    return f"ours: {mine!r}"


def _same(option: Asked, mine: Any, theirs: Any) -> bool:
    if isinstance(mine, UsageError):
        return False
    if theirs == "undefined":
        return mine in (None, ()) or str(mine) == (_OURS[option.field].default or "")
    if isinstance(theirs, bool):
        return mine is theirs
    if isinstance(theirs, int | float):
        return bool(mine == theirs) or str(mine) == str(theirs)
    if isinstance(theirs, list):
        return list(mine) == theirs if isinstance(mine, tuple) else False
    if option.field == "backoff":
        return bool("/".join(f"{value:g}" for value in mine) == theirs)
    if option.field == "monorepo_dirs":
        return bool(mine == (absolute(theirs or "."),))
    if isinstance(mine, Path):
        return mine == absolute(theirs or ".")
    return bool(str(mine) == theirs)


def _given(case: Case) -> str:
    """The value that is given last; a flag stands for itself if it has none."""
    words = [word for word in case["argv"] if word != "--loop"]
    last = str((words or list(case["env"].values()))[-1])
    flag, equals, value = last.partition("=")
    return value if equals and flag.startswith("-") else last


def _refused(option: Asked, case: Case, mine: Any) -> bool:
    theirs = case.get("result")
    if not isinstance(mine, UsageError) or "error" in case:
        return isinstance(mine, UsageError)
    if option.values in (NUMBERS, PAUSES):
        return not isinstance(theirs, int | float) or theirs is True or theirs < 1
    return theirs is True or theirs == ""


def _not_given(option: Asked, case: Case, mine: Any) -> bool:
    lacking = case.get("result") in (True, []) and _given(case) in option.flags
    return lacking and option.values in (NUMBERS, LISTS) and mine == read_all({})[option.field]


def _zero(option: Asked, case: Case, mine: Any) -> bool:
    return option.field == "socket_seconds" and _given(case) == "0" and bool(case["env"])


def _number_in_text(option: Asked, case: Case, mine: Any) -> bool:
    theirs, given = case.get("result"), _given(case)
    mangled = isinstance(theirs, str) or (isinstance(theirs, float) and theirs % 1 != 0)
    clustered = given[:2] in ("-p", "-t")  # letters behind a short flag are flags there
    number = option.values is NUMBERS and (mangled or clustered)
    return number and _same(option, mine, _leading(given))


def _leading(text: str) -> Any:
    try:
        return leading_integer(text.removeprefix("-p").removeprefix("-t"))
    except ValueError:
        return None


def _fraction(option: Asked, case: Case, mine: Any) -> bool:
    return _OURS[option.field].read is seconds and str(mine) == _given(case)


def _empty(option: Asked, case: Case, mine: Any) -> bool:
    if isinstance(mine, UsageError) or _given(case) != "":
        return False
    unset = read_all({}).get(option.field)
    return bool(mine == unset) or (option.values is NUMBERS and mine == 0)


def _advertised(_option: Asked, case: Case, _mine: Any) -> bool:
    return any(word.partition("=")[0] in ADVERTISED for word in case["argv"])


def _last_wins(option: Asked, case: Case, mine: Any) -> bool:
    theirs = case.get("result")
    return isinstance(theirs, list) and option.values is not LISTS and (
        _same(option, mine, theirs[-1]) or isinstance(mine, UsageError)
    )  # fmt: skip


def _text_stays(option: Asked, case: Case, mine: Any) -> bool:
    if option.values is NUMBERS or (isinstance(case["result"], str) and case["result"]):
        return option.field == "repo_dir" and mine == absolute(_given(case))
    if isinstance(mine, Path):
        return mine == absolute(_given(case))
    return str(mine) == _given(case)


def _commas(option: Asked, case: Case, mine: Any) -> bool:
    if option.values is not LISTS or isinstance(mine, UsageError):
        return False
    words = ",".join(case["result"]).split(",")
    return list(mine) == [word.strip() for word in words if word.strip()]


def _one_pause(option: Asked, case: Case, mine: Any) -> bool:
    return option.field == "backoff" and mine == (float(_given(case)),) * 2


#: Advertised by the reference and not read by it; read here.
ADVERTISED = {
    "--message-timeout", "--claim-timeout", "--socket-timeout", "--timeout-retry-delay",
}  # fmt: skip
#: Each difference that is meant, and how to tell it. `docs/compatibility.md` gives the reasons.
DEVIATIONS: dict[str, Callable[[Asked, Case, Any], bool]] = {
    "what makes no sense is refused": _refused,
    "the number at the beginning of a flag's text counts": _number_in_text,
    "a fraction of a second counts in a variable too": _fraction,
    "an empty value is none": _empty,
    "a flag without the value it needs is refused, or as if not given": _not_given,
    "0 gives way to the variable for every number": _zero,
    "the timeouts' advertised spellings work": _advertised,
    "of a repeated flag the last value counts": _last_wins,
    "text that looks like a number stays text": _text_stays,
    "commas separate names in flags too": _commas,
    "one pause is both": _one_pause,
}
