"""A camera's tint is taken off a single picture; the colour of the ground is not."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.windows import Window

from sensing.bands import Role
from sensing.picture import Tile
from sensing.tint import white_balance

RGB = (Role.RED, Role.GREEN, Role.BLUE)
SOIL, GREY, LEAVES = (4200, 3900, 3200), (7000, 7000, 7000), (2200, 2900, 1700)


def picture(*surfaces: tuple[tuple[int, int, int], int], gain=(1.0, 1.0, 1.0)) -> Tile:
    """Pixels of surfaces (colour, how many), each brighter or darker by itself, through a tinted camera."""
    rng = np.random.default_rng(5)
    colours = np.concatenate([np.tile(colour, (count, 1)) for colour, count in surfaces]).astype(float)
    colours *= rng.normal(1.0, 0.05, (len(colours), 1)) * rng.normal(1.0, 0.005, colours.shape)
    planes = np.clip(np.rint(colours * gain), 0, 10_000).astype(np.int32).T
    count = len(colours)
    return Tile(Window(0, 0, count, 1), dict(zip(RGB, planes, strict=True)), np.ones(count, bool))


TOWN = ((SOIL, 9000), (LEAVES, 20_000), (GREY, 1000))


@pytest.mark.parametrize(
    "gain", [(1, 1, 1), (1.08, 1, 0.92), (0.92, 1, 1.08), (0.95, 1.05, 0.95), (1.05, 0.95, 1.05), (0.8, 0.8, 0.8)]
)
def test_white_balance__any_tint__greys_are_grey_again(gain):
    toning = white_balance(picture(*TOWN, gain=gain))
    balanced = [g * toning.gain[role] for g, role in zip(gain, RGB, strict=True)]
    assert max(balanced) / min(balanced) == pytest.approx(1.0, abs=0.01)


def test_white_balance__brightness__stays():
    toning = white_balance(picture(*TOWN, gain=(1.08, 1, 0.92)))
    assert np.mean(list(toning.gain.values())) == pytest.approx(1.0)
    assert set(toning.offset.values()) == {0.0}


@pytest.mark.parametrize("gain", [(1, 1, 1), (1.05, 1, 0.95), (0.97, 1, 1.03)])
def test_white_balance__soil_is_the_brightest_thing__left_alone(gain):
    """Nothing tells the colour of bare ground from a tint, so it is believed."""
    assert white_balance(picture((SOIL, 10_000), (LEAVES, 20_000), gain=gain)) is None


def test_white_balance__overexposed_roofs__tell_nothing():
    assert white_balance(picture((SOIL, 9000), (LEAVES, 20_000), ((20_000, 20_000, 20_000), 1000))) is None


@pytest.mark.parametrize("count", [0, 1, 150, 400])
def test_white_balance__hardly_a_pixel__left_alone(count):
    assert white_balance(picture((GREY, count))) is None


def test_white_balance__black_picture__left_alone():
    assert white_balance(picture(((0, 0, 0), 5000))) is None
