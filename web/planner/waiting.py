"""What waits for planners: their own drafts, and what came back to them."""

from __future__ import annotations

from collections.abc import Iterator

from web.i18n import ngettext
from web.permissions import Permission, may
from web.planner import queries, scope
from web.waiting import Asking, Waiting

_RETURNED = "returned"


def waiting(asking: Asking) -> Iterator[Waiting]:
    """What came back, and what is drafted and not handed on; no day is set for either."""
    if not may(asking.actor, Permission.DRAFT_PLACES):
        return
    own = [one.id for one in scope.authorities(asking.db, asking.actor, Permission.DRAFT_PLACES)]
    wanted = queries.Wanted(mine=True)
    rows = queries.rows(asking.db, own, asking.actor.person_id, wanted, most=queries.MOST_WAITING)
    mine = [row for row in rows if row.waits]
    back = sum(row.state == _RETURNED for row in mine)
    words = ngettext("%(num)d draft that came back", "%(num)d drafts that came back", back)
    yield Waiting(back, words, None, "/planner?state=returned&mine=1")
    words = ngettext("%(num)d draft to go on with", "%(num)d drafts to go on with", len(mine) - back)
    yield Waiting(len(mine) - back, words, None, "/planner?mine=1")
