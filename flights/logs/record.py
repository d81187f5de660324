"""What a log says of one flight, whichever kind of log it was: columns of one length for each kind of report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from flights.conformance import Fixes
from flights.path.track import Ground
from geo.types import LonLat

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Source(StrEnum):
    """Where a track was recorded: by the gateway in its database, on the link, in the aircraft."""

    LIVE = "live"
    TLOG = "tlog"
    BIN = "bin"


@dataclass(frozen=True)
class Positions:
    """Position reports: time since boot, place, heights above home and sea, ground speed, item flown, armed or not.

    `seq` is -1 before the log names an item, and 0 while the aircraft brings itself home or down.
    """

    at_s: Floats
    lon: Floats
    lat: Floats
    alt_rel_home_m: Floats
    alt_amsl_m: Floats
    speed_m_s: Floats
    seq: Ints
    armed: Bools

    def __len__(self) -> int:
        return len(self.at_s)


@dataclass(frozen=True)
class Attitudes:
    """Attitude of the aircraft: degrees; yaw clockwise from true north, pitch nose up, roll right wing down."""

    at_s: Floats
    roll_deg: Floats
    pitch_deg: Floats
    yaw_deg: Floats


@dataclass(frozen=True)
class Pictures:
    """When the autopilot says that the camera took pictures, in the time of the log."""

    at_s: Floats
    lon: Floats
    lat: Floats


@dataclass(frozen=True)
class Clock:
    """How the log's time since boot becomes UTC: add `utc_at_boot_s` (Unix seconds).

    `source` is gps (the receiver's own time) or receipt (the time at which a ground station wrote the record);
    None says that the log knows no UTC at all. `spread_s` is how far single readings lie apart (1 sigma).
    """

    source: str | None
    utc_at_boot_s: float
    spread_s: float
    leap_s: int | None = None


@dataclass
class Found:
    """What was met while reading; told with the verdict, because a log that is damaged proves less."""

    records: int = 0
    bad_checksums: int = 0
    skipped_bytes: int = 0
    torn_bytes: int = 0
    signed: int = 0
    others: dict[str, int] = field(default_factory=dict)
    reboots: int = 0


@dataclass(frozen=True)
class Logged:
    """One flight as a log tells it."""

    source: Source
    positions: Positions
    attitudes: Attitudes
    pictures: Pictures
    clock: Clock
    found: Found
    mission_digest: str | None = None

    def flown(self) -> Positions:
        """The positions between the first arming and the last disarming; all where the log does not say."""
        armed = np.flatnonzero(self.positions.armed)
        if not len(armed):
            return self.positions
        part = slice(int(armed[0]), int(armed[-1]) + 1)
        kept = (vars(self.positions)[name][part] for name in Positions.__dataclass_fields__)
        return Positions(*kept)

    def fixes(self, covers: Callable[[Ints], Bools], home: LonLat, ground: Ground) -> Fixes:
        """What is judged: heights above ground come from the height above home and the terrain.

        `covers` says which items belong to the route. A log that names no items is taken to be on the route
        from first to last.
        """
        flown = self.flown()
        home_m = float(ground.heights_m(np.array([home.lon]), np.array([home.lat]))[0])
        knows_items = bool((flown.seq >= 0).any())
        return Fixes(
            at_s=flown.at_s,
            lon=flown.lon,
            lat=flown.lat,
            alt_agl_m=flown.alt_rel_home_m + home_m - ground.heights_m(flown.lon, flown.lat),
            speed_m_s=flown.speed_m_s,
            on_route=covers(flown.seq) if knows_items else np.ones(len(flown), bool),
            utc_s=flown.at_s + self.clock.utc_at_boot_s if self.clock.source else np.full(len(flown), np.nan),
        )


def clock_of(source: str, boot_s: Floats, utc_s: Floats, leap_s: int | None = None) -> Clock:
    """The clock by which single readings of both times agree best; their median is not moved by a wild one."""
    if not len(boot_s):
        return Clock(None, 0.0, 0.0)
    apart = utc_s - boot_s
    middle = float(np.median(apart))
    return Clock(source, middle, float(1.4826 * np.median(np.abs(apart - middle))), leap_s)
