"""The web server: gunicorn with a few processes and threads. This module opens a socket and forks."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from functools import partial
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from web.security import UnsafeBinding

THREADS = 8
# A process that does not even turn its own loop for so long is replaced.
HUNG_PROCESS_S = 60
# From the first byte of a request to the end of its head, and from there to the last byte of its answer; a proxy in
# front of us buffers slower clients.
SLOWEST_HEAD_S = 5.0
SLOWEST_REQUEST_S = 30.0
LARGEST_LINE_BYTES = 4094


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
        try:
            return super().handle(conn)
        finally:
            del self._ends_at[conn]

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401
        """The rest of a request whose head is there."""
        self._ends_at[conn] = time.monotonic() + SLOWEST_REQUEST_S
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Ends what says nothing and what never ends; called by the loop every second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, ends_at in list(self._ends_at.items()):
            if ends_at < now:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


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
