"""What somebody says of the place of an image: taken where it is whole and nothing speaks against it."""

from __future__ import annotations

import pytest
from affine import Affine
from pyproj import CRS

from schemas.refusals import RuleViolation
from sensing.header import GroundPoint, HeaderReport
from sensing.placing import StatedPlace
from tests.unit.sensing.pictures import north_up

WORD = {"error_m": 2.0, "source": "control survey 2025-14"}
LOCAL = 'LOCAL_CS["a room",UNIT["metre",1]]'


def header(**said) -> HeaderReport:
    plain = {"driver": "GTiff", "width": 40, "height": 30, "bands": 1, "file_bytes": 1, "isolation": "drivers only"}
    return HeaderReport.model_validate(plain | said)


def wkt(code: int) -> str:
    return CRS.from_epsg(code).to_wkt()


def refused(call) -> tuple[int, str]:
    with pytest.raises(RuleViolation) as caught:
        call()
    (refusal,) = caught.value.refusals
    for lang in ("en", "zh"):
        assert all(refusal.render(lang)[part] for part in ("message", "fix"))
    return caught.value.status, refusal.rule


@pytest.mark.parametrize(
    "code",
    ["EPSG:999999", "http://127.0.0.1/crs", LOCAL, "4547", "EPSG:5773", "urn:ogc:def:crs:EPSG::4547"],
)
def test_stated_place__no_code_of_a_crs_on_the_earth__422(code):
    assert refused(lambda: StatedPlace.of(code, None, **WORD)) == (422, "raster.crs")


@pytest.mark.parametrize(
    "text",
    [b"", b"10\n0\n0\n-10\n1\n", b"10 0 0 -10 nan 5", b"1e999 0 0 -10 1 5", b"\xff" * 40, b"1 " * 7],
)
def test_stated_place__world_file_of_anything_but_six_numbers__422(text):
    assert refused(lambda: StatedPlace.of("EPSG:32649", text, **WORD)) == (422, "raster.world_file")


def test_stated_place__world_file__speaks_of_the_middle_of_the_first_pixel():
    said = StatedPlace.of("EPSG:32649", b"10\n1\n2\n-10\n700006\n2500000.5\n", **WORD)
    assert said.transform @ (0.5, 0.5) == pytest.approx((700006.0, 2500000.5))
    assert tuple(said.transform)[:2] == (10.0, 2.0)


@pytest.mark.parametrize(
    ("said", "world_file"),
    [
        ({"crs_wkt": wkt(32650), "transform": tuple(north_up(10.0))[:6]}, None),
        ({"crs_wkt": wkt(32650)}, b"10 0 0 -10 731405 2559995"),
        ({"gcps": (GroundPoint(row=0, col=0, x=113, y=23),), "gcp_crs_wkt": wkt(4326)}, None),
        ({"transform": tuple(north_up(10.0))[:6]}, b"10 0 0 -10 731406 2559995"),
        ({"transform": (0, 0, 1, 0, 0, 1)}, b"10 0 0 -10 731405 2559995"),
    ],
)
def test_applied__file_says_otherwise__409(said, world_file):
    place = StatedPlace.of("EPSG:32649", world_file, **WORD)
    assert refused(lambda: place.applied(header(**said))) == (409, "raster.contradicted")


def test_applied__neither_transform_nor_points__422_with_the_way_out():
    place = StatedPlace.of("EPSG:32649", None, **WORD)
    assert refused(lambda: place.applied(header())) == (422, "raster.transform")


@pytest.mark.parametrize("own", [None, LOCAL, wkt(32649)])
def test_applied__crs_that_the_file_lacks_or_has_too__placed(own):
    place = StatedPlace.of("epsg:32649", None, **WORD)
    told = place.applied(header(crs_wkt=own, transform=tuple(north_up(10.0))[:6]))
    assert CRS.from_wkt(told.crs_wkt).to_epsg() == 32649
    assert Affine(*told.transform) == north_up(10.0)


def test_applied__world_file_that_says_what_the_file_says__placed():
    place = StatedPlace.of("EPSG:32649", b"10 0 0 -10 731405 2559995", **WORD)
    told = place.applied(header(transform=tuple(north_up(10.0))[:6]))
    assert Affine(*told.transform) == north_up(10.0)


def test_applied__points_without_crs__get_the_one_that_is_stated():
    told = StatedPlace.of("EPSG:32649", None, **WORD).applied(header(gcps=(GroundPoint(row=0, col=0, x=1, y=2),)))
    assert CRS.from_wkt(told.gcp_crs_wkt).to_epsg() == 32649
