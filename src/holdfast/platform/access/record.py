"""What the audit log says of a request: every change, and every look at a document."""

from __future__ import annotations

from starlette.types import Message, Send

from holdfast.platform.access.doors import Door, Way
from holdfast.platform.access.policy import Kind
from holdfast.platform.access.visit import Visit
from holdfast.platform.service import Platform
from holdfast.platform.store import audit

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: What a page or a call is called in the log. A change that is not here is called by its route.
WORDS = {
    "POST /api/provision": "project deployed",
    "POST /api/workflows": "workflow made",
    "PUT /api/workflows/{id}": "workflow changed",
    "PATCH /api/workflows/{id}": "workflow changed",
    "POST /api/projects/{project_id}/workflows": "workflow made",
    "POST /api/oauth_clients": "OAuth client set",
    "DELETE /api/oauth_clients/{id}": "OAuth client removed",
    "POST /api/credentials": "credential set",
    "PUT /api/credentials/{id}": "credential changed",
    "PATCH /api/credentials/{id}": "credential changed",
    "DELETE /api/credentials/{id}": "credential removed",
    "POST /api/credentials/{id}/tests": "credential tested",
    "POST /api/projects/{project_id}/keychains": "keychain set",
    "DELETE /api/keychains/{id}": "keychain removed",
    "POST /api/runs/{id}/retry": "run retried",
    "POST /api/runs/{id}/cancel": "run cancelled",
    "POST /api/projects/{project_id}/bulk_actions": "many runs retried or cancelled",
    "POST /api/projects/{project_id}/bulk_actions/{id}/stop": "change of many runs stopped",
    "POST /api/queue/pause": "queue paused",
    "POST /api/queue/resume": "queue resumed",
    "POST /api/workflows/{id}/pause": "workflow paused",
    "POST /api/workflows/{id}/resume": "workflow resumed",
    "GET /api/dataclips/{id}/body": "document read",
    "GET /runs/{id}": "run and its documents looked at",
    "GET /runs/{id}/compare": "runs and their documents compared",
    "GET /runs/{id}/case.yaml": "run taken as a test case",
    "GET /runs/{id}/recording.json": "recorded run taken as a file",
    "GET /collections/{path:path}": "collection read",
    "PUT /collections/{path:path}": "collection item set",
    "POST /collections/{path:path}": "collection items set",
    "DELETE /collections/{path:path}": "collection items removed",
    "POST /api/workflows/{id}/runs": "run started",
    "POST /api/projects/{project_id}/credentials": "credential set",
    "POST /api/session_links": "login link made",
    "POST /api/keys/rotate": "encryption key rotated",
    "POST /api/users": "account added",
    "PATCH /api/users/{id}": "account changed",
    "POST /api/users/{id}/links": "login link made",
    "PUT /api/projects/{project_id}/members/{user}": "member set",
    "DELETE /api/projects/{project_id}/members/{user}": "member removed",
    "POST /api/tokens": "token made",
    "DELETE /api/tokens/{id}": "token revoked",
    "POST /api/projects/{project_id}/tokens": "token made",
    "DELETE /api/projects/{project_id}/tokens/{id}": "token revoked",
    "PUT /api/projects/{project_id}/webhook_keys/{name}": "webhook key set",
    "DELETE /api/projects/{project_id}/webhook_keys/{name}": "webhook key removed",
    "PUT /api/projects/{project_id}/retention": "retention set",
    "POST /api/projects/{project_id}/retention/apply": "retention applied",
    "POST /api/projects/{project_id}/alerts": "alert added",
    "DELETE /api/projects/{project_id}/alerts/{id}": "alert removed",
    "POST /api/projects/{project_id}/alerts/{id}/test": "alert tried",
    "POST /projects/{project_id}/alerts": "alert added",
    "POST /projects/{project_id}/alerts/{id}/test": "alert tried",
    "DELETE /api/sessions": "sessions ended",
    "DELETE /api/sessions/{id}": "session ended",
    "GET /api/audit": "audit log read",
    "GET /api/projects/{project_id}/audit": "audit log read",
    "POST /projects/{project_id}/actions": "many runs retried or cancelled",
    "POST /projects/{project_id}/actions/{id}/stop": "change of many runs stopped",
    "POST /runs/chosen": "chosen runs retried or cancelled",
    "POST /runs/{id}/retry": "run retried",
    "POST /runs/{id}/cancel": "run cancelled",
    "POST /workflows/{id}/run": "run started",
    "POST /workflows/{id}/edit": "workflow edited",
    "POST /projects": "project made",
    "POST /import": "project deployed",
    "POST /projects/{project_id}/workflows": "workflow made",
    "POST /workflows/{id}/pause": "workflow paused",
    "POST /workflows/{id}/resume": "workflow resumed",
    "POST /workflows/{id}/retries": "workflow's retries set",
    "POST /queue/pause": "queue paused",
    "POST /queue/resume": "queue resumed",
    "POST /projects/{project_id}/alerts/{id}/remove": "alert removed",
    "POST /workflows/{id}/triggers/{trigger}": "trigger switched",
    "POST /workflows/{id}/versions/{version}/restore": "workflow's old version restored",
    "POST /logout": "logout",
    "POST /account": "account changed",
    "POST /account/password": "password set",
    "POST /account/tokens": "token made",
    "POST /account/tokens/{id}/revoke": "token revoked",
    "POST /account/sessions/{id}/end": "session ended",
    "POST /views": "view saved",
    "POST /views/{id}/rename": "view renamed",
    "POST /views/{id}/remove": "view removed",
    "POST /users": "account added",
    "POST /users/{id}": "account changed",
    "POST /projects/{project_id}/members": "member set",
    "POST /projects/{project_id}/members/{user}/remove": "member removed",
    "POST /projects/{project_id}/credentials": "credential set",
    "POST /projects/{project_id}/oauth_clients": "OAuth client set",
    "POST /projects/{project_id}/credentials/connect": "credential's provider asked",
    "GET /projects/{project_id}/credentials/connected": "credential connected",
    "POST /projects/{project_id}/credentials/{id}/remove": "credential removed",
    "POST /projects/{project_id}/credentials/{id}/test": "credential tested",
    "POST /projects/{project_id}/collections": "collection made",
    "GET /projects/{project_id}/collections/{name}": "collection read",
    "POST /projects/{project_id}/collections/{name}": "collection items set",
    "GET /projects/{project_id}/collections/{name}/items.jsonl": "collection read",
    "POST /projects/{project_id}/collections/{name}/remove": "collection removed",
    "POST /projects/{project_id}/collections/{name}/items/remove": "collection items removed",
    "POST /projects/{project_id}/collections/{name}/items/clear": "collection items removed",
    "POST /workflows/{id}/move": "data moved to a collection",
    "POST /projects/{project_id}/retention": "retention set",
    "POST /projects/{project_id}/tokens": "token made",
    "POST /projects/{project_id}/tokens/{id}/revoke": "token revoked",
    "POST /projects/{project_id}/webhook_keys": "webhook key set",
    "POST /projects/{project_id}/webhook_keys/{name}/remove": "webhook key removed",
}
#: Looks at documents. Other GETs are not recorded.
LOOKS = frozenset(name for name in WORDS if name.startswith("GET "))


