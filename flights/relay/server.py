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
from collections import deque
from collections.abc import Callable

from flights.link.transport import MAX_READ_BYTES, Pipe
from flights.relay.pump import LineLost, forget_old, pump

HANDSHAKE_S = 5.0
ACCEPT_S = 0.2
# So many callers may be unknown at a time. One more ends the oldest of them, so that whoever only opens connections
# keeps nobody else out.
MOST_UNKNOWN = 32
BACKLOG = 128
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
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        self._listener = socket.create_server(address, family=family, backlog=BACKLOG)
        # One end for the gateway, the other for the thread that serves the relay.
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._unknown: deque[socket.socket] = deque()
        self._turn = threading.Lock()
        self._newest = 0
        self._thread = threading.Thread(target=self._accept, name="relay-listener", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.getsockname()[1])

    # -- what the link sees -------------------------------------------------------------------------

    def lend(self) -> Pipe:
        """This pipe for one flight: what came before is dropped, and it goes on listening when that one is closed."""
        forget_old(self)
        return _Lent(self)

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._near.fileno()

    def read(self) -> bytes:
        """What has arrived, or nothing."""
        return _taken(self._near)

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
                plain.settimeout(HANDSHAKE_S)
                line = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
                self._make_room(line)
                threading.Thread(target=self._serve, args=(line, address[0]), name="relay-line", daemon=True).start()

    def _make_room(self, line: ssl.SSLSocket) -> None:
        """Counts a caller who is unknown yet; the oldest of too many is ended."""
        with self._lock:
            self._unknown.append(line)
            if len(self._unknown) <= MOST_UNKNOWN:
                return
            oldest = self._unknown.popleft()
        # Not of the TLS object, which its own thread is at work with.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(oldest, socket.SHUT_RDWR)

    def _serve(self, line: ssl.SSLSocket, caller: str) -> None:
        with line:
            try:
                self._greet(line)
            except (OSError, ValueError) as error:
                log.warning("relay from %s is not let in: %s", caller, error)
                return
            finally:
                with self._lock, contextlib.suppress(ValueError):
                    self._unknown.remove(line)
            self._carry(line, caller)

    def _greet(self, line: ssl.SSLSocket) -> None:
        line.do_handshake()
        if not self._admits(_certificate(line)):
            raise ValueError("its certificate is not known, revoked, expired, or of another aircraft")

    def _carry(self, line: ssl.SSLSocket, caller: str) -> None:
        with self._lock:
            self._newest = mine = self._newest + 1
        over, unwelcome = threading.Event(), threading.Event()

        def ended() -> bool:
            return self._closed.is_set() or self._newest != mine or unwelcome.is_set()

        # The one before sees that it is replaced, and leaves the pipe to this one.
        with self._turn:
            if ended():
                return
            log.info("relay from %s is connected", caller)
            asking = threading.Thread(
                target=self._ask_again, args=(_certificate(line), over, unwelcome), name="relay-asking", daemon=True
            )
            asking.start()
            try:
                pump(line, _Far(self._far), ended)
            except LineLost as lost:
                log.warning("relay from %s is gone: %s", caller, lost)
            finally:
                over.set()

    def _ask_again(self, certificate: bytes, over: threading.Event, unwelcome: threading.Event) -> None:
        """Beside the line, which must not wait for a database that is slow."""
        while not over.wait(ASK_AGAIN_S):
            if not self._admits(certificate):
                log.warning("a relay's certificate is revoked or expired: its line is cut")
                unwelcome.set()
                return


class _Lent:
    """A relay's pipe for one flight: closing it leaves the relay connected."""

    def __init__(self, pipe: RelayPipe) -> None:
        self.url = pipe.url
        self.fileno, self.read, self.write = pipe.fileno, pipe.read, pipe.write
        self.pin, self.listen_around, self.reopen = pipe.pin, pipe.listen_around, pipe.reopen

    def close(self) -> None:
        """Nothing to do: the pipe is the gateway's, for its whole life."""


class _Far:
    """The relay's end of the pair."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def fileno(self) -> int:
        return self._end.fileno()

    def read(self) -> bytes:
        return _taken(self._end)

    def write(self, data: bytes) -> None:
        # Nobody reads while no flight is led; what is said then is lost.
        with contextlib.suppress(OSError):
            self._end.send(data)


def _taken(end: socket.socket) -> bytes:
    with contextlib.suppress(BlockingIOError, InterruptedError):
        return end.recv(MAX_READ_BYTES)
    return b""


def _certificate(line: ssl.SSLSocket) -> bytes:
    return line.getpeercert(binary_form=True) or b""
