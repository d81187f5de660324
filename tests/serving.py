"""The pages on a real socket, served by a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import make_server

from web.app import create_app
from web.wiring import Services


@contextmanager
def served(services: Services) -> Iterator[int]:
    """The port of the pages; at the end nothing of an answer is under way, and the services can be closed."""
    live = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    thread = threading.Thread(target=live.serve_forever)
    thread.start()
    try:
        yield live.server_port
    finally:
        live.shutdown()
        thread.join()
        live.server_close()
        _let_answers_end()


def _let_answers_end() -> None:
    """Waits for requests that a closed page left behind; what they hold of the database must be given back."""
    for each in threading.enumerate():
        if "process_request_thread" in each.name:
            each.join(timeout=120)
