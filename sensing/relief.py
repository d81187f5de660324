"""Heights of the ground on the metric grid of an image, for whatever is projected onto it. Pure but for its file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geo.photo_ground import Ground

Floats = NDArray[np.float64]

# So many heights say of a scene what elevation models of metres to tens of metres know.
_MOST_NODES = 4_000_000


@dataclass(frozen=True)
class Relief:
    """Heights at the nodes of a square lattice on a metric grid; NaN where the elevation model has none."""

    west: float
    north: float
    step_m: float
    heights_m: NDArray[np.float32]

    @classmethod
    def over(cls, bounds: tuple[float, float, float, float], crs_wkt: str, ground: Ground, finest_m: float) -> Self:
        """The ground within `bounds` (west, south, east, north of the grid), at nodes `finest_m` apart or further."""
        west, south, east, north = bounds
        step_m = max(finest_m, math.sqrt((east - west) * (north - south) / _MOST_NODES))
        columns, rows = (math.ceil(size / step_m) + 2 for size in (east - west, north - south))
        to_lonlat = Transformer.from_crs(CRS.from_wkt(crs_wkt), 4326, always_xy=True)
        heights = np.empty((rows, columns), dtype=np.float32)
        x = west + step_m * np.arange(columns)
        for row in range(rows):
            lons, lats = to_lonlat.transform(x, np.full(columns, north - step_m * row))
            heights[row] = ground.heights_m(lons, lats)
        return cls(west, north, step_m, heights)

    @classmethod
    def load(cls, plain: dict[str, Any]) -> Self:
        """From what `dump` gave."""
        return cls(plain["west"], plain["north"], plain["step_m"], np.load(plain["path"], allow_pickle=False))

    def dump(self, path: Path) -> dict[str, Any]:
        """As plain JSON, the heights in a file at `path`."""
        np.save(path, self.heights_m, allow_pickle=False)
        return {"west": self.west, "north": self.north, "step_m": self.step_m, "path": str(path)}

    def at(self, transform: Affine, columns: Floats, rows: Floats) -> Floats:
        """Bilinear heights at every meeting of `columns` and `rows` of a raster (rows x columns), NaN if unknown."""
        if transform.b or transform.d:
            raise ValueError("heights are asked for on rasters that are north up")
        across = self._between((transform.c + transform.a * columns - self.west) / self.step_m, 1)
        down = self._between((self.north - transform.f - transform.e * rows) / self.step_m, 0)
        (left, right, share), (upper, lower, sunk) = across, down
        top = self.heights_m[np.ix_(upper, left)] * (1 - share) + self.heights_m[np.ix_(upper, right)] * share
        bottom = self.heights_m[np.ix_(lower, left)] * (1 - share) + self.heights_m[np.ix_(lower, right)] * share
        heights: Floats = top * (1 - sunk[:, None]) + bottom * sunk[:, None]
        return heights

    def _between(self, place: Floats, axis: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        last = self.heights_m.shape[axis] - 1
        place = np.clip(place, 0, last)
        first = np.minimum(np.floor(place).astype(np.int64), max(last - 1, 0))
        return first, np.minimum(first + 1, last), place - first


class Level:
    """Ground at one height everywhere, where no elevation model says better."""

    def __init__(self, height_m: float) -> None:
        self._height_m = height_m

    def heights_m(self, lons: Floats, _lats: Floats) -> Floats:
        """That height."""
        return np.full(len(lons), self._height_m)
