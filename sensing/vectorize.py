"""From label rasters to polygons: streaming, without seams, with areas on the ellipsoid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import rasterio
import shapely
from pyproj import CRS, Transformer
from rasterio.features import shapes
from rasterio.io import DatasetReader
from shapely.geometry import shape


def outlines(labels: DatasetReader, *, simplify_px: float = 0.0) -> list[tuple[shapely.Polygon, int]]:
    """The connected areas of equal label with their value, label 0 left out; in the raster's own CRS.

    Four-connected, because rings that touch themselves at corners are not valid polygons. The raster is
    streamed from the file, so there are no seams to mend. With `simplify_px`, borders lose their steps;
    borders that two areas share stay shared.
    """
    background = 0
    found = [
        (shape(geometry), int(value))
        for geometry, value in shapes(rasterio.band(labels, 1), connectivity=4)
        if value != background
    ]
    if not found or simplify_px <= 0:
        return found
    pixel = abs(labels.transform.determinant) ** 0.5
    smooth = shapely.coverage_simplify([polygon for polygon, _ in found], simplify_px * pixel)
    return [(polygon, value) for polygon, (_, value) in zip(smooth, found, strict=True)]


def without_small_holes(polygon: shapely.Polygon, smallest: float) -> shapely.Polygon:
    """The polygon with holes below an area filled; the area is in the units of its CRS."""
    holes = [ring for ring in polygon.interiors if shapely.Polygon(ring).area >= smallest]
    return shapely.Polygon(polygon.exterior, holes)


def to_wgs84(polygons: Sequence[shapely.Polygon], crs_wkt: str) -> list[shapely.Polygon]:
    """Polygons of a raster's CRS in EPSG:4326, longitude first."""
    change = Transformer.from_crs(CRS.from_wkt(crs_wkt), 4326, always_xy=True)

    def both(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        lon, lat = change.transform(x, y, errcheck=True)
        return lon, lat

    return [shapely.transform(polygon, both, interleaved=False) for polygon in polygons]
