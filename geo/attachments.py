"""Files that prove something: what they are is read from their first and last bytes, never from their name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from schemas.ids import new_id, public_id
from schemas.limits import limit
from schemas.refusals import invalid, too_large, unsupported
from schemas.store.work import Work
from schemas.tables import Attachment

# The first bytes of what a reviewer can open anywhere and what holds no programs that start by themselves.
KINDS = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)
HEAD_BYTES = max(len(head) for head, _ in KINDS)
# A PDF ends with this mark; readers look for it in so many last bytes (PDF Reference 1.7, appendix H).
TAIL_BYTES = 1_024
_PDF, _END_OF_PDF = "application/pdf", b"%%EOF"
_LONGEST_NAME = 200


@dataclass(frozen=True)
class File:
    """A file that was taken in: its content's SHA-256 (hex), size, type, and the name it came with."""

    sha256: str
    size_bytes: int
    media_type: str
    name: str


def described(sha256: str, size_bytes: int, ends: tuple[bytes, bytes], name: str) -> File:
    """What was taken in, by its first and last bytes; raises RuleViolation 413, 415 or 422 for what nobody keeps."""
    head, tail = ends
    if size_bytes > limit("attachment.bytes"):
        raise too_large("attachment.bytes", measured=size_bytes, required=limit("attachment.bytes"))
    if not size_bytes:
        raise invalid("attachment.empty", name=shown(name))
    for begins, media_type in KINDS:
        if head.startswith(begins):
            if media_type == _PDF and _END_OF_PDF not in tail:
                raise invalid("attachment.cut", name=shown(name))
            return File(sha256, size_bytes, media_type, shown(name))
    raise unsupported("attachment.type", name=shown(name))


def shown(name: str) -> str:
    """A file's name as it may be shown: its last part, printable, of a length that fits on a line."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:_LONGEST_NAME] or "file"


def attach(work: Work, subject_kind: str, subject_id: UUID, purpose: str, files: Iterable[File]) -> list[str]:
    """Binds files to a subject for a purpose; gives their hashes, for the event that the caller writes."""
    once = {file.sha256: file for file in files}
    for file in once.values():
        work.session.add(
            Attachment(
                id=new_id(),
                public_id=public_id("AT"),
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                media_type=file.media_type,
                file_name=file.name,
                subject_kind=subject_kind,
                subject_id=subject_id,
                purpose=purpose,
                given_by=work.actor.person_id,
            )
        )
    return list(once)
