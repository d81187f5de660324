"""What waits at the review desk: for officers, and for legal reviewers where ground became private."""

from __future__ import annotations

from collections.abc import Iterator

from web.desk import private, queries
from web.i18n import ngettext
from web.identity.request_identity import services
from web.permissions import Permission, may
from web.waiting import Asking, Waiting


def waiting(asking: Asking) -> Iterator[Waiting]:
    """Findings that wait, until the day on which the first of them turns yellow (LX-17), and shut ones (GD-43)."""
    house = services()
    if may(asking.actor, Permission.RELEASE_FINDING):
        shut = private.shut_findings(asking.db, asking.actor, house.clock.now())
        # What may not be released waits for nobody.
        open_to_decide = sum(not one.against for one in shut)
        said = ngettext("%(num)d shut finding to decide on", "%(num)d shut findings to decide on", open_to_decide)
        yield Waiting(open_to_decide, said, None, "/review/private")
    if not may(asking.actor, Permission.READ_DETECTIONS):
        return
    count = queries.waiting_count(asking.db, asking.actor)
    first = queries.queue(asking.db, asking.actor, house.rulebook, house.clock.now(), queries.Wanted(limit=1))
    words = ngettext("%(num)d finding to review", "%(num)d findings to review", count)
    yield Waiting(count, words, first[0].due if first else None, "/review")
