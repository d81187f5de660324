"""Choice of a metric grid and the way there and back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Proj, Transformer
from shapely.geometry.base import BaseGeometry

from geo.types import LonLat

WGS84_EPSG = 4326

_UTM_NORTH_EPSG = 32600
_UTM_SOUTH_EPSG = 32700
_UTM_ZONES = 60
_UTM_ZONE_WIDTH_DEG = 6

# One geometry, or an array of them.
G = TypeVar("G", bound=BaseGeometry | NDArray[np.object_])


def utm_epsg(at: LonLat) -> int:
    """The EPSG code of the UTM zone that holds a place: 326xx in the north, 327xx in the south.

    The plain six-degree rule, without the exceptions for Norway and Svalbard: any zone serves as a metric
    grid, and the plain rule can be recomputed by hand.
    """
    zone = int((at.lon + 180) // _UTM_ZONE_WIDTH_DEG) + 1
    base = _UTM_NORTH_EPSG if at.lat >= 0 else _UTM_SOUTH_EPSG
    return base + min(max(zone, 1), _UTM_ZONES)


def utm_epsg_of(geom: BaseGeometry) -> int:
    """The UTM zone of the centre of a geometry's bounding box; EPSG:4326 in."""
    west, south, east, north = geom.bounds
    return utm_epsg(LonLat((west + east) / 2, (south + north) / 2))


@lru_cache(maxsize=64)
def transformer(source_epsg: int, target_epsg: int) -> Transformer:
    """A cached transformer, always longitude or easting first."""
    return Transformer.from_crs(source_epsg, target_epsg, always_xy=True)


def _transform(geom: G, source_epsg: int, target_epsg: int) -> G:
    change = transformer(source_epsg, target_epsg)

    def moved(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        # Without errcheck a place outside the projection becomes infinity, and every test says "far away".
        return np.column_stack(change.transform(xy[:, 0], xy[:, 1], errcheck=True))

    either: Any = geom  # shapely declares one geometry and an array of them apart
    changed: G = shapely.transform(either, moved)
    return changed


def to_metric(geom: G, epsg: int) -> G:
    """A geometry, or an array of them, of EPSG:4326 in a metric grid; heights are dropped.

    Raises pyproj.exceptions.ProjError where the grid cannot hold it.
    """
    return _transform(geom, WGS84_EPSG, epsg)


def to_wgs84(geom: G, epsg: int) -> G:
    """A geometry of a metric grid in EPSG:4326; the inverse of `to_metric` to within a micrometre."""
    return _transform(geom, epsg, WGS84_EPSG)


def grid_scale(lons: NDArray[np.float64], lats: NDArray[np.float64], epsg: int) -> NDArray[np.float64]:
    """Grid metres for one true metre at each place, for a conformal grid such as UTM."""
    factors = Proj(epsg).get_factors(lons, lats)
    return np.asarray(factors.meridional_scale, dtype=np.float64)
