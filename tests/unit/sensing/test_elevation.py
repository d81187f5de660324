"""Elevation models: which headers and which heights are refused, and by which words."""

import math

import pytest
from pyproj import CRS

from schemas.refusals import LANGUAGES, RuleViolation
from sensing.elevation import Heights, Vertical, judge_heights, place, vertical_of
from sensing.header import HeaderReport
from tests.unit.sensing.pictures import north_up

UTM = "EPSG:32649"
SEA = Vertical(name="EGM2008 height", unit="metre", from_sea_level_up=True)


def wkt(name: str) -> str:
    return CRS.from_user_input(name).to_wkt()


def header(**told: object) -> HeaderReport:
    usual = {
        "driver": "GTiff",
        "width": 100,
        "height": 80,
        "bands": 1,
        "dtypes": ("float32",),
        "crs_wkt": wkt(UTM),
        "transform": tuple(north_up(10.0))[:6],
        "file_bytes": 30_000,
        "unpacked_bytes": 32_000,
        "isolation": "network namespace",
    }
    return HeaderReport.model_validate(usual | told)


def heights(**told: object) -> Heights:
    usual = {"known": 10, "lowest_m": 3.0, "highest_m": 812.5, "unit": "", "vertical": None}
    return Heights.model_validate(usual | told)


def rules(judged, *arguments) -> list[str]:
    with pytest.raises(RuleViolation) as caught:
        judged(*arguments, "dem.tif")
    for lang in LANGUAGES:
        assert all(body["message"] and body["fix"] for body in caught.value.render(lang))
    return [refusal.rule for refusal in caught.value.refusals]


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326", "EPSG:4490", "EPSG:32649+3855", "EPSG:4490+5737", "EPSG:4979"])
def test_header__one_band_in_a_known_crs__placed_without_its_vertical_part(crs):
    degrees = not crs.startswith(UTM)
    transform = (0.001, 0.0, 113.2, 0.0, -0.001, 23.2) if degrees else tuple(north_up(10.0))[:6]
    grid = place(header(crs_wkt=wkt(crs), transform=transform), "dem.tif")
    assert vertical_of(grid.crs_wkt) is None
    assert (grid.width, grid.height) == (100, 80)


def test_header__rotated__placed():
    assert place(header(transform=(8.0, 3.0, 731_400.0, 3.0, -8.0, 2_560_000.0)), "dem.tif").transform.b == 3.0


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"bands": 3}, ["raster.bands"]),
        ({"crs_wkt": None}, ["raster.crs"]),
        ({"transform": None}, ["raster.crs"]),
        ({"bands": 2, "transform": None}, ["raster.bands", "raster.crs"]),
        ({"bands": 2, "transform": (0.0, 0.0, 1.0, 0.0, 0.0, 1.0)}, ["raster.bands", "raster.transform"]),
        ({"transform": (math.nan, 0.0, 1.0, 0.0, -1.0, 1.0)}, ["raster.transform"]),
        ({"transform": (1e300, 0.0, 0.0, 0.0, -1e300, 0.0)}, ["raster.transform"]),
        ({"dtypes": ("complex64",)}, ["raster.dtype"]),
        ({"crs_wkt": 'LOCAL_CS["a room"]'}, ["raster.crs"]),
        ({"width": 200_000, "height": 200_000}, ["raster.pixels"]),
        ({"unpacked_bytes": 1 << 30}, ["raster.ratio"]),
    ],
)
def test_header__of_no_elevation_model__refused_with_every_reason(told, expected):
    assert rules(place, header(**told)) == expected


def test_header__placed_by_control_points_alone__refused():
    points = tuple({"row": r, "col": c, "x": 113 + c / 1e4, "y": 23 - r / 1e4} for r in (0, 80) for c in (0, 100))
    assert rules(place, header(crs_wkt=None, transform=None, gcps=points, gcp_crs_wkt=wkt("EPSG:4326"))) == [
        "raster.crs"
    ]


@pytest.mark.parametrize(
    ("crs", "expected"),
    [
        ("EPSG:4326", None),
        ("EPSG:32649+3855", ("EGM2008 height", "metre", True)),
        ("EPSG:4490+5737", ("Yellow Sea 1985 height", "metre", True)),
        ("EPSG:2230+6360", ("NAVD88 height (ftUS)", "US survey foot", True)),
        ("EPSG:4979", ("WGS 84", "metre", False)),
        ("EPSG:32649+5715", ("MSL depth", "metre", False)),
    ],
)
def test_vertical_datum__as_the_crs_says(crs, expected):
    found = vertical_of(wkt(crs))
    assert (found and (found.name, found.unit, found.from_sea_level_up)) == expected


@pytest.mark.parametrize(
    "told", [{}, {"unit": "m"}, {"unit": "Metre", "vertical": SEA}, {"lowest_m": -500.0, "highest_m": 9000.0}]
)
def test_heights__metres_above_the_sea__pass(told):
    judge_heights(heights(**told), "dem.tif")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"lowest_m": -500.1}, ["terrain.range"]),
        ({"highest_m": 9000.1}, ["terrain.range"]),
        ({"highest_m": math.inf}, ["terrain.range"]),
        ({"known": 0, "lowest_m": math.inf, "highest_m": -math.inf}, ["terrain.empty"]),
        ({"unit": "ft"}, ["terrain.unit"]),
        ({"unit": "dm", "lowest_m": -9999.0}, ["terrain.unit", "terrain.range"]),
        ({"vertical": SEA.model_copy(update={"unit": "US survey foot"})}, ["terrain.unit"]),
        ({"vertical": SEA.model_copy(update={"from_sea_level_up": False})}, ["terrain.datum"]),
    ],
)
def test_heights__of_something_else__refused_with_every_reason(told, expected):
    assert rules(judge_heights, heights(**told)) == expected


def test_datum__unnamed__unknown():
    assert heights().datum == "unknown"
    assert heights(vertical=SEA).datum == "EGM2008 height"
