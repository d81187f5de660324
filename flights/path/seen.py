"""What the camera sees along the legs of a plan, over the terrain below and beside them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo import measure
from geo.footprint import Camera, swept_footprint
from geo.sight import Aim, HeightsOf, heights_over_lowest_m, seen_footprint

if TYPE_CHECKING:
    from flights.path.track import Track

Floats = NDArray[np.float64]

LEVEL_DEG = 1.0
"""A camera nearer than this to straight down counts as looking down: gimbals are no better."""

_EVERY = 5  # samples of a straight leg from one strip of the footprint to the next


def footprint(tracks: Sequence[Track], camera: Camera, ground: HeightsOf, look_m: float) -> BaseGeometry:
    """Everything the camera can see on some legs; EPSG:4326. Heights must be known.

    Raises geo.sight.BeyondSight where a tilted camera sees further than `look_m`, GroundUnknown where the
    ground beside a leg is not known.
    """
    thinned = [_thinned(track) for track in tracks]
    down = [track for track in thinned if tilt_deg(track) <= LEVEL_DEG]
    along = [track for track in down if track.look.yaw_deg is not None]
    anyhow = [track for track in down if track.look.yaw_deg is None]
    parts = [_strip(chain, camera, ground) for chain in _chains(along)]
    parts += [_strip(chain, camera.turned_anyhow, ground) for chain in _chains(anyhow)]
    parts += [_tilted(track, camera, ground, look_m) for track in thinned if tilt_deg(track) > LEVEL_DEG]
    return shapely.union_all(parts)


def tilt_deg(track: Track) -> float:
    """How far from straight down the camera looks on a leg, at most, in degrees; NaN where that is not known."""
    if track.look.roi is None:
        return 90.0 + track.look.pitch_deg
    pitch_deg, _azimuth_deg = _aimed(track)
    return 90.0 + float(pitch_deg.max())


def _aimed(track: Track) -> tuple[Floats, Floats]:
    """Pitch and azimuth of the camera at each sample of a leg; an azimuth of NaN is not known."""
    look, count = track.look, len(track.lons)
    if look.roi is None:
        ahead_deg, _, _ = measure.WGS84.inv(track.lons[:-1], track.lats[:-1], track.lons[1:], track.lats[1:])
        yaw_deg = np.nan if look.yaw_deg is None else look.yaw_deg
        return np.full(count, look.pitch_deg), np.append(ahead_deg, ahead_deg[-1]) + yaw_deg
    there = np.full(count, look.roi.lon), np.full(count, look.roi.lat)
    azimuth_deg, _, apart_m = measure.WGS84.inv(track.lons, track.lats, *there)
    above_m = track.alt_agl_m + track.ground_m - look.roi_m
    return -np.degrees(np.arctan2(above_m, apart_m)), azimuth_deg


def _strip(chain: list[Track], camera: Camera, ground: HeightsOf) -> BaseGeometry:
    """What a camera that looks straight down sees on legs that follow each other."""
    lons, lats, alt_agl_m, ground_m = _joined(chain)
    over_m = heights_over_lowest_m((lons, lats, np.maximum(alt_agl_m, 0.0) + ground_m), camera, ground)
    return swept_footprint(lons, lats, over_m, camera)


def _tilted(track: Track, camera: Camera, ground: HeightsOf, look_m: float) -> BaseGeometry:
    pitch_deg, azimuth_deg = _aimed(track)
    aim = Aim(pitch_deg, azimuth_deg, follows=track.look.roi is not None)
    amsl_m = np.maximum(track.alt_agl_m, 0.0) + track.ground_m
    return seen_footprint((track.lons, track.lats, amsl_m), aim, camera, ground, look_m=look_m)


def _thinned(track: Track) -> Track:
    """A leg with only the samples that its footprint needs, never seen from lower than it is flown."""
    if not track.straight:
        return track
    count = len(track.lons)
    index = np.arange(count)
    kept = sorted({*range(0, count, _EVERY), count - 1})
    between_m = np.interp(index, kept, track.alt_agl_m[kept])
    # What was dropped may have been higher than the straight line between what was kept.
    raise_m = float(np.maximum(track.alt_agl_m - between_m, 0.0).max())
    return replace(
        track,
        lons=track.lons[kept],
        lats=track.lats[kept],
        alt_agl_m=track.alt_agl_m[kept] + raise_m,
        ground_m=track.ground_m[kept],
    )


def _chains(tracks: Sequence[Track]) -> Iterator[list[Track]]:
    """Legs in groups in which each begins where the one before ends."""
    chain: list[Track] = []
    for track in tracks:
        if chain and (chain[-1].lons[-1], chain[-1].lats[-1]) != (track.lons[0], track.lats[0]):
            yield chain
            chain = []
        chain.append(track)
    if chain:
        yield chain


def _joined(chain: Sequence[Track]) -> tuple[Floats, Floats, Floats, Floats]:
    """The samples of legs that follow each other, one after the other; a shared place keeps the larger height."""
    alts = [track.alt_agl_m.copy() for track in chain]
    for before, after in pairwise(alts):
        after[0] = before[-1] = max(before[-1], after[0])
    kept = [slice(0 if number == 0 else 1, None) for number in range(len(chain))]
    axes = (
        [track.lons for track in chain],
        [track.lats for track in chain],
        alts,
        [track.ground_m for track in chain],
    )
    lons, lats, alt_agl_m, ground_m = (
        np.concatenate([part[cut] for part, cut in zip(axis, kept, strict=True)]) for axis in axes
    )
    return lons, lats, alt_agl_m, ground_m
