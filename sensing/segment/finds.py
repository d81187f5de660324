"""Touches the disk: from the bands of a scene to what the connected areas in them turn out to be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.windows import Window

from geo.measure import area_m2
from sensing.coverage import Cover, Tally, tally
from sensing.grid import BLOCK, WGS84, Grid, moved
from sensing.segment.bands_run import at_hand, borders, drawn_within
from sensing.segment.closer import ALTERED, COVERAGE, Drawn, Marks, large, look_closer
from sensing.segment.components import Part, Stitcher
from sensing.segment.detectors import (
    ALGAL_BLOOM,
    BLACK_WATER,
    BUILDING,
    BURN_SCAR,
    DISCOLOURED_WATER,
    EXCAVATION,
    LAND_CONVERSION,
    OPEN_FLAME,
    SMOKE_PLUME,
    SOLID_WASTE,
    VEGETATION_LOSS,
    Detector,
    choose,
)
from sensing.segment.executors import Hands, all_done
from sensing.segment.learned import CONFIDENCE
from sensing.segment.manifest import Manifest, Outcome
from sensing.segment.model import Candidate
from sensing.segment.painting import profile
from sensing.segment.scenery import Scene, caching
from sensing.words import say

# Enough parts that opening everything does not count, few enough that all hands have some.
_PARTS_PER_JOB = 24
# A find that lies mostly inside another one of a stronger kind is a part of it.
_PART = 0.5
# How far from something of a fire what belongs to it lies, over the side of a square as large as the larger of both.
_REACH = {OPEN_FLAME: 1.5, SMOKE_PLUME: 1.2}
# Smoke of less than this share of larger smoke close by was torn off it.
_WISP = 0.35
# What a find of a kind is a part of, where one of these other kinds covers most of it.
_STRONGER = {
    BUILDING: {EXCAVATION, SOLID_WASTE},
    EXCAVATION: {SOLID_WASTE},
    LAND_CONVERSION: {EXCAVATION, BURN_SCAR},
    DISCOLOURED_WATER: {ALGAL_BLOOM, BLACK_WATER, SMOKE_PLUME},
}


@dataclass(frozen=True)
class Joined:
    """The coverage of the whole scene, what it adds up to, and the large enough parts across borders of bands."""

    coverage: Path
    tally: Tally
    parts: tuple[tuple[Part, ...], ...]


def join(
    manifest: Manifest, outcomes: Mapping[int, Outcome], scene: Scene, detectors: Sequence[Detector], folder: Path
) -> Joined:
    """Put the bands together in one pass from top to bottom. A band that nobody got done is failed, never clean."""
    grid, coverage = scene.after.grid, folder / "coverage.tif"
    stitchers = [Stitcher(large(one, scene.after.gsd_m)) for one in detectors]
    total = Tally()
    with rasterio.open(coverage, "w", count=1, **profile(grid)) as covered:
        for number in range(len(manifest)):
            top, height = manifest.span(number)
            done = outcomes[number].counters
            for row, codes in _covered(manifest.path(number) if done is not None else None, grid, height):
                covered.write(codes, 1, window=Window(0, top + row, grid.width, codes.shape[0]))
            if done is None:
                total += tally(grid, np.broadcast_to(np.uint8(Cover.FAILED), (height, grid.width)), top)
                for stitcher in stitchers:
                    stitcher.skip()
                continue
            total += Tally.load(done)
            for stitcher, border in zip(stitchers, borders(manifest.path(number)), strict=True):
                stitcher.take(border)
    return Joined(coverage, total, tuple(tuple(stitcher.end()) for stitcher in stitchers))


def _covered(band: Path | None, grid: Grid, height: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The coverage of a band in stripes of whole blocks, each with its row in the band."""
    with ExitStack() as stack:
        planes = stack.enter_context(rasterio.open(band, driver="GTiff", sharing=False)) if band else None
        for row in range(0, height, BLOCK):
            window = Window(0, row, grid.width, min(BLOCK, height - row))
            shape = (int(window.height), grid.width)
            yield row, planes.read(COVERAGE, window=window) if planes else np.full(shape, Cover.FAILED, np.uint8)


def finds(joined: Joined, manifest: Manifest, outcomes: Mapping[int, Outcome], hands: Hands) -> list[Drawn]:
    """What the connected areas turned out to be, in the order of detectors and first pixels.

    What lies within a band was looked at there; what goes across borders is looked at now.
    """
    done = [manifest.path(n) if outcomes[n].sha256 else None for n in range(len(manifest))]
    asked = [(number, part) for number, parts in enumerate(joined.parts) for part in parts]
    shared = {"bands": [str(path) if path else None for path in done], "band_px": manifest.band_px}
    jobs = [
        {**manifest.shared, **shared, "parts": asked[first : first + _PARTS_PER_JOB]}
        for first in range(0, len(asked), _PARTS_PER_JOB)
    ]
    found = [Drawn.load(plain) for _, answer in all_done(hands, examine_parts, jobs) for plain in answer["finds"]]
    for path in done:
        found += drawn_within(path) if path else []
    return _told_with_flames(_without_parts(_told_once(sorted(found, key=lambda one: one.order))))


