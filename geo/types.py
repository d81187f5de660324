"""Coordinates that cannot be misread."""

from __future__ import annotations

from typing import NamedTuple


class LonLat(NamedTuple):
    """A point on the WGS 84 ellipsoid, longitude first.

    Degrees, EPSG:4326; longitude in [-180, 180], latitude in [-90, 90].
    """

    lon: float
    lat: float
