"""Crops that SAM is shown: on a lattice, shared by neighbours, always inside the scene, the same tones everywhere."""

from __future__ import annotations

import random

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from sensing.bands import Role
from sensing.picture import open_picture
from sensing.segment.crops import Box, Crop, Stretch, around, assign, holding, show, stretch_of
from tests.unit.sensing.pictures import noise, write_tif

RGB = (Role.RED, Role.GREEN, Role.BLUE)
SIZE = st.integers(1, 9000)


@st.composite
def boxes_in_a_scene(draw):
    height, width = draw(SIZE), draw(SIZE)
    boxes = []
    for _ in range(draw(st.integers(1, 12))):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        right, bottom = left + draw(st.integers(1, 1600)), top + draw(st.integers(1, 1600))
        boxes.append(Box(left, top, min(right, width), min(bottom, height)))
    return boxes, (height, width)


@given(boxes_in_a_scene())
def test_assign__any_boxes__each_in_one_crop_that_holds_it_and_lies_in_the_scene(made):
    boxes, (height, width) = made
    seen = []
    for crop, numbers in assign(boxes, (height, width)):
        assert numbers
        assert crop.left >= 0
        assert crop.top >= 0
        assert crop.left + crop.width <= width
        assert crop.top + crop.height <= height
        assert all(crop.holds(boxes[number]) for number in numbers)
        seen += numbers
    assert sorted(seen) == list(range(len(boxes)))


@given(boxes_in_a_scene(), st.randoms())
def test_assign__in_another_order__the_same_crops(made, shuffler: random.Random):
    boxes, size = made
    order = list(range(len(boxes)))
    shuffler.shuffle(order)
    mixed = {crop: sorted(order[n] for n in numbers) for crop, numbers in assign([boxes[n] for n in order], size)}
    assert mixed == dict(assign(boxes, size))


def test_assign__100_neighbours__25_crops():
    # Four in every half of a crop: none of them could be looked at in fewer.
    boxes = [
        Box(left + x, top + y, left + x + 90, top + y + 90)
        for top in range(0, 10 * 512, 2 * 512)
        for left in range(0, 10 * 512, 2 * 512)
        for y in (60, 300)
        for x in (60, 300)
    ]
    crops = dict(assign(boxes, (6000, 6000)))
    assert len(boxes) == 100
    assert len(crops) == 25
    assert {crop.width for crop in crops} == {512}


@pytest.mark.parametrize(
    ("length", "side"), [(1, 512), (200, 512), (206, 1024), (400, 1024), (800, 2048), (1600, 4096), (1700, None)]
)
def test_assign__longer_things__larger_crops_until_none_holds_them(length, side):
    crops = list(assign([Box(3000, 3000, 3000 + length, 3010)], (9000, 9000)))
    assert [crop.width for crop, _ in crops] == ([side] if side else [])


def test_assign__scene_smaller_than_a_crop__all_of_it():
    assert list(assign([Box(0, 0, 10, 10)], (40, 60))) == [(Crop(0, 0, 60, 40), [0])]


def test_holding__several_crops__smallest_first_and_then_the_one_in_whose_middle_it_lies():
    found = holding(Box(500, 500, 520, 520), (4000, 4000))
    assert found[0] == Crop(256, 256, 512, 512)
    assert [crop.width for crop in found] == sorted(crop.width for crop in found)
    assert {crop.width for crop in found} == {512, 1024, 2048, 4000}
    assert all(crop.holds(Box(492, 492, 528, 528)) for crop in found)
    assert holding(Box(3000, 0, 4700, 5), (9000, 9000)) == []


@pytest.mark.parametrize(
    ("box", "crop"),
    [
        (Box(1400, 1400, 1500, 1600), Crop(938, 988, 1024, 1024)),
        (Box(0, 0, 1000, 10), Crop(0, 0, 1024, 1024)),
        (Box(2900, 2900, 3000, 3000), Crop(1976, 1976, 1024, 1024)),
    ],
)
def test_around__a_box__in_the_middle_unless_the_scene_ends(box, crop):
    assert around(box, (3000, 3000)) == crop
    assert around(Box(0, 0, 5, 5), (40, 60)) == Crop(0, 0, 60, 40)


def test_show__hidden_pixels__the_mean_of_what_is_seen(tmp_path):
    data = noise(3, 60, 80, high=3000)
    path = write_tif(
        tmp_path / "a.tif", data, mask=np.where(np.arange(80) < 30, 0, 255).astype(np.uint8)[None].repeat(60, 0)
    )
    with open_picture(path, RGB) as picture:
        shown = show(picture, Crop(10, 5, 50, 40), Stretch(0.0, 3000.0))
    assert shown.pixels.shape == (40, 50, 3)
    assert not shown.valid[:, :20].any()
    assert shown.valid[:, 20:].all()
    hidden = shown.pixels[:, :20].reshape(-1, 3)
    assert (hidden == hidden[0]).all()
    assert hidden[0] == pytest.approx(shown.pixels[:, 20:].reshape(-1, 3).mean(axis=0), abs=1.5)


def test_stretch__whatever_is_hidden__takes_no_part(tmp_path):
    data = noise(3, 60, 80, high=3000) + 100
    bright = data.copy()
    bright[:, :, :40] = 60_000
    mask = np.where(np.arange(80) < 40, 0, 255).astype(np.uint8)[None].repeat(60, 0)
    tones = []
    for name, pixels in (("a.tif", data), ("b.tif", bright)):
        path = write_tif(tmp_path / name, pixels, mask=mask)
        with rasterio.open(path), open_picture(path, RGB, full_scale=10_000.0) as picture:
            tones.append(stretch_of(picture))
    assert tones[0] == tones[1]
    assert 100 <= tones[0].dark < tones[0].bright <= 3100


def test_stretch__nothing_but_hidden_pixels__any_that_can_be_divided_by(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(3, 9, 9), mask=np.zeros((9, 9), np.uint8))
    with open_picture(path, RGB) as picture:
        dark, bright = stretch_of(picture)
        shown = show(picture, Crop(0, 0, 9, 9), Stretch(dark, bright))
    assert bright > dark
    assert not shown.valid.any()
