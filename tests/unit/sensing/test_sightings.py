"""How much of a find was looked at again, and layers that are read back as they were written."""

from __future__ import annotations

import json
import math
from datetime import date

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from geo.crs import to_wgs84
from sensing.context import Context, Place
from sensing.coverage import Cover
from sensing.sightings import analysed_share

EAST, NORTH, PIXEL_M = 700_000.0, 2_550_000.0, 10.0


@pytest.fixture
def raster(tmp_path):
    """A raster of 40 x 30 pixels of ten metres that were all looked at, but for a cloud over columns 20 to 24."""
    codes = np.full((30, 40), Cover.ANALYSED, np.uint8)
    codes[:, 20:25] = Cover.CLOUD
    path = tmp_path / "coverage.tif"
    place = Affine.translation(EAST, NORTH) @ Affine.scale(PIXEL_M, -PIXEL_M)
    options = {"driver": "GTiff", "width": 40, "height": 30, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:32649", transform=place, **options) as out:
        out.write(codes, 1)
    return path


def area(left: float, top: float, right: float, bottom: float) -> shapely.Polygon:
    """A box in columns and rows, a hair inside the pixels that it names."""
    hair = 0.01
    west, east = EAST + (left + hair) * PIXEL_M, EAST + (right - hair) * PIXEL_M
    north, south = NORTH - (top + hair) * PIXEL_M, NORTH - (bottom - hair) * PIXEL_M
    return to_wgs84(shapely.box(west, south, east, north), 32649)


@pytest.mark.parametrize(
    ("shape", "share"),
    [
        (area(2, 2, 10, 10), 1.0),
        (area(21, 5, 24, 8), 0.0),
        (area(15, 5, 25, 6), 0.5),
        (area(5.2, 5.2, 5.4, 5.4), 1.0),
        (area(-4, 2, 4, 4), 0.5),
        (area(36, 26, 44, 34), 0.25),
        (area(60, 60, 70, 70), 0.0),
        (area(-20, 5, -10, 8), 0.0),
    ],
    ids=[
        "inside",
        "under cloud",
        "half under cloud",
        "within a pixel",
        "over the rim",
        "over a corner",
        "beyond",
        "left",
    ],
)
def test_analysed_share__touched_pixels__none_beyond_the_raster(raster, shape, share):
    assert analysed_share(raster, shape) == pytest.approx(share, abs=0.01)


def test_analysed_share__one_pixel_of_many_unseen__is_less_than_all(raster):
    assert analysed_share(raster, area(2, 2, 20.5, 20)) < 1.0


def test_context__written_and_read_back__every_digit():
    ring = shapely.Polygon([(113 + math.pi / 100, 23), (113.1, 23 + 1 / 3), (113.2, 23.05)])
    places = [
        Place("permits", "CF-1", "Quarry", ring, "quarry", "Q-1", "Holder", date(2025, 1, 1), None),
        Place("water", "CF-2", "Lake", shapely.MultiPolygon([ring, shapely.affinity.translate(ring, 1)])),
    ]
    again = Context.load(json.loads(json.dumps(Context(places).dump())))
    assert again.places == tuple(places)
    assert [shapely.to_wkb(one.geom) for one in again.places] == [shapely.to_wkb(one.geom) for one in places]
