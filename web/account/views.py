"""Signing in and out. A login is a new session id; a logout is final; guessing is slow."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.refusals import Kind, RuleViolation, refuse
from schemas.tables import Authority, Qualification, RoleAssignment
from web.errors import wants_page
from web.i18n import current_language
from web.identity import people, request_identity, sessions, throttle
from web.identity.passwords import Passwords
from web.page import desks, today
from web.permissions import Audience, Permission, Section, may
from web.wiring import actor_of

section = Section("account", __name__, Audience.ACCOUNT)


@cache
def passwords() -> Passwords:
    """One bound on concurrent hashes for the process."""
    return Passwords()


@section.page("/account/sign-in", GET=Permission.SIGN_IN, POST=Permission.SIGN_IN)
def sign_in() -> Response:
    """The form, and what it sends."""
    if request.method == "GET":
        return make_response(
            render_template("account/sign_in.html", next=_local(request.args.get("next")), failed=None)
        )
    login, password = request.form.get("name", "")[:200], request.form.get("password", "")
    try:
        token, actor = _start_session(login, password)
    except RuleViolation as refused:
        if refused.kind is not Kind.UNAUTHENTICATED or not wants_page():
            raise
        failed = refused.refusals[0].render(current_language())
        page = render_template("account/sign_in.html", next=_local(request.form.get("next")), failed=failed, name=login)
        return make_response(page, refused.status)
    response = make_response(redirect(_local(request.form.get("next")) or _home(actor), 303))
    request_identity.set_cookie(response, token)
    return response


def _start_session(login: str, password: str) -> tuple[str, Actor]:
    house = request_identity.services()
    now = house.clock.now()
    name = people.login_name(login)
    sizes = throttle.buckets(name, request.remote_addr or "", _salt())
    with Session(house.engine) as db:
        throttle.take(db, sizes, now)
        # Committed before the password is looked at: parallel guesses must see each other.
        db.commit()
        person = people.by_login(db, name)
        if not passwords().verify(person.password_hash if person else None, password) or person is None:
            raise RuleViolation(Kind.UNAUTHENTICATED, [refuse("login.failed", "web.login_failed")])
        throttle.forgive(db, sizes)
        old = request_identity.current_token()
        if old:
            sessions.end(db, old)
        token = sessions.start(db, person.id, now, request_identity.EXPIRY)
        actor = actor_of(db, person, house.today)
        db.commit()
    return token, actor


def _salt() -> str:
    # The name of the database: equal in all processes of one installation, different between installations.
    return str(request_identity.services().engine.url.database)


@section.page("/account/sign-out", POST=Permission.SIGN_OUT)
def sign_out() -> Response:
    """Ends the session for good."""
    token = request_identity.current_token()
    if token:
        with Session(request_identity.services().engine) as db:
            sessions.end(db, token)
            db.commit()
    response = make_response(redirect("/", 303))
    request_identity.clear_cookie(response)
    # Whatever the browser kept of the desks goes with the session.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@section.page("/account", GET=Permission.READ_ACCOUNT)
def account() -> str:
    """Who I am here: roles, authority, qualifications and when they end."""
    actor = request_identity.current_actor()
    with request_identity.services().session() as db:
        roles = db.execute(
            select(RoleAssignment, Authority)
            .join(Authority, Authority.id == RoleAssignment.authority_id)
            .where(RoleAssignment.person_id == actor.person_id)
            .order_by(RoleAssignment.role)
        ).all()
        papers = db.scalars(
            select(Qualification).where(Qualification.person_id == actor.person_id).order_by(Qualification.valid_to)
        ).all()
        return render_template("account/account.html", roles=roles, papers=papers, on=today(), desks=desks())


def _home(actor: Actor) -> str:
    """The desk where most of a role's work lies; what waits at the others stands at the top of each."""
    desks = (
        ("/review", Permission.READ_DETECTIONS),
        ("/planner", Permission.DRAFT_PLACES),
        ("/pilot", Permission.FILE_FLIGHT),
        ("/reviews", Permission.READ_FILES),
    )
    return next((path for path, needs in desks if may(actor, needs)), "/account")


def _local(target: Any) -> str:  # noqa: ANN401
    """A path on this site, or nothing: never an address elsewhere."""
    if not isinstance(target, str) or not target.startswith("/") or target.startswith(("//", "/\\")):
        return ""
    parts = urlsplit(target)
    return target if not parts.netloc and "\\" not in target and target.isprintable() else ""
