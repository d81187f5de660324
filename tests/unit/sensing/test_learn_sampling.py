"""From places to pixels: what a click or a polygon means on a grid, which areas belong together, what a card counts."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from rasterio.windows import Window

from geo.crs import to_wgs84
from sensing.bands import Role
from sensing.grid import Grid
from sensing.learn import features as looks
from sensing.learn.fit import Fitted, HeldOut, Samples
from sensing.learn.measures import _auc, of_objects, of_pixels
from sensing.learn.objects import Decisions, fit_objects
from sensing.learn.pixel import NONE
from sensing.learn.sampling import Ground, Pixels, areas_of
from sensing.picture import open_picture
from tests.unit.sensing.pictures import CORNER, noise, write_tif
from tests.unit.sensing.test_learn_pixel import fitted, samples  # noqa: F401 - a fixture

ROLES = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)


def on_map(shape: shapely.Geometry) -> shapely.Geometry:
    """Pixels (column, row) of 10 m to EPSG:4326."""
    placed = shapely.transform(
        shape, lambda at: np.column_stack([CORNER[0] + at[:, 0] * 10, CORNER[1] - at[:, 1] * 10])
    )
    return to_wgs84(placed, 32649)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "a.tif"
    mask = np.full((1100, 1200), 255, np.uint8)
    mask[300:400, 300:400] = 0
    write_tif(path, noise(4, 1100, 1200, high=6000), mask=mask)
    with open_picture(path, ROLES) as picture:
        assert isinstance(picture.grid, Grid)
        yield Ground(picture)


def found(ground: Ground, shape: shapely.Geometry, **more: int) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for row, column in ground.pixels(on_map(shape), **more).places}


def test_click__is_the_pixel_that_it_lies_in(ground):
    assert found(ground, shapely.Point(12.3, 40.8)) == {(40, 12)}


@pytest.mark.parametrize("place", [(-0.5, 5), (1200.5, 5), (5, 1100.2), (350, 350)])
def test_click__beside_the_scene_or_on_void__is_nothing(ground, place):
    assert found(ground, shapely.Point(place)) == set()


def test_click__off_the_earth_of_the_grid__is_nothing(ground):
    assert ground.pixels(shapely.Point(0.0, 90.0)).count == 0


def test_polygon__pixels_whose_centres_it_holds(ground):
    assert found(ground, shapely.box(10.6, 20.4, 13.4, 22.6)) == {
        (20, 11),
        (20, 12),
        (21, 11),
        (21, 12),
        (22, 11),
        (22, 12),
    }


def test_polygon__smaller_than_a_pixel__is_the_pixel_that_it_lies_in(ground):
    assert found(ground, shapely.box(10.1, 20.1, 10.2, 20.2)) == {(20, 10)}


def test_polygon__partly_void__its_valid_part(ground):
    assert found(ground, shapely.box(298, 310, 302, 312)) == {(r, c) for r in (310, 311) for c in (298, 299)}


def test_polygon__larger_than_needed__evenly_chosen_across_windows(ground):
    places = ground.pixels(on_map(shapely.box(900, 900, 1150, 1090))).places
    assert 250 <= len(places) <= 300
    assert len(np.unique(places, axis=0)) == len(places)
    for axis, (low, high) in ((0, (900, 1090)), (1, (900, 1150))):
        counts, _ = np.histogram(places[:, axis], bins=4, range=(low, high))
        assert counts.min() > 40


def test_features__of_scattered_places__are_those_of_the_plane(ground):
    names = looks.names(ROLES)
    rng = np.random.default_rng(3)
    places = np.column_stack([rng.integers(0, 200, 80), rng.integers(0, 300, 80)])
    plane = looks.stack(ground.picture.tile(Window(0, 0, 300, 200), looks.HALO_PX), names)
    assert np.array_equal(ground.features(Pixels(places), names), plane[:, places[:, 0], places[:, 1]])


def test_areas__near_ones_belong_together_also_through_a_third():
    line = [on_map(shapely.Point(column, 5).buffer(0.5)) for column in (0, 12, 24, 60, 75, 200)]
    assert areas_of(line, 150.0).tolist() == [0, 0, 0, 1, 1, 2]
    assert areas_of(list(reversed(line)), 150.0).tolist() == [0, 1, 1, 2, 2, 2]
    assert areas_of(line, 1.0).tolist() == [0, 1, 2, 3, 4, 5]


# -- what a card counts ---------------------------------------------------------------------------


def test_false_alarms__by_district_and_by_place_not_by_pixel(fitted):  # noqa: F811
    # Four places of nothing, ten pixels each: two in A1, of which one is called water, and two in A2.
    label = np.repeat(np.arange(5), 10)
    truth = np.where(label < 4, 0, 1)
    district = np.where(np.isin(label, (2, 3)), 1, 0)
    held = Samples((), (NONE, "water"), np.zeros((0, 50), np.float32), truth, label, label, district, ("A1", "A2"))
    water = (label == 4) | ((label == 0) & (np.arange(50) % 10 < 6)) | ((label == 2) & (np.arange(50) % 10 < 4))
    logits = np.where(water[:, None], (-2.0, 2.0), (2.0, -2.0))
    told = of_pixels(held, Fitted(fitted.model, HeldOut(held, logits, label % 2)))
    assert {code: (one["places"], one["false_alarms"]) for code, one in told["districts"].items()} == {
        "A1": (2, 1),
        "A2": (2, 0),
    }
    assert told["districts"]["A1"]["rate"] == 0.5
    assert told["held_out"]["classes"]["water"] == {"count": 10, "precision": 0.5, "recall": 1.0, "iou": 0.5}
    assert told["samples"]["none"] == {"labels": 4, "pixels": 40, "areas": 4}


def test_metrics__nothing_held_out__says_so(fitted):  # noqa: F811
    none = HeldOut(samples().only(np.zeros(600, bool)), np.zeros((0, 3)), np.zeros(0, int))
    assert of_pixels(samples(), Fitted(fitted.model, none))["held_out"] == {"count": 0}


def test_auc__known_answers():
    right = np.array([True, True, False, False])
    assert _auc(np.array([0.9, 0.8, 0.2, 0.1]), right) == 1.0
    assert _auc(np.array([0.1, 0.2, 0.8, 0.9]), right) == 0.0
    assert _auc(np.array([0.5, 0.5, 0.5, 0.5]), right) == 0.5
    assert _auc(np.array([0.5]), np.array([True])) is None


def test_objects__false_alarms_are_rejected_finds_that_would_still_be_shown():
    rng = np.random.default_rng(1)
    accepted = np.arange(80) % 2 == 0
    described = rng.normal(size=(80, 3 * 1 + 7 + 1)).astype(np.float32)
    described[:, 0] += 3 * accepted
    district = np.arange(80) % 3
    decisions = Decisions(("red",), ("pit",), described, accepted, np.arange(80), district, ("A1", "A2", "A3"))
    ranked = fit_objects(decisions)
    told = of_objects(decisions, ranked)
    shown = ranked.calibrated >= told["thresholds"]["alone"]
    for number, code in enumerate(("A1", "A2", "A3")):
        rejected = ~accepted & (district == number)
        assert told["districts"][code]["places"] == rejected.sum()
        assert told["districts"][code]["false_alarms"] == (rejected & shown).sum()
    assert told["held_out"]["auc"] > 0.85
