"""From label rasters to polygons: streaming, without seams, with areas on the ellipsoid."""

from __future__ import annotations

import math

import rasterio
import shapely
from rasterio.features import shapes
from rasterio.io import DatasetReader
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry


def outlines(plane: DatasetReader, band: int = 1, *, simplify_px: float = 0.0) -> list[shapely.Polygon]:
    """The connected areas of equal value in a plane, value 0 left out, in the raster's own CRS.

    Four-connected, because rings that touch themselves at corners are not valid polygons. The raster is
    streamed from the file, so there are no seams to mend. With `simplify_px`, borders lose their steps;
    a border that two areas share stays shared.
    """
    marked = rasterio.band(plane, band)
    found = [_polygon(shape(geometry)) for geometry, value in shapes(marked, connectivity=4) if value]
    if not found or simplify_px <= 0:
        return found
    pixel = math.sqrt(abs(plane.transform.determinant))
    return [_polygon(smooth) for smooth in shapely.coverage_simplify(found, simplify_px * pixel)]


def without_small_holes(polygon: shapely.Polygon, smallest: float) -> shapely.Polygon:
    """The polygon with holes below an area filled; the area is in the units of its CRS."""
    holes = [ring for ring in polygon.interiors if shapely.Polygon(ring).area >= smallest]
    return shapely.Polygon(polygon.exterior, holes)


def _polygon(found: BaseGeometry) -> shapely.Polygon:
    if not isinstance(found, shapely.Polygon):
        raise TypeError(f"a label's outline is a {found.geom_type}")
    return found
