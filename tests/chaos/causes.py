"""Each end that is not the expected one, and each event left out, has a cause that was ordered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chaos.journals import Archived, event_key
from chaos.ledger import Ledger
from chaos.monkey import REFUSAL
from holdfast.testing.platform import Do
from holdfast.testing.twin_run import TwinRun
from holdfast.worker.outbox.outbox import NO_STEP

#: A run that no shim had may end so, if its document was refused or never came.
_FETCHES = {
    "PlanLoadError": "fetch:plan",
    "DataClipError": "fetch:dataclip",
    "CredentialLoadError": "fetch:credential",
}
#: What keeps an answer away or too late.
_SILENT = {Do.LOSE.value, Do.MUTE.value, Do.DELAY.value, Do.REORDER.value}
_SLOW = ("freeze agent", "freeze platform", "outage")
#: What the twin says to what it has already.
_KNOWN = "already"
#: A channel crashes on an event after so many crashes.
_CRASHES = 5


def of_the_end(
    run: TwinRun, ended: Archived, all_attempts: list[Archived], ledger: Ledger
) -> Iterator[str]:
    """The interruption of a run is explained by a blow at one of its processes, in its time."""
    assert ended.outcome is not None
    kind = str(ended.outcome.get("error_type"))
    if kind == "JournalDamaged":
        yield f"a journal was damaged, which nobody ordered: {ended.outcome}"
    pids = set().union(*(attempt.pids for attempt in all_attempts))
    if ledger.deadly(pids, ended.began, ended.ended):
        return
    if not ended.launched and (
        _fetch_failed(run, kind, ended, ledger) or _never_launched(kind, ended, ledger)
    ):
        return
    yield (
        f"unexplained end {ended.outcome['reason']}, {kind}: nothing struck its processes "
        f"{sorted(pids)} between {ended.began:.3f} and {ended.ended:.3f}; faults it met: "
        f"{run.struck}; {ended.outcome}"
    )


def _fetch_failed(run: TwinRun, kind: str, ended: Archived, ledger: Ledger) -> bool:
    """Whether the answer it needed was refused, or kept away: also by a platform that stood still
    for all of the attempts."""
    wanted = _FETCHES.get(kind)
    if any(event == wanted and do in _SILENT | {Do.REFUSE.value} for event, do in run.struck):
        return True
    return wanted is not None and bool(ledger.during(_SLOW, ended.began, ended.ended))


def _never_launched(kind: str, ended: Archived, ledger: Ledger) -> bool:
    """Whether shims or the supervisor were killed while it was to be launched."""
    if kind not in {"LaunchError", "EngineError"}:
        return False
    since, until = ended.began, ended.ended
    return any(
        blow.deadly and blow.kind.partition(" ")[2].partition(".")[0] != "agent"
        for blow in ledger.blows
        if blow.within(since, until)
    )


def of_the_notes(run: TwinRun, ended: Archived, ledger: Ledger) -> Iterator[str]:
    """Notes are not more than refusals; each refusal of the platform itself has a reason."""
    ordered = Counter(event for event, do in run.struck if do == Do.REFUSE.value)
    own = Counter(event for event, _, _ in run.refused)
    noted: Counter[str] = Counter()
    unknown = {n.get("step_id") for n in ended.notes if n.get("event") == "step:start"}
    for note in ended.notes:
        why, event = str(note.get("why")), str(note.get("event"))
        if note["what"] == "renamed":
            continue  # the database is compared with it
        if why == NO_STEP and note.get("step_id") in unknown:
            continue  # which was refused: that has a note of its own
        if note["what"] not in {"refused", "refused in part"}:
            yield f"a note that nothing explains: {note}"
        elif why == "no answer":
            if not _silenced(run, ended, ledger):
                yield f"no answer, and nothing kept it away: {note}"
        elif "crashes on it" in why:
            crashes = sum(do == Do.CRASH.value for _, do in run.struck)
            if crashes < _CRASHES:
                yield f"given up after {crashes} crashes: {note}"
        else:
            noted[event] += 1
            if REFUSAL not in why and not own[event]:
                yield f"a refusal the platform did not make: {note}"
    for event, number in (noted - ordered - own).items():
        yield f"{number} more notes than refusals of {event} ({ordered[event]} were ordered)"
    yield from _own_refusals(run, ordered, ended)


def _silenced(run: TwinRun, ended: Archived, ledger: Ledger) -> bool:
    silent = any(do in _SILENT for _, do in run.struck)
    return silent or bool(ledger.during(_SLOW, ended.began, float("inf")))


def _own_refusals(run: TwinRun, ordered: Counter[str], ended: Archived) -> Iterator[str]:
    """The twin refuses repeats, what hangs on something that was refused, and strangers."""
    accepted = {event_key(name, payload) for name, payload in run.events}
    left_out = ordered + Counter(str(note.get("event")) for note in ended.notes)
    for event, payload, response in run.refused:
        text = str(response)
        if event == "run:log" and "message" not in payload:
            continue  # a question about a step, which is always refused
        if _KNOWN in text:
            if event_key(event, payload) not in accepted:
                yield f"refused as known, and never accepted: {event} {text}"
        elif "step_id" in text:  # of a step the platform does not know
            if not left_out["step:start"]:
                yield f"an event of a step that was never announced: {event} {text}"
        elif "final_dataclip_id" in text:
            if not left_out["step:complete"]:
                yield f"an outcome with a dataclip that was never sent: {text}"
        else:
            yield f"the platform refused: {event} {text}"
