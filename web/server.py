"""The web server: gunicorn with a few processes and threads. This module opens a socket and forks."""

from __future__ import annotations

from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from web.security import UnsafeBinding, refuse_plain_http

__all__ = ["UnsafeBinding", "refuse_plain_http", "run_server"]

THREADS = 4
REQUEST_TIMEOUT_S = 60
LARGEST_LINE_BYTES = 4094


def run_server(app: Flask, *, host: str, port: int, workers: int = 2) -> None:
    """Serves until interrupted. Connections to the database are opened after the fork, never shared across it."""
    _Server(
        app,
        bind=f"{_bracketed(host)}:{port}",
        workers=workers,
        threads=THREADS,
        worker_class="gthread",
        timeout=REQUEST_TIMEOUT_S,
        graceful_timeout=5,
        keepalive=15,
        limit_request_line=LARGEST_LINE_BYTES,
        limit_request_fields=64,
        limit_request_field_size=16_380,
        forwarded_allow_ips="127.0.0.1,::1",
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