#: They change nothing, and are asked while somebody edits.
ASKS = frozenset({"POST /workflows/{id}/check", "POST /workflows/{id}/draft"})


def is_recorded(name: str, door: Door, visitor: Visit) -> bool:
    """Whether the log has this. Runs are not people: what they do stands in their own log."""
    if visitor.subject.kind in {Kind.NOBODY, Kind.RUN} or door.way is Way.ENTRANCE:
        return False
    return name in LOOKS or (name.partition(" ")[0] not in _SAFE and name not in ASKS)


def recording(platform: Platform, visitor: Visit, name: str, send: Send) -> Send:
    """A `send` that writes the event down before the answer leaves."""

    async def write_down(message: Message) -> None:
        if message["type"] == "http.response.start":
            status = int(message["status"])
            if status < 400 or status == 403:
                await write(platform, visitor, WORDS.get(name, name), status)
        await send(message)

    return write_down


async def write(platform: Platform, visitor: Visit, action: str, status: int = 200) -> None:
    """One event, with what the handler has noted."""
    trace = visitor.trace
    await platform.database.write(
        lambda tx: audit.add(
            tx,
            visitor.subject,
            action=action,
            status=status,
            address=visitor.address,
            project_id=trace.project_id,
            details=trace.facts,
        )
    )
