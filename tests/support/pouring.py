"""A server that sends to whoever connects, without end."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def pouring() -> Iterator[int]:
    """Its port."""
    stop, stopped = socket.socketpair()
    with stop, stopped, socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        thread = threading.Thread(target=_pour, args=(server, stopped))
        thread.start()
        yield server.getsockname()[1]
        stop.send(b"1")
        thread.join()


def _pour(server: socket.socket, stopped: socket.socket) -> None:
    with ExitStack() as stack, selectors.DefaultSelector() as ways:
        ways.register(stopped, selectors.EVENT_READ)
        ways.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in ways.select():
                if key.fileobj is stopped:
                    return
                if key.fileobj is server:
                    way = stack.enter_context(server.accept()[0])
                    way.setblocking(False)
                    ways.register(way, selectors.EVENT_WRITE, way)
                    continue
                try:
                    key.data.send(bytes(1 << 18))
                except BlockingIOError:
                    pass
                except OSError:
                    ways.unregister(key.data)
