"""From what a person drew or typed to the shape of a survey: GeoJSON, or corners one to a line. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from shapely.geometry import LineString, MultiPolygon, Polygon

from geo.geojson import parse_document, parse_geometry
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import invalid

Drawn = Polygon | MultiPolygon | LineString

_BETWEEN = re.compile(r"[\s,;，；]+")


def read_shape(text: str, *, corridor: bool) -> Drawn:
    """The area of a survey, or with `corridor` its centre line; EPSG:4326.

    Either a GeoJSON geometry, a feature or a collection of one feature, or corners as "longitude, latitude" one
    to a line; an empty line begins a hole. Rings close themselves. Raises RuleViolation 400 or 422 for all else.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        document = _geometry(parse_document(text.encode()))
    else:
        document = _typed(text, corridor=corridor)
    allow = {"LineString"} if corridor else {"Polygon", "MultiPolygon"}
    shape = parse_geometry(document, allow=allow, path="area")
    assert isinstance(shape, Polygon | MultiPolygon | LineString)
    return shape


def read_place(text: str) -> LonLat | None:
    """A place typed as "longitude, latitude", None for an empty text; RuleViolation 422 for all else."""
    if not text.strip():
        return None
    point: Any = parse_geometry({"type": "Point", "coordinates": _position(text)}, allow={"Point"}, path="home")
    return LonLat(point.x, point.y)


def _geometry(document: Mapping[str, Any]) -> object:
    features = document.get("features")
    if document.get("type") == "FeatureCollection" and isinstance(features, list) and len(features) == 1:
        document = features[0] if isinstance(features[0], Mapping) else {}
    return document.get("geometry") if document.get("type") == "Feature" else document


def _typed(text: str, *, corridor: bool) -> dict[str, Any]:
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) > 2 * limit("survey.corners"):
        raise invalid("survey.corners", measured=len(lines), required=limit("survey.corners"))
    runs = [[_position(line) for line in run] for there, run in groupby(lines, key=bool) if there]
    if not runs:
        raise invalid("survey.no_area")
    if corridor:
        return {"type": "LineString", "coordinates": [position for run in runs for position in run]}
    return {"type": "Polygon", "coordinates": [run if run[0] == run[-1] else [*run, run[0]] for run in runs]}


def _position(line: str) -> list[float]:
    """Two numbers; which of them are on the earth, the reader of geometries says."""
    try:
        lon, lat = map(float, _BETWEEN.split(line.strip().strip("()[],")))
    except ValueError:
        raise invalid("survey.corner", measured=line[:40]) from None
    return [lon, lat]
