"""Before and after on one grid: the window around a finding, and the finding's outline in its pixels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import Polygon, shape

from sensing import preview
from sensing.bands import Role
from sensing.intake import Shelf
from web.desk.queries import Finding
from web.desk.sides import Side

SIZE_PX = 512
# The window is this many times as wide as the finding, and never narrower than so many of its pixels.
AROUND = 3.0
LEAST_PIXELS = 60
_METRIC = Transformer.from_crs(4326, 3857, always_xy=True)


def window(finding: Finding) -> tuple[float, float, float, float]:
    """The square around a finding in EPSG:3857: west, south, east, north."""
    west, south, east, north = _metric(finding).bounds
    # Web Mercator stretches metres by 1 / cos(latitude).
    stretch = 1 / max(math.cos(math.radians((finding.bounds[1] + finding.bounds[3]) / 2)), 0.1)
    gsd_m = finding.after.gsd_m if finding.after else None
    least_m = LEAST_PIXELS * (gsd_m or 1.0) * stretch
    half = max(AROUND * max(east - west, north - south), least_m) / 2
    x, y = (west + east) / 2, (south + north) / 2
    return x - half, y - half, x + half, y + half


def _metric(finding: Finding) -> Polygon:
    moved = shapely.transform(shape(finding.shape), lambda places: np.column_stack(_METRIC.transform(*places.T)))
    assert isinstance(moved, Polygon)
    return moved


def box(finding: Finding) -> preview.Box:
    """The same square in EPSG:4326."""
    west, south, east, north = window(finding)
    low = _METRIC.transform(west, south, direction="INVERSE")
    high = _METRIC.transform(east, north, direction="INVERSE")
    return preview.Box(low[0], low[1], high[0], high[1])


def outline(finding: Finding) -> str:
    """The finding's outline as an SVG path in the pixels of the window."""
    west, _, east, north = window(finding)
    scale = SIZE_PX / (east - west)
    polygon = _metric(finding)
    rings = [polygon.exterior, *polygon.interiors]
    return " ".join(
        "M" + " ".join(f"{(x - west) * scale:.1f} {(north - y) * scale:.1f}" for x, y in ring.coords) + "Z"
        for ring in rings
    )


def png(data_dir: Path, finding: Finding, side: Side) -> bytes:
    """One side as PNG, from its masked copy."""
    path = Shelf(data_dir).derivatives.get(side.sha256)
    return preview.render(path, tuple(Role(role) for role in side.roles), box(finding), (SIZE_PX, SIZE_PX))
