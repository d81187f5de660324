"""The publication sequence: the number and the moment of what the public sees now, and conditional answers from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Response, request
from sqlalchemy import Connection, text

from schemas.clock import SystemClock

_CURRENT = text("SELECT s.seq, s.at, r.revision FROM public_map.sequence AS s CROSS JOIN public_map.revision AS r")
# Last-Modified counts whole seconds: while its second lasts, something newer may still get the same one.
_SETTLED = timedelta(seconds=1)


@dataclass(frozen=True)
class Sequence:
    """What the public sees: the number of its last change, since when it is as it is (UTC), and a word for it.

    The word changes also where nobody records anything: with the day, and at the hour at which a zone begins or ends.
    """

    seq: int
    at: datetime
    revision: str


def current(public: Connection) -> Sequence:
    """The sequence as it stands; all numbers up to it belong to changes that can be read."""
    row = public.execute(_CURRENT).one()
    return Sequence(int(row.seq), row.at, str(row.revision))


def is_settled(at: datetime) -> bool:
    """Whether nothing newer can still get the second of `at` (aware) as its own."""
    return at.replace(microsecond=0) + _SETTLED <= SystemClock().now()


def conditional(response: Response, tag: str, at: datetime, *, fresh_s: int) -> Response:
    """The answer with ETag, Last-Modified and Cache-Control, or 304 where the reader holds it already (RFC 9110).

    `tag` names these contents, whatever their packing, and `at` (aware) is when they became as they are. A reader may
    use the answer for `fresh_s` seconds without asking again.
    """
    response.set_etag(tag, weak=True)
    # The moment of a change comes from the database's clock; an answer is never younger than itself.
    if is_settled(at):
        response.last_modified = at
    response.headers["Cache-Control"] = f"public, max-age={fresh_s}"
    response.make_conditional(request)
    return response
