"""Geometry columns as shapely values and back, with the kind of shape that the column promises."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import shapely
from geoalchemy2.shape import from_shape, to_shape
from numpy.typing import NDArray
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from geo.types import LonLat
from schemas.tables import SRID
from schemas.tables.base import Shape

G = TypeVar("G", bound=BaseGeometry)
# The head of a point with its reference system, little-endian, as PostGIS writes and reads it.
_POINT_HEAD = struct.pack("<BII", 1, 0x2000_0001, SRID)


def element(geom: BaseGeometry) -> Shape:
    """A geometry of EPSG:4326 as the value of a geometry column."""
    return from_shape(geom, srid=SRID)


def point_text(lon: float, lat: float) -> str:
    """A place of EPSG:4326 as COPY reads it into a POINT column."""
    return (_POINT_HEAD + struct.pack("<dd", lon, lat)).hex()


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


def from_database(values: Sequence[bytes | None]) -> NDArray[np.object_]:
    """The shapes of a column that was selected as ST_AsEWKB, at one go; None where the column is null.

    Binary shapes are read from our own database alone: what users hand in is GeoJSON, a layer or a table.
    """
    return shapely.from_wkb(np.array(values, dtype=object))


def _expect(column: Shape, kind: type[G]) -> G:
    geom = to_shape(column)
    if not isinstance(geom, kind):
        raise TypeError(f"a {kind.__name__} was expected, not a {geom.geom_type}")
    return geom
