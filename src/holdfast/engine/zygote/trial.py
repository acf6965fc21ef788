"""The self-test of a zygote: two runs of our own through children of it, before it serves anybody.

It goes through all that a run goes through, so it finds what a machine, a version of Node.js, or
an adaptor that is loaded may have against being forked.
"""

from __future__ import annotations

import json
import os
import socket
from typing import NoReturn

from holdfast.engine.config import EngineConfig
from holdfast.engine.host import Host
from holdfast.engine.loop import Loop
from holdfast.engine.run.program import trial
from holdfast.engine.zygote.child import ChildProcess
from holdfast.engine.zygote.keeper import Keeper, KeeperError, Zygote
from holdfast.engine.zygote.kinds import Kind
from holdfast.model import record
from holdfast.model.limits import Limits
from holdfast.sandbox.spec import Network

_SECONDS = 20.0
#: What must differ between two children, in whichever way it is drawn; and what must be refused.
_CODE = (
    "export default [async (state) => {"
    " const process = state.constructor.constructor('return process')();"
    " const fs = process.getBuiltinModule('fs'), crypto = process.getBuiltinModule('crypto');"
    " const open = [];"
    " for (const name of ['/scratch/OTHER', '/scratch']) {"
    "  try { fs.writeFileSync(`${name}/x`, ''); if (process.cwd() !== name) open.push(name); }"
    "  catch {} }"
    " await new Promise((done) => setTimeout(done, 1));"
    " return { open, cwd: process.cwd(), drawn: [Math.random(), crypto.randomUUID(),"
    "  crypto.randomInt(2 ** 40), crypto.randomBytes(8).toString('hex')] }; }];"
)


def try_out(keeper: Keeper, host: Host, limits: Limits) -> None:
    """Raises KeeperError when this zygote is not fit to serve."""
    lent = [keeper.lend(), keeper.lend()]
    said, saying = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _examine(host, limits, lent, saying, keeper.last_slot)
    for connection in lent:
        connection.close()
    os.close(saying)
    handle = os.pidfd_open(pid)
    keeper.serve_until(handle)
    os.close(handle)
    os.waitpid(pid, 0)
    words = os.read(said, 4096).decode(errors="replace")
    os.close(said)
    if words != "good":
        message = f"its self-test failed: {words or 'it came to no end'}"
        raise KeeperError(message)


def tried_out(config: EngineConfig, host: Host) -> str | None:
    """Make a zygote without adaptors, try it out, end it; what was wrong, None if nothing was."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        zygote = None
        try:
            zygote = Zygote(config, host, Kind("trial", {}, Limits()))
            zygote.start()
            try_out(Keeper(config, zygote, theirs), host, Limits())
        except OSError as error:
            return str(error)
        finally:
            if zygote is not None:
                zygote.end()
    return None


def _examine(
    host: Host, limits: Limits, lent: list[socket.socket], saying: int, other: str
) -> NoReturn:
    """`other`: the scratch folder of a child that is yet to come."""
    try:
        code = _CODE.replace("OTHER", other)
        found = [_run(host, limits, connection, code) for connection in lent]
        alike = [one for one, other in zip(*found, strict=True) if one == other]
        words = f"two children drew the same number: {alike[0]}" if alike else "good"
        os.write(saying, words.encode())
    except Exception as error:
        os.write(saying, f"{type(error).__name__}: {error}".encode()[:4000])
    finally:
        os._exit(0)


def _run(host: Host, limits: Limits, keeper: socket.socket, code: str) -> list[str]:
    """One run; what its child drew."""
    loop = Loop()
    bodies: list[tuple[int, bytes]] = []
    over: list[str] = []
    child = ChildProcess("engine", loop, lambda _, kind, body: bodies.append((kind, body)), keeper)
    group = host.groups.create(f"trial-{keeper.fileno()}-{os.getpid()}", limits.memory_bytes)
    try:
        slot = child.ask(Network.BROKER, group, lambda _: over.append("ended"))
        child.outlet.send_raw(trial({"zygote": "child"}, [code]))
        loop.after("end", _SECONDS, lambda: over.append("it took too long"))
        while not over:
            loop.turn()
        child.drain()
    finally:
        group.kill()
        group.remove()
    return _judged(child, bodies, slot)


def _judged(child: ChildProcess, bodies: list[tuple[int, bytes]], slot: str) -> list[str]:
    results = [json.loads(body) for kind, body in bodies if kind == record.Kind.RESULT]
    if not results or child.end is None or child.end.code != 0:
        message = f"a child ended with {child.end}: {child.error.text()[-400:]}"
        raise KeeperError(message)
    state = json.loads(results[0]["final_state"]["inline"])
    if state["cwd"] != f"/scratch/{slot}" or state["open"]:
        message = f"a child in {state['cwd']} could write to {state['open']}"
        raise KeeperError(message)
    return [str(item) for item in state["drawn"]]
