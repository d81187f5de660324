"""Geometry columns as shapely values and back, with the kind of shape that the column promises."""

from __future__ import annotations

from typing import TypeVar

from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from geo.types import LonLat
from schemas.tables import SRID
from schemas.tables.base import Shape

G = TypeVar("G", bound=BaseGeometry)


def element(geom: BaseGeometry) -> Shape:
    """A geometry of EPSG:4326 as the value of a geometry column."""
    return from_shape(geom, srid=SRID)


def lon_lat(column: Shape) -> LonLat:
    """The point of a POINT column; raises TypeError for any other shape."""
    point = _expect(column, Point)
    return LonLat(point.x, point.y)


def line(column: Shape) -> LineString:
    """The line of a LINESTRING column; raises TypeError for any other shape."""
    return _expect(column, LineString)


def polygon(column: Shape) -> Polygon:
    """The polygon of a POLYGON column; raises TypeError for any other shape."""
    return _expect(column, Polygon)


def _expect(column: Shape, kind: type[G]) -> G:
    geom = to_shape(column)
    if not isinstance(geom, kind):
        raise TypeError(f"a {kind.__name__} was expected, not a {geom.geom_type}")
    return geom
