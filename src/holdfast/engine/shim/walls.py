"""The isolation of one run's processes: its layers (walls), and the files they may see."""

from __future__ import annotations

import importlib.util
import resource
import sys
import sysconfig
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from holdfast.engine.config import EngineConfig
from holdfast.engine.host import Host
from holdfast.engine.run.program import LIBRARY
from holdfast.model.json import JsonObject
from holdfast.model.limits import MEBIBYTE, Limits
from holdfast.sandbox import names, system, v8
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.groups import Group
from holdfast.sandbox.probe import FIRST_USER
from holdfast.sandbox.spec import NO_DUMP, SCRATCH, Execution, Layer, Network, Spec

#: Where no group shares the processors, runs step back behind the worker's own processes.
_NICE = 5
#: What looking up a name, and the time of day, need. No users, no secrets.
_SETTINGS = (
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
    "/etc/services", "/etc/localtime", "/etc/ld.so.cache", "/usr/share/zoneinfo",
)  # fmt: skip
#: What the compiler is made of.
_MODULES = ("holdfast", "tree_sitter", "tree_sitter_javascript", "tree_sitter_typescript")
#: V8's young generation. A larger one makes the overrun before a clean report larger.
_SEMI_SPACE_MB = 4
#: Beside heap limit and permissions. V8 takes a code cache only under the flags it was made with.
NODE_FLAGS = (
    f"--max-semi-space-size={_SEMI_SPACE_MB}",
    *v8.FLAGS,
    "--expose-internals",
    "--no-warnings",
    # Not the host's: a file that exists and may not be read would keep Node from starting.
    "--openssl-config=/dev/null",
)
#: Of a zygote: no thread of V8 works beside it, because a child would lack that thread. V8 takes
#: the code caches under these flags too.
ZYGOTE_FLAGS = (
    "--v8-pool-size=0",
    "--disable-sigusr1",
    "--single-threaded-gc",
    "--no-concurrent-recompilation",
    "--no-concurrent-sparkplug",
)
#: A plan that a compiler has compiled before its run comes.
_REHEARSED = b'{"workflow":{"steps":[{"expression":"fn((state) => state);"}]}}'
#: Memory that is no JavaScript heap: Node itself, compiled code, buffers, the compiler.
_RESERVE_SHARE, _RESERVE_MB = 0.15, 40
#: Private memory that Node.js maps for writing and never touches: 554 MB at its start, 32 MB for
#: the stacks of its thread pool (Node 24). The rest is what a run may really have above 25 %.
_UNTOUCHED = 640 * MEBIBYTE
#: Signals that may wait, and timers of the kernel: Node.js needs none.
_WAITING_SIGNALS = 1024
#: Addresses for one process: a memory of WebAssembly reserves 8.4 GB of them, and Node.js itself
#: may have three. Their page tables take 128 MB at most.
_ADDRESSES = 64 * 1024 * MEBIBYTE


def heap_limit(limits: Limits) -> int:
    """V8's heap limit in MB, such that most overruns end in V8's own report."""
    if limits.overhead_mb:
        return limits.memory_mb
    return limits.memory_mb - max(_RESERVE_MB, round(limits.memory_mb * _RESERVE_SHARE))


def readable_roots(options: JsonObject) -> tuple[Path, ...]:
    """Folders the adaptors of a run are read from: each with its own dependencies."""
    adaptors = options.get("adaptors")
    roots: dict[Path, None] = {}
    if isinstance(adaptors, dict):
        for adaptor in adaptors.values():
            if isinstance(adaptor, dict) and isinstance(adaptor.get("path"), str):
                roots |= dict.fromkeys(_roots_of(str(adaptor["path"])))
    return tuple(roots)


def _roots_of(path: str) -> list[Path]:
    """Of an installed package its tree; of one in a monorepo what Node would look through."""
    tree, installed, _ = path.partition("/node_modules/")
    if installed:
        return [Path(tree).resolve()]
    folder = Path(path).resolve()
    shared = [parent / "node_modules" for parent in folder.parents]
    return [folder, *(modules for modules in shared if modules.is_dir())]


