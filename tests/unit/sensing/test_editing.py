"""Outlines that grow from an officer's clicks, without any model."""

from __future__ import annotations

import math
from contextlib import contextmanager

import numpy as np
import pytest
import rasterio
import shapely

from geo.measure import area_m2
from schemas.refusals import LANGUAGES, RuleViolation
from sensing.bands import Role
from sensing.editing import Bounds4326, Click, grow
from sensing.picture import open_picture
from tests.unit.sensing.ground import Ground, blob, rectangle
from tests.unit.sensing.pictures import noise, write_tif

RGBN = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
PIT, ROOF, CHAR = blob((150, 150), 22, 3), rectangle((300, 200), (40, 25)), blob((5, 300), 25, 5)
PARTLY = blob((324, 50), 18, 7)
# What the mask of a copy hides: nothing there may be clicked on, or seen.
HIDDEN = (slice(40, 60), slice(330, 360))


def ground() -> Ground:
    made = Ground()
    for shape, surface in ((PIT, "pit"), (ROOF, "roof"), (CHAR, "char"), (PARTLY, "pit")):
        made.paint(shape, surface)
    return made


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = ground().satellite(tmp_path_factory.mktemp("editing") / "a.tif")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        data, mask = target.read(), np.full(target.shape, 255, np.uint8)
        data[:, *HIDDEN], mask[HIDDEN] = 0, 0
        target.write(data)
        target.write_mask(mask)
    with open_picture(path, RGBN) as opened:
        yield opened


def click(column: float, row: float, inside: bool = True) -> Click:
    place = ground().to_map(shapely.Point(column + 0.5, row + 0.5))
    return Click(place.x, place.y, inside)


def drawn(left: float, top: float, right: float, bottom: float) -> Bounds4326:
    return Bounds4326(*ground().to_map(shapely.box(left, top, right, bottom)).bounds)


def overlap(one: shapely.Polygon, other: shapely.Polygon) -> float:
    return one.intersection(other).area / one.union(other).area


def texts_of(refused: RuleViolation) -> set[str]:
    assert {refusal.rule for refusal in refused.refusals} == {"grow"}
    for refusal in refused.refusals:
        assert all(refusal.message(lang) and refusal.fix(lang) for lang in LANGUAGES)
    return {refusal.text for refusal in refused.refusals}


@pytest.mark.parametrize(("shape", "place"), [(PIT, (150, 150)), (ROOF, (300, 200))])
def test_grow__one_click_inside__the_thing_itself(picture, shape, place):
    grown = grow(picture, [click(*place)])
    assert overlap(grown.shape, ground().to_map(shape)) > 0.93
    assert grown.shape.is_valid
    assert grown.area_m2 == pytest.approx(area_m2(grown.shape))
    assert (grown.method, grown.quality) == ("watershed", None)


def test_grow__twice__same_outline_bit_for_bit(picture):
    one, other = (grow(picture, [click(150, 150)]).shape for _ in range(2))
    assert shapely.to_wkb(one) == shapely.to_wkb(other)


def test_grow__thing_at_the_edge_of_the_scene__drawn_to_the_edge(picture):
    grown = grow(picture, [click(4, 300)])
    shown = ground().to_map(CHAR.intersection(shapely.box(0, 0, 420, 380)))
    assert overlap(grown.shape, shown) > 0.9


def test_grow__click_outside__keeps_the_outline_away(picture):
    alone = grow(picture, [click(150, 150)])
    held = grow(picture, [click(143, 150), click(160, 150, inside=False)])
    barred = ground().to_map(shapely.Point(160.5, 150.5))
    assert alone.shape.contains(barred)
    assert not held.shape.contains(barred)


def test_grow__box__nothing_outside_of_it(picture):
    box = drawn(100, 100, 152, 200)
    grown = grow(picture, [click(145, 150)], box=box)
    # An outline is simplified by less than a pixel.
    assert shapely.box(*box).buffer(1.5e-4).covers(grown.shape)
    assert grown.area_m2 < 0.7 * grow(picture, [click(145, 150)]).area_m2