def examine_parts(job: dict[str, Any]) -> dict[str, Any]:
    """Look closer at some parts of a scene; plain JSON in, plain JSON out, one entry for each find."""
    paths = [Path(path) if path else None for path in job["bands"]]
    with (
        caching(job["setting"]),
        at_hand(job["setting"]) as scene,
        Marks(paths, job["band_px"]) as marks,
    ):
        detectors, _ = choose(scene.facts, job["parameters"])
        asked = [(number, Part(*part)) for number, part in job["parts"]]
        return {"finds": [one.dump() for one in look_closer(asked, marks, scene, detectors)]}


def _told_once(found: list[Drawn]) -> list[Drawn]:
    """Finds of which the engine and a pixel model tell the same thing, told once: as the engine drew them.

    What the model says of such a find is added to its measures and words.
    """
    tree = shapely.STRtree([one.rim for one in found])
    kept = {number: one for number, one in enumerate(found) if CONFIDENCE not in one.measures}
    for number, one in enumerate(found):
        if number in kept:
            continue
        near = sorted(int(n) for n in tree.query(one.rim, predicate="intersects"))
        same = [n for n in near if n in kept and CONFIDENCE not in found[n].measures and _same(found[n], one)]
        for n in same:
            measures = {**kept[n].measures, CONFIDENCE: one.measures[CONFIDENCE]}
            # How much it changed was said of the engine's own outline.
            words = (word for word in one.words if word.key != ALTERED)
            kept[n] = replace(kept[n], measures=measures, words=(*kept[n].words, *words))
        if not same:
            kept[number] = one
    return [kept[number] for number in sorted(kept)]


def _same(one: Drawn, other: Drawn) -> bool:
    if one.kind != other.kind:
        return False
    both = shapely.intersection(one.rim, other.rim).area
    return bool(both > _PART * min(one.rim.area, other.rim.area))


def _without_parts(found: list[Drawn]) -> list[Drawn]:
    """Finds without those that another find explains: the grey floor of a pit, the plants that a pit took."""
    tree = shapely.STRtree([one.rim for one in found])
    near = {number: tree.query(one.rim, predicate="intersects") for number, one in enumerate(found)}
    return [
        one
        for number, one in enumerate(found)
        if not any(_explains(found[i], one) for i in near[number] if i != number)
    ]


def _told_with_flames(found: list[Drawn]) -> list[Drawn]:
    """Finds without the smoke of flames which were found too, and without tongues beside larger flames."""
    burning = [one for one in found if one.kind in (OPEN_FLAME, SMOKE_PLUME) and CONFIDENCE not in one.measures]
    # The largest flames of a fire come first; what lies close to something of it is of it too.
    burning.sort(key=lambda one: (one.kind != OPEN_FLAME, -one.rim.area, one.order))
    told: dict[tuple[int, int, int], Drawn | None] = {}
    for fire in burning:
        if fire.order not in told and fire.kind == OPEN_FLAME:
            rest = [one for one in burning if one is not fire and one.order not in told]
            parts = _parts_of_fire(fire, rest)
            told |= dict.fromkeys((one.order for one in parts), None)
            smoke = sum(one.rim.area for one in parts if one.kind == SMOKE_PLUME)
            told[fire.order] = _smoking(fire, smoke / fire.rim.area) if smoke else fire
    kept = [told.get(one.order, one) for one in found]
    return _without_wisps([one for one in kept if one is not None])


def _without_wisps(found: list[Drawn]) -> list[Drawn]:
    """Finds without what smoke was torn into down the wind."""
    smoke = [one for one in found if one.kind == SMOKE_PLUME]
    return [
        one
        for one in found
        if one.kind != SMOKE_PLUME
        or not any(one.rim.area < _WISP * other.rim.area and _close(other, one) for other in smoke)
    ]


def _parts_of_fire(fire: Drawn, rest: list[Drawn]) -> list[Drawn]:
    """What lies close to a fire: smaller flames, and smoke, which leads on to more smoke."""
    parts, queue = list[Drawn](), [fire]
    while queue:
        here = queue.pop()
        follows = (one for one in rest if one not in parts and (here is fire or one.kind == here.kind == SMOKE_PLUME))
        near = [one for one in follows if _close(here, one)]
        parts += near
        queue += near
    return parts


def _close(one: Drawn, other: Drawn) -> bool:
    reach = _REACH[other.kind] * math.sqrt(max(one.rim.area, other.rim.area))
    return bool(shapely.dwithin(one.rim, other.rim, reach))


def _smoking(fire: Drawn, times: float) -> Drawn:
    measures = {**fire.measures, "smoke_over_flames": times}
    return replace(fire, measures=measures, words=(*fire.words, say("seen.smoke_from", times=times)))


def _explains(other: Drawn, one: Drawn) -> bool:
    if one.kind == VEGETATION_LOSS:
        return other.kind != VEGETATION_LOSS
    stronger = other.kind in _STRONGER.get(one.kind, set())
    # Of a building in a protected zone more is told than that it took a field.
    stronger |= one.kind == LAND_CONVERSION and other.kind == BUILDING and other.measures.get("protected", 0) > _PART
    return stronger and bool(shapely.intersection(other.rim, one.rim).area > _PART * one.rim.area)


def candidate(one: Drawn, scene: Scene) -> Candidate:
    """A find as the rest of the house sees it: on the ground, with its area on the ellipsoid."""
    ground = moved(one.rim, CRS.from_wkt(scene.after.grid.crs_wkt), WGS84)
    return Candidate(
        kind=one.kind,
        geom=ground,
        area_m2=area_m2(ground),
        score=one.score,
        measures=one.measures,
        trace=one.words,
    )
