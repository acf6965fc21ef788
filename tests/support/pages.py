"""A platform with something on every page."""

from __future__ import annotations

from support.platform import FETCH, STORE, TRIGGER, Served


def filled(served: Served) -> dict[str, str]:
    """Fill a new platform; a name and the address of each page."""
    served.deploy()
    workflow = served.client.get("/api/provision/demo").json()["data"]["workflows"][0]["id"]
    failed, waiting = served.post({"patients": [{"name": "x" * 300}]}), served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        for job, reason in ((FETCH, "success"), (STORE, "fail")):
            step = talk.start_step(job)
            colours = "\x1b[31mred \x1b[1;32mgreen\x1b[0m \x1b[41mon red\x1b[0m "
            talk.log(colours + "a word " * 200, step_id=step, level="warn")
            end = talk.step_end(step, job, reason=reason, error_type="JobError",
                                error_message="TypeError: no")  # fmt: skip
            talk.ok("step:complete", end)
        times = {"step_id": step, "number": 1, "at_us": int(talk.now()), "us": 1, "ms": 1}
        told = {
            "operations": [{**times, "name": "fn", "line": 1}],
            "requests": [
                {**times, "operation": 1, "method": "GET", "host": "h" * 90, "status": 500}
            ],
        }
        talk.complete(reason="fail", error_type="JobError", error_message="TypeError: no",
                      spans=told)  # fmt: skip
    own = "/projects/demo/collections"
    served.client.post(own, data={"name": "codes"})
    served.client.post(f"{own}/codes", data={"items": '{"a": 1, "b": "' + "x" * 300 + '"}'})
    project = served.client.get("/api/projects").json()["data"][0]["id"]
    action = served.client.post(f"/projects/{project}/actions", data={"act": "retry"},
                                follow_redirects=False).headers["location"]  # fmt: skip
    return {
        "overview": "/",
        "runs": "/runs",
        "work-orders": "/work_orders",
        "problems": "/problems",
        "run-failed": f"/runs/{failed}",
        "run-waiting": f"/runs/{waiting}",
        "run-request": f"/runs/{failed}?step={step}&span=request-1",
        "action-new": f"/actions/new?act=cancel&project_id={project}",
        "actions": "/actions",
        "action": action,
        "compare": f"/runs/{failed}/compare?with={waiting}",
        "workflow": f"/workflows/{workflow}?version=1&part={TRIGGER}",
        "edit": f"/workflows/{workflow}/edit",
        "workers": "/workers",
        "users": "/users",
        "audit": "/audit",
        "settings": "/settings",
        "account": "/account",
        "members": "/projects/demo/members",
        "credentials": "/projects/demo/credentials",
        "keys": "/projects/demo/keys",
        "collections": "/projects/demo/collections",
        "collection": "/projects/demo/collections/codes",
        "retention": "/projects/demo/retention",
        "file": "/projects/demo/file",
        "import": "/import",
        "alerts": "/projects/demo/alerts",
        "api": "/api-page",
        "styleguide": "/styleguide",
        "nothing": "/nothing-here",
        "login": "/login",
    }