def test_grow__thing_that_is_partly_hidden__the_part_that_is_seen(picture):
    hidden = ground().to_map(shapely.box(331, 41, 359, 59))
    grown = grow(picture, [click(320, 50)])
    assert grown.shape.intersection(hidden).area < 0.02 * hidden.area
    seen = ground().to_map(PARTLY.difference(shapely.box(330, 40, 360, 60)))
    assert overlap(grown.shape, seen) > 0.85


@pytest.mark.parametrize(
    ("clicks", "reason"),
    [
        ([], {"grow.no_click"}),
        ([click(150, 150, inside=False)], {"grow.no_click"}),
        ([click(345, 50)], {"grow.hidden"}),
        ([click(150, 150), click(345, 50, inside=False)], {"grow.hidden"}),
        ([click(-3, 10)], {"grow.beside"}),
        ([Click(math.nan, 23.0, True)], {"grow.beside"}),
        ([Click(math.inf, 23.0, True)], {"grow.beside"}),
        ([Click(0.0, 95.0, True)], {"grow.beside"}),
        ([click(150, 150), click(150, 150, inside=False)], {"grow.contradiction"}),
        ([click(-3, 10), click(345, 50)], {"grow.beside", "grow.hidden"}),
        ([click(150, 150)] * 65, {"grow.too_many"}),
        ([click(150, 150), click(300, 200)], {"grow.apart"}),
    ],
)
def test_grow__wrong_clicks__refused_with_every_reason(picture, clicks, reason):
    with pytest.raises(RuleViolation) as refused:
        grow(picture, clicks)
    assert texts_of(refused.value) == reason


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (Bounds4326(113.0, 23.0, 113.0, 23.1), "grow.box"),
        (Bounds4326(math.nan, 23.0, 113.0, 23.1), "grow.box"),
        (Bounds4326(10.0, 10.0, 10.1, 10.1), "grow.beside"),
        (drawn(200, 100, 260, 200), "grow.outside_box"),
    ],
)
def test_grow__wrong_box__refused(picture, box, reason):
    with pytest.raises(RuleViolation) as refused:
        grow(picture, [click(150, 150)], box=box)
    assert texts_of(refused.value) == {reason}


def with_data(tmp_path, data, roles):
    @contextmanager
    def opened():
        with open_picture(write_tif(tmp_path / "b.tif", data), roles) as picture:
            yield picture

    return opened()


@pytest.mark.parametrize("data", [np.full((4, 90, 90), 700, np.uint16), noise(4, 90, 90)])
def test_grow__nothing_but_one_colour_or_noise__nothing_grows(tmp_path, data):
    with with_data(tmp_path, data, RGBN) as picture, pytest.raises(RuleViolation) as refused:
        grow(picture, [click(45, 45)])
    assert texts_of(refused.value) == {"grow.nothing"}


@pytest.mark.parametrize("side", [1, 2, 3])
def test_grow__image_of_hardly_any_pixels__nothing_grows(tmp_path, side):
    with with_data(tmp_path, noise(4, side, side), RGBN) as picture, pytest.raises(RuleViolation) as refused:
        grow(picture, [click(0, 0)])
    assert texts_of(refused.value) == {"grow.nothing"}


def test_grow__bands_of_unknown_meaning__refused(tmp_path):
    with with_data(tmp_path, noise(1, 60, 60), (Role.OTHER,)) as picture, pytest.raises(RuleViolation) as refused:
        grow(picture, [click(30, 30)])
    assert texts_of(refused.value) == {"grow.no_bands"}


def test_grow__thing_larger_than_a_window__told(tmp_path):
    data = np.full((4, 900, 900), 500, np.uint16) + noise(4, 900, 900, high=20)
    data[:, 50:850, 50:850] += 2000
    with with_data(tmp_path, data, RGBN) as picture, pytest.raises(RuleViolation) as refused:
        grow(picture, [click(500, 500)])
    assert texts_of(refused.value) <= {"grow.too_large", "grow.nothing"}


def test_grow__clicks_too_far_apart__refused(tmp_path):
    with (
        with_data(tmp_path, noise(4, 60, 1500), RGBN) as picture,
        pytest.raises(RuleViolation) as refused,
    ):
        grow(picture, [click(5, 30), click(1490, 30)])
    assert texts_of(refused.value) == {"grow.too_far"}
