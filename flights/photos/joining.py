"""Photos joined to the track of their flight by time: how far the clocks are apart, and the pose at that moment. Pure.

The camera's clock is compared with what the autopilot wrote down when it released the shutter. Where it wrote down
nothing, the clocks are assumed to agree, and the error says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flights.logs.record import Logged
from flights.tracks import StoredTrack

Floats = NDArray[np.float64]

# A photo this long before the first position, or behind the last one, has no place on the track.
REACH_S = 2.0
# Between two positions further apart than this the way is a guess.
LONGEST_STEP_S = 5.0
# How far a camera's clock may be off to be found; further off, half an hour and more, it is set to another zone.
SEARCH_S = 120.0
_MATCH_S = 0.35
_FEWEST = 3
# What an unset clock is taken to be wrong, one sigma, where nothing can be compared.
ASSUMED_SIGMA_S = 1.0
_BEST_SIGMA_S = 0.02


@dataclass(frozen=True)
class Trail:
    """Where the aircraft was and how it was turned, by UTC (Unix seconds); NaN where it was not written down.

    Degrees: yaw clockwise from north, pitch nose up, roll right wing down. `releases` are the times at which the
    autopilot says that a photo was taken.
    """

    source: str
    t: Floats
    lon: Floats
    lat: Floats
    alt_rel_home_m: Floats
    speed_m_s: Floats
    turned_t: Floats
    yaw_deg: Floats
    pitch_deg: Floats
    roll_deg: Floats
    releases: Floats

    def __len__(self) -> int:
        return len(self.t)

    @classmethod
    def of_logs(cls, logs: Sequence[Logged]) -> Trail:
        """The trail of one flight that was recorded in one or several logs."""
        parts = [_of_log(log) for log in logs if log.clock.source is not None]
        if not parts:
            return _EMPTY
        names = [name for name in cls.__dataclass_fields__ if name != "source"]
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        order, turned = np.argsort(columns["t"], kind="stable"), np.argsort(columns["turned_t"], kind="stable")
        for name in ("t", "lon", "lat", "alt_rel_home_m", "speed_m_s"):
            columns[name] = columns[name][order]
        for name in ("turned_t", "yaw_deg", "pitch_deg", "roll_deg"):
            columns[name] = columns[name][turned]
        return cls(source=parts[0].source, **columns | {"releases": np.sort(columns["releases"])})

    @classmethod
    def of_track(cls, track: StoredTrack) -> Trail:
        """The trail of a flight of which only the stored positions are left; they do not say how it was turned."""
        none = np.empty(0)
        return cls("live", track.t, track.lon, track.lat, track.alt_rel_home_m, np.nan_to_num(track.speed_m_s),
                   none, none, none, none, none)  # fmt: skip


_EMPTY = Trail("none", *[np.empty(0)] * 10)


def _of_log(log: Logged) -> Trail:
    shift = log.clock.utc_at_boot_s
    flown, turned = log.flown(), log.attitudes
    return Trail(
        str(log.source),
        flown.at_s + shift,
        flown.lon,
        flown.lat,
        flown.alt_rel_home_m,
        flown.speed_m_s,
        turned.at_s + shift,
        turned.yaw_deg,
        turned.pitch_deg,
        turned.roll_deg,
        log.pictures.at_s + shift,
    )


@dataclass(frozen=True)
class Offset:
    """How far the camera's clock is ahead of the aircraft's: add it to the track's time to get the photo's.

    `source` is releases (compared with `matched` notes of the autopilot) or assumed; `sigma_s` is one sigma.
    """

    seconds: float
    source: str
    sigma_s: float
    matched: int

    def render(self) -> dict[str, Any]:
        """The offset as JSON."""
        return {
            "time_offset_s": round(self.seconds, 3),
            "time_offset_source": self.source,
            "time_sigma_s": round(self.sigma_s, 3),
            "time_matched": self.matched,
        }


def offset_of(taken_s: Floats, releases_s: Floats) -> Offset:
    """The offset at which most photos have a release of their own; of equals the smallest.

    Photos in an even beat fit at many offsets; so one that leaves fewer photos alone is preferred, and else the
    one that believes the clocks most. Photos that no offset could bring near a release do not count.
    """
    assumed = Offset(0.0, "assumed", ASSUMED_SIGMA_S, 0)
    if len(taken_s) < _FEWEST or len(releases_s) < _FEWEST:
        return assumed
    releases = np.sort(releases_s)
    # A folder may hold the photos of other flights as well; at no offset do they belong to these releases.
    near_s = (taken_s >= releases[0] - SEARCH_S) & (taken_s <= releases[-1] + SEARCH_S)
    taken = np.sort(taken_s[near_s])
    if len(taken) < _FEWEST:
        return assumed
    # Any offset at which two photos fit is one at which one of the first few photos meets some release.
    candidates = (taken[: 2 * _FEWEST, None] - releases[None, :]).ravel()
    candidates = candidates[np.abs(candidates) <= SEARCH_S]
    best: tuple[int, float, Floats] | None = None
    for candidate in sorted(candidates.tolist(), key=abs):
        apart = _apart(taken - candidate, releases)
        near = apart[np.abs(apart) <= _MATCH_S]
        if best is None or len(near) > best[0]:
            best = len(near), candidate, near
    if best is None or best[0] < max(_FEWEST, len(taken) // 2):
        return assumed
    count, candidate, near = best
    middle = float(np.median(near))
    spread = float(1.4826 * np.median(np.abs(near - middle)))
    return Offset(candidate + middle, "releases", max(_BEST_SIGMA_S, spread), count)


def _apart(taken: Floats, releases: Floats) -> Floats:
    """Each photo's time less that of the nearest release."""
    place = np.clip(np.searchsorted(releases, taken), 1, len(releases) - 1)
    before, after = taken - releases[place - 1], taken - releases[place]
    nearest: Floats = np.where(np.abs(before) < np.abs(after), before, after)
    return nearest


