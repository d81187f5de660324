"""The gateway's end of a relay: lets the right one in and looks like any other pipe to a vehicle. Touches the network.

A relay that calls again takes the place of the one before, because a line that broke in the field is often noticed
there first. While none is connected nothing arrives, and what is sent is lost, as on a radio.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable

from flights.link.transport import MAX_READ_BYTES
from flights.relay.pump import LineLost, pump

HANDSHAKE_S = 5.0
ACCEPT_S = 0.2
# Whoever only opens connections keeps nobody else out.
MOST_HANDSHAKES = 4
# How soon a revoked certificate is noticed on a line that stands.
ASK_AGAIN_S = 5.0

Admits = Callable[[bytes], bool]
log = logging.getLogger(__name__)


class RelayPipe:
    """A Pipe (flights/link/transport.py) whose other end is a relay in the field.

    `admits` is asked with the certificate (DER) of each that calls, and again while its line stands.
    """

    def __init__(self, url: str, address: tuple[str, int], context: ssl.SSLContext, admits: Admits) -> None:
        self.url = url
        self._context = context
        self._admits = admits
        self._listener = socket.create_server(address, backlog=8)
        # One end for the gateway, the other for the thread that serves the relay.
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._closed = threading.Event()
        self._handshakes = threading.BoundedSemaphore(MOST_HANDSHAKES)
        self._turn = threading.Lock()
        self._newest = 0
        self._thread = threading.Thread(target=self._accept, name="relay-listener", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.getsockname()[1])

    # -- what the link sees -------------------------------------------------------------------------

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._near.fileno()

    def read(self) -> bytes:
        """What has arrived, or nothing."""
        with contextlib.suppress(BlockingIOError, InterruptedError):
            return self._near.recv(MAX_READ_BYTES)
        return b""

    def write(self, data: bytes) -> None:
        """Sends `data` to the relay; lost where there is none, or where its line is too slow."""
        with contextlib.suppress(OSError):
            self._near.send(data)

    def pin(self) -> None:
        """Nothing to do: the certificate names the relay."""

    def listen_around(self) -> None:
        """Nothing to do: the certificate names the relay, wherever it calls from."""

    def reopen(self) -> None:
        """Nothing to do: it goes on listening."""

    def close(self) -> None:
        """Stops listening and ends the line."""
        self._closed.set()
        self._thread.join()
        self._listener.close()
        with self._turn:
            self._far.close()
        self._near.close()

    # -- the relay's side ---------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._closed.is_set():
            if not select.select([self._listener], [], [], ACCEPT_S)[0]:
                continue
            with contextlib.suppress(OSError):
                plain, address = self._listener.accept()
                if not self._handshakes.acquire(blocking=False):
                    plain.close()
                    continue
                threading.Thread(target=self._serve, args=(plain, address), name="relay-line", daemon=True).start()

    def _serve(self, plain: socket.socket, address: tuple[str, int]) -> None:
        try:
            line = self._greeted(plain)
        except (OSError, ValueError) as error:
            log.warning("relay from %s is not let in: %s", address[0], error)
            plain.close()
            return
        finally:
            self._handshakes.release()
        with line:
            self._carry(line, address)

    def _greeted(self, plain: socket.socket) -> ssl.SSLSocket:
        plain.settimeout(HANDSHAKE_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = self._context.wrap_socket(plain, server_side=True)
        if not self._admits(line.getpeercert(binary_form=True) or b""):
            line.close()
            raise ValueError("its certificate is not known, revoked, or of another aircraft")
        return line

    def _carry(self, line: ssl.SSLSocket, address: tuple[str, int]) -> None:
        self._newest = mine = self._newest + 1
        certificate = line.getpeercert(binary_form=True) or b""
        asked_at = time.monotonic()

        def ended() -> bool:
            nonlocal asked_at
            if self._closed.is_set() or self._newest != mine:
                return True
            if time.monotonic() - asked_at < ASK_AGAIN_S:
                return False
            asked_at = time.monotonic()
            return not self._admits(certificate)

        # The one before sees that it is replaced, and leaves the pipe to this one.
        with self._turn:
            if self._closed.is_set():
                return
            log.info("relay from %s is connected", address[0])
            try:
                pump(line, _Far(self._far), ended)
            except LineLost as lost:
                log.warning("relay from %s is gone: %s", address[0], lost)


class _Far:
    """The relay's end of the pair."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def fileno(self) -> int:
        return self._end.fileno()

    def read(self) -> bytes:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            return self._end.recv(MAX_READ_BYTES)
        return b""

    def write(self, data: bytes) -> None:
        # A gateway that does not read is a gateway that has ended; what is said to it is lost.
        with contextlib.suppress(OSError):
            self._end.send(data)
