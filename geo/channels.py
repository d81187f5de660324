"""What is said to a channel that publishes for us, and what it answers: one document, one receipt (GD-14.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import rfc8785
from sqlalchemy.orm import Session

from geo.content import content_sha256, published_content
from geo.geojson import parse_document
from geo.notices import Published
from geo.wording import notice_text
from schemas.refusals import invalid
from schemas.rules import RulePack

_HASH = re.compile(r"[0-9a-f]{64}")
_ANSWERED = frozenset({"dispatch", "content_sha256", "receipt_id", "published_at"})
_REJECTED = frozenset({"dispatch", "content_sha256", "rejected_because"})


class Channel(Protocol):
    """A way to a channel: files in a folder, a service on the network; raises `ChannelFailed` where it fails."""

    def send(self, dispatch: str, document: bytes) -> bytes | None:
        """Hand a document over, the same dispatch twice being one; gives the answer where it comes at once."""
        ...

    def ask(self, dispatch: str) -> bytes | None:
        """The answer to a document that was handed over, or None while there is none."""
        ...

    def put_away(self, dispatch: str) -> None:
        """Mark an answer as taken."""
        ...


class ChannelFailed(Exception):
    """A document did not get to its channel, or its answer not back; `lasting` where trying again alone is no help."""

    def __init__(self, code: str, detail: str = "", *, lasting: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(f"{code} {detail}".strip())
        self.lasting = lasting
        self.wait_s = wait_s


@dataclass(frozen=True)
class Receipt:
    """A channel's answer: when it began to show what, under which number; or why it does not."""

    dispatch: str
    content_sha256: str
    receipt_id: str = ""
    published_at: datetime | None = None
    rejected_because: str = ""


def document_for(session: Session, subject: Published, pack: RulePack, dispatch: str, channel: str) -> bytes:
    """What a channel is asked to publish, as RFC 8785 JSON: content, hash, rules, and the text to print."""
    document = {
        "dispatch": dispatch,
        "channel": channel,
        "content": published_content(session, subject),
        "content_sha256": content_sha256(session, subject),
        "rules": pack.reference,
        "lead_days": pack["publication.lead_days"],
        "text": notice_text(session, subject, pack),
    }
    return rfc8785.dumps(document)


def read_receipt(data: bytes) -> Receipt:
    """The receipt that a channel wrote; raises RuleViolation 400, 413 or 422 for anything else."""
    document = parse_document(data)
    if document.keys() not in (_ANSWERED, _REJECTED) or not all(isinstance(v, str) for v in document.values()):
        required = " | ".join(", ".join(sorted(keys)) for keys in (_ANSWERED, _REJECTED))
        raise invalid("GD-14.2", "notice.receipt_form", measured=", ".join(sorted(document)), required=required)
    blank = [name for name, value in document.items() if not value.strip()]
    if blank or not _HASH.fullmatch(document["content_sha256"]):
        raise invalid("GD-14.2", "notice.receipt_form", measured=", ".join(blank) or "content_sha256", required="—")
    if "rejected_because" in document:
        return Receipt(**document)
    try:
        at = datetime.fromisoformat(document["published_at"])
    except ValueError as error:
        raise invalid("GD-14.2", "notice.receipt") from error
    return Receipt(**document | {"published_at": at})
