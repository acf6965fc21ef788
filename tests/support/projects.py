"""Random projects, as the provisioning API shows them, from a seed."""

from __future__ import annotations

import uuid
from random import Random
from typing import Any

from holdfast.platform.project.versions import version_of

#: Code and texts that some reader or writer of YAML takes for something else.
ODD = [
    "yes", "1e3", "0x1F", "12:30", "null", "~", ".5", "a: b", "# x", "'", '"', "1_000", "- x",
    " x ", "x\n", "\n\nx", "x\r\ny", "é\u2028z", "{a}", "@x", "`", "0o17", "2026-01-01", "\t",
    "fn(s => s);\n", "// 漢字 😀\nget('/a')\n\n", "a\n  b\n c\n",
]  # fmt: skip
#: Those that can be read as JavaScript, and more such: a deployment refuses other code.
CODE = [
    "yes", "1e3", "0x1F", "null", ".5", "a: b", "1_000", " x ", "x\n", "\n\nx", "x\r\ny", "{a}",
    "0o17", "\t", "// - x: '", "/* # x */", "'é\u2028z'", "`~\n@x`", "\"12:30\"",
    "fn(s => s);\n", "// 漢字 😀\nget('/a')\n\n", "a\n  b\n c\n",
]  # fmt: skip
_WORDS = ["Fetch", "store", "Map", "to", "FHIR", "a", "b", "Z", "x_1", "9", "check", "Send"]


def random_project(random: Random) -> dict[str, Any]:
    """A document with everything that a project may have."""

    def key() -> str:
        return str(uuid.UUID(int=random.getrandbits(128), version=4))

    credentials: list[Any] = [
        {"id": key(), "name": "DB", "owner": "li@example.org"},
        {"id": key(), "name": "HAPI", "owner": "jo@example.org"},
    ]
    workflows = []
    for name in _names(random, 3):
        workflow = _workflow(random, name, [c["id"] for c in credentials])
        history: list[Any] = [version_of(workflow, credentials, "cli")]
        workflows.append({**workflow, "version_history": history})
    return {
        "id": key(),
        "name": f"demo-{random.getrandbits(40):x}",
        "description": random.choice([None, *ODD]),
        "concurrency": random.choice([None, 5]),
        "retention_policy": random.choice(["retain_all", "erase_all"]),
        "history_retention_period": random.choice([None, 30]),
        "dataclip_retention_period": None,
        "color": random.choice([None, "#fff"]),
        "project_credentials": credentials,
        "collections": [{"id": key(), "name": f"codes-{random.getrandbits(20)}"}],
        "channels": [{"id": key(), "name": "out", "destination_url": "https://example.org"}],
        "workflows": workflows,
    }


def _names(random: Random, most: int, least: int = 1) -> list[str]:
    """Names that differ also without case and punctuation."""
    found: dict[str, str] = {}
    wanted = random.randint(least, most)
    while len(found) < wanted:
        words = random.choices(_WORDS, k=random.randint(1, 3))
        name = random.choice([" ", "-", "_"]).join(words)
        found.setdefault(name.replace(" ", "-").lower(), name)
    return list(found.values())


def _workflow(random: Random, name: str, credentials: list[str]) -> dict[str, Any]:
    def key() -> str:
        return str(uuid.UUID(int=random.getrandbits(128), version=4))

    jobs = [
        {
            "id": key(),
            "name": job,
            "body": random.choice(CODE),
            "adaptor": random.choice(
                ["@openfn/language-common@3.0.2", "@openfn/language-http@latest"]
            ),
            "project_credential_id": random.choice([None, *credentials]),
        }
        for job in _names(random, 5)
    ]
    cron = {"id": key(), "type": "cron", "enabled": random.random() < 0.5,
            "cron_expression": "*/15 * * * *",
            "cron_cursor_job_id": random.choice([None, jobs[-1]["id"]])}  # fmt: skip
    hook = {"id": key(), "type": "webhook", "enabled": not cron["enabled"],
            "webhook_reply": random.choice([None, "before_start", "after_completion"]),
            "webhook_response_config": random.choice([None, {"success_code": 200}]),
            "custom_path": random.choice([None, f"p{random.getrandbits(40)}"])}  # fmt: skip
    triggers = [cron, hook][: random.randint(0, 2)]
    edges: list[Any] = []
    for at, job in enumerate(jobs):
        sources = [("source_trigger_id", t["id"]) for t in triggers]
        sources += [("source_job_id", other["id"]) for other in jobs[:at]]
        for end, source in random.sample(sources, random.randint(0, len(sources))):
            edges.append(_edge(random, key(), end, source, job["id"]))
    return {
        "id": key(),
        "name": name,
        "concurrency": random.choice([None, 2]),
        "enable_job_logs": random.random() < 0.5,
        "egress": random.choice([None, "none"]),
        "jobs": jobs,
        "triggers": triggers,
        "edges": edges,
    }


def _edge(random: Random, key: str, end: str, source: Any, target: Any) -> dict[str, Any]:
    kinds = ["always", "js_expression"]
    if end == "source_job_id":
        kinds += ["on_job_success", "on_job_failure"]
    kind = random.choice(kinds)
    edge = {
        "id": key,
        end: source,
        "target_job_id": target,
        "condition_type": kind,
        "enabled": end == "source_trigger_id" or random.random() < 0.7,
    }
    if kind == "js_expression":
        edge["condition_expression"] = random.choice(["state.data.n > 0", "!state.error"])
    if random.random() < 0.3:
        edge["condition_label"] = random.choice(["if so", "é: #1"])
    return edge
