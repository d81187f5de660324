"""Where messages wait for whoever listens for them."""

from __future__ import annotations

import contextlib
import queue
from typing import Any

INBOX_SIZE = 10_000

Message = Any


class Inbox:
    """The messages of some types that arrive while it is open, in order."""

    def __init__(self, types: frozenset[str]) -> None:
        self.types = types
        self._queue: queue.Queue[Message] = queue.Queue(INBOX_SIZE)

    def put(self, message: Message) -> None:
        """Keeps a message; one that nobody fetches in time is lost rather than memory filled."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(message)

    def get(self, timeout_s: float) -> Message | None:
        """The next message, or None when `timeout_s` passes without one."""
        try:
            return self._queue.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            return None

    def drain(self) -> list[Message]:
        """Everything that has arrived so far."""
        found = []
        while (message := self.get(0.0)) is not None:
            found.append(message)
        return found
