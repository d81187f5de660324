"""Where the district lies: its local metric frame, its scene, and how vectors become pixels.

All shapes of the generator live in the *local frame*: metres east and north of ``ORIGIN``, which is UTM zone
49N moved to the middle of the district, so that numbers stay small.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

EPSG = 32649
ORIGIN_EAST_M = 732_450.0
ORIGIN_NORTH_M = 2_559_720.0

# Half the size of the satellite scene, in metres east and north.
SCENE_HALF_M = (4_500.0, 3_500.0)

G = TypeVar("G", bound=BaseGeometry)
FloatArray = NDArray[np.float32]
Metres = NDArray[np.float64]


@cache
def _transformers() -> tuple[Transformer, Transformer]:
    to_utm = Transformer.from_crs(4326, EPSG, always_xy=True)
    return to_utm, Transformer.from_crs(EPSG, 4326, always_xy=True)


def from_wgs84(geom: G) -> G:
    """The shape in the local frame, from EPSG:4326."""

    def move(points: Metres) -> Metres:
        east, north = _transformers()[0].transform(points[:, 0], points[:, 1])
        return np.column_stack([east - ORIGIN_EAST_M, north - ORIGIN_NORTH_M])

    return shapely.transform(geom, move)


def to_wgs84(geom: G) -> G:
    """The shape in EPSG:4326 with seven decimals, from the local frame; points that these cannot tell apart are one."""

    def move(points: Metres) -> Metres:
        lon, lat = _transformers()[1].transform(points[:, 0] + ORIGIN_EAST_M, points[:, 1] + ORIGIN_NORTH_M)
        return np.round(np.column_stack([lon, lat]), 7)

    return shapely.remove_repeated_points(shapely.transform(geom, move))


@dataclass(frozen=True)
class Grid:
    """North-up pixels over the local frame; ``west_m`` and ``north_m`` are the outer corner."""

    west_m: float
    north_m: float
    res_m: float
    width: int
    height: int

    @classmethod
    def around(cls, geom: BaseGeometry, margin_m: float, res_m: float) -> "Grid":
        """The smallest grid that holds a shape and a margin."""
        west, south, east, north = geom.bounds
        width = int(np.ceil((east - west + 2 * margin_m) / res_m))
        height = int(np.ceil((north - south + 2 * margin_m) / res_m))
        return cls(west - margin_m, north + margin_m, res_m, width, height)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def local_transform(self) -> Affine:
        """Pixel to local metres."""
        return Affine(self.res_m, 0, self.west_m, 0, -self.res_m, self.north_m)

    @property
    def utm_transform(self) -> Affine:
        """Pixel to EPSG:32649, for files."""
        west, north = self.west_m + ORIGIN_EAST_M, self.north_m + ORIGIN_NORTH_M
        return Affine(self.res_m, 0, west, 0, -self.res_m, north)

    @property
    def xs(self) -> FloatArray:
        """Pixel centres eastwards, in local metres."""
        return (self.west_m + (np.arange(self.width) + 0.5) * self.res_m).astype(np.float32)

    @property
    def ys(self) -> FloatArray:
        """Pixel centres from north to south, in local metres."""
        return (self.north_m - (np.arange(self.height) + 0.5) * self.res_m).astype(np.float32)

    @property
    def box(self) -> BaseGeometry:
        """The outline in the local frame."""
        east = self.west_m + self.width * self.res_m
        return shapely.box(self.west_m, self.north_m - self.height * self.res_m, east, self.north_m)

    def shifted(self, east_m: float, north_m: float) -> "Grid":
        """The same pixels looking at ground that lies a little elsewhere."""
        return Grid(self.west_m + east_m, self.north_m + north_m, self.res_m, self.width, self.height)

    def refined(self, factor: int) -> "Grid":
        """The same extent in pixels ``factor`` times smaller."""
        return Grid(self.west_m, self.north_m, self.res_m / factor, self.width * factor, self.height * factor)

    def window(self, geom: BaseGeometry, margin_m: float = 0.0) -> tuple[slice, slice]:
        """Rows and columns that hold a shape, cut at the edge of the grid."""
        west, south, east, north = geom.bounds
        left = int((west - margin_m - self.west_m) // self.res_m)
        right = int((east + margin_m - self.west_m) // self.res_m) + 1
        top = int((self.north_m - north - margin_m) // self.res_m)
        bottom = int((self.north_m - south + margin_m) // self.res_m) + 1
        rows = slice(min(max(top, 0), self.height), min(max(bottom, 0), self.height))
        return rows, slice(min(max(left, 0), self.width), min(max(right, 0), self.width))

    def part(self, window: tuple[slice, slice]) -> "Grid":
        """The pixels of a window as a grid of their own."""
        rows, columns = window
        west, north = self.west_m + columns.start * self.res_m, self.north_m - rows.start * self.res_m
        return Grid(west, north, self.res_m, columns.stop - columns.start, rows.stop - rows.start)

    @property
    def is_empty(self) -> bool:
        """Whether there is no pixel at all."""
        return self.width == 0 or self.height == 0

    def burn(self, shapes: Iterable[BaseGeometry], values: Iterable[int], dtype: str = "int32") -> NDArray[Any]:
        """Paint shapes in order, later over earlier; 0 where nothing was painted."""
        pairs = [(geom, value) for geom, value in zip(shapes, values, strict=True) if not geom.is_empty]
        if not pairs:
            return np.zeros(self.shape, dtype)
        painted: NDArray[Any] = rasterio.features.rasterize(
            pairs, out_shape=self.shape, transform=self.local_transform, fill=0, dtype=dtype
        )
        return painted

    def mask(self, shapes: Iterable[BaseGeometry]) -> NDArray[np.bool_]:
        """True inside any of the shapes."""
        held = list(shapes)
        return self.burn(held, [1] * len(held), "uint8") > 0

    def outline(self, mask: NDArray[np.bool_]) -> list[BaseGeometry]:
        """The polygons of a mask, largest first."""
        found = rasterio.features.shapes(
            mask.astype(np.uint8), mask=mask, connectivity=4, transform=self.local_transform
        )
        polygons = [shapely.geometry.shape(geom) for geom, _ in found]
        return sorted(polygons, key=lambda polygon: -polygon.area)
