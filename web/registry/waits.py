"""What waits at the registry's desk for whoever reads: announcements, stuck notices, clocks that ran out, dues."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import date

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from geo import due as dues
from geo.commands.reports import reports_waiting
from schemas.roles import Role
from schemas.rules import RulePack
from schemas.tables import Authority, Device, DeviceGrant
from web.i18n import gettext, ngettext
from web.identity.request_identity import services
from web.permissions import ROLES, Permission
from web.registry.publishing import to_announce
from web.registry.rules_of import rules_at
from web.registry.sharing import reply_due
from web.registry.until import reviews_hold_until, stops_end_by
from web.waiting import Asking, Waiting


def registry_waits(asking: Asking) -> Iterator[Waiting]:
    """What waits for publishers, inspectors and unit heads."""
    publishes = _authorities(asking, *ROLES[Permission.PUBLISH])
    if publishes:
        count = to_announce(asking.db, publishes)
        said = ngettext("%(num)d approval to be announced", "%(num)d approvals to be announced", count)
        yield Waiting(count, said, _first(asking, publishes, reviews_hold_until), "/registry/publication")
        stuck = _stuck(asking, publishes)
        said = ngettext("%(num)d notice that did not get through", "%(num)d notices that did not get through", stuck)
        yield Waiting(stuck, said, asking.today, "/registry/publication#under-way")
    heads = _authorities(asking, Role.UNIT_HEAD)
    if heads:
        yield from _for_heads(asking, heads)
    inspects = _authorities(asking, Role.OFFICER, Role.TECHNICAL_REVIEWER, Role.COMMAND_CENTRE)
    for authority in _rows(asking, inspects):
        yield from _dues(asking, authority)


def _authorities(asking: Asking, *roles: Role) -> set[uuid.UUID]:
    return {grant.authority_id for grant in asking.actor.grants if grant.role in roles}


def _first(
    asking: Asking, ids: set[uuid.UUID], until: Callable[[Session, uuid.UUID, RulePack], date | None]
) -> date | None:
    """The first day that is set for any of these authorities."""
    found = (until(asking.db, one.id, _pack(asking, one)) for one in _rows(asking, ids))
    return min((day for day in found if day), default=None)


def _rows(asking: Asking, ids: set[uuid.UUID]) -> list[Authority]:
    return list(asking.db.scalars(select(Authority).where(Authority.id.in_(ids)).order_by(Authority.code)))


# Failed for good, or rejected; and neither sent again nor published in any other way since.
_STUCK = text("""
    SELECT count(*) FROM core.dispatch d
    WHERE (d.rejected_because IS NOT NULL
        OR (d.answered_at IS NULL AND d.next_try_at IS NULL AND d.failure IS NOT NULL))
    AND EXISTS (
        SELECT FROM core.device x
        WHERE d.subject_kind = 'device' AND x.id = d.subject_id AND x.authority_id = ANY(:mine)
        UNION ALL SELECT FROM core.patrol_area x
        WHERE d.subject_kind = 'patrol_area' AND x.id = d.subject_id AND x.authority_id = ANY(:mine)
        UNION ALL SELECT FROM core.patrol_route x
        WHERE d.subject_kind = 'patrol_route' AND x.id = d.subject_id AND x.authority_id = ANY(:mine)
        UNION ALL SELECT FROM core.deployment_point x
        WHERE d.subject_kind = 'deployment_point' AND x.id = d.subject_id AND x.authority_id = ANY(:mine))
    AND NOT EXISTS (
        SELECT FROM core.dispatch later WHERE (later.subject_kind, later.subject_id, later.channel)
        = (d.subject_kind, d.subject_id, d.channel) AND later.recorded_at > d.recorded_at)
    AND NOT EXISTS (
        SELECT FROM core.publication p WHERE (p.subject_kind, p.subject_id, p.channel)
        = (d.subject_kind, d.subject_id, d.channel) AND p.recorded_at > d.recorded_at AND p.withdrawn_at IS NULL)
""")


def _stuck(asking: Asking, mine: set[uuid.UUID]) -> int:
    return asking.db.scalar(_STUCK, {"mine": list(mine)}) or 0


def _for_heads(asking: Asking, heads: set[uuid.UUID]) -> Iterator[Waiting]:
    stopped = Device.authority_id.in_(heads) & Device.secret.is_(False) & (Device.state == "blocked")
    blocked = asking.db.scalar(select(func.count()).select_from(Device).where(stopped)) or 0
    said = ngettext("%(num)d device stopped by a check", "%(num)d devices stopped by a check", blocked)
    yield Waiting(blocked, said, _first(asking, heads, stops_end_by), "/registry?state=blocked")
    yield from _uses(asking, heads)
    for authority in _rows(asking, heads):
        for report in reports_waiting(asking.db, authority, _pack(asking, authority), asking.today):
            year = report.draft.year
            said = gettext("The annual report for %(year)s", year=year)
            if report.part > 1:
                said = gettext("A supplement to the annual report for %(year)s", year=year)
            yield Waiting(1, said, report.draft.due_on, f"/registry/report?authority={authority.code}&year={year}")


def _uses(asking: Asking, heads: set[uuid.UUID]) -> Iterator[Waiting]:
    """Others that ask for the use of a device, until the day by which the one that waits longest is answered."""
    wanted = (
        select(DeviceGrant)
        .join(Device, DeviceGrant.device_id == Device.id)
        .where(DeviceGrant.state == "requested", Device.authority_id.in_(heads), Device.secret.is_(False))
        .order_by(DeviceGrant.asked_at)
    )
    found = asking.db.scalars(wanted).all()
    if found:
        said = ngettext("%(num)d authority asks to use a device", "%(num)d authorities ask to use a device", len(found))
        until = reply_due(asking.db, found[0].device.authority, found[0].asked_at)
        yield Waiting(len(found), said, until, "/registry/uses")


def _dues(asking: Asking, authority: Authority) -> Iterator[Waiting]:
    count, first = dues.count_due(asking.db, authority.id, _pack(asking, authority), asking.today)
    if count:
        said = ngettext("%(num)d thing due for devices", "%(num)d things due for devices", count)
        yield Waiting(count, said, first, f"/registry/due?authority={authority.code}")


def _pack(asking: Asking, authority: Authority) -> RulePack:
    return rules_at(asking.db, services().rulebook, authority, services().clock.now())
