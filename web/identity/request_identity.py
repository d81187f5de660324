"""The identity of one request: the cookie, the session behind it, and the actor behind that."""

from __future__ import annotations

from flask import Flask, Response, current_app, g, request
from sqlalchemy.orm import Session

from schemas.actors import ANONYMOUS, Actor
from web.identity import people, sessions
from web.identity.sessions import Expiry
from web.security import Edge
from web.wiring import Services, actor_of

EXPIRY = Expiry()


def register(app: Flask) -> None:
    """Gives templates the name of the reader."""
    app.jinja_env.globals.update(reader_name=reader_name)


def services() -> Services:
    """The services of the running application."""
    found = current_app.extensions["services"]
    assert isinstance(found, Services)
    return found


def current_actor() -> Actor:
    """Whoever sent this request; ANONYMOUS when nobody is signed in. Asked of the database once per request."""
    if "actor" not in g:
        g.actor = _identify()
    found: Actor = g.actor
    return found


def reader_name() -> dict[str, str]:
    """The name of whoever is signed in, in both languages; empty for nobody."""
    current_actor()
    found: dict[str, str] = g.get("reader_name", {"en": "", "zh": ""})
    return found


def _identify() -> Actor:
    token = request.cookies.get(_edge().session_cookie)
    if not token:
        return ANONYMOUS
    house = services()
    with Session(house.engine) as db:
        person_id = sessions.find(db, token, house.clock.now(), EXPIRY)
        person = people.enabled(db, person_id) if person_id else None
        if person is not None:
            g.reader_name = {"en": person.name_en, "zh": person.name_zh}
        actor = actor_of(db, person, house.today) if person else ANONYMOUS
        db.commit()
    return actor


def set_cookie(response: Response, token: str) -> None:
    """Hands the session's token to the browser."""
    edge = _edge()
    response.set_cookie(
        edge.session_cookie,
        token,
        max_age=int(EXPIRY.absolute.total_seconds()),
        secure=edge.behind_tls_proxy,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def clear_cookie(response: Response) -> None:
    """Takes the session's token back."""
    edge = _edge()
    response.delete_cookie(edge.session_cookie, path="/", secure=edge.behind_tls_proxy, httponly=True, samesite="Lax")


def current_token() -> str | None:
    """The session token that the browser sent, whatever it is worth."""
    return request.cookies.get(_edge().session_cookie)


def _edge() -> Edge:
    edge = current_app.extensions["edge"]
    assert isinstance(edge, Edge)
    return edge
