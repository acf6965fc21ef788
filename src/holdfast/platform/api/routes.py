"""All paths of the API."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from holdfast.platform.api import provision, reads, writes


def api_routes() -> list[BaseRoute]:
    """Routes under `/api`."""
    return [
        Route("/api/provision", provision.post, methods=["POST"]),
        Route("/api/provision/{id}", provision.get, methods=["GET"]),
        Route("/api/session_links", writes.session_link, methods=["POST"]),
        Route("/api/queue", reads.queue),
        Route("/api/workers", reads.workers),
        Route("/api/runs", reads.runs),
        Route("/api/runs/{id}", reads.run),
        Route("/api/runs/{id}/steps", reads.run_steps),
        Route("/api/runs/{id}/logs", reads.run_logs),
        Route("/api/runs/{id}/retry", writes.retry_run, methods=["POST"]),
        Route("/api/runs/{id}/cancel", writes.cancel_run, methods=["POST"]),
        Route("/api/work_orders", reads.work_orders),
        Route("/api/work_orders/{id}", reads.work_order),
        Route("/api/log_lines", reads.log_lines),
        Route("/api/dataclips/{id}/body", reads.dataclip_body),
        Route("/api/workflows/{id}/runs", writes.run_workflow, methods=["POST"]),
        Route("/api/projects/{project_id}/runs", reads.runs),
        Route("/api/projects/{project_id}/work_orders", reads.work_orders),
        Route("/api/projects/{project_id}/credentials", writes.set_credential, methods=["POST"]),
    ]
