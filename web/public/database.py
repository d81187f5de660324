"""The public role's door to the database: read-only, short, and to the views of `public_map` alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from web.identity.request_identity import services


@contextmanager
def public_connection() -> Iterator[Connection]:
    """A connection of the role that can read nothing but what anyone may see; each statement stands for itself."""
    with services().public_engine.connect() as connection:
        yield connection


def revision(public: Connection) -> str:
    """A word that changes whenever anything was recorded, and with the day (notice periods end at midnight)."""
    return str(public.execute(text("SELECT revision FROM public_map.revision")).scalar_one())
