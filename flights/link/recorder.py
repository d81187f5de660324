"""The raw record of a link: a `.tlog` file, forced to disk every second by a thread of its own. Touches the disk.

The thread that reads the line only puts frames into memory: a disk that is slow, full or gone never holds the
heartbeat or an abort back.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from schemas.clock import Clock

SYNC_EVERY_S = 1.0
# So much waits for a disk that does not take it; then the oldest is given up, and counted.
MOST_WAITING_BYTES = 64 * 2**20
STAMP = struct.Struct(">Q")
MARK_V1, MARK_V2 = 0xFE, 0xFD
SIGNED = 0x01
log = logging.getLogger(__name__)


class Recorder:
    """Writes every frame that was sent or received, each behind its time (microseconds, big-endian).

    The format is the one that every ground station reads. Frames are forced to disk once a second, so a
    crash loses a second at most; `sync` does it now, for whoever stores rows that must not be ahead of it.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.lost_frames = 0
        self.fault: str | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._disk = threading.Lock()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        self._good_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tlog", daemon=True)
        self._thread.start()

    def write(self, frame: bytes) -> None:
        """Takes one frame with the present time; never waits for the disk."""
        record = STAMP.pack(int(self._clock.now().timestamp() * 1e6)) + frame
        with self._lock:
            if self._ended.is_set():
                return
            self._waiting.append(record)
            self._waiting_bytes += len(record)
            while self._waiting_bytes > MOST_WAITING_BYTES:
                self._waiting_bytes -= len(self._waiting.popleft())
                self.lost_frames += 1

    def sync(self) -> bool:
        """Forces all that was taken so far to disk; False when the disk does not take it, which is tried again."""
        with self._disk:
            with self._lock:
                taken, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
            if not taken:
                return self.fault is None
            try:
                self._append(b"".join(taken))
            except OSError as error:
                self._keep(taken, error)
                return False
            self.fault = None
            return True

    def close(self) -> str:
        """Ends the file and returns its SHA-256 in hex."""
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self.sync()
        with self._disk:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
        return sha256_of(self.path)

    def _run(self) -> None:
        while not self._ended.wait(SYNC_EVERY_S):
            self.sync()

    def _append(self, data: bytes) -> None:
        """Writes whole records or nothing: what a full disk took of one is cut off again."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._good_bytes)
            os.lseek(self._fd, self._good_bytes, os.SEEK_SET)
            raise
        self._good_bytes += len(data)

    def _keep(self, taken: deque[bytes], error: OSError) -> None:
        if self.fault is None:
            log.error("the raw record %s waits for the disk: %s", self.path, error)
        self.fault = error.strerror or str(error)
        with self._lock:
            taken.extend(self._waiting)
            self._waiting, self._waiting_bytes = taken, sum(map(len, taken))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def stamps_of(path: Path) -> Iterator[int]:
    """The times (microseconds since 1970) of the whole records in a `.tlog`; what a crash tore at its end is left."""
    data, at = path.read_bytes(), 0
    while (end := _end_of(data, at)) is not None:
        yield STAMP.unpack_from(data, at)[0]
        at = end


def _end_of(data: bytes, at: int) -> int | None:
    """Where the record at `at` ends; None where there is no whole one."""
    frame = at + STAMP.size
    if frame + 3 > len(data) or data[frame] not in (MARK_V1, MARK_V2):
        return None
    length = data[frame + 1]
    if data[frame] == MARK_V1:
        end = frame + 8 + length
    else:
        end = frame + 12 + length + (13 if data[frame + 2] & SIGNED else 0)
    return end if end <= len(data) else None
