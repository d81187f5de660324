"""What other authorities ask of one's own devices; the unit head decides at the page of the device (GD-18.1, S03)."""

from __future__ import annotations

from flask import render_template

from geo.commands.grants import grants_to_answer
from web.i18n import days_left, gettext, ngettext, weekday
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.registry import sharing, words
from web.registry.reach import own

section = Section("registry_uses", __name__, Audience.REGISTRY)


@section.page("/registry/uses", GET=Permission.READ_REGISTRY)
def index() -> str:
    """What was asked of the reader's authorities, what waits first."""
    with services().session() as db:
        found = [sharing.asked(db, row) for row in grants_to_answer(db, own(current_actor(), Permission.READ_REGISTRY))]
    return render_template(
        "registry/uses.html",
        headline=_headline([one for one in found if one.due_on]),
        found=found,
        use_states=sharing.STATES,
        says=words,
    )


def _headline(waiting: list[sharing.Asked]) -> str:
    if not waiting or waiting[0].due_on is None:
        return gettext("No authority waits for the use of a device")
    head = ngettext("%(num)d authority asks to use a device", "%(num)d authorities ask to use a device", len(waiting))
    told = {"now": head, "day": weekday(waiting[0].due_on), "left": days_left(waiting[0].due_on, today())}
    return gettext("%(now)s, the first until %(day)s, %(left)s", **told)
