"""Test the connection of a credential, and say on the page of credentials what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.platform.access import visit
from holdfast.platform.causes.verdict import Finding, Verdict, verdict
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import ActionError
from holdfast.platform.start.probing import probe_connection
from holdfast.platform.store import credentials, probes
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.waits import waits
from holdfast.platform.web.language import later, say
from holdfast.platform.web.project import missing
from holdfast.platform.web.waiting import wait_words

#: What is said first, and what to do where the diagnosis gives an advice about code.
_WORDS = {
    Finding.PENDING: (later("The test is under way in a worker."), ""),
    Finding.ACCEPTED: (later("Reached, and the user is accepted."), ""),
    Finding.ANSWERED: (
        later("Reached: it answered %(status)s."),
        later(
            "A wrong user or password shows here only where this address asks for one. "
            "If it is open to everybody, a step that uses the credential tells more."
        ),
    ),
    Finding.REACHED: (
        later("Somebody answers at the address (%(status)s)."),
        later(
            "Only the address was tried: how this kind of credential logs in is not known here, "
            "so user, password and token were not."
        ),
    ),
    Finding.REFUSED_BY_POLICY: (later("The worker's egress policy refused the connection."), ""),
    Finding.NO_SUCH_NAME: (later("The name of the host was not found."), ""),
    Finding.CERTIFICATE: (later("The certificate was not accepted."), ""),
    Finding.NOTHING_LISTENS: (later("Nothing listens at this address."), ""),
    Finding.BROKE_OFF: (
        later("The connection broke off."),
        later("Test again. If it stays, see whether the address is the right one."),
    ),
    Finding.TOO_SLOW: (
        later("No answer came in time."),
        later(
            "Is the address right, and may the worker's network reach it? A firewall that drops "
            "what it does not allow looks like this."
        ),
    ),
    Finding.NOT_AN_ADDRESS: (
        later("The address of the credential is not valid."),
        later("Write the whole address, with https:// and the name of the host."),
    ),
    Finding.NOT_ALLOWED: (later("Reached, but the credential was not accepted."), ""),
    Finding.STRANGE_ANSWER: (
        later("Reached, but this is not what such a system answers."),
        later("Is the base URL right? A page for people, or one to log in, is answered there."),
    ),
    Finding.NOT_FOUND: (
        later("Reached, but there is nothing at this address (%(status)s)."),
        later(
            "Is the base URL right? Where steps add a path to it, this may be as it should be: "
            "then the connection is good, and the login is not tested."
        ),
    ),
    Finding.FAILED_THERE: (later("Reached, but it answered with a failure (%(status)s)."), ""),
    Finding.INCOMPLETE: (later("The credential lacks what its adaptor needs."), ""),
    Finding.NO_ADAPTOR: (later("The worker could not get the adaptor of the test."), ""),
    Finding.CANCELLED: (later("The test was cancelled."), ""),
    Finding.OTHER: (later("The test failed."), ""),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A test as the page shows it."""

    run: Row
    credential: Row
    verdict: Verdict
    headline: str
    what: str
    advice: str

    @property
    def final(self) -> bool:
        return self.verdict.finding is not Finding.PENDING


def read_tested(connection: Connection, project_id: str, run_id: str) -> Shown | None:
    """None: no credential of the project was tested by this run."""
    found = probes.tested(connection, project_id, run_id)
    if found is None:
        return None
    run, credential, step = found
    given = verdict(run, step)
    headline, advice = _WORDS[given.finding]
    status = "?" if given.status is None else str(given.status)
    cause = given.cause
    what = cause.what if cause is not None else ""
    wait = waits(connection, [run], now()).get(run.id)
    if wait is not None:
        headline, what = wait_words(wait)
    else:
        headline = say(headline, status=status)
    instead = cause.change if cause is not None else ""
    return Shown(run, credential, given, headline, what, say(advice) if advice else instead)


async def try_connection(request: Request) -> Response:
    """Start a test, and go back to the page, which shows it."""
    from holdfast.platform.web.secrets import credentials_page  # noqa: PLC0415 - it shows tests

    platform: Platform = request.app.state.platform
    project_id, key = request.path_params["project_id"], request.path_params["id"]
    row = await platform.database.read(lambda c: credentials.find(c, key))
    if row is None or row.project_id != project_id:
        return missing()
    visit.note(name=row.name)
    try:
        run_id = await probe_connection(platform, row, visit.subject().name)
    except ActionError as error:
        return await credentials_page(request, error=error.message)
    return RedirectResponse(f"/projects/{project_id}/credentials?tested={run_id}#tested", 303)
