"""All paths of the API."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from holdfast.platform.api import (
    accounts,
    audit,
    catalog,
    credentials,
    edits,
    keychains,
    keys,
    oauth_clients,
    openapi,
    provision,
    reads,
    tokens,
    webhook_keys,
    writes,
)
from holdfast.platform.api.body import Endpoint, answered

#: Methods, path, handler.
_ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/api/openapi.json", openapi.openapi_json),
    ("GET", "/workflow-api.yaml", openapi.openapi_yaml),
    ("POST", "/api/provision", provision.post),
    ("GET", "/api/provision/yaml", provision.yaml),
    ("GET", "/api/provision/{id}", provision.get),
    ("POST", "/api/session_links", writes.session_link),
    ("GET", "/api/queue", reads.queue),
    ("GET", "/api/workers", reads.workers),
    ("GET", "/api/runs", reads.runs),
    ("GET", "/api/runs/{id}", reads.run),
    ("GET", "/api/runs/{id}/steps", reads.run_steps),
    ("GET", "/api/runs/{id}/logs", reads.run_logs),
    ("GET", "/api/runs/{id}/logs/search", reads.search_logs),
    ("POST", "/api/runs/{id}/retry", writes.retry_run),
    ("POST", "/api/runs/{id}/cancel", writes.cancel_run),
    ("GET", "/api/work_orders", reads.work_orders),
    ("GET", "/api/work_orders/{id}", reads.work_order),
    ("GET", "/api/log_lines", reads.log_lines),
    ("GET", "/api/dataclips/{id}/body", reads.dataclip_body),
    ("GET", "/api/projects", catalog.list_projects),
    ("GET", "/api/projects/{project_id}", catalog.project),
    ("GET", "/api/workflows", catalog.list_workflows),
    ("POST", "/api/workflows", edits.create),
    ("GET", "/api/workflows/{id}", catalog.workflow),
    ("PUT PATCH", "/api/workflows/{id}", edits.change),
    ("GET", "/api/projects/{project_id}/workflows", catalog.list_workflows),
    ("POST", "/api/projects/{project_id}/workflows", edits.create),
    ("GET", "/api/jobs", catalog.list_jobs),
    ("GET", "/api/jobs/{id}", catalog.job),
    ("GET", "/api/projects/{project_id}/jobs", catalog.list_jobs),
    ("GET", "/api/collections", catalog.list_collections),
    ("GET", "/api/projects/{project_id}/collections", catalog.list_collections),
    ("POST", "/api/workflows/{id}/runs", writes.run_workflow),
    ("GET", "/api/projects/{project_id}/runs", reads.runs),
    ("GET", "/api/projects/{project_id}/work_orders", reads.work_orders),
    ("GET", "/api/me", accounts.me),
    ("POST", "/api/keys/rotate", keys.rotate_key),
    ("GET", "/api/audit", audit.everything),
    ("GET", "/api/projects/{project_id}/audit", audit.of_project),
    ("GET", "/api/users", accounts.users),
    ("POST", "/api/users", accounts.add_user),
    ("PATCH", "/api/users/{id}", accounts.change_user),
    ("POST", "/api/users/{id}/links", accounts.user_link),
    ("GET", "/api/projects/{project_id}/members", accounts.members),
    ("PUT", "/api/projects/{project_id}/members/{user}", accounts.put_member),
    ("DELETE", "/api/projects/{project_id}/members/{user}", accounts.remove_member),
    ("GET", "/api/tokens", tokens.own_tokens),
    ("POST", "/api/tokens", tokens.add_own_token),
    ("DELETE", "/api/tokens/{id}", tokens.revoke_own_token),
    ("GET", "/api/projects/{project_id}/tokens", tokens.project_tokens),
    ("POST", "/api/projects/{project_id}/tokens", tokens.add_project_token),
    ("DELETE", "/api/projects/{project_id}/tokens/{id}", tokens.revoke_project_token),
    ("GET", "/api/projects/{project_id}/webhook_keys", webhook_keys.listed),
    ("PUT", "/api/projects/{project_id}/webhook_keys/{name}", webhook_keys.put),
    ("DELETE", "/api/projects/{project_id}/webhook_keys/{name}", webhook_keys.remove),
    ("GET", "/api/sessions", tokens.own_sessions),
    ("DELETE", "/api/sessions", tokens.end_sessions),
    ("DELETE", "/api/sessions/{id}", tokens.end_session),
    ("GET", "/api/oauth_clients", oauth_clients.listed),
    ("POST", "/api/oauth_clients", oauth_clients.put),
    ("DELETE", "/api/oauth_clients/{id}", oauth_clients.remove),
    ("GET", "/api/credential_schemas", credentials.list_schemas),
    ("GET", "/api/credential_schemas/{name}", credentials.schema),
    ("GET", "/api/credentials", credentials.list_credentials),
    ("POST", "/api/credentials", credentials.set_credential_of),
    ("GET", "/api/credentials/{id}", credentials.credential),
    ("PUT", "/api/credentials/{id}", credentials.change_credential),
    ("PATCH", "/api/credentials/{id}", credentials.change_credential),
    ("DELETE", "/api/credentials/{id}", credentials.delete_credential),
    ("GET", "/api/projects/{project_id}/credentials", credentials.list_credentials),
    ("POST", "/api/projects/{project_id}/credentials", credentials.set_credential),
    ("GET", "/api/projects/{project_id}/keychains", keychains.listed),
    ("POST", "/api/projects/{project_id}/keychains", keychains.put),
    ("DELETE", "/api/keychains/{id}", keychains.remove),
)


def api_routes() -> list[BaseRoute]:
    """Routes under `/api`."""
    return [
        Route(path, answered(endpoint), methods=methods.split(" "))
        for methods, path, endpoint in _ROUTES
    ]
