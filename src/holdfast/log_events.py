"""Every event that the log of a Holdfast process may hold. `log.py` writes them.

The documentation is made from this list, and `tests/unit/test_log_events.py` holds it against the
code. In a line, `reason` is one of a few fixed words and `why` is a text; `run` is the run's id.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event: its name, level, the process that writes it, its keys, and what to know."""

    name: str
    level: str
    process: str
    keys: tuple[str, ...]
    meaning: str


def _events(process: str, *rows: tuple[str, str, str, str]) -> list[LogEvent]:
    return [
        LogEvent(name, level, process, tuple(keys.split()), meaning)
        for name, level, keys, meaning in rows
    ]


_FAULT = "why trace"
EVENTS = (
    *_events(
        "supervisor",
        ("agent.ended", "error", "code restart_seconds",
         "The agent died. It is started again; runs go on meanwhile."),
        ("process.not_started", "error", "process why",
         "The system allows no further process (shim, standby, helper or agent). Tried again."),
        ("shim.failed", "error", f"pid {_FAULT}",
         ("The process that looks after one run died of a fault of ours. The run's outcome is "
         "written from what the kernel and the journal tell.")),
        ("supervisor.helper_failed", "error", f"pid {_FAULT}",
         ("A chore beside the runs failed: tidying up, the engine's cache, or a lost outcome. "
         "The next start of the worker does it again.")),
        ("supervisor.not_accepting", "error", "why retry_seconds",
         "The system has no room for a further connection to the supervisor. Tried again."),
        ("zygote.ready", "info", "kind pid",
         "Runs of this kind are now forked from a process that has loaded their adaptors."),
        ("zygote.unfit", "warn", "kind why",
         "No run of this kind can be forked; each starts a process of its own."),
        ("zygote.not_forked", "error", "kind why",
         "A run got no child of its zygote, and a process of its own instead."),
        ("zygote.ended", "error", "kind words",
         "A zygote died, and its children with it. Another one is made when a run comes."),
        ("run.not_explained", "error", _FAULT,
         ("Why a run failed could not be explained to its author: what it told of its failure was "
         "not understood. Its outcome stands. Report it.")),
        ("run.not_forked", "warn", "why",
         "A run that was to be forked got a process of its own."),
        ("standby.lost", "warn", "why",
         "A process that waited for a run ended. Another one is made."),
        ("broker.failed", "error", f"pid {_FAULT}",
         ("The process that makes the connections of one run died. Its further connections are "
         "refused.")),
    ),
    *_events(
        "agent",
        ("worker.started", "info", "id slots port", "The agent runs. `port` serves its health."),
        ("worker.grace_period", "info", "seconds why",
         "How long a service manager should wait after SIGTERM before it kills the worker."),
        ("worker.draining", "info", "runs seconds",
         "A stop was asked for: nothing is claimed any more, `runs` end within `seconds`."),
        ("worker.drain_hurried", "warn", "reason runs",
         "A second signal came: runs under way are ended now."),
        ("worker.drain_deadline", "warn", "runs",
         "The time for the drain is over: these runs were ended, and are reported so."),
        ("worker.undelivered", "error", "runs",
         "The worker stops while runs are undelivered. The next start delivers them."),
        ("worker.ended", "info", "code", "The agent has ended with this exit code."),
        ("worker.task_failed", "error", _FAULT,
         "A fault of ours in the agent, outside of any run. Report it."),
        ("option.without_effect", "warn", "name why", "This option is accepted and does nothing."),
        ("egress.default", "info", "policy tighten",
         "Where jobs may connect to, because no option says it, and how to allow less."),
        ("ca_certs.unreadable", "error", "file why",
         "The file of further certificate authorities cannot be used."),
        ("connection.up", "info", "platform", "The worker is connected to the platform."),
        ("connection.down", "warn", "code why",
         "The connection ended; it is made again. Runs go on."),
        ("connection.failed", "error", "platform why",
         "The platform cannot be reached, or refuses the worker. Tried again."),
        ("connection.retry", "debug", "seconds", "The next attempt to connect comes after this."),
        ("connection.silent", "warn", "",
         "The platform has not answered heartbeats: the connection is made anew."),
        ("connection.bad_frame", "warn", "why",
         "The platform sent something that is not of the protocol. It is passed over."),
        ("channel.joined", "debug", "topic", "The channel of the queue or of a run is joined."),
        ("channel.refused", "warn", "topic why", "The platform refused the join of a channel."),
        ("channel.lost", "debug", "topic how", "A channel ended. It is joined again."),
        ("claim.refused", "warn", "loop why", "The platform refused a claim."),
        ("claim.unanswered", "warn", "loop why",
         "A claim had no answer in time. Runs of a late answer are taken all the same."),
        ("claim.overdue", "warn", "loop overdue",
         ("A claim is not answered for a minute or longer, though the platform lives. It keeps "
         "its slot; other slots may ask.")),
        ("claim.unknown_answer", "warn", "ref",
         "An answer to a claim came that no loop waits for. Its runs are taken all the same."),
        ("claim.failed", "error", f"loop {_FAULT}", "A claim failed by our fault. Report it."),
        ("run.claimed", "info", "run loop", "The platform gave this run to the worker."),
        ("run.bad_token", "error", "run why",
         "The run's token is not signed by the platform's key: the run is not taken."),
        ("run.not_journaled", "error", "run why",
         "The claim could not be written to the disk: the run is not taken."),
        ("run.token_not_kept", "error", "run why",
         "A new token of the run is used but could not be written to the disk."),
        ("run.adopted", "info", "run launched ended",
         "A run that was found at the start is looked after."),
        ("run.launched", "info", "run", "A process has the run."),
        ("run.cancelled", "info", "run", "The platform wants the run to end; it is being ended."),
        ("run.attached", "info", "run", "The process that has the run was found again."),
        ("run.relaunched", "warn", "run reason",
         "The run's process died before any code of the run; the run is launched again."),
        ("run.launch_failed", "warn", "run why", "The run could not be launched. Tried again."),
        ("adaptor.installed", "info", "run name version seconds",
         "An adaptor that the run needs was not there, and is now."),
        ("collections.version", "info", "version",
         "The version of the collections adaptor that jobs get from now on."),
        ("collections.not_looked_up", "warn", "version why",
         "The registry does not say which version it is now: jobs get the one found before."),
        ("run.not_prepared", "warn", "run why",
         "Plan, adaptors or input could not be had: the run ends with this error."),
        ("run.plan_not_ready", "warn", "run retry_seconds",
         "The platform has no plan yet, as an adaptor is not ready there. Asked for again."),
        ("run.not_ours", "warn", "run why",
         "The platform says that the run belongs to somebody else. It is let go."),
        ("run.interrupted", "error", f"run retry_seconds {_FAULT}",
         "A fault of ours while the agent looked after the run. It goes on from the journal."),
        ("run.undelivered", "error", "run ending why",
         "The delivery of this run was given up. Its journal is kept."),
        ("run.done", "info", "run ending", "The run is delivered and put away."),
        ("journal.damaged", "error", "run why",
         "The run's journal is damaged: what can be read is delivered, and the damage said."),
        ("journal.unreadable", "error", "folder",
         "A run's folder tells nothing. It is kept in the archive for a person to look at."),
        ("journal.not_adopted", "error", "folder why retry_seconds",
         "A run's folder cannot be read now. Tried again."),
        ("delivery.disk_failed", "error", "run why retry_seconds",
         "The disk failed while the run was delivered. Tried again from the mark."),
        ("delivery.renamed", "info", "run step_id dataclip to",
         ("The answer to the end of a step was lost, and its output was sent again under another "
         "id, or it was left out (none).")),
        ("delivery.batches_not_known", "warn", "run",
         "The platform does not know batches of log lines. From now on they are sent singly."),
        ("credential.refused", "warn", "topic retry_seconds",
         "The platform does not give a credential now, such as when an OAuth service fails."),
        ("delivery.json_not_known", "warn", "run",
         "The platform does not take outputs as JSON. From now on they are sent as text."),
        ("credential.not_fetched_again", "warn", "topic why",
         "After a rejoin a credential could not be fetched again for the platform's scrubber."),
        ("delivery.incomplete", "warn", "run what event step_id dataclip why",
         ("A part of the run could not be delivered as it was: refused, too large "
         "or unreadable. The run's outcome tells it.")),
        ("postmortem.failed", "warn", "run why", "The run is delivered without a post-mortem."),
        ("archive.pruned", "info", "runs", "So many archived runs were removed, as options say."),
    ),
    *_events(
        "platform",
        ("worker.connected", "info", "id", "A worker is connected."),
        ("worker.disconnected", "info", "id", "A worker's connection ended."),
        ("worker.refused", "warn", "reason",
         "A worker was not let in: it does not have this platform's WORKER_SECRET."),
        ("worker.bad_frame", "warn", "id why",
         "A worker sent something that is not of the protocol. Its connection was ended."),
        ("worker.failed", "error", f"id {_FAULT}",
         "A fault of ours with a worker's connection, which was ended. Report it."),
        ("channel.crashed", "error", f"topic {_FAULT}",
         "A worker's channel failed. The worker joins again and loses nothing."),
        ("join.refused", "warn", "run reason",
         "A worker wanted to join a run that is not its own any more."),
        ("login.provider_failed", "warn", "why",
         "The provider of single sign-on did not say who somebody is."),
        ("credential.renewed", "info", "credential",
         "The token of a credential was renewed at its provider of OAuth."),
        ("credential.not_renewed", "warn", "credential why",
         "The provider of OAuth does not renew a token. A run that needs it may fail."),
        ("event.refused", "warn", "run event why",
         "An event of a worker breaks a rule. The run's notes tell it."),
        ("claim.returned", "warn", "run worker",
         "A worker claimed the run and did not come for it. It is in the queue again."),
        ("run.given_up", "warn", "run detector worker",
         "The worker has gone silent: the run is lost, unless its worker reports it later."),
        ("janitor.failed", "error", f"run {_FAULT}",
         "A look at this run failed by a fault of ours. Tried again."),
        ("lead.lost", "warn", "why",
         "The connection that holds the lock for chores ended. Another platform may do them."),
        ("notices.interrupted", "warn", "why",
         "The connection on which other platforms are heard ended. It is made again."),
        ("retention.removed", "info", "documents logs runs erased",
         "What was older than its project keeps it was removed: so many of each."),
        ("collection.removed", "info", "id",
         "All items of a removed collection are deleted."),
        ("cron.missed", "info", "trigger times",
         ("Times of a cron trigger came while no platform looked, or it was paused. Its rule "
          "starts no runs for them.")),
        ("cron.skipped", "info", "trigger",
         "A cron trigger was due, and a run of it had not ended: its rule is to skip."),
        ("cron.fired", "info", "trigger run", "A cron trigger started a run."),
        ("cron.failed", "error", f"trigger {_FAULT}", "A cron trigger could not start its run."),
        ("chore.failed", "error", f"name {_FAULT}",
         "A task in the background failed (janitor, cron, waking of workers). It begins again."),
        ("platform.not_ready", "error", "why",
         "`/ready` was answered with 503: the database does not read or write."),
        ("request.unfit", "info", "path why",
         "A request has a value that no column can hold. It was answered with 422."),
        ("request.broken", "info", "path why",
         "What came was no HTTP. It was answered with 400, and the connection was closed."),
        ("request.failed", "error", "path why",
         "A request was answered with 503 because of a fault; `library.failed` has the trace."),
    ),
    *_events(
        "agent, platform",
        ("library.said", "warn", "library text", "A warning of a library."),
        ("library.failed", "error", f"library text {_FAULT}", "An error of a library."),
    ),
)  # fmt: skip
