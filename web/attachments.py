"""Touches the disk: takes files in that prove something, by their content, and gives them back."""

from __future__ import annotations

import tempfile
from pathlib import Path

from werkzeug.datastructures import FileStorage

from geo.attachments import HEAD_BYTES, TAIL_BYTES, File, described
from schemas.limits import limit
from sensing.originals import ContentStore
from web.wiring import Services

FOLDER = "attachments"


def take_in(services: Services, path: Path, name: str | None = None) -> File:
    """Keeps a file under the hash of its content; raises RuleViolation for what nobody keeps."""
    name = path.name if name is None else name
    size_bytes = path.stat().st_size
    with path.open("rb") as reader:
        head = reader.read(HEAD_BYTES)
        reader.seek(max(size_bytes - TAIL_BYTES, 0))
        ends = (head, reader.read(TAIL_BYTES))
    described("0" * 64, size_bytes, ends, name)
    sha256 = ContentStore(services.data_dir / FOLDER).put(path)
    return described(sha256, size_bytes, ends, name)


def take_upload(services: Services, upload: FileStorage) -> File:
    """Keeps a file that a form sent, under the name it was sent with; raises RuleViolation for what nobody keeps."""
    with tempfile.NamedTemporaryFile(dir=services.data_dir) as waiting:
        upload.save(waiting)
        waiting.flush()
        return take_in(services, Path(waiting.name), upload.filename or "")


def kept(services: Services, sha256: str) -> Path:
    """Where a file lies that was taken in; raises RuleViolation where it is gone."""
    return ContentStore(services.data_dir / FOLDER).get(sha256)


# A form with one file, and what is typed beside it.
MOST_BYTES = limit("attachment.bytes") + limit("form.bytes")
