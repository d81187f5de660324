"""Validity of pixels, and privacy zones in them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from pyproj import CRS
from rasterio.windows import Window

from sensing.derivative import surviving_pixels
from sensing.mask import Zone, ZoneBurner, grown, validity, zone_version
from tests.unit.sensing.pictures import CORNER, UTM, north_up, write_tif


def test_validity__nodata_in_any_band__void():
    data = np.array([[[-9999, 0, 5]], [[0, 3, 5]], [[7, 7, -9999]]], np.int16)
    assert validity(data, nodata=[-9999, -9999, None]).tolist() == [[False, True, True]]


def test_validity__zero_is_nodata__void_in_all_bands_alone_for_it_is_also_black():
    data = np.array([[[0, 0, 5]], [[0, 3, 5]]], np.uint8)
    assert validity(data, nodata=[0, 0]).tolist() == [[False, True, True]]


def test_validity__value_of_a_band_without_nodata__counts():
    data = np.array([[[0, 0, 5]], [[0, 3, 0]]], np.uint8)
    assert validity(data, nodata=[None, 0]).tolist() == [[False, True, False]]


def test_validity__nan_in_any_band__void():
    data = np.array([[[1.0, np.nan, 2.0]], [[1.0, 1.0, np.inf]]], np.float32)
    assert validity(data, nodata=[None, None]).tolist() == [[True, False, False]]


def test_validity__nan_is_the_nodata_value__void():
    data = np.array([[[np.nan, 1.0]]], np.float32)
    assert validity(data, nodata=[float("nan")]).tolist() == [[False, True]]


def test_validity__alpha_and_mask__both_count():
    data = np.ones((3, 1, 3), np.uint8)
    valid = validity(data, alpha=np.array([[0, 255, 255]]), mask=np.array([[255, 0, 255]]))
    assert valid.tolist() == [[False, False, True]]


def test_validity__no_nodata__all_valid():
    assert validity(np.zeros((1, 2, 2), np.uint8)).all()


SQUARE = shapely.box(113.2695, 23.1295, 113.2705, 23.1305)


def test_zone_version__order__does_not_matter():
    one, other = Zone("PZ-1", 1, SQUARE), Zone("PZ-2", 1, SQUARE)
    assert zone_version([one, other]) == zone_version([other, one])


@pytest.mark.parametrize(
    "changed",
    [
        Zone("PZ-1", 2, SQUARE),
        Zone("PZ-1", 1, SQUARE, 5.0),
        Zone("PZ-1", 1, shapely.box(113.2695, 23.1295, 113.2706, 23.1305)),
        Zone("PZ-9", 1, SQUARE),
    ],
)
def test_zone_version__any_change__another_hash(changed):
    assert zone_version([changed]) != zone_version([Zone("PZ-1", 1, SQUARE)])


def test_zone_version__no_zones__stable():
    assert zone_version([]) == zone_version([])


def test_grown__margin__reaches_that_far():
    from geo.crs import to_metric

    wide = to_metric(grown(Zone("PZ-1", 1, SQUARE, 3.0), 2.0), 32649)
    tight = to_metric(SQUARE, 32649)
    assert wide.bounds[0] == pytest.approx(tight.bounds[0] - 5.0, abs=0.2)


def test_grown__nothing_to_add__same_shape():
    assert grown(Zone("PZ-1", 1, SQUARE), 0.0) is SQUARE


def utm_zone(col: float, row: float, size_px: float, pixel_m: float = 10.0) -> shapely.Polygon:
    """A square zone in EPSG:4326 given in pixels of the test raster."""
    from geo.crs import to_wgs84

    west, north = CORNER[0] + col * pixel_m, CORNER[1] - row * pixel_m
    return to_wgs84(shapely.box(west, north - size_px * pixel_m, west + size_px * pixel_m, north), 32649)


def test_burn__zone_smaller_than_a_pixel__its_pixel_and_neighbours():
    burner = ZoneBurner([utm_zone(5.4, 5.4, 0.1)], CRS(UTM), north_up(10.0))
    burnt = burner.burn(Window(0, 0, 12, 12))
    assert sorted({tuple(place) for place in np.argwhere(burnt)}) == [(r, c) for r in (4, 5, 6) for c in (4, 5, 6)]


def test_burn__any_window__same_pixels():
    burner = ZoneBurner([utm_zone(30.3, 20.7, 25), utm_zone(80, 90, 3)], CRS(UTM), north_up(10.0))
    whole = burner.burn(Window(0, 0, 128, 128))
    for step in (17, 32, 50):
        parts = np.zeros_like(whole)
        for top in range(0, 128, step):
            for left in range(0, 128, step):
                size = (min(step, 128 - top), min(step, 128 - left))
                piece = burner.burn(Window(left, top, size[1], size[0]))
                parts[top : top + size[0], left : left + size[1]] = piece
        assert np.array_equal(parts, whole)


def test_burn__no_zones__nothing():
    assert not ZoneBurner([], CRS(UTM), north_up(10.0)).burn(Window(0, 0, 9, 9)).any()


def test_burner__zone_that_cannot_be_placed__fails_closed():
    stereographic = CRS.from_proj4("+proj=gnom +lat_0=90 +datum=WGS84")
    with pytest.raises(ValueError, match="cannot be placed"):
        ZoneBurner([shapely.box(0, -80, 10, -70)], stereographic, north_up(10.0))


def test_surviving_pixels__unmasked_file__counts_them(tmp_path):
    path = write_tif(tmp_path / "a.tif", np.full((3, 64, 64), 9, np.uint8))
    burner = ZoneBurner([utm_zone(10, 10, 4)], CRS(UTM), north_up(10.0))
    assert surviving_pixels(path, burner) == burner.burn(Window(0, 0, 64, 64)).sum() > 0
