"""What the system stops by itself: devices that may not go on (GD-10.1, GD-15, GD-20.1, GD-22.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta

from sqlalchemy import text

from geo import queries
from geo.checks_device import undisturbed
from geo.commands.common import local_today
from geo.commands.devices import block_device
from geo.commands.papers import end_use
from geo.wording import stop_text
from schemas.actors import SYSTEM
from schemas.kept import kept
from schemas.machine import Context, label
from schemas.refusals import Refusal
from schemas.rules import RulePack
from schemas.store.work import Work, WorkFactory
from schemas.tables import Device

_CLEAR_OF_ZONES = "GD-15:outside_private_places"

# Each cause, the guard that judges it, and those in use whom it may concern: a superset that an index finds.
_LAPSED = """
    SELECT public_id FROM core.device WHERE state = 'active' AND is_measuring_instrument
    AND (calibration_valid_to IS NULL OR calibration_valid_to < :tomorrow)
"""
_UNEVALUATED = """
    SELECT d.public_id FROM core.device d
    LEFT JOIN (SELECT device_id, max(evaluated_on) AS last_on FROM core.evaluation GROUP BY device_id) e
        ON e.device_id = d.id
    WHERE d.state = 'active' AND greatest(e.last_on, d.activated_on) < :long_ago
"""
_UNAPPROVED = """
    SELECT d.public_id FROM core.device d JOIN core.device_site s ON s.id = d.site_id
    JOIN core.siting_plan p ON p.id = s.siting_plan_id
    WHERE d.state = 'active' AND (p.state <> 'approved' OR p.revoked_on IS NOT NULL)
"""
_FAILED = """
    SELECT d.public_id FROM core.device d JOIN core.device_review r ON r.device_id = d.id
    WHERE d.state = 'active' AND NOT r.passed AND r.device_version = d.device_version AND NOT EXISTS (
        SELECT FROM core.device_review later WHERE later.device_id = d.id AND later.kind = r.kind AND later.passed
        AND later.device_version = d.device_version
        AND (later.reviewed_on, later.recorded_at) > (r.reviewed_on, r.recorded_at))
"""
_DISTURBED = """
    SELECT d.public_id FROM core.device d JOIN core.incident i ON i.device_id = d.id
    WHERE d.state = 'active' AND (d.state_since IS NULL OR i.observed_at >= d.state_since)
"""

# Announced, but not in use yet: it ends with the approval on which it leant.
_ANNOUNCED = """
    SELECT d.public_id FROM core.device d JOIN core.device_site s ON s.id = d.site_id
    JOIN core.siting_plan p ON p.id = s.siting_plan_id
    WHERE p.state = 'revoked' AND NOT d.secret AND (d.state = 'published' OR (d.state = 'reviewed' AND EXISTS (
        SELECT FROM core.publication q
        WHERE q.subject_kind = 'device' AND q.subject_id = d.id AND q.withdrawn_at IS NULL)))
    ORDER BY d.public_id
"""

Judge = Callable[[Work, Device], Iterable[Refusal]]


def _guard(name: str) -> Judge:
    return lambda work, device: work.check(device, [name])


def _disturbed(work: Work, device: Device) -> Iterable[Refusal]:
    return undisturbed(Context(work.session, device, work.actor, work.now, work.pack_for(device)))


_CAUSES: Mapping[str, Judge] = {
    _LAPSED: _guard("GD-22.2:calibration_valid"),
    _UNEVALUATED: _guard("GD-10.1:evaluation_current"),
    _UNAPPROVED: _guard("GD-09.2:site_approved"),
    _FAILED: _guard("GD-10.3:both_reviews_passed"),
    _DISTURBED: _disturbed,
}


def block_where_due(works: WorkFactory) -> Iterator[str]:
    """Stop every device in use that may not go on, each in a work of its own; asked again and again.

    Calibration lapsed, evaluation overdue, approval or review withdrawn, disturbed, or within reach of a privacy
    zone. Yields the labels of these devices, except of secret ones.
    """
    with works(SYSTEM) as looking:
        packs = looking.rulebook.packs
        day = {"tomorrow": (looking.now + timedelta(days=1)).date(), "long_ago": _long_ago(looking, packs)}
        found = {cause: sorted(set(looking.session.scalars(text(cause), _named(cause, day)))) for cause in _CAUSES}
    for cause, names in found.items():
        for name in names:
            yield from _block(works, name, _CAUSES[cause])
    yield from block_where_private(works)
    yield from _end_where_revoked(works)


def _end_where_revoked(works: WorkFactory) -> Iterator[str]:
    """Ends and announces what waits for its first use at a site whose approval was taken back (GD-09.2, GD-14.4)."""
    with works(SYSTEM) as looking:
        names = looking.session.scalars(text(_ANNOUNCED)).all()
    for name in names:
        with works(SYSTEM) as work:
            device = work.get(Device, name)
            refusals = work.check(device, ["GD-09.2:site_approved"])
            if not refusals or device.state not in ("reviewed", "published"):
                continue
            pack = work.pack_for(device)
            told = stop_text(work.session, device, pack, "discontinued", local_today(work, device).isoformat())
            reason = "; ".join(f"{each.rule}: {each.message()}" for each in refusals)
            record = {"reason": reason, "refusals": [kept(each) for each in refusals]}
            announcement = (told["en"], told["zh"])
            end_use(work, device, reason=reason, announcement=announcement, record=record, step="lapse")
            work.commit()
            yield label(device)


def _named(cause: str, days: Mapping[str, date]) -> dict[str, date]:
    return {name: day for name, day in days.items() if f":{name}" in cause}


def _long_ago(looking: Work, packs: Iterable[RulePack]) -> date:
    shortest = min((p["evaluation.interval_months"] * 28 + p["evaluation.grace_days"] for p in packs), default=0)
    return (looking.now - timedelta(days=shortest - 1)).date()


def block_where_private(works: WorkFactory) -> Iterator[str]:
    """Block every active device that a privacy zone has come to reach (GD-15), each in a work of its own.

    Yields the labels of these devices, except of secret ones. A zone may be imported today and hold from next
    month on, so this is asked again and again, like `take_effect_where_due`.
    """
    with works(SYSTEM) as looking:
        widest_m = max((pack["privacy.buffer_m"] for pack in looking.rulebook.packs), default=0.0)
        near = queries.active_devices_near_zones(looking.session, looking.now, extra_buffer_m=widest_m)
    for found in near:
        yield from _block(works, found, _guard(_CLEAR_OF_ZONES))


def _block(works: WorkFactory, name: str, judge: Judge) -> Iterator[str]:
    with works(SYSTEM) as work:
        device = work.get(Device, name)
        refusals = list(judge(work, device)) if device.state == "active" else []
        if refusals:
            reason = "; ".join(f"{each.rule}: {each.message()}" for each in refusals)
            block_device(work, device, reason=reason, refusals=refusals)
            work.commit()
            if not device.secret:
                yield label(device)
