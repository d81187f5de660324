"""Touches the disk: a channel that exchanges files, one folder for what goes out and one for what comes back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from schemas.limits import limit
from sensing.originals import flush_directory

_NAME = re.compile(r"[A-Z]{2}-[0-9A-Z]{6,12}")


class FolderChannel:
    """Files for an official platform that fetches and answers by files: `out/ID.json`, `in/ID.json`, `taken/ID.json`.

    A file appears whole or not at all.
    """

    def __init__(self, root: Path) -> None:
        self._out, self._in, self._taken = (root / name for name in ("out", "in", "taken"))

    def send(self, dispatch: str, document: bytes) -> None:
        """Write a document to be fetched; the same dispatch twice is one file."""
        if not _NAME.fullmatch(dispatch):
            raise ValueError(f"no dispatch is called {dispatch!r}")
        for folder in (self._out, self._in, self._taken):
            folder.mkdir(parents=True, exist_ok=True)
        arriving = self._out / f".{dispatch}.part"
        with arriving.open("wb") as writer:
            writer.write(document)
            writer.flush()
            os.fsync(writer.fileno())
        arriving.replace(self._out / f"{dispatch}.json")
        flush_directory(self._out)

    def answers(self) -> Iterator[tuple[str, bytes]]:
        """The answers that lie there, by name; what is too large to be one comes as its first bytes."""
        for path in sorted(self._in.glob("*.json")):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as reader:
                    yield path.name, reader.read(limit("json.bytes") + 1)

    def put_away(self, name: str) -> None:
        """Move an answer to those that were taken."""
        self._taken.mkdir(parents=True, exist_ok=True)
        (self._in / name).replace(self._taken / name)
