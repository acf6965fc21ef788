"""Checks what lies in `deploy/` against the product: `python scripts/check_deploy.py`.

`make deploy` adds `--schemas`: then Kubernetes' own schemas, the specification of compose files
and hadolint judge as well, and a wheel is built from exactly the files that the image copies.

Options and figures that are named there must exist, the unit must be one that systemd takes, and
numbers that belong together must agree. Prints each problem; exit code 1 when there is one.
"""

from __future__ import annotations

import configparser
import importlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from holdfast.platform.figures import PREFIX, described
from holdfast.platform.settings import VARIABLES
from holdfast.worker.arguments import parse
from holdfast.worker.config import WorkerConfig
from holdfast.worker.memory import needed_mb
from holdfast.worker.options import OPPOSITES, OPTIONS

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
UV = ROOT / ".venv" / "bin" / "uv"
_KNOWN = {option.variable for option in OPTIONS} | OPPOSITES.keys() | {"DEPLOYED_POD_NAME"}
_KNOWN |= {variable for variable, _, _ in VARIABLES.values()} | {"HOLDFAST_ADMIN_TOKEN"}
#: Variables of Lightning itself.
_LIGHTNING = {"WORKER_RUNS_PRIVATE_KEY"}
_FIGURE = re.compile(r"holdfast_worker_(\w+?)(?:_total|_bucket|_count|_sum)?\b")
_PLATFORM_FIGURE = re.compile(r"holdfast_platform_(\w+?)(?:_total|_bucket|_count|_sum)?\b")
#: What the log asks for with the defaults: the longest run, its end, and its delivery.
GRACE_SECONDS = int(WorkerConfig.from_environment({"WORKER_SECRET": "x"}).drain_within([])) + 30


def problems() -> Iterator[str]:
    """Everything that is wrong."""
    yield from unit(DEPLOY / "systemd" / "holdfast-worker.service")
    yield from variables()
    yield from image(DEPLOY / "Dockerfile")
    yield from compose(DEPLOY / "compose.yaml", "example.env")
    yield from compose(DEPLOY / "cluster.yaml", "example.cluster.env")
    yield from kubernetes(DEPLOY / "kubernetes" / "worker.yaml")
    yield from monitoring(DEPLOY / "monitoring")


def variables() -> Iterator[str]:
    """Every variable of the worker that is named anywhere is one that it reads."""
    for path in sorted(file for file in DEPLOY.rglob("*") if file.is_file()):
        for name in set(re.findall(r"\b(?:WORKER|HOLDFAST)_[A-Z_]+\b", path.read_text())):
            if name not in _KNOWN | _LIGHTNING:
                yield f"{path.name}: the worker reads no variable {name}"


def unit(path: Path) -> Iterator[str]:
    """The unit of systemd, by systemd's own judgement where it is installed."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    parser.read_string(path.read_text())
    service = parser["Service"]
    if int(service["TimeoutStopSec"]) < GRACE_SECONDS:
        yield f"{path.name}: TimeoutStopSec is below {GRACE_SECONDS} s"
    if service["Type"] != "notify" or service["NotifyAccess"] != "all":
        yield f"{path.name}: the agent, a child, tells systemd: Type=notify, NotifyAccess=all"
    if "Delegate" not in service or service["KillMode"] != "mixed":
        yield f"{path.name}: Delegate is missing, or runs are killed before the worker drains"
    verify = shutil.which("systemd-analyze")
    if verify is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        text = re.sub(
            r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(), flags=re.MULTILINE
        )
        copy.write_text(re.sub(r"^User=.*$", "User=root", text, flags=re.MULTILINE))
        command = (verify, "verify", "--man=no", "--recursive-errors=no", copy)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        yield from (f"systemd: {line}" for line in done.stderr.splitlines() if path.name in line)


def image(path: Path) -> Iterator[str]:
    """The image: what it copies exists, it is not root, and it starts the worker."""
    text = re.sub(r"\\\n", " ", path.read_text())
    steps = [line.split(None, 1) for line in text.splitlines() if line and line[0] not in "# "]
    last: dict[str, str] = {}
    for name, rest in steps:
        last[name] = rest
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                if not (ROOT / source).exists():
                    yield f"{path.name}: COPY of {source}, which is not there"
    if "alpine" in last["FROM"]:
        yield f"{path.name}: Node.js of the package needs glibc"
    if last.get("USER") in (None, "0", "root"):
        yield f"{path.name}: it runs as root"
    if "entrypoint" not in last["ENTRYPOINT"] or "CMD" in last:
        yield f"{path.name}: arguments would not reach the worker"


def compose(path: Path, environment: str) -> Iterator[str]:
    """A compose file: each worker keeps its journals and gets the time that it needs."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    used = set[str]()
    for name, worker in document["services"].items():
        if not name.startswith("worker"):
            continue
        if int(worker["stop_grace_period"].removesuffix("s")) < GRACE_SECONDS:
            yield f"{path.name}: {name}: stop_grace_period is below {GRACE_SECONDS} s"
        volumes = dict(volume.split(":")[1::-1] for volume in worker["volumes"])
        journals = volumes.get("/data")
        if journals not in document["volumes"] or journals in used:
            yield f"{path.name}: {name}: the journals are on no volume of its own"
        used.add(str(journals))
    asked = set(re.findall(r"\$\{(\w+)", path.read_text()))
    given = {line.partition("=")[0] for line in
             (DEPLOY / environment).read_text().splitlines() if line[:1].isalpha()}  # fmt: skip
    yield from (f"{path.name}: {name} is not in {environment}" for name in sorted(asked - given))


