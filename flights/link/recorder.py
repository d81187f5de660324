"""The raw record of a link: a `.tlog` file, forced to disk every second. Touches the disk."""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import time
from pathlib import Path

from schemas.clock import Clock

SYNC_EVERY_S = 1.0


class Recorder:
    """Writes every frame that was sent or received, each behind its time (microseconds, big-endian).

    The format is the one that every ground station reads. Frames are forced to disk once a second, so a
    crash loses a second at most.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._file = path.open("xb")
        self._synced_at = time.monotonic()

    def write(self, frame: bytes) -> None:
        """Appends one frame with the present time."""
        with self._lock:
            if self._file.closed:
                return
            self._file.write(struct.pack(">Q", int(self._clock.now().timestamp() * 1e6)) + frame)
            if time.monotonic() - self._synced_at >= SYNC_EVERY_S:
                self._sync()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced_at = time.monotonic()

    def close(self) -> str:
        """Ends the file and returns its SHA-256 in hex."""
        with self._lock:
            if not self._file.closed:
                self._sync()
                self._file.close()
        with self.path.open("rb") as written:
            return hashlib.file_digest(written, "sha256").hexdigest()
