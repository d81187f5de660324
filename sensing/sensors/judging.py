"""From readings to findings: windows that have ended are judged by the limits of the rule pack, each once.

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
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
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
    Observation,
    ObservedProperty,
    Publication,
    ReadingCursor,
)
from sensing.places import shares_within
from sensing.risk import Facts, assess, protected_layers
from sensing.sensors.windows import Sample, Window, window_of, windows
from sensing.words import Sentence, say

# At most so many readings of a series at a time; what is left is judged the next time.
_AT_ONCE = 100_000


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
    with works(SYSTEM) as looking:
        stream = looking.session.get_one(Datastream, number)
        pack = looking.pack_for(stream.device)
        limits = [limit for limit in pack.reading_limits if limit.definition == definition]
        # A series in a unit that the limit does not know says nothing of it.
        limits = [limit for limit in limits if stream.unit_symbol in limit.units]
        device = stream.device.public_id
        ended = {limit.code: _ended(looking, number, limit, pack, limit.units[stream.unit_symbol]) for limit in limits}
    for limit in limits:
        beyond, until = ended[limit.code]
        for window in beyond:
            yield _propose(works, number, device, limit, window)
        if until is not None:
            _go_on(works, number, limit.code, until)


def _ended(
    looking: Work, number: int, limit: ReadingLimit, pack: RulePack, factor: float
) -> tuple[list[Window], datetime | None]:
    """Windows beyond the limit among those that ended and are not judged yet, and until when they were looked at."""
    session = looking.session
    last, _ = window_of(looking.now - timedelta(minutes=limit.wait_min), limit, pack.zone)
    cursor = session.get(ReadingCursor, (number, limit.code))
    rows = select(Observation.phenomenon_time, Observation.result, Observation.quality).where(
        Observation.datastream_id == number, Observation.phenomenon_time < last
    )
    if cursor is not None:
        rows = rows.where(Observation.phenomenon_time >= cursor.judged_until)
    found = [Sample(*row) for row in session.execute(rows.order_by(Observation.phenomenon_time).limit(_AT_ONCE))]
    if not found:
        return [], None
    if len(found) == _AT_ONCE:
        # The last window may go on behind what was read.
        last, _ = window_of(found[-1].at, limit, pack.zone)
        found = [sample for sample in found if sample.at < last]
    return [one for one in windows(found, limit, pack.zone, factor) if one.beyond(limit)], last


def _go_on(works: WorkFactory, number: int, code: str, until: datetime) -> None:
    with works(SYSTEM) as work:
        moved = insert(ReadingCursor).values(datastream_id=number, limit_code=code, judged_until=until)
        moved = moved.on_conflict_do_update(
            index_elements=["datastream_id", "limit_code"],
            set_={"judged_until": func.greatest(ReadingCursor.judged_until, moved.excluded.judged_until)},
        )
        work.session.execute(moved)
        work.session.commit()


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
    """The row of a window beyond its limit; its calibration is the one that holds on the last day of the window."""
    assert window.value is not None
    device = stream.device
    day = pack.local_date(window.end - timedelta(microseconds=1))
    held = select(Calibration.id).where(
        Calibration.device_id == device.id,
        Calibration.passed,
        Calibration.tested_on <= day,
        Calibration.valid_to >= day,
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
