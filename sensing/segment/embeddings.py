"""Touches the disk: what SAM's encoder made of a crop, kept so that nobody waits for the same crop twice.

A file is believed only where the hash in it is that of its content and its label is the one that was asked for;
anything else is made anew. Embeddings are of masked copies alone, and go when their copy goes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sensing.scratch import sweep
from sensing.segment.checkpoint import sha256_of

Halves = NDArray[np.float16]

_FORMAT = 1
_ARRIVING = "arriving-"
_SHA256_BYTES = 32
_NAME = re.compile(r"[0-9a-f]{64}")
# Two gigabytes are a thousand crops.
MOST_BYTES = 2 << 30
# A full cache is emptied to this share, so that not every crop has to make room.
_LEFT = 0.9


@dataclass(frozen=True)
class Key:
    """What an embedding is of: a masked copy, a window of it, the tones that were shown black and white, a model."""

    copy_sha256: str
    window: tuple[int, int, int, int]
    stretch: tuple[float, float]
    model_sha256: str

    @property
    def label(self) -> str:
        """All of it as one line of JSON."""
        return json.dumps({"format": _FORMAT} | asdict(self), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Embedding:
    """What the encoder made of a crop, in halves; `size` is the crop's (height, width), `input_size` as encoded."""

    features: Halves
    size: tuple[int, int]
    input_size: tuple[int, int]


class Cache(Protocol):
    """Where embeddings are kept."""

    def get(self, key: Key) -> Embedding | None:
        """The embedding of a key, where it is kept and whole."""
        ...

    def put(self, key: Key, embedding: Embedding, source: Path) -> None:
        """Keep an embedding of the copy that lies at `source`."""
        ...


class Unkept:
    """Keeps nothing."""

    def get(self, key: Key) -> Embedding | None:
        """Nothing; implements `Cache.get`."""
        return None

    def put(self, key: Key, embedding: Embedding, source: Path) -> None:
        """Nothing; implements `Cache.put`."""


class Embeddings:
    """Embeddings below the data directory of an installation; the ones used longest ago go first."""

    def __init__(self, root: Path, most_bytes: int = MOST_BYTES) -> None:
        self._home = _home(root)
        self._most_bytes = most_bytes

    def path(self, key: Key) -> Path:
        """Where the embedding of a key lies, whether or not it is there."""
        return self._home / key.copy_sha256 / hashlib.sha256(key.label.encode()).hexdigest()

    def get(self, key: Key) -> Embedding | None:
        """As `Cache.get`; a file that is torn, changed or of something else is as good as none."""
        path = self.path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        found = _unpacked(key, content)
        with suppress(OSError):
            if found is None:
                path.unlink()
            else:
                # When it was last used decides how long it stays.
                os.utime(path)
        return found

    def put(self, key: Key, embedding: Embedding, source: Path) -> None:
        """As `Cache.put`: it is there whole or not at all. A full disk is no reason to stop: nothing is kept then."""
        with suppress(OSError):
            self._write(key, _packed(key, embedding))
            # Whoever masks a copy anew removes what was made from it; what came a moment later must go too.
            if not source.is_file():
                self.path(key).unlink(missing_ok=True)
            self._make_room()

    def _write(self, key: Key, content: bytes) -> None:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_ARRIVING, dir=self._home)
        arriving = Path(name)
        sweep(self._home, _ARRIVING, arriving)
        try:
            with os.fdopen(handle, "wb") as writer:
                writer.write(content)
            home = self.path(key)
            home.parent.mkdir(mode=0o700, exist_ok=True)
            # What a loss of power leaves of it is told by its hash, so nothing is flushed.
            arriving.rename(home)
        finally:
            arriving.unlink(missing_ok=True)

    def _make_room(self) -> None:
        kept = []
        for path in self._home.glob("*/*"):
            with suppress(FileNotFoundError):
                stat = path.stat()
                kept.append((stat.st_mtime_ns, stat.st_size, path))
        total = sum(size for _, size, _ in kept)
        if total <= self._most_bytes:
            return
        for _, size, path in sorted(kept):
            if total <= _LEFT * self._most_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


def forget(root: Path, copies: Collection[str]) -> int:
    """Remove every embedding of masked copies that are no more; how many went."""
    gone = 0
    for sha256 in copies:
        folder = _home(root) / sha256
        if _NAME.fullmatch(sha256) and folder.is_dir():
            gone += sum(1 for _ in folder.iterdir())
            shutil.rmtree(folder, ignore_errors=True)
    return gone


def copy_sha256(path: Path) -> str:
    """The hash of a masked copy: its name in the store, of a file elsewhere that of its content."""
    if _NAME.fullmatch(path.name):
        return path.name
    stat = path.stat()
    return _content_sha256(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _content_sha256(path: Path, changed_ns: int, size: int) -> str:
    """The hash of a file; one that has changed since has another time or size, and is asked for anew."""
    with path.open("rb") as reader:
        return sha256_of(reader)


def _home(root: Path) -> Path:
    return root / "embeddings"


def _packed(key: Key, embedding: Embedding) -> bytes:
    """A hash of everything after it, a line of labels, the numbers."""
    about = {"key": key.label, "shape": embedding.features.shape}
    about |= {"size": embedding.size, "input_size": embedding.input_size}
    body = json.dumps(about).encode() + b"\n" + np.ascontiguousarray(embedding.features, np.float16).tobytes()
    return hashlib.sha256(body).digest() + body


def _unpacked(key: Key, content: bytes) -> Embedding | None:
    """What `_packed` made for this key; None for anything else."""
    body = content[_SHA256_BYTES:]
    if hashlib.sha256(body).digest() != content[:_SHA256_BYTES]:
        return None
    line, _, numbers = body.partition(b"\n")
    about = json.loads(line)
    if about["key"] != key.label:
        return None
    features = np.frombuffer(numbers, np.float16).reshape(about["shape"])
    return Embedding(features, tuple(about["size"]), tuple(about["input_size"]))
