"""How pages of planners and reviewers do a step and say what became of it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from flask import Response, make_response, redirect, request
from werkzeug.datastructures import FileStorage

from geo.attachments import File
from geo.intake.coordinates import refuse_offset
from schemas.refusals import RuleViolation, invalid
from schemas.store.work import Work
from web.attachments import take_upload
from web.errors import wants_page
from web.identity.request_identity import current_actor, services
from web.planner.forms import Faults, faults_of

MOST_FILES = 8
_LONGEST_STEM_BYTES, _LONGEST_SUFFIX = 200, 9
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


@contextmanager
def layer_upload() -> Iterator[Path]:
    """The file of a form in a folder of its own, under its own name: a name may say in which system a file is.

    Raises RuleViolation 422 where no file was sent.
    """
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        raise invalid("form.field", "planner.no_file")
    with tempfile.TemporaryDirectory(dir=services().data_dir) as folder:
        path = Path(folder, safe_name(upload.filename))
        upload.save(path)
        yield path


def safe_name(sent: str) -> str:
    """The name of a file as a browser sent it, fit for a disk: no folder, nothing unprintable, and not too long.

    What the disk has no room for is judged before it is cut off.
    """
    plain = "".join(char for char in re.split(r"[/\\]", sent)[-1] if char.isprintable()).strip()
    name = Path(plain if plain.strip(".") else "file")
    suffix = name.suffix[:_LONGEST_SUFFIX]
    stem = name.stem.encode(errors="ignore")
    if len(stem) > _LONGEST_STEM_BYTES:
        refuse_offset([plain])
    return stem[:_LONGEST_STEM_BYTES].decode(errors="ignore") + suffix
