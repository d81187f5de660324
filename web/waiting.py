"""What waits for whoever reads, and until when: each desk gives its part, and every desk shows the whole at its top."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from flask import Flask, current_app, g, request
from sqlalchemy.orm import Session

from schemas.actors import Actor, ActorKind
from web.identity.request_identity import current_actor, services


@dataclass(frozen=True)
class Waiting:
    """So many things of one kind that wait for the reader, in words; until the local date `until`, where one is set."""

    count: int
    words: str
    until: date | None
    url: str

    @property
    def is_here(self) -> bool:
        """Whether this is the page on which it waits."""
        return self.url.partition("?")[0] == request.path


@dataclass(frozen=True)
class Asking:
    """Who asks what waits, and on which local date."""

    db: Session
    actor: Actor
    today: date


Source = Callable[[Asking], Iterable[Waiting]]


def register(app: Flask, sources: Iterable[Source]) -> None:
    """Lets templates ask `waiting()`; each source tells what waits at one desk, and nothing for whoever has no part."""
    app.extensions["waiting"] = tuple(sources)
    app.jinja_env.globals.update(waiting=waiting)


def waiting() -> list[Waiting]:
    """All that waits for whoever reads, what is due first first; asked once per request."""
    if "waiting" not in g:
        g.waiting = _asked() if current_actor().kind is ActorKind.PERSON else []
    found: list[Waiting] = g.waiting
    return found


def _asked() -> list[Waiting]:
    house = services()
    with house.session() as db:
        asking = Asking(db, current_actor(), house.today)
        found = [one for source in current_app.extensions["waiting"] for one in source(asking) if one.count]
    return sorted(found, key=lambda one: (one.until or date.max, one.words))
