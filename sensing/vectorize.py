"""From label rasters to polygons: streaming, without seams, borders shared, with areas on the ellipsoid.

The raster is walked through once, row by row; what stays is the corners of borders, never the pixels. Areas are
four-connected, because rings that cross themselves at corners are no valid polygons.

Borders lose their steps by being drawn through the middles of pixel edges. Every drawn line stays within `WITHIN_PX` of
the border that it stands for, which is why nothing can go wrong: two parts of borders that do not meet are a whole
pixel apart, and parts that meet leave their meeting point close to different pixel edges, so no two drawn lines cross.
Each border is drawn once, for both of its areas.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geo.measure import area_m2
from sensing import tracing
from sensing.corners import Tracer
from sensing.grid import BLOCK, WGS84, moved

# Below half a pixel, and enough for the steps of nearly flat slopes, whose corners lie almost half a pixel away.
WITHIN_PX = 0.4995


class Outlines(NamedTuple):
    """Areas of equal value in the order of their first pixels: polygons in the CRS of the raster, and their values."""

    polygons: NDArray[np.object_]
    values: NDArray[np.uint8]

    def areas_m2(self, crs: CRS) -> Iterator[float]:
        """The areas on the ellipsoid, one after the other."""
        for polygon in self.polygons:
            yield area_m2(moved(polygon, crs, WGS84))


def outlines(plane: DatasetReader, band: int = 1, *, smooth: bool = False) -> Outlines:
    """The connected areas of equal value in a plane of bytes, value 0 left out.

    With `smooth`, borders lose their steps; a border that two areas share stays shared, and all polygons stay valid.
    """
    tracer = Tracer(plane.width)
    for top in range(0, plane.height, BLOCK):
        window = Window(0, top, plane.width, min(BLOCK, plane.height - top))
        tracer.take(plane.read(band, window=window))
    rings = tracing.rings(tracer.end(), WITHIN_PX if smooth else 0.0)
    a, b, c, d, e, f = tuple(plane.transform)[:6]
    x, y = rings.places[:, 0], rings.places[:, 1]
    ground = np.column_stack([a * x + b * y + c, d * x + e * y + f])
    offsets = (rings.ring_offsets, rings.polygon_offsets)
    return Outlines(shapely.from_ragged_array(shapely.GeometryType.POLYGON, ground, offsets), rings.values)
