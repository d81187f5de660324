"""Touches the disk: takes files in that prove something, by their content."""

from __future__ import annotations

from pathlib import Path

from geo.attachments import HEAD_BYTES, File, described
from sensing.originals import ContentStore
from web.wiring import Services

FOLDER = "attachments"


def take_in(services: Services, path: Path) -> File:
    """Keeps a file under the hash of its content; raises RuleViolation for what nobody keeps."""
    with path.open("rb") as reader:
        head = reader.read(HEAD_BYTES)
    described("0" * 64, path.stat().st_size, head, path.name)
    sha256 = ContentStore(services.data_dir / FOLDER).put(path)
    return described(sha256, path.stat().st_size, head, path.name)
