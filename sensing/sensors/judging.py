"""From readings to findings: windows that have ended are judged by the limits of the rule pack.

Each is judged once, and again when readings of it come late (a device that was cut off sends them afterwards).
A window beyond its limit becomes a finding in the queue of imagery, with the device, its publications and its
calibration; where the device or its calibration does not bear it, the refusal is on record and there is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from geoalchemy2.shape import from_shape, to_shape
from shapely import Point, Polygon
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.crs import to_metric, to_wgs84, utm_epsg
from geo.measure import area_m2
from geo.types import LonLat
from schemas.actors import SYSTEM
from schemas.ids import new_id, public_id
from schemas.refusals import RuleViolation
from schemas.rules import RulePack
from schemas.rules.readings import ReadingLimit
from schemas.store.work import Work, WorkFactory
from schemas.tables import (
    SRID,
    Calibration,
    Datastream,
    Detection,
    Device,
    DeviceSite,
    Exceedance,
    ObservedProperty,
    Publication,
)
from sensing.places import shares_within
from sensing.risk import Facts, assess, protected_layers
from sensing.sensors.ended import Measured, ended_before, forget, go_on, late_readings, newly_ended
from sensing.sensors.windows import Window
from sensing.words import Sentence, say


@dataclass(frozen=True)
class Judged:
    """One window beyond its limit: the finding that it became, or why it became none."""

    device: str
    limit: str
    start: datetime
    finding: str | None
    refused: RuleViolation | None = None


def judge_due(works: WorkFactory) -> Iterator[Judged]:
    """Judges every window that has ended, in all series; each finding is a work of its own. Asked again and again."""
    with works(SYSTEM) as looking:
        known = select(Datastream.id, ObservedProperty.definition).join(
            ObservedProperty, ObservedProperty.id == Datastream.observed_property_id
        )
        wanted = {limit.definition for pack in looking.rulebook.packs for limit in pack.reading_limits}
        streams = looking.session.execute(known.where(ObservedProperty.definition.in_(wanted)).order_by(Datastream.id))
        found = [(number, definition) for number, definition in streams]
    for number, definition in found:
        yield from _judge_series(works, number, definition)


def _judge_series(works: WorkFactory, number: int, definition: str) -> Iterator[Judged]:
    """What came late is taken first: of a window that both ended now and got more, one judgement is enough."""
    with works(SYSTEM) as looking:
        stream = looking.session.get_one(Datastream, number)
        device, pack = stream.device.public_id, looking.pack_for(stream.device)
        # A series in a unit that the limit does not know says nothing of it.
        limits = [
            Measured(number, one, pack.zone, one.units[stream.unit_symbol])
            for one in pack.reading_limits
            if one.definition == definition and stream.unit_symbol in one.units
        ]
        late = late_readings(looking.session, number)
        again = [(one, ended_before(looking.session, one, late.values())) for one in limits] if late else []
        ended = [(one, newly_ended(looking.session, one, looking.now)) for one in limits]
    for measured, beyond in again:
        for window in beyond:
            yield _propose(works, number, device, measured.limit, window)
    if late:
        with works(SYSTEM) as work:
            forget(work.session, number, late)
    for measured, new in ended:
        if new is not None:
            for window in new.beyond:
                yield _propose(works, number, device, measured.limit, window)
            with works(SYSTEM) as work:
                go_on(work.session, measured, new)


def _propose(works: WorkFactory, number: int, device: str, limit: ReadingLimit, window: Window) -> Judged:
    told = (device, limit.code, window.start)
    try:
        with works(SYSTEM) as work:
            known = select(Detection.public_id).join(Exceedance, Exceedance.id == Detection.exceedance_id)
            twin = known.where(
                Exceedance.datastream_id == number,
                Exceedance.limit_code == limit.code,
                Exceedance.window_from == window.start,
            )
            found = work.session.scalar(twin)
            if found is None:
                found = _made(work, work.session.get_one(Datastream, number), limit, window).public_id
            return Judged(*told, found)
    except RuleViolation as refused:
        # The refusal is on record (schemas/store/work.py).
        return Judged(*told, None, refused)


def _made(work: Work, stream: Datastream, limit: ReadingLimit, window: Window) -> Detection:
    with work.session.no_autoflush:
        pack = work.pack_for(stream.device)
        exceedance = exceedance_of(work.session, stream, limit, window, pack)
        place = to_shape(work.session.get_one(DeviceSite, stream.device.site_id).geom)
        assert isinstance(place, Point)
        found = _detection(work, exceedance, limit, _around(place, pack["device.moved_tolerance_m"]), pack)
        found.exceedance = exceedance
        facts = {"kind": found.kind, "exceedance": exceedance.public_id, "readings_sha256": window.sha256}
        work.apply(found, "measure", record=facts, exceedance=exceedance, limit=limit)
    work.commit()
    return found


def exceedance_of(
    session: Session, stream: Datastream, limit: ReadingLimit, window: Window, pack: RulePack
) -> Exceedance:
    """The row of a window beyond its limit; its calibration is the one that holds for all of the window."""
    assert window.value is not None
    device = stream.device
    first, last = pack.local_date(window.start), pack.local_date(window.end - timedelta(microseconds=1))
    held = select(Calibration.id).where(
        Calibration.device_id == device.id,
        Calibration.passed,
        Calibration.tested_on <= first,
        Calibration.valid_to >= last,
    )
    shown = select(Publication.public_id).where(
        Publication.subject_kind == "device", Publication.subject_id == device.id, Publication.withdrawn_at.is_(None)
    )
    return Exceedance(
        id=new_id(),
        public_id=public_id("XC"),
        datastream_id=stream.id,
        device_id=device.id,
        limit_code=limit.code,
        window_from=window.start,
        window_until=window.end,
        value=window.value,
        least=limit.least,
        most=limit.most,
        unit=limit.unit,
        valid_share=window.valid_share,
        readings=window.readings,
        readings_sha256=window.sha256,
        calibration_id=session.scalar(held.order_by(Calibration.valid_to.desc(), Calibration.id).limit(1)),
        publication_ids=sorted(session.scalars(shown)),
    )


def _around(place: Point, radius_m: float) -> Polygon:
    """The ground within some metres of a place (EPSG:4326)."""
    epsg = utm_epsg(LonLat(place.x, place.y))
    made = to_wgs84(to_metric(place, epsg).buffer(radius_m), epsg)
    assert isinstance(made, Polygon)
    return made


def _detection(work: Work, beyond: Exceedance, limit: ReadingLimit, ground: Polygon, pack: RulePack) -> Detection:
    device = work.session.get_one(Device, beyond.device_id)
    trace = _trace(beyond, limit, device, pack)
    found = Detection(
        public_id=public_id("DT"),
        ordinal=0,
        kind=limit.kind,
        score=round(beyond.valid_share, 4),
        area_m2=round(area_m2(ground), 1),
        geom=from_shape(ground, srid=SRID),
        rule_trace=[sentence.dump() for sentence in trace],
        context={"violation": limit.code, "measures": {"value": beyond.value}, "places": [], "permits": []},
        provenance=_provenance(work, beyond, device, pack),
        authority_id=device.authority_id,
        item_id=device.item_id,
        formed_at=work.now,
    )
    due = pack.local_date(work.now) + timedelta(days=pack["alert.yellow_after_days"])
    protected = shares_within(work.session, protected_layers(), ground)
    risk = assess(Facts(limit.code, 1.0, 1.0, found.score, protected), due)
    found.risk, found.due, found.turn = risk.points, risk.due, risk.turn
    found.risk_trace = [sentence.dump() for sentence in risk.trace]
    return found


def _trace(beyond: Exceedance, limit: ReadingLimit, device: Device, pack: RulePack) -> list[Sentence]:
    """What the readings say, in sentences."""
    zone = pack.zone
    start, end = (f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (beyond.window_from, beyond.window_until))
    bound, told = (limit.most, "reading.above") if _is_above(beyond) else (limit.least, "reading.below")
    assert bound is not None
    title = {"en": limit.title.en, "zh": limit.title.zh}
    basis = {"en": limit.legal_basis.en, "zh": limit.legal_basis.zh}
    return [
        say(told, what=title, value=beyond.value, unit=beyond.unit, bound=bound),
        say(
            "reading.window", start=start, end=end, zone=pack.timezone, count=beyond.readings, share=beyond.valid_share
        ),
        say("reading.device", device=device.public_id, name=device.name),
        say("law.basis_placeholder" if limit.legal_basis.placeholder else "law.basis", basis=basis),
    ]


def _is_above(beyond: Exceedance) -> bool:
    return beyond.most is not None and beyond.value > beyond.most


def _provenance(work: Work, beyond: Exceedance, device: Device, pack: RulePack) -> dict[str, Any]:
    calibration = work.session.get(Calibration, beyond.calibration_id) if beyond.calibration_id else None
    return {
        "device": device.public_id,
        "datastream": beyond.datastream_id,
        "exceedance": beyond.public_id,
        "limit": beyond.limit_code,
        "window": [beyond.window_from.isoformat(), beyond.window_until.isoformat()],
        "readings_sha256": beyond.readings_sha256,
        "calibration": calibration.public_id if calibration else None,
        "certificate": calibration.certificate_no if calibration else None,
        "publications": beyond.publication_ids,
        "rules_sha256": pack.sha256,
    }
