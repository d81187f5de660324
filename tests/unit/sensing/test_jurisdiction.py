"""Only the ground of those who are responsible is looked at, and each is told how much of its own was."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.windows import Window

from geo.crs import to_wgs84
from sensing.coverage import Cover
from sensing.grid import Grid
from sensing.jurisdiction import Bounds, Jurisdiction, dump, load, shares
from tests.unit.sensing.pictures import CORNER, UTM, north_up, write_tif

HIGH, WIDE = 700, 900
GRID = Grid(rasterio.crs.CRS.from_string(UTM).to_wkt(), north_up(10.0), WIDE, HIGH)


def on_map(shape: shapely.Geometry) -> shapely.Geometry:
    return to_wgs84(shapely.affinity.affine_transform(shape, [10, 0, 0, -10, *CORNER]), 32649)


WEST, EAST = on_map(shapely.box(-50, -50, 400, 800)), on_map(shapely.box(400, -50, 700, 800))


def test_outside__pixels_of_nobody():
    outside = Bounds([WEST, EAST], GRID).outside(Window(0, 0, WIDE, HIGH))
    assert not outside[:, :700].any()
    assert outside[:, 700:].all()


def test_outside__nobody_at_all__everything():
    assert Bounds([], GRID).outside(Window(10, 10, 50, 50)).all()


@pytest.mark.parametrize("tile", [100, 256, 511])
def test_outside__any_window__same_pixels(tile):
    bounds = Bounds([on_map(shapely.Point(450, 350).buffer(300))], GRID)
    whole = bounds.outside(Window(0, 0, WIDE, HIGH))
    parts = np.zeros_like(whole)
    for top in range(0, HIGH, tile):
        for left in range(0, WIDE, tile):
            window = Window(left, top, min(tile, WIDE - left), min(tile, HIGH - top))
            parts[top : top + window.height, left : left + window.width] = bounds.outside(window)
    assert np.array_equal(parts, whole)
    assert 0 < whole.sum() < whole.size


def test_bounds__that_cannot_be_placed__fail_closed():
    polar = Grid(rasterio.crs.CRS.from_string("+proj=gnom +lat_0=90 +datum=WGS84").to_wkt(), north_up(10.0), 9, 9)
    with pytest.raises(ValueError, match="cannot be placed"):
        Bounds([shapely.box(0, -80, 10, -70)], polar)


def test_shares__each_authority__its_own_ground(tmp_path):
    codes = np.full((1, HIGH, WIDE), Cover.ANALYSED, np.uint8)
    codes[0, :350, :400] = Cover.CLOUD
    codes[0, :, 700:] = Cover.OUTSIDE
    path = write_tif(tmp_path / "coverage.tif", codes, transform=north_up(10.0))
    found = shares(path, [Jurisdiction("W", WEST), Jurisdiction("E", EAST)])
    assert found["W"]["analysed_percent"] == pytest.approx(50.0, abs=0.01)
    assert found["E"]["analysed_percent"] == 100.0
    assert found["W"]["km2"]["cloud"] == pytest.approx(400 * 350 * 1e-4, rel=0.01)
    assert found["E"]["km2"]["analysed"] == pytest.approx(300 * 700 * 1e-4, rel=0.01)
    assert found["E"]["km2"]["outside"] == 0.0


def test_dump__load__same_ground():
    (one,) = load(dump([Jurisdiction("W", WEST)]))
    assert (one.code, one.geom.equals_exact(WEST, 0.0)) == ("W", True)