@dataclass(frozen=True)
class Walls:
    """The walls of one run. `network` is what its engine gets; the compiler gets none."""

    config: EngineConfig
    host: Host
    limits: Limits
    scratch: Path
    number: int  # makes the run's user its own
    network: Network
    roots: tuple[Path, ...] = field(default=())

    @cached_property
    def layers(self) -> frozenset[Layer]:
        """Layers around the engine."""
        layers = self.host.grants.layers
        if Layer.NAMESPACES not in layers or not self._open_to_others():
            layers -= {Layer.UID}
        if self.network is not Network.NONE:
            layers -= {Layer.NETWORK}
        if self.network is not Network.BROKER or not {Layer.SECCOMP, Layer.EGRESS} <= layers:
            layers -= {Layer.EGRESS}
        return layers

    @property
    def effective_network(self) -> Network:
        """What can be enforced: without a broker a policy is advice."""
        if self.network is Network.BROKER and Layer.EGRESS not in self.layers:
            return Network.OPEN
        return self.network

    @property
    def user(self) -> int | None:
        return FIRST_USER + self.number if Layer.UID in self.layers else None

    def engine(self, group: Group) -> Spec:
        """Node.js, told of its heap limit."""
        program = self.config.program.parent
        seen = [program, *self._adaptors()]
        spec = self._spec(group, self.layers, self.effective_network)
        scratch = spec.inner_scratch or SCRATCH
        flags = [f"--max-old-space-size={heap_limit(self.limits)}", *NODE_FLAGS]
        if Layer.NODE in self.layers:
            flags.append("--permission")
            flags += [f"--allow-fs-read={path}/*" for path in (*seen, scratch)]
            flags.append(f"--allow-fs-write={scratch}/*")
        node = self.config.node.resolve()
        spec.argv = (str(node), *flags, str(self.config.program))
        spec.readable = (*system.LIBRARIES, *self._settings(), *seen)
        if self._named:
            spec.written[str(names.HOSTS)] = names.without(self._hosts, self._machine).encode()
        if self.config.ca_certs is not None:
            spec.environment["NODE_EXTRA_CA_CERTS"] = str(self.config.ca_certs)
            spec.readable += (self.config.ca_certs,)
        spec.executable = (node, *system.loaders())
        # A run without a broker (`none`, `open`) still starts no second program.
        if {Layer.SECCOMP, Layer.EGRESS} <= self.host.grants.layers:
            spec.execution = Execution.ONCE
        return spec

    def zygote(self, group: Group, slots: tuple[str, ...]) -> Spec:
        """Node.js that children are forked from: the walls of an engine, and no network."""
        spec = self.engine(group)
        node, *flags = spec.argv
        spec.argv = (node, *ZYGOTE_FLAGS, *flags)
        shown = {f"/{path.parts[1]}" for path in (*spec.readable, *spec.executable)}
        tops = ":".join(sorted(top for top in (*shown, "/dev", "/proc") if Path(top).exists()))
        spec.environment |= {"LD_PRELOAD": str(self.library), "HOLDFAST_ZYGOTE": tops}
        spec.slots = slots
        # One user for all children: each control group counts the processes of its own.
        spec.rlimits.pop(resource.RLIMIT_NPROC, None)
        return spec

    @property
    def library(self) -> Path:
        """What makes a zygote of Node.js."""
        return self.config.program.parent / LIBRARY

    def compiler(self, group: Group) -> Spec:
        """The compiler: a fork of this process, without any network."""
        layers = self.layers - {Layer.EGRESS, Layer.NODE}
        spec = self._spec(group, layers, Network.NONE)
        spec.call = _compile
        spec.readable = (*system.LIBRARIES, *_python())
        return spec

    def _spec(self, group: Group, layers: frozenset[Layer], network: Network) -> Spec:
        return Spec(
            group,
            {},
            scratch=self.scratch,
            scratch_bytes=self.limits.scratch_mb * MEBIBYTE,
            rlimits=self._rlimits(group),
            layers=layers,
            user=self.user,
            network=network,
            niceness=0 if group.weighs_cpu else _NICE,
        )

    @cached_property
    def _hosts(self) -> str:
        return names.read()

    @cached_property
    def _machine(self) -> str:
        return names.own()

    @property
    def _named(self) -> bool:
        """Whether /etc/hosts tells what the machine calls itself."""
        return names.tells(self._hosts, self._machine)

    @property
    def hosts(self) -> dict[str, list[str]] | None:
        """What the engine answers in the place of what is hidden from it; None: nothing is."""
        if Layer.NAMESPACES in self.layers or not {Layer.SECCOMP, Layer.LANDLOCK} & self.layers:
            return None
        hidden = self._named and Layer.LANDLOCK in self.layers
        return names.table(names.without(self._hosts, self._machine)) if hidden else {}

    def _settings(self) -> list[Path]:
        hidden = self._named and Layer.NAMESPACES not in self.layers
        return [path for path in map(Path, _SETTINGS) if not (hidden and path == names.HOSTS)]

    def _adaptors(self) -> list[Path]:
        store = self.config.store
        roots = list(self.roots)
        if store is not None and store.is_dir():
            roots.append(store.resolve())
        return roots

    def _open_to_others(self) -> bool:
        """Whether a user of the run's own may read what it needs."""
        needed = [self.config.program, self.config.program.parent, self.config.node.resolve()]
        return all(system.is_open_to_others(path) for path in (*needed, *self._adaptors()))

    def _rlimits(self, group: Group) -> dict[int, int]:
        limits = self.limits
        wanted = {
            resource.RLIMIT_CORE: NO_DUMP,
            resource.RLIMIT_NOFILE: limits.open_files,
            resource.RLIMIT_FSIZE: limits.scratch_mb * MEBIBYTE,
            resource.RLIMIT_MEMLOCK: 64 * 1024,
            # Timers and waiting signals are memory of the kernel, which counts them by user.
            resource.RLIMIT_SIGPENDING: _WAITING_SIGNALS,
        }
        if Layer.UID in self.layers:
            wanted[resource.RLIMIT_NPROC] = limits.processes
        if group.means == "sampling":
            # A hard stop above the sampled limit: private memory that may be written to.
            wanted[resource.RLIMIT_DATA] = round(limits.memory_bytes * 1.25) + _UNTOUCHED
            # Page tables of pages that are only read cost memory too.
            wanted[resource.RLIMIT_AS] = _ADDRESSES
        return wanted


