"""Parallel passes along a line, such as a river, a road or a pipe. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from flights.survey.pattern import Strip
from flights.survey.room import Room

Floats = NDArray[np.float64]

_MITRE_LIMIT = 2.0  # a sharper bend is cut off, so that no pass shoots far out of the corridor
_THIN_M = 0.5
_SHORTEST_M = 1.0


def passes_along(centre: LineString, room: Room, width_m: float, spacing_m: float) -> list[Strip]:
    """The strips along `centre` (plane) over a corridor `width_m` wide, at most `spacing_m` apart.

    A pass bends with the line, so everywhere on it the aircraft must be able to turn. Where a bend is too
    tight for an outer pass, that pass has a gap.
    """
    count = math.ceil(width_m / spacing_m - 1e-9)
    offsets_m = (np.arange(count) + 0.5) * (width_m / count) - width_m / 2
    return [strip for line, by_m in enumerate(offsets_m.tolist()) for strip in _pass(centre, room.turning, by_m, line)]


def _pass(centre: LineString, turning: BaseGeometry, by_m: float, line: int) -> Iterator[Strip]:
    beside: BaseGeometry = centre
    if abs(by_m) >= _THIN_M:
        beside = shapely.offset_curve(centre, by_m, join_style="mitre", mitre_limit=_MITRE_LIMIT)
    for piece in _lines(shapely.simplify(beside.intersection(turning), _THIN_M)):
        points = shapely.get_coordinates(piece)
        along = np.array([centre.project(Point(place)) for place in points])
        if along[0] > along[-1]:
            points, along = points[::-1], along[::-1]
        if piece.length >= _SHORTEST_M:
            yield Strip.of(points, line, float(along.min()), float(along.max()))


def _lines(geom: BaseGeometry) -> list[LineString]:
    """The lines of a cut, joined where the cut only touched them."""
    parts = [part for part in shapely.get_parts(geom) if isinstance(part, LineString) and not part.is_empty]
    merged = shapely.line_merge(shapely.MultiLineString(parts)) if parts else None
    return [part for part in shapely.get_parts(merged) if isinstance(part, LineString)]
