"""A line between a gateway and a vehicle that falls silent, or is cut, when a test says so."""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import threading
from collections.abc import Iterator


class FaultyLine:
    """Forwards TCP both ways. `silent` drops every byte; `cut` closes the connection, and lets nobody in again.

    `forge` puts bytes onto the line as if the vehicle had sent them.
    """

    def __init__(self, target: str) -> None:
        _, host, port = target.split(":")
        self._target = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp:127.0.0.1:{self._server.getsockname()[1]}"
        self.silent = False
        self.cut = False
        self._alive = True
        self._forged: queue.Queue[bytes] = queue.Queue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def forge(self, *frames: bytes) -> None:
        for frame in frames:
            self._forged.put(frame)

    def close(self) -> None:
        self._alive = False
        self._thread.join()
        self._server.close()

    def _run(self) -> None:
        while self._alive:
            if self.cut or not select.select([self._server], [], [], 0.02)[0]:
                continue
            near, _ = self._server.accept()
            with near, contextlib.suppress(OSError), socket.create_connection(self._target) as far:
                self._forward(near, far)

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        while self._alive and not self.cut:
            for ready in select.select([near, far], [], [], 0.02)[0]:
                data = ready.recv(65_536)
                if not data:
                    return
                if self.silent:
                    continue
                (far if ready is near else near).sendall(data)
                # Between two whole writes of the vehicle, so that no frame of its own is torn.
                while ready is far and not self._forged.empty():
                    near.sendall(self._forged.get())


@contextlib.contextmanager
def faulty_line(target: str) -> Iterator[FaultyLine]:
    line = FaultyLine(target)
    try:
        yield line
    finally:
        line.close()
