"""The coverage map: what each pixel was worth, how much ground that is, and what may be said of it."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from geo.measure import WGS84
from sensing import coverage
from sensing.coverage import Cover, Tally, account, cover, nothing_found, tally, visible
from sensing.grid import Grid, moved
from tests.unit.sensing.pictures import north_up

UTM = Grid(CRS.from_epsg(32649).to_wkt(), north_up(10.0), 700, 600)
DEGREES = Grid(CRS.from_epsg(4326).to_wkt(), Affine.translation(113.2, 60.0) @ Affine.scale(1e-4, -1e-4), 700, 600)


def test_codes__are_those_of_the_files_that_were_written():
    """Stored rasters hold these numbers: one that changes makes every old map lie."""
    assert {code.name: int(code) for code in Cover} == {
        "OUTSIDE": 0,
        "ANALYSED": 1,
        "NODATA": 2,
        "PRIVACY": 3,
        "CLOUD": 4,
        "SHADOW": 5,
        "HAZE": 6,
        "FAILED": 7,
    }


def test_cover__void_pixels__privacy_where_a_zone_lies_else_nodata():
    looked = np.array([True, True, False, False, False, False])
    said = np.array([1, 3, 1, 3, 4, 0], np.uint8)
    assert cover(looked, said).tolist() == [1, 1, 2, 3, 4, 0]
    everything = np.ones_like(said, np.bool_)
    assert visible(everything, said).tolist() == [True, True, True, True, False, False]
    assert not visible(~everything, said).any()
    assert not visible(np.ones(1, np.bool_), np.array([2], np.uint8)).any()


def ground_m2(grid: Grid) -> float:
    """The whole grid on the ellipsoid, its rim followed pixel by pixel."""
    import shapely

    corners = shapely.box(0, 0, grid.width, grid.height).segmentize(1.0)
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    placed = moved(shapely.affinity.affine_transform(corners, [a, b, d, e, c, f]), grid.crs_wkt, "EPSG:4326")
    return abs(WGS84.geometry_area_perimeter(placed)[0])


@pytest.mark.parametrize("grid", [UTM, DEGREES], ids=["metres", "degrees"])
def test_tally__areas_on_the_ellipsoid__whatever_the_grid(grid):
    codes = np.full((grid.height, grid.width), Cover.ANALYSED, np.uint8)
    found = tally(grid, codes, 0)
    assert found.pixels == {Cover.ANALYSED: grid.width * grid.height}
    assert found.km2()["analysed"] == pytest.approx(ground_m2(grid) / 1e6, rel=1e-6)
    assert sum(found.km2().values()) == found.km2()["analysed"]


def test_tally__in_bands__adds_up_to_the_whole_in_any_order():
    codes = np.random.default_rng(1).integers(0, 8, (UTM.height, UTM.width)).astype(np.uint8)
    whole = tally(UTM, codes, 0)
    one, other = tally(UTM, codes[:512], 0), tally(UTM, codes[512:], 512)
    assert one + other == other + one == whole
    assert sum(whole.pixels.values()) == codes.size
    assert Tally.load(whole.dump()) == whole


def test_tally__bytes_that_are_no_code__left_out_and_written_nowhere():
    """The ground of others is such a byte; the loop is compiled, and a place beyond its table is not its own."""
    codes = np.full((4, UTM.width), Cover.ANALYSED, np.uint8)
    codes[1:, 1] = 255
    assert coverage._counts(codes, UTM.width)[0, 255] == 3
    assert tally(UTM, codes, 0).pixels == {Cover.ANALYSED: codes.size - 3}


def test_tally__grid_in_degrees__pixels_further_north_are_smaller():
    codes = np.full((DEGREES.height, DEGREES.width), Cover.ANALYSED, np.uint8)
    codes[512:] = Cover.NODATA
    found = tally(DEGREES, codes, 0)
    each = {code: found.cm2[code] / found.pixels[code] for code in found.pixels}
    assert each[Cover.ANALYSED] < each[Cover.NODATA]


def test_account__names_everything_that_was_not_looked_at():
    km2 = {"analysed": 2.0, "privacy": 0.02, "failed": 1.5, "nodata": 0.0, "shift_rows_px": 0.3}
    said = [sentence.render("en") for sentence in account(km2)]
    assert said[0] == "2.0000 km² were looked at"
    assert len(said) == 3
    assert any("1.5000 km² were not: the work on them failed" in one for one in said)
    assert any("0.0200 km² were not: hidden by privacy zones" in one for one in said)


@pytest.mark.parametrize(
    ("km2", "words"),
    [
        ({"analysed": 2.0}, "no finding of burn scar and excavation on the 2.0000 km² that were looked at"),
        ({"analysed": 2.0, "failed": 1.5, "cloud": 0.5}, "nor of the other 2.0000 km²"),
        ({"analysed": 0.0, "nodata": 4.0}, "nothing was looked at"),
        ({}, "nothing was looked at"),
    ],
)
def test_nothing_found__is_said_of_the_kinds_and_the_ground_that_were_looked_at_alone(km2, words):
    told = nothing_found(km2, ("excavation", "burn_scar"))
    assert words in told.render("en")
    assert told.render("zh")


def test_nothing_found__no_kind_could_be_judged__says_nothing_about_the_ground():
    told = nothing_found({"analysed": 2.0, "nodata": 1.0}, ())
    assert "no kind of violation could be judged" in told.render("en")
    assert "no finding" not in told.render("en")
    assert told.render("zh")
