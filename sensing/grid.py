"""Where the pixels of a raster lie, and how it is walked through window by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

G = TypeVar("G", bound=BaseGeometry)

WGS84 = "EPSG:4326"
BLOCK = 512
_WINDOW_BYTES = 64 << 20


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a raster lie: CRS as WKT, pixel to ground, size in pixels."""

    crs_wkt: str
    transform: Affine
    width: int
    height: int

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        size = {"width": self.width, "height": self.height}
        return {"crs_wkt": self.crs_wkt, "transform": tuple(self.transform)[:6]} | size

    @classmethod
    def load(cls, plain: dict[str, Any]) -> Self:
        """From what `dump` gave: `Grid.load(grid.dump()) == grid`."""
        return cls(plain["crs_wkt"], Affine(*plain["transform"]), plain["width"], plain["height"])


def windows(grid: Grid, row_bytes: int, *, tile: int | None = None) -> Iterator[tuple[Window, float]]:
    """All of a raster in windows whose edges fall on block edges, each with the share done after it.

    Whole rows where `row_bytes` allows, so that striped sources are decoded once.
    """
    columns = tile or (grid.width if row_bytes * BLOCK <= _WINDOW_BYTES else BLOCK * 8)
    rows = tile or BLOCK
    for top in range(0, grid.height, rows):
        height = min(rows, grid.height - top)
        for left in range(0, grid.width, columns):
            width = min(columns, grid.width - left)
            done = (top + height * min(left + width, grid.width) / grid.width) / grid.height
            yield Window(left, top, width, height), min(done, 1.0)


def crs_name(crs_wkt: str) -> str:
    """A CRS by its code such as EPSG:32649, or by its name where it has none."""
    crs = CRS.from_wkt(crs_wkt)
    authority = crs.to_authority(min_confidence=100)
    return ":".join(authority) if authority else crs.name


def horizontal(crs_wkt: str) -> str:
    """A CRS without its heights: an image lies on the ground, whatever its file says of the vertical."""
    crs = CRS.from_wkt(crs_wkt)
    if crs.is_compound:
        return str(crs.sub_crs_list[0].to_wkt())
    return str(crs.to_2d().to_wkt()) if len(crs.axis_info) > 2 else crs_wkt


def moved(shape: G, source: CRS | str, target: CRS | str) -> G:
    """A shape of one CRS in another, easting or longitude first; what cannot be placed becomes infinite."""
    change = Transformer.from_crs(source, target, always_xy=True)

    def both(places: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(change.transform(places[:, 0], places[:, 1]))

    return shapely.transform(shape, both)
