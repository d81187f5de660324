"""What waits for officers at the review desk."""

from __future__ import annotations

from collections.abc import Iterator

from web.desk import queries
from web.i18n import ngettext
from web.identity.request_identity import services
from web.permissions import Permission, may
from web.waiting import Asking, Waiting


def waiting(asking: Asking) -> Iterator[Waiting]:
    """Findings that wait, until the day on which the first of them turns yellow (LX-17)."""
    if not may(asking.actor, Permission.READ_DETECTIONS):
        return
    house = services()
    count = queries.waiting_count(asking.db, asking.actor)
    first = queries.queue(asking.db, asking.actor, house.rulebook, house.clock.now(), queries.Wanted(limit=1))
    words = ngettext("%(num)d finding to review", "%(num)d findings to review", count)
    yield Waiting(count, words, first[0].due if first else None, "/review")
