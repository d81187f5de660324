"""The sample of a scene, from which its yardsticks are taken: of a large scene, some blocks alone are decoded."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from sensing import picture
from sensing.bands import Role
from sensing.grid import BLOCK
from sensing.picture import open_picture

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

ACROSS = 9
SIDE = ACROSS * BLOCK
POND = (slice(700, 760), slice(2 * BLOCK + 20, 2 * BLOCK + 80))


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Each pixel holds the number of its block; the pond lies in a block that only its features bring in."""
    folder = tmp_path_factory.mktemp("sample")
    blocks = np.add.outer(np.arange(SIDE) // BLOCK * ACROSS, np.arange(SIDE) // BLOCK).astype(np.uint16) + 1
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 1, "dtype": "uint16", "crs": "EPSG:32649"}
    profile |= {"transform": from_origin(0, 0, 10, 10), "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
    with rasterio.open(folder / "scene.tif", "w", **profile) as written:
        written.write(blocks, 1)
    water = np.zeros((SIDE, SIDE), np.uint8)
    water[POND] = 1
    with rasterio.open(folder / "water.tif", "w", **profile | {"dtype": "uint8"}) as written:
        written.write(water, 1)
    return folder


@pytest.fixture
def large(monkeypatch):
    """As if the scene were large."""
    monkeypatch.setattr(picture, "_LARGE_STEP", 1)


def sampled(scene, *spans):
    with (
        open_picture(scene / "scene.tif", [Role.RED], full_scale=10_000) as shown,
        rasterio.open(scene / "water.tif") as water,
    ):
        parts = [shown.sample(None, water, span) for span in spans or [None]]
    reds = np.concatenate([part.after[Role.RED] for part in parts])
    return reds, np.concatenate([p.numbers for p in parts]), np.concatenate([p.spare for p in parts])


def test_sample__small_scene__every_block_and_nothing_spare(scene):
    reds, _, spare = sampled(scene)
    assert set(reds.tolist()) == set(range(1, ACROSS**2 + 1))
    assert not spare.any()


def test_sample__large_scene__one_block_of_nine_in_every_row_and_column(scene, large):
    reds, _, spare = sampled(scene)
    blocks = np.unique(reds[~spare]) - 1
    assert blocks.size == ACROSS
    assert set((blocks // ACROSS).tolist()) == set((blocks % ACROSS).tolist()) == set(range(ACROSS))


def test_sample__large_scene__is_no_smaller(scene, large):
    _, _, spare = sampled(scene)
    assert picture._SAMPLE_PX < (~spare).sum() < 2.2 * picture._SAMPLE_PX


def test_sample__pond_in_a_block_that_is_left_out__is_in_it_and_its_shore_is_not(scene, large):
    reds, water, spare = sampled(scene)
    assert (water[spare] == 1).all()
    assert spare.sum() > 200
    assert set(reds[spare].tolist()) == {1 * ACROSS + 2 + 1}


def test_sample__large_strip_of_two_blocks__rows_without_one_are_empty_and_have_every_band(large, tmp_path):
    profile = {"driver": "GTiff", "width": 2 * BLOCK, "height": SIDE, "count": 2, "dtype": "uint16"}
    profile |= {"crs": "EPSG:32649", "transform": from_origin(0, 0, 10, 10), "tiled": True, "blockxsize": BLOCK}
    with rasterio.open(tmp_path / "strip.tif", "w", **profile, blockysize=BLOCK) as written:
        written.write(np.full((2, SIDE, 2 * BLOCK), 7, np.uint16))
    with open_picture(tmp_path / "strip.tif", [Role.RED, Role.NIR], full_scale=10_000) as shown:
        parts = [shown.sample(None, None, (top, top + BLOCK)) for top in range(0, SIDE, BLOCK)]
    assert {tuple(part.after.bands) for part in parts} == {(Role.RED, Role.NIR)}
    assert {part.after[Role.NIR].size > 0 for part in parts} == {True, False}


@pytest.mark.parametrize("rows", [BLOCK, 2 * BLOCK])
def test_sample__of_spans__is_that_of_the_whole(scene, large, rows):
    whole = sampled(scene)
    parts = sampled(scene, *((top, min(top + rows, SIDE)) for top in range(0, SIDE, rows)))
    assert all((one == other).all() for one, other in zip(whole, parts, strict=True))