def network_of(policy: Policy) -> Network:
    """The network that a run with this egress policy gets."""
    if policy.unlimited:
        return Network.OPEN
    return Network.NONE if policy.nothing else Network.BROKER


def look_around() -> None:
    """Find what is the same for every run; for the process that all shims are forked from."""
    _python()
    system.loaders()


@cache
def _python() -> tuple[Path, ...]:
    """Where the compiler's modules lie. Not all of `sys.path`: that may hold any folder."""
    found = {Path(path) for name, path in sysconfig.get_paths().items() if name.endswith("lib")}
    found.add(Path(sys.base_prefix) / "lib")
    for name in _MODULES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found.add(Path(spec.origin).parent)
    return tuple(sorted(found))


def _compile() -> None:
    # Loaded only here: the parser is no part of a supervisor or a shim.
    from holdfast.compiler import compile_job  # noqa: PLC0415
    from holdfast.engine.run.compile_process import main, module_frames  # noqa: PLC0415
    from holdfast.engine.run.plan_text import PlanReader  # noqa: PLC0415

    # The first compilation loads what all others use: before there is a run it costs it nothing.
    reader = PlanReader()
    reader.feed(_REHEARSED)
    _, sources = reader.finish()
    for _ in module_frames(0, {}, compile_job(sources[0], [])):
        pass
    main()
