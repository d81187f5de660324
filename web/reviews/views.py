"""The desk of reviewers, unit heads and approvers: what waits for them, what is due first first; and files to read."""

from __future__ import annotations

from flask import Response, request

from web.i18n import gettext, ngettext
from web.permissions import Audience, Permission, Section
from web.planner import answers
from web.planner.show import show
from web.planner.views import attached
from web.planner.words import KINDS
from web.reviews import queries

section = Section("reviews", __name__, Audience.REVIEWS)

TASKS = ("review", "return", "submit", "approve", "decide")


@section.page("/reviews", GET=Permission.READ_FILES)
def desk() -> Response:
    """The queue, with its filters in the address."""
    with answers.reading() as work:
        rows = queries.queue(work)
    kind, task = (request.args.get(name, "") for name in ("kind", "task"))
    listed = [
        row for row in rows if (kind not in KINDS or row.kind == kind) and (task not in TASKS or row.task == task)
    ]
    head = ngettext("%(num)d decision waits for you", "%(num)d decisions wait for you", len(rows))
    return show(
        "reviews/desk.html",
        rows=listed,
        kind=kind if kind in KINDS else "",
        task=task if task in TASKS else "",
        kinds={code: KINDS[code] for code in KINDS if any(row.kind == code for row in rows)},
        waits=len(rows),
        headline=head if rows else gettext("No decision waits for you"),
    )


@section.page("/reviews/attachments/<public_id>", GET=Permission.READ_FILES)
def attachment(public_id: str) -> Response:
    """A file of a plan or of a review, for those who may open what it is of."""
    return attached(public_id, Permission.READ_FILES)
