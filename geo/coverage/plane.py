"""An equal-area plane around a piece of ground: the metres in which coverage is computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from geo.types import LonLat

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]

# Edges of the plane are straight there; in longitude and latitude only short ones are.
_EDGE_M = 2_000.0
# Over a hundred metres that is less than a tenth of a millimetre.
_SHORT_M, _GRID_M = 100.0, 1e-3


@dataclass(frozen=True)
class Plane:
    """Lambert's azimuthal equal-area projection of the WGS 84 ellipsoid about a place; east and north in metres.

    Areas are true everywhere; within 500 km of the place, lengths are to three parts in ten thousand.
    """

    centre: LonLat

    @classmethod
    def around(cls, ground: BaseGeometry) -> Plane:
        """The plane about the middle of a geometry's bounding box; EPSG:4326 in."""
        west, south, east, north = ground.bounds
        # Rounded, so that neighbours of one province and two versions of one outline share their plane.
        return cls(LonLat(round((west + east) / 2, 1), round((south + north) / 2, 1)))

    @cached_property
    def crs(self) -> CRS:
        """The projection, as files of results carry it."""
        return CRS.from_dict({"proj": "laea", "lon_0": self.centre.lon, "lat_0": self.centre.lat, "datum": "WGS84"})

    @cached_property
    def _there(self) -> Transformer:
        return Transformer.from_crs(4326, self.crs, always_xy=True)

    def metres(self, lons: Floats, lats: Floats) -> tuple[Floats, Floats]:
        """East and north of places of EPSG:4326."""
        x, y = self._there.transform(lons, lats, errcheck=True)
        return x, y

    def to_metres(self, shapes: Shapes) -> Shapes:
        """Geometries of EPSG:4326 in the plane."""
        return shapely.transform(shapes, lambda xy: np.column_stack(self.metres(xy[:, 0], xy[:, 1])))

    def to_wgs84(self, shapes: Shapes) -> Shapes:
        """Geometries of the plane in EPSG:4326."""
        back = self._there.transform
        return shapely.transform(
            shapes, lambda xy: np.column_stack(back(xy[:, 0], xy[:, 1], direction="INVERSE", errcheck=True))
        )

    def areas_to_wgs84(self, areas: Shapes) -> Shapes:
        """Valid polygons and multipolygons of the plane as valid ones of EPSG:4326, their edges where they were.

        A corner beside an edge may come to lie beyond it, as straight edges of the plane are not quite straight in
        degrees. Such an area is drawn again with its corners on whole millimetres and shorter edges: what lies nearer
        than that then touches, and a polygon may become a multipolygon by it.
        """
        drawn = self.to_wgs84(shapely.segmentize(areas, _EDGE_M))
        broken = ~shapely.is_valid(drawn)
        if broken.any():
            snapped = shapely.set_precision(shapely.set_precision(areas[broken], _GRID_M), 0, mode="pointwise")
            drawn[broken] = self.to_wgs84(shapely.segmentize(snapped, _SHORT_M))
        return drawn
