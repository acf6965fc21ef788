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
    openapi,
    provision,
    reads,
    tokens,
    webhook_keys,
    writes,
)
from holdfast.platform.api.body import Endpoint, answered


def api_routes() -> list[BaseRoute]:
    """Routes under `/api`."""
    return [
        *_access_routes(),
        *_secret_routes(),
        Route("/api/openapi.json", openapi.openapi_json),
        Route("/workflow-api.yaml", openapi.openapi_yaml),
        Route("/api/provision", provision.post, methods=["POST"]),
        Route("/api/provision/yaml", provision.yaml, methods=["GET"]),
        Route("/api/provision/{id}", provision.get, methods=["GET"]),
        Route("/api/session_links", writes.session_link, methods=["POST"]),
        Route("/api/queue", reads.queue),
        Route("/api/workers", reads.workers),
        Route("/api/runs", reads.runs),
        Route("/api/runs/{id}", reads.run),
        Route("/api/runs/{id}/steps", reads.run_steps),
        Route("/api/runs/{id}/logs", reads.run_logs),
        Route("/api/runs/{id}/logs/search", reads.search_logs),
        Route("/api/runs/{id}/retry", writes.retry_run, methods=["POST"]),
        Route("/api/runs/{id}/cancel", writes.cancel_run, methods=["POST"]),
        Route("/api/work_orders", reads.work_orders),
        Route("/api/work_orders/{id}", reads.work_order),
        Route("/api/log_lines", reads.log_lines),
        Route("/api/dataclips/{id}/body", reads.dataclip_body),
        Route("/api/projects", catalog.list_projects),
        Route("/api/projects/{project_id}", catalog.project),
        Route("/api/workflows", catalog.list_workflows),
        Route("/api/workflows", edits.create, methods=["POST"]),
        Route("/api/workflows/{id}", catalog.workflow),
        Route("/api/workflows/{id}", edits.change, methods=["PUT", "PATCH"]),
        Route("/api/projects/{project_id}/workflows", catalog.list_workflows),
        Route("/api/projects/{project_id}/workflows", edits.create, methods=["POST"]),
        Route("/api/jobs", catalog.list_jobs),
        Route("/api/jobs/{id}", catalog.job),
        Route("/api/projects/{project_id}/jobs", catalog.list_jobs),
        Route("/api/collections", catalog.list_collections),
        Route("/api/projects/{project_id}/collections", catalog.list_collections),
        Route("/api/workflows/{id}/runs", writes.run_workflow, methods=["POST"]),
        Route("/api/projects/{project_id}/runs", reads.runs),
        Route("/api/projects/{project_id}/work_orders", reads.work_orders),
    ]


def _access_routes() -> list[BaseRoute]:
    """Accounts, members, tokens and sessions."""
    members, own = "/api/projects/{project_id}/members", "/api/projects/{project_id}/tokens"
    hooks = "/api/projects/{project_id}/webhook_keys"
    rows: list[tuple[str, str, Endpoint]] = [
        ("GET", "/api/me", accounts.me),
        ("POST", "/api/keys/rotate", keys.rotate_key),
        ("GET", "/api/audit", audit.everything),
        ("GET", "/api/projects/{project_id}/audit", audit.of_project),
        ("GET", "/api/users", accounts.users),
        ("POST", "/api/users", accounts.add_user),
        ("PATCH", "/api/users/{id}", accounts.change_user),
        ("POST", "/api/users/{id}/links", accounts.user_link),
        ("GET", members, accounts.members),
        ("PUT", f"{members}/{{user}}", accounts.put_member),
        ("DELETE", f"{members}/{{user}}", accounts.remove_member),
        ("GET", "/api/tokens", tokens.own_tokens),
        ("POST", "/api/tokens", tokens.add_own_token),
        ("DELETE", "/api/tokens/{id}", tokens.revoke_own_token),
        ("GET", own, tokens.project_tokens),
        ("POST", own, tokens.add_project_token),
        ("DELETE", f"{own}/{{id}}", tokens.revoke_project_token),
        ("GET", hooks, webhook_keys.listed),
        ("PUT", f"{hooks}/{{name}}", webhook_keys.put),
        ("DELETE", f"{hooks}/{{name}}", webhook_keys.remove),
        ("GET", "/api/sessions", tokens.own_sessions),
        ("DELETE", "/api/sessions", tokens.end_sessions),
        ("DELETE", "/api/sessions/{id}", tokens.end_session),
    ]
    return _answered(rows)


def _secret_routes() -> list[BaseRoute]:
    """Credentials, their schemas, keychains."""
    own = "/api/projects/{project_id}"
    return _answered(
        [
            ("GET", "/api/credential_schemas", credentials.list_schemas),
            ("GET", "/api/credential_schemas/{name}", credentials.schema),
            ("GET", "/api/credentials", credentials.list_credentials),
            ("POST", "/api/credentials", credentials.set_credential_of),
            ("GET", "/api/credentials/{id}", credentials.credential),
            ("PUT", "/api/credentials/{id}", credentials.change_credential),
            ("PATCH", "/api/credentials/{id}", credentials.change_credential),
            ("DELETE", "/api/credentials/{id}", credentials.delete_credential),
            ("GET", f"{own}/credentials", credentials.list_credentials),
            ("POST", f"{own}/credentials", credentials.set_credential),
            ("GET", f"{own}/keychains", keychains.listed),
            ("POST", f"{own}/keychains", keychains.put),
            ("DELETE", "/api/keychains/{id}", keychains.remove),
        ]
    )


def _answered(rows: list[tuple[str, str, Endpoint]]) -> list[BaseRoute]:
    return [Route(path, answered(endpoint), methods=[method]) for method, path, endpoint in rows]
