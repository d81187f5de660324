"""How pages of planners and reviewers do a step and say what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from flask import Response, make_response, redirect, request
from werkzeug.datastructures import FileStorage

from geo.attachments import File
from schemas.refusals import RuleViolation
from schemas.store.work import Work
from web.attachments import take_upload
from web.errors import wants_page
from web.identity.request_identity import current_actor, services
from web.planner.forms import Faults, faults_of

MOST_FILES = 8
T = TypeVar("T")


@contextmanager
def reading() -> Iterator[Work]:
    """A work of the reader in which nothing is done: what was read of it stays readable when it ends."""
    with services().work(current_actor()) as work:
        yield work
        work.session.expunge_all()


def do(step: Callable[[Work], T]) -> T:
    """Does a step in a work of its own and commits; gives what the step gave."""
    with services().work(current_actor()) as work:
        made = step(work)
        work.commit()
        return made


def do_where(step: Callable[[Work], T], is_made: Callable[[T], bool]) -> T:
    """Does a step, and commits only where it made something; gives what the step gave."""
    with services().work(current_actor()) as work:
        made = step(work)
        if is_made(made):
            work.commit()
        return made


def go(url: str, done: str) -> Response:
    """On to the page of what was done; `done` names the draft that is not needed any more, and what is said."""
    return make_response(redirect(f"{url}?done={done}", 303))


def refused(error: RuleViolation, own: Faults | None = None) -> Faults:
    """What stands against a step, for the page that asked for it: what the form itself told, or what the step did.

    Raised again for programs, and where what was asked for is not there.
    """
    if error.status == 404 or not wants_page():
        raise error
    return own or faults_of(error)


def seen_version() -> int | None:
    """The version that the reader saw, as the form says it."""
    said = request.form.get("version", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 9 else None


def uploads(name: str) -> list[File]:
    """The files that a form sent in one field, taken in; raises RuleViolation for what nobody keeps."""
    chosen: list[FileStorage] = [one for one in request.files.getlist(name) if one.filename]
    return [take_upload(services(), one) for one in chosen[:MOST_FILES]]
