"""Touches the disk: private directories that leave nothing behind, not even when a process was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Who works longer in a directory says so on the way (`still_used`); what is older belongs to a process that is no more.
_STALE_S = 3600.0


@contextmanager
def private_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A fresh directory (mode 0700) below `parent`, removed at the end; those that killed processes left go too."""
    parent.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    sweep(parent, prefix, directory)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def still_used(directory: Path) -> None:
    """Say of a directory that somebody works in it; a large scene takes hours."""
    os.utime(directory)


def sweep(parent: Path, prefix: str, fresh: Path, *, stale_s: float = _STALE_S) -> None:
    """Remove what begins with `prefix` in `parent` and is so much older than `fresh`, by the disk's own clock."""
    now_s = fresh.stat().st_mtime
    for left in parent.glob(f"{prefix}*"):
        try:
            stale = now_s - left.stat().st_mtime > stale_s
        except FileNotFoundError:
            continue
        if stale and left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        elif stale:
            left.unlink(missing_ok=True)
