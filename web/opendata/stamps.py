"""When what is public last changed, as caches ask: a tag that is another one after every change, and 304 before it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from flask import request
from sqlalchemy import Connection, text

from web.public import sequence


@dataclass(frozen=True)
class Stamp:
    """A word that is another one after every change of what the public sees, and since when it is this one (UTC)."""

    word: str
    at: datetime

    def tag(self, *parts: object) -> str:
        """A short name for `parts` as they stand at this stamp."""
        return hashlib.sha256("|".join(map(str, (self.word, *parts))).encode()).hexdigest()[:20]


def current(public: Connection) -> Stamp:
    """The stamp as it stands; two databases never have the same."""
    now = sequence.current(public)
    database = public.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
    return Stamp(f"{now.revision}-{database}", now.at)


def is_held(tag: str) -> bool:
    """Whether the reader holds what has that tag, so that it need not be made."""
    return request.if_none_match.contains_weak(tag)
