"""Pure: the well-known text that conditions may hold, as GeoJSON; never handed to a reader of such text."""

from __future__ import annotations

import json
import re
from typing import Any

from shapely.geometry import mapping

from geo.geojson import parse_geometry
from schemas.refusals import RuleViolation
from web.things.grammar import malformed

_KINDS = {"POINT": ("Point", 0), "LINESTRING": ("LineString", 1), "POLYGON": ("Polygon", 2)}
_SHAPE = re.compile(r"\s*(?:SRID=4326;)?\s*(POINT|LINESTRING|POLYGON)\s*(\([\d\s.,eE()+-]*\))\s*", re.IGNORECASE)
_MOST = 4_000


def read_shape(text: str, name: str) -> str:
    """A point, line or polygon (EPSG:4326, longitude first) as GeoJSON text; raises RuleViolation 400."""
    found = _SHAPE.fullmatch(text[:_MOST])
    wanted = "geography'POINT (113.26 23.13)', LINESTRING or POLYGON"
    if found is None:
        raise malformed(name, text[:40], wanted)
    kind, levels = _KINDS[found[1].upper()]
    try:
        coordinates = _numbers(found[2], levels)
        shape = parse_geometry({"type": kind, "coordinates": coordinates}, allow={kind})
    except (ValueError, RuleViolation):
        raise malformed(name, text[:40], wanted) from None
    return json.dumps(mapping(shape))


def _numbers(text: str, levels: int) -> Any:  # noqa: ANN401 - nested lists
    """What stands in brackets: positions, or lists of them, so many levels deep."""
    body = text.strip()
    if not (body.startswith("(") and body.endswith(")")):
        raise ValueError("no brackets")
    inner = body[1:-1]
    if levels == 2:
        return [_numbers(f"({ring})", 1) for ring in re.findall(r"\(([^()]*)\)", inner)]
    positions = [[float(number) for number in one.split()] for one in inner.split(",")]
    return positions if levels else positions[0]
