"""What waits for pilots, and for those who clear their flights."""

from __future__ import annotations

from collections.abc import Iterator

from web.i18n import local_date, ngettext
from web.identity.request_identity import services
from web.permissions import Permission, may
from web.pilot import queries, watching
from web.waiting import Asking, Waiting


def waiting(asking: Asking) -> Iterator[Waiting]:
    """One's own flights that one goes on with, and those that a unit head clears, until the first of them begins."""
    now = services().clock.now()
    if may(asking.actor, Permission.READ_OWN_FLIGHTS) and (own := queries.waiting_for(asking.db, asking.actor, now)):
        until = min(row.starts_on for row in own)
        words = ngettext("%(num)d flight of yours", "%(num)d flights of yours", len(own))
        yield Waiting(len(own), words, until, "/pilot")
    if may(asking.actor, Permission.CLEAR_FLIGHT) and (held := watching.to_clear(asking.db, asking.actor, now)):
        until = min(local_date(row.starts_at) for row in held)
        words = ngettext("%(num)d flight to clear", "%(num)d flights to clear", len(held))
        yield Waiting(len(held), words, until, "/pilot/air")