def kubernetes(path: Path) -> Iterator[str]:
    """The StatefulSet: journals on a volume, time to drain, memory for its slots, few rights."""
    documents = list(yaml.safe_load_all(path.read_text()))
    stateful = next(item for item in documents if item["kind"] == "StatefulSet")
    pod = stateful["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    config = WorkerConfig.from_environment(parse(container["args"]).over({"WORKER_SECRET": "x"}))
    if pod["terminationGracePeriodSeconds"] < GRACE_SECONDS:
        yield f"{path.name}: terminationGracePeriodSeconds is below {GRACE_SECONDS} s"
    claims = {item["metadata"]["name"] for item in stateful["spec"]["volumeClaimTemplates"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    if mounts.get("/data") not in claims:
        yield f"{path.name}: the journals are on no volume of their pod"
    needed = needed_mb(config.slots, config.run_memory_mb, config.overhead_mb)
    if int(container["resources"]["limits"]["memory"].removesuffix("Mi")) < needed:
        yield f"{path.name}: the memory limit is below {needed} Mi"
    rights = container["securityContext"]
    if rights["allowPrivilegeEscalation"] or not rights["readOnlyRootFilesystem"]:
        yield f"{path.name}: the container may do more than it needs"
    for probe in ("livenessProbe", "readinessProbe"):
        if container[probe]["httpGet"]["path"] not in {"/livez", "/readyz"}:
            yield f"{path.name}: {probe} asks a path that the worker does not have"


def schemas() -> Iterator[str]:
    """What the makers of each format say of our files. Needs the project's group `deploy`."""
    compose_spec = importlib.import_module("compose_spec")
    kubernetes_validate = importlib.import_module("kubernetes_validate")
    path = DEPLOY / "kubernetes" / "worker.yaml"
    for document in yaml.safe_load_all(path.read_text()):
        try:
            kubernetes_validate.validate(
                document, kubernetes_validate.latest_version(), strict=True
            )
        except kubernetes_validate.ValidationError as error:
            yield f"{path.name}: {document['kind']}: {error.message}"
    for path in (DEPLOY / "compose.yaml", DEPLOY / "cluster.yaml"):
        try:
            whole = yaml.dump(yaml.safe_load(path.read_text()))  # with what is merged in
            compose_spec.PyCompose.from_yaml(whole).validate()
        except ValueError as error:
            yield f"{path.name}: {error}"
    yield from chart(DEPLOY / "helm" / "holdfast", kubernetes_validate)
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        (linter, DEPLOY / "Dockerfile"), capture_output=True, text=True, check=False
    )
    yield from (done.stdout + done.stderr).splitlines()
    yield from built(DEPLOY / "Dockerfile")


#: Values under which the chart is rendered, and kinds that only they bring.
_CHOICES: tuple[tuple[dict[str, Any], set[str]], ...] = (
    ({}, set()),
    ({"scaler": {"kind": "keda"}}, {"ScaledObject"}),
    ({"scaler": {"kind": "hpa"}}, {"HorizontalPodAutoscaler"}),
    ({"podMonitor": {"enabled": True}}, {"PodMonitor"}),
)
_ALWAYS = {"ServiceAccount", "Service", "Deployment", "StatefulSet", "PodDisruptionBudget", "Job"}
#: Kinds that others than Kubernetes define: no schema of theirs is at hand.
_OF_OTHERS = {"ScaledObject", "PodMonitor"}
#: Values that must be refused.
_REFUSED: tuple[dict[str, Any], ...] = (
    {"scaler": {"kind": "both"}},
    {"existingSecret": ""},
    {"worker": {"gracePeriodSeconds": 300}},
)


def chart(path: Path, validate: Any) -> Iterator[str]:
    """The chart, rendered by Helm itself, against the schemas of Kubernetes and our own rules."""
    helm = importlib.import_module("helm_python")
    for message in importlib.import_module("helm_python.chart").lint(path)["errors"]:
        yield f"helm: {message}"
    with helm.Chart.load(path) as loaded:
        for values, more in _CHOICES:
            texts = loaded.render(values=values, name="check").values()
            documents = [item for text in texts for item in yaml.safe_load_all(text) if item]
            kinds = {item["kind"] for item in documents}
            if kinds != _ALWAYS | more:
                yield f"helm: with {values} there are {sorted(kinds)}"
            for item in documents:
                yield from _rendered(item, validate)
        for values in _REFUSED:
            try:
                loaded.render(values=values, name="check")
            except helm.HelmError:
                continue
            yield f"helm: {values} is not refused"


def _rendered(item: dict[str, Any], validate: Any) -> Iterator[str]:
    where = f"helm: {item['kind']} {item['metadata']['name']}"
    if item["kind"] not in _OF_OTHERS:
        try:
            validate.validate(item, validate.latest_version(), strict=True)
        except validate.ValidationError as error:
            yield f"{where}: {error.message}"
    if item["kind"] not in {"Deployment", "StatefulSet", "Job"}:
        return
    pod = item["spec"]["template"]["spec"]
    if not pod["securityContext"]["runAsNonRoot"] or pod["automountServiceAccountToken"]:
        yield f"{where}: runs as root, or has a token of the cluster"
    for container in pod["containers"]:
        rights = container["securityContext"]
        if rights["allowPrivilegeEscalation"] or not rights["readOnlyRootFilesystem"]:
            yield f"{where}: the container may do more than it needs"
        for variable in container["env"]:
            if "value" in variable and "SECRET" in variable["name"]:
                yield f"{where}: {variable['name']} stands in the values"
    if item["kind"] == "StatefulSet" and pod["terminationGracePeriodSeconds"] < GRACE_SECONDS:
        yield f"{where}: terminationGracePeriodSeconds is below {GRACE_SECONDS} s"


def built(path: Path) -> Iterator[str]:
    """Whether the files that the image copies are enough to build the product from."""
    copied = re.findall(r"^COPY (?!--from)(.*) (/source\S*)$", path.read_text(), re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        for sources, target in copied:
            for source in sources.split():
                where = Path(folder) / target.removeprefix("/")
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, where)
                else:
                    where.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, where)
        command = [str(UV), "build", "--quiet", "--wheel", "--out-dir", folder, f"{folder}/source"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not list(Path(folder).glob("*.whl")):
            yield f"{path.name}: no wheel from what it copies: {done.stderr[-500:]}"


def figures() -> set[str]:
    """Names of all figures, as the worker's own code writes them."""
    source = ROOT / "src" / "holdfast" / "worker"
    text = (source / "metrics.py").read_text() + (source / "agent" / "report.py").read_text()
    found = re.findall(r'PREFIX \+ "(\w+)"|(?:one|Figure)\(\s*"(\w+)"', text)
    return {name for pair in found for name in pair if name}


def monitoring(folder: Path) -> Iterator[str]:
    """Rules and dashboards: every figure that they ask for is one that there is."""
    yield from _asked(folder, "", _FIGURE, figures())
    platform = {item.name.removeprefix(PREFIX) for item in described()}
    yield from _asked(folder, "platform-", _PLATFORM_FIGURE, platform)


def _asked(folder: Path, which: str, figure: re.Pattern[str], known: set[str]) -> Iterator[str]:
    rules = yaml.safe_load((folder / f"{which}alerts.yaml").read_text())
    board = json.loads((folder / f"{which}dashboard.json").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    for expression in asked:
        named = figure.findall(expression)
        yield from (f"{expression}: no figure {name}" for name in named if name not in known)
        if not named or expression.count("(") != expression.count(")"):
            yield f"{expression}: asks for no figure, or its brackets do not close"


def main() -> int:
    """Returns the exit code."""
    found = [*problems(), *(schemas() if "--schemas" in sys.argv[1:] else ())]
    sys.stdout.write("".join(f"{problem}\n" for problem in found) or "deploy/ is in order\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
