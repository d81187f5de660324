"""The stored track of a flight, as arrays: for replay, and to be compared with its logs. Reads the database."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import LineString
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flights.conformance import STATES, Judged
from geo import shapes
from schemas.tables import Flight, TelemetryPoint
from schemas.tables.base import Shape

Floats = NDArray[np.float64]

# A stored track leaves out what lies within this of the straight line, in degrees (about 0.5 m).
LINE_TOLERANCE_DEG = 5e-6
UNKNOWN = -1
"""The code of a state that nobody judged."""


@dataclass(frozen=True)
class StoredTrack:
    """The plausible positions of a flight in the order in which they came, as columns of one length.

    `t` is the time of receipt in Unix seconds, `boot_s` the vehicle's own; `state` holds indices into
    `flights.conformance.STATES`, -1 where a position was not judged. What is not known is NaN.
    """

    t: Floats
    boot_s: Floats
    lon: Floats
    lat: Floats
    alt_agl_m: Floats
    alt_rel_home_m: Floats
    speed_m_s: Floats
    state: NDArray[np.int8]
    along_m: Floats
    cross_track_m: Floats
    item: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.t)


def track_of(session: Session, flight: Flight) -> StoredTrack:
    """The track of a flight as it was stored while it flew."""
    point = TelemetryPoint
    rows = session.execute(
        select(
            func.extract("epoch", point.received_at),
            point.boot_ms,
            func.ST_X(point.geom),
            func.ST_Y(point.geom),
            point.alt_agl_m,
            point.alt_rel_home_m,
            point.ground_speed_m_s,
            point.conformance,
            point.along_m,
            point.cross_track_m,
            point.item,
        )
        .where(point.flight_id == flight.id, ~point.implausible)
        .order_by(point.id)
    ).all()
    columns = list(zip(*rows, strict=True)) if rows else [()] * 11
    at, boot_ms, lon, lat, alt_agl, alt_rel, speed, state, along, beside, item = columns
    codes = {str(word): code for code, word in enumerate(STATES)}
    return StoredTrack(
        t=np.array(at, float),
        boot_s=np.array(boot_ms, float) / 1000,
        lon=np.array(lon, float),
        lat=np.array(lat, float),
        alt_agl_m=np.array(alt_agl, float),
        alt_rel_home_m=np.array(alt_rel, float),
        speed_m_s=np.array(speed, float),
        state=np.array([codes.get(word, UNKNOWN) for word in state], np.int8),
        along_m=np.array(along, float),
        cross_track_m=np.array(beside, float),
        item=np.array([UNKNOWN if number is None else number for number in item], np.int32),
    )


def line_of(lon: Floats, lat: Floats) -> Shape | None:
    """Positions as a line for a geometry column, None when the aircraft was never seen to move."""
    if len(lon) < 2:
        return None
    # The plain simplification: the other one keeps every point of a track that returns over itself.
    line = LineString(np.column_stack([lon, lat])).simplify(LINE_TOLERANCE_DEG, preserve_topology=False)
    return shapes.element(line) if line.length > 0 else None


def track_from(judged: Judged) -> StoredTrack:
    """The same of what was judged from a log, for a replay of a flight that had no link."""
    of = judged.fixes
    count = len(of)
    return StoredTrack(
        t=of.utc_s,
        boot_s=of.at_s,
        lon=of.lon,
        lat=of.lat,
        alt_agl_m=of.alt_agl_m,
        alt_rel_home_m=np.full(count, np.nan),
        speed_m_s=of.speed_m_s,
        state=judged.state,
        along_m=judged.along_m,
        cross_track_m=judged.cross_track_m,
        item=np.full(count, UNKNOWN, np.int32),
    )
