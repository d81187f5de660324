"""Pictures for people: same grid for two scenes, transparent where masked."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer

from schemas.refusals import RuleViolation
from sensing.bands import Role
from sensing.preview import Box, Combination, combinations, render, tile
from tests.unit.sensing.pictures import CORNER, noise, write_tif

RGB = (Role.RED, Role.GREEN, Role.BLUE)


@pytest.fixture
def scene(tmp_path):
    data = noise(4, 200, 200)
    data[0, 100:] = 4000
    mask = np.full((200, 200), 255, np.uint8)
    mask[:50, :50] = 0
    return write_tif(tmp_path / "scene.tif", data, mask=mask)


def box_of(pixels: tuple[float, float, float, float]) -> Box:
    """A window of the map that covers pixels left, top, right, bottom of the scene."""
    left, top, right, bottom = pixels
    change = Transformer.from_crs(32649, 4326, always_xy=True)
    west, north = change.transform(CORNER[0] + left * 10, CORNER[1] - top * 10)
    east, south = change.transform(CORNER[0] + right * 10, CORNER[1] - bottom * 10)
    return Box(west, south, east, north)


def over(place: tuple[float, float], zoom: int) -> tuple[int, int]:
    """Column and row of the tile that holds a place."""
    lon, lat = place
    row = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return int((lon + 180) / 360 * 2**zoom), int(row * 2**zoom)


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_render__window__size_and_colour(scene):
    pixels = opened(render(scene, (*RGB, Role.NIR), box_of((60, 120, 180, 190)), (80, 60)))
    assert pixels.shape == (60, 80, 4)
    assert pixels[..., 3].min() == 255
    assert np.median(pixels[..., 0]) == 255


def test_render__masked_corner__transparent_and_black(scene):
    pixels = opened(render(scene, (*RGB, Role.NIR), box_of((5, 5, 40, 40)), (50, 50)))
    assert pixels.max() == 0


def test_render__outside__transparent(scene):
    assert opened(render(scene, RGB, Box(10, 10, 11, 11), (20, 20))).max() == 0


def test_render__unknown_bands__grey(scene):
    pixels = opened(render(scene, (Role.OTHER,) * 4, box_of((60, 60, 180, 180)), (40, 40)))
    assert np.array_equal(pixels[..., 0], pixels[..., 1])


def test_render__constant_scene__does_not_divide_by_zero(tmp_path):
    path = write_tif(tmp_path / "a.tif", np.full((3, 50, 50), 7, np.uint8))
    assert opened(render(path, RGB, box_of((5, 5, 40, 40)), (20, 20)))[..., 3].max() == 255


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (Box(1, 1, 0, 2), (10, 10)),
        (Box(0, 0, 1, 1), (10, 100_000)),
        (Box(0, 0, 1, 1), (0, 10)),
        (Box(0, 0, 1, math.inf), (10, 10)),
        (Box(math.nan, 0, 1, 1), (10, 10)),
    ],
)
def test_render__nonsense_window__refused(scene, box, size):
    with pytest.raises(RuleViolation) as caught:
        render(scene, RGB, box, size)
    assert caught.value.refusals[0].rule == "preview.window"


def test_tile__over_the_scene__shows_it(scene):
    pixels = opened(tile(scene, RGB, (14, *over((113.267, 23.125), 14))))
    assert pixels.shape == (256, 256, 4)
    assert pixels[..., 3].max() == 255


@pytest.mark.parametrize("place", [(3, 8, 0), (3, -1, 0), (-1, 0, 0), (99, 0, 0)])
def test_tile__no_such_tile__refused(scene, place):
    with pytest.raises(RuleViolation, match=r"preview\.window: "):
        tile(scene, RGB, place)


def test_combinations__as_the_bands_allow():
    assert combinations(RGB) == ("true_colour",)
    assert combinations((*RGB, Role.NIR)) == ("true_colour", "false_colour", "ndvi")
    assert combinations((*RGB, Role.NIR, Role.SWIR1))[-1] == "swir"
    assert combinations((Role.OTHER,)) == ("grey",)


def test_tile__missing_band__refused_with_what_there_is(scene):
    with pytest.raises(RuleViolation) as caught:
        tile(scene, (*RGB, Role.NIR), (14, 13346, 7105), Combination.SWIR)
    assert "false_colour" in caught.value.refusals[0].render("en")["fix"]


def test_tile__vegetation_index__same_value_same_colour_whatever_the_scene(tmp_path):
    tiles = []
    for name, factor in (("a", 1), ("b", 3)):
        data = np.full((4, 200, 200), 500 * factor, np.uint16)
        data[3] = 2000 * factor
        data[:, :100] = noise(4, 200, 200)[:, :100]
        path = write_tif(tmp_path / f"{name}.tif", data)
        tiles.append(opened(tile(path, (*RGB, Role.NIR), (16, *over((113.267, 23.117), 16)), Combination.NDVI)))
    assert tiles[0][200:, 200, 3].min() == 255
    assert np.array_equal(tiles[0][200:, 200], tiles[1][200:, 200])
