"""What waits for reviewers, unit heads and provincial approvers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from web.i18n import gettext, ngettext
from web.identity.request_identity import services
from web.permissions import Permission, may
from web.reviews import queries
from web.waiting import Asking, Waiting

_SAYS: dict[str, Callable[[int], str]] = {
    "review": lambda n: ngettext("%(num)d review to make", "%(num)d reviews to make", n),
    "return": lambda n: ngettext("%(num)d plan to return", "%(num)d plans to return", n),
    "submit": lambda n: ngettext("%(num)d plan to submit", "%(num)d plans to submit", n),
    "approve": lambda n: ngettext("%(num)d area or point to approve", "%(num)d areas or points to approve", n),
    "decide": lambda n: ngettext("%(num)d plan to decide", "%(num)d plans to decide", n),
}


def waiting(asking: Asking) -> Iterator[Waiting]:
    """One line for each kind of task, until the last day of the first of them."""
    if not may(asking.actor, Permission.READ_FILES):
        return
    with services().work(asking.actor) as work:
        rows = queries.queue(work)
    for task, says in _SAYS.items():
        mine = [row for row in rows if row.task == task]
        if mine:
            words = says(len(mine))
            if len(mine) >= queries.MOST:
                words = gettext("at least %(what)s", what=words)
            yield Waiting(len(mine), words, mine[0].due, f"/reviews?task={task}")
