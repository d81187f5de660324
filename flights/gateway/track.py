"""The reports of one flight, over all its parts: judged as they come, handed to the store, kept for the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shapely import Point
from sqlalchemy import select

from flights.conformance import Fix, Monitor, Plausibility, Standing
from flights.gateway.brief import Brief
from flights.gateway.store import Store
from flights.gateway.timeline import Timeline
from flights.gateway.told import Why
from flights.link.telemetry import Sample
from flights.path.track import Ground
from flights.record import House, line_of
from flights.vehicle_orders import Fixes
from geo import shapes
from schemas.tables import TelemetryPoint
from schemas.tables.base import Shape

IMPLAUSIBLE = "implausible"


class Track:
    """What is known of where the aircraft was, and how that was judged when it was told."""

    def __init__(self, brief: Brief, ground: Ground, store: Store) -> None:
        self.fixes: list[Fix] = []
        self.last: Sample | None = None
        self.last_fix: Fix | None = None
        self.furthest_item = 0
        self._brief = brief
        self._store = store
        self._to_fix = Fixes(brief.span, brief.home, ground)
        self._time = Timeline()
        self._monitor = Monitor(brief.judge)

    # -- taking ---------------------------------------------------------------------------------------

    def add(self, sample: Sample) -> Standing:
        """Takes a report: judges it, and hands it to the store."""
        fix = self._fix(sample)
        self.fixes.append(fix)
        standing = self._monitor.take(fix)
        if IMPLAUSIBLE not in standing.reasons:
            self._know(sample, fix)
        if abs(sample.lat) <= 90 and abs(sample.lon) <= 180:
            self._store.point(_row(sample, fix, standing))
        return standing

    def silence(self, silence_s: float) -> Standing:
        """Notes that nothing has come for so long."""
        heard_s = self.last_fix.at_s if self.last_fix else 0.0
        return self._monitor.silence(heard_s + silence_s)

    def end(self) -> Standing:
        """The aircraft is down."""
        return self._monitor.end(self.last_fix.at_s if self.last_fix else 0.0)

    @property
    def standing(self) -> Standing:
        """Where the flight stood when it was last told of."""
        return self._monitor.standing

    def gap(self, why: Why, since: datetime, until: datetime, **more: object) -> None:
        """Says that a stretch is not in the record."""
        self._store.gap(why, since, until, **more)

    def _fix(self, sample: Sample) -> Fix:
        return self._to_fix.of(sample, self._time.at_s(sample.boot_ms, sample.received_at))

    def _know(self, sample: Sample, fix: Fix) -> None:
        self.last, self.last_fix = sample, fix
        self.furthest_item = max(self.furthest_item, sample.mission_seq)

    # -- parts before this one ------------------------------------------------------------------------

    def recall(self, house: House) -> None:
        """Takes up the positions that earlier parts of the flight left in the database."""
        with house.session() as session:
            points = session.scalars(
                select(TelemetryPoint)
                .where(TelemetryPoint.flight_id == self._brief.flight_id)
                .order_by(TelemetryPoint.id)
            ).all()
        along_m = 0.0
        for point in points:
            sample = _sample(point)
            fix = self._fix(sample)
            self.fixes.append(fix)
            if not point.implausible:
                self._know(sample, fix)
                along_m = max(along_m, point.along_m or 0.0)
        # What happened in between is not known, and is judged afterwards: it must not turn the aircraft back now.
        seen_s = self.last_fix.at_s if self.last_fix else None
        self._monitor = Monitor(self._brief.judge, along_m=along_m, seen_s=seen_s)

    # -- afterwards -----------------------------------------------------------------------------------

    def line(self) -> Shape | None:
        """The flown track for a geometry column, None when the aircraft was never seen to move."""
        return line_of(_places(self.fixes))


def _places(fixes: Sequence[Fix]) -> list[Point]:
    plausibility = Plausibility()
    return [Point(fix.lon, fix.lat) for fix in fixes if not plausibility.is_wrong(fix)]


def _row(sample: Sample, fix: Fix, standing: Standing) -> dict[str, Any]:
    wrong = IMPLAUSIBLE in standing.reasons
    return {
        "received_at": sample.received_at,
        "boot_ms": sample.boot_ms,
        "geom": shapes.point_text(sample.lon, sample.lat),
        "alt_rel_home_m": sample.alt_rel_home_m,
        "alt_amsl_m": sample.alt_amsl_m,
        "heading_deg": sample.heading_deg,
        "ground_speed_m_s": sample.ground_speed_m_s,
        "battery_pct": sample.battery_pct,
        "implausible": wrong,
        "alt_agl_m": None if fix.alt_agl_m != fix.alt_agl_m else fix.alt_agl_m,
        "along_m": None if wrong else standing.along_m,
        "cross_track_m": None if wrong else standing.cross_track_m,
        "conformance": None if wrong else str(standing.state),
        "item": sample.mission_seq,
    }


def _sample(point: TelemetryPoint) -> Sample:
    at = shapes.lon_lat(point.geom)
    return Sample(
        received_at=point.received_at,
        boot_ms=point.boot_ms,
        lon=at.lon,
        lat=at.lat,
        alt_rel_home_m=point.alt_rel_home_m,
        alt_amsl_m=point.alt_amsl_m,
        heading_deg=point.heading_deg,
        ground_speed_m_s=point.ground_speed_m_s or 0.0,
        battery_pct=point.battery_pct,
        mission_seq=point.item or 0,
    )
