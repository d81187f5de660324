"""Touches the disk: a write-once store in which a file's name is the hash of its content (GD-20.2)."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from schemas.refusals import invalid
from sensing.scratch import sweep

_CHUNK = 1 << 20
_READ_ONLY = 0o440
_ARRIVING = "arriving-"


class ContentStore:
    """Files by SHA-256. A file appears whole or not at all and is never changed.

    Only what shows a place that has become private since is ever removed; an original never is.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, sha256: str) -> Path:
        """Where a file lies, whether or not it is there."""
        return self._root / sha256[:2] / sha256

    def put(self, source: Path) -> str:
        """Keep a copy of a file and give its SHA-256; the same bytes twice are one file."""
        self._root.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_ARRIVING, dir=self._root)
        arriving, digest = Path(name), hashlib.sha256()
        sweep(self._root, _ARRIVING, arriving)
        try:
            with os.fdopen(handle, "wb") as writer, source.open("rb") as reader:
                while chunk := reader.read(_CHUNK):
                    digest.update(chunk)
                    writer.write(chunk)
                writer.flush()
                os.fsync(writer.fileno())
            arriving.chmod(_READ_ONLY)
            return self._settle(arriving, digest.hexdigest())
        finally:
            arriving.unlink(missing_ok=True)

    def _settle(self, arriving: Path, sha256: str) -> str:
        home = self.path(sha256)
        home.parent.mkdir(exist_ok=True)
        if not home.exists():
            # A rename within one file system is atomic; the directory's own entry is flushed like the content.
            arriving.rename(home)
            flush_directory(home.parent)
        return sha256

    def get(self, sha256: str) -> Path:
        """The path of a stored file. Raises RuleViolation `original.missing` when it is not there."""
        found = self.path(sha256)
        if not found.is_file():
            raise invalid("GD-20.2", "original.missing", measured=sha256[:12])
        return found

    def remove(self, sha256: str) -> bool:
        """Take a file out for good; whether it was there."""
        gone = self.path(sha256)
        if not gone.is_file():
            return False
        gone.unlink()
        flush_directory(gone.parent)
        return True

    def verify(self, sha256: str) -> bool:
        """Whether a stored file still is what its name says."""
        digest = hashlib.sha256()
        with self.get(sha256).open("rb") as reader:
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest() == sha256


def flush_directory(directory: Path) -> None:
    """Flush the names in a directory to the disk, so that a rename survives a loss of power."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