@dataclass(frozen=True)
class Pose:
    """Where the aircraft was when a photo was taken, and how it was turned; None where the trail does not say."""

    lon: float
    lat: float
    alt_rel_home_m: float
    speed_m_s: float
    yaw_deg: float | None
    pitch_deg: float | None
    roll_deg: float | None


def pose_at(trail: Trail, at_s: float) -> Pose | None:
    """The pose at a UTC time, between the positions around it; None where the trail has none near that time."""
    if not len(trail) or not trail.t[0] - REACH_S <= at_s <= trail.t[-1] + REACH_S:
        return None
    place = int(np.clip(np.searchsorted(trail.t, at_s), 1, max(1, len(trail) - 1)))
    inside = trail.t[0] <= at_s <= trail.t[-1]
    if inside and len(trail) > 1 and trail.t[place] - trail.t[place - 1] > LONGEST_STEP_S:
        return None
    values = (trail.lon, trail.lat, trail.alt_rel_home_m, trail.speed_m_s)
    lon, lat, alt_m, speed = (float(np.interp(at_s, trail.t, column)) for column in values)
    return Pose(lon, lat, alt_m, speed, *_turned(trail, at_s))


def _turned(trail: Trail, at_s: float) -> tuple[float | None, float | None, float | None]:
    times = trail.turned_t
    if not len(times) or not times[0] - REACH_S <= at_s <= times[-1] + REACH_S:
        return None, None, None
    # A heading goes round: between 359 and 1 degrees lies north.
    yaw = float(np.interp(at_s, times, np.degrees(np.unwrap(np.radians(trail.yaw_deg)))))
    pitch, roll = (float(np.interp(at_s, times, column)) for column in (trail.pitch_deg, trail.roll_deg))
    return yaw % 360, pitch, roll
