"""The web server: gunicorn with a few processes and threads. This module opens a socket and forks."""

from __future__ import annotations

import contextlib
import fcntl
import selectors
import socket
import struct
import termios
import time
from collections.abc import Iterable, Iterator, MutableMapping
from functools import partial
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from web.security import UnsafeBinding

THREADS = 8
# A process that does not even turn its own loop for so long is replaced.
HUNG_PROCESS_S = 60
# From the first byte of a request to the end of its head, and from there to the last byte of its answer; a large answer
# has longer, as long as its reader takes so many bytes of it a second. A proxy in front of us buffers slower clients.
SLOWEST_HEAD_S = 5.0
SLOWEST_REQUEST_S = 30.0
SLOWEST_READER_BYTES_PER_S = 16 << 10
# So many threads of a process may be with such answers; the others are for everybody else.
LONG_ANSWERS = THREADS // 2
PIECE_BYTES = 64 << 10
LARGEST_LINE_BYTES = 4094
# A connection whose last answer is given is let go when its reader hangs up, and after so long anyway.
HANG_UP_S = 2.0
MOST_LEAVING = 256


def refuse_taken(host: str, port: int) -> None:
    """Raises UnsafeBinding, with the line that start-up prints, when nobody can listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UnsafeBinding(
            f"Nothing can be served on {host}:{port}: {error.strerror}. Choose another port with SKYWARDEN_PORT."
        ) from error


def run_server(app: Flask, *, host: str, port: int, workers: int = 2) -> None:
    """Serves until interrupted. Connections to the database are opened after the fork, never shared across it."""
    _Server(
        app,
        bind=f"{_bracketed(host)}:{port}",
        workers=workers,
        threads=THREADS,
        worker_class=f"{__name__}.Worker",
        timeout=HUNG_PROCESS_S,
        graceful_timeout=5,
        keepalive=15,
        limit_request_line=LARGEST_LINE_BYTES,
        limit_request_fields=64,
        limit_request_field_size=16_380,
        # Who is asking, and by which scheme, is settled in web/security.py and nowhere else.
        forwarded_allow_ips="",
        forwarder_headers="",
        secure_scheme_headers={},
        accesslog=None,
        loglevel="warning",
        post_fork=lambda _arbiter, _worker: _forget_connections(app),
    ).run()


def _forget_connections(app: Flask) -> None:
    services = app.extensions["services"]
    for engine in (services.engine, services.public_engine):
        engine.dispose(close=False)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


class Worker(ThreadWorker):
    """Threads are for requests: a silent connection waits outside, and a request that never ends is ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._ends_at: dict[Any, float] = {}
        self._given: dict[socket.socket, int] = {}
        self._leaving: dict[socket.socket, float] = {}

    def load_wsgi(self) -> None:
        """The application, with every answer handed out in pieces that are counted."""
        super().load_wsgi()
        wsgi = self.wsgi

        def counting(environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
            return self._counted(wsgi(environ, start_response), environ["gunicorn.socket"])

        self.wsgi = counting

    def _counted(self, answer: Iterable[bytes], reader: socket.socket) -> Iterator[bytes]:
        """The answer in pieces; when the next one is asked for, the last one is on its way to the reader."""
        try:
            for part in answer:
                for at in range(0, len(part), PIECE_BYTES):
                    piece = part[at : at + PIECE_BYTES]
                    yield piece
                    if reader in self._given:
                        self._given[reader] += len(piece)
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def enqueue_req(self, conn: Any) -> None:  # noqa: ANN401
        """Gives a connection to a thread once it has something to say; browsers open some in advance."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: Any) -> Any:  # noqa: ANN401
        """One request, with the time at which its head must be there."""
        self._ends_at[conn] = time.monotonic() + SLOWEST_HEAD_S
        self._given[conn.sock] = 0
        conn.close = partial(self._let_go, conn.sock)
        try:
            return super().handle(conn)
        finally:
            del self._ends_at[conn], self._given[conn.sock]

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401
        """The rest of a request whose head is there."""
        self._ends_at[conn] = time.monotonic() + SLOWEST_REQUEST_S
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Ends what says nothing and what never ends; called by the loop every second."""
        super().murder_pending()
        now = time.monotonic()
        for reader in [reader for reader, ends_at in self._leaving.items() if ends_at < now]:
            self._hang_up(reader)
        over = [(ends_at, conn) for conn, ends_at in list(self._ends_at.items()) if ends_at < now]
        over.sort(key=lambda one: one[0])
        read = [conn for ends_at, conn in over if self._is_read(conn, now - ends_at)]
        # Whoever began first may go on; the others get the rest of a file by asking for it again (`Range`).
        for _, conn in over:
            if conn not in read[:LONG_ANSWERS]:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def _let_go(self, reader: socket.socket, *, graceful: bool = False) -> None:
        """Says that nothing more comes, and waits beside the loop, never in it, until the reader has hung up."""
        self._leaving[reader] = time.monotonic() + HANG_UP_S
        try:
            self.poller.register(reader, selectors.EVENT_READ, self._drain)
            reader.shutdown(socket.SHUT_WR)
            reader.setblocking(False)
        except (OSError, ValueError, KeyError):
            graceful = False
        if not graceful:
            self._hang_up(reader)
        elif len(self._leaving) > MOST_LEAVING:
            self._hang_up(next(iter(self._leaving)))

    def _drain(self, reader: socket.socket) -> None:
        """Throws away what is said into a connection that is let go; an end in it ends it."""
        with contextlib.suppress(OSError):
            if reader.recv(LARGEST_LINE_BYTES):
                return
        self._hang_up(reader)

    def _hang_up(self, reader: socket.socket) -> None:
        self._leaving.pop(reader, None)
        with contextlib.suppress(OSError, ValueError, KeyError):
            self.poller.unregister(reader)
        with contextlib.suppress(OSError):
            reader.close()

    def _is_read(self, conn: Any, over_s: float) -> bool:  # noqa: ANN401
        """Whether a reader has taken enough of an answer for the seconds beyond its time."""
        try:
            # What lies in the buffer of the socket was handed out and taken by nobody.
            (waiting,) = struct.unpack("i", fcntl.ioctl(conn.sock, termios.TIOCOUTQ, bytes(4)))
        except (OSError, ValueError):
            return False
        taken: int = self._given.get(conn.sock, 0) - waiting
        return taken >= over_s * SLOWEST_READER_BYTES_PER_S


class _Server(BaseApplication):
    def __init__(self, app: Flask, **options: Any) -> None:  # noqa: ANN401
        self._app = app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401
        return self._app
