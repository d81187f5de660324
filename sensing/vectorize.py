"""From label rasters to polygons: streaming, without seams, with areas on the ellipsoid."""

from __future__ import annotations

import rasterio
import shapely
from rasterio.features import shapes
from rasterio.io import DatasetReader
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry


def outlines(labels: DatasetReader, *, simplify_px: float = 0.0) -> list[tuple[shapely.Polygon, int]]:
    """The connected areas of equal label with their value, label 0 left out; in the raster's own CRS.

    Four-connected, because rings that touch themselves at corners are not valid polygons. The raster is
    streamed from the file, so there are no seams to mend. With `simplify_px`, borders lose their steps;
    borders that two areas share stay shared.
    """
    background = 0
    found = [
        (_polygon(shape(geometry)), int(value))
        for geometry, value in shapes(rasterio.band(labels, 1), connectivity=4)
        if value != background
    ]
    if not found or simplify_px <= 0:
        return found
    pixel = abs(labels.transform.determinant) ** 0.5
    smooth = shapely.coverage_simplify([polygon for polygon, _ in found], simplify_px * pixel)
    return [(_polygon(one), value) for one, (_, value) in zip(smooth, found, strict=True)]


def without_small_holes(polygon: shapely.Polygon, smallest: float) -> shapely.Polygon:
    """The polygon with holes below an area filled; the area is in the units of its CRS."""
    holes = [ring for ring in polygon.interiors if shapely.Polygon(ring).area >= smallest]
    return shapely.Polygon(polygon.exterior, holes)


def _polygon(found: BaseGeometry) -> shapely.Polygon:
    if not isinstance(found, shapely.Polygon):
        raise TypeError(f"a label's outline is a {found.geom_type}")
    return found
