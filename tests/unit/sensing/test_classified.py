"""What providers say of their own pixels: Sentinel-2 by numbers, Landsat by bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from sensing.bands import Role
from sensing.classified import Classified, classified, says
from sensing.cloud import clouds
from sensing.coverage import Cover
from sensing.picture import open_picture
from tests.unit.sensing.ground import Ground
from tests.unit.sensing.pictures import write_tif

RGBN = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
# Values that Landsat 8 and 9 deliver, by the product guide of Collection 2.
CLEAR, CLEAR_WATER, FILL = 21824, 21952, 1
DELIVERED = {
    "clear": (CLEAR, None),
    "clear, water": (CLEAR_WATER, None),
    "fill": (FILL, Cover.NODATA),
    "dilated cloud": (21826, Cover.CLOUD),
    "cloud": (22280, Cover.CLOUD),
    "cloud over water": (22152 | 1 << 7, Cover.CLOUD),
    "shadow": (23888, Cover.SHADOW),
    "shadow over water": (23952, Cover.SHADOW),
    "snow": (30048, Cover.CLOUD),
    "cirrus": (54596, Cover.HAZE),
    "cirrus over water": (54724, Cover.HAZE),
}
SENTINEL = [(3, Cover.SHADOW), (8, Cover.CLOUD), (9, Cover.CLOUD), (10, Cover.HAZE), (11, Cover.CLOUD)]
HIDES = (Cover.NODATA, Cover.CLOUD, Cover.HAZE, Cover.SHADOW)


@pytest.mark.parametrize(("value", "meant"), list(DELIVERED.values()), ids=list(DELIVERED))
@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
def test_landsat__delivered_value__what_it_means(value, meant, dtype):
    plane = np.array([[value]], dtype)
    assert [code for code in HIDES if says(plane, Role.QUALITY, code)[0, 0]] == ([meant] if meant else [])


@given(st.integers(0, 0xFFFF))
def test_landsat__any_value__its_lowest_six_bits_alone_decide(value):
    plane, bits = np.array([value], np.uint16), np.array([value & 0b11_1111], np.uint16)
    for code in HIDES:
        assert says(plane, Role.QUALITY, code) == says(bits, Role.QUALITY, code)


@pytest.mark.parametrize(("number", "meant"), SENTINEL)
def test_sentinel__number__what_it_means_and_its_bits_mean_nothing(number, meant):
    found = [code for code in HIDES if says(np.array([number], np.uint8), Role.CLASSES, code)[0]]
    assert found == [meant]


def test_void_of_a_file_of_floats__says_nothing():
    assert not says(np.array([np.nan], np.float32), Role.QUALITY, Cover.NODATA)[0]


def test_band__by_its_name__landsat_or_sentinel():
    assert classified(["red", "qa_pixel"]) == Classified(2, Role.QUALITY)
    assert classified(["scl", "red"]) == Classified(1, Role.CLASSES)
    assert classified(["red", "nir"]) is None


def test_landsat_scene__bits_are_honoured_pixel_by_pixel_and_go_before_our_own(tmp_path):
    """A square of two pixels is hidden where either says so; what nobody hides is looked at."""
    side = 120
    quality = np.full((side, side), CLEAR, np.uint16)
    for row, (value, _) in enumerate(DELIVERED.values()):
        quality[10 * row : 10 * row + 10, :40] = value
    quality[112, 112] = DELIVERED["shadow"][0]
    bands = np.rint(Ground(seed=4, width=side, height=side).reflectance() * 10_000).astype(np.uint16)
    path = write_tif(tmp_path / "landsat.tif", np.concatenate([bands, quality[None]]))
    with open_picture(path, (*RGBN, Role.OTHER)) as opened:
        found = clouds(opened, Classified(5, Role.QUALITY))
    codes = found.window(Window(0, 0, side, side))
    for row, (_, meant) in enumerate(DELIVERED.values()):
        assert set(np.unique(codes[10 * row + 4 : 10 * row + 6, :40])) == {meant or Cover.ANALYSED}
    assert codes[112, 112] == Cover.SHADOW
    assert (codes[:, 48:104] == Cover.ANALYSED).all()
    assert found.how.key == "cloud.classes"
