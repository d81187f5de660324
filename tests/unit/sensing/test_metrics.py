"""The one evaluator on shapes whose answers are known: pixels, borders, things, scores; what nobody saw is left out."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.windows import Window

from geo.measure import area_m2
from sensing.evaluate import Outline, assess
from sensing.grid import WGS84, Grid, moved
from sensing.metrics import Field, count, panoptic, pixel_areas_m2, pixel_size_m
from sensing.reliability import interval, reliability
from tests.unit.sensing.pictures import UTM, north_up

# Wider than one window of the walk.
GRID = Grid(CRS.from_user_input(UTM).to_wkt(), north_up(10.0), 700, 600)


def all_of(window):
    return np.ones((window.height, window.width), np.bool_)


def without(hidden: shapely.Polygon):
    """Everything was looked at but a box of pixels."""
    left, top, right, bottom = (int(edge) for edge in hidden.bounds)
    plane = np.ones((GRID.height, GRID.width), np.bool_)
    plane[top:bottom, left:right] = False
    return lambda window: plane[window.toslices()]


def on_map(shape: shapely.Geometry, grid: Grid = GRID) -> shapely.Geometry:
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    return moved(shapely.affinity.affine_transform(shape, [a, b, d, e, c, f]), CRS.from_wkt(grid.crs_wkt), WGS84)


def box(left: int, top: int, right: int, bottom: int, kind: str = "pit", score: float | None = None) -> Outline:
    return Outline(kind, on_map(shapely.box(left, top, right, bottom)), f"{left},{top}", score)


def look(found, true, silent=(), *, looked=all_of, tolerance_m=20.0):
    return assess(Field(GRID, looked), found, true, silent, tolerance_m=tolerance_m)


def test_same_outlines__everything_is_one():
    things = [box(10, 10, 60, 50), box(480, 490, 600, 560)]
    done = look(things, things)
    cover, thing = done.covers["pit"], done.things["pit"]
    assert (cover.iou, cover.boundary_f1, thing.pq, thing.sq, thing.rq) == pytest.approx((1, 1, 1, 1, 1))
    assert (thing.matched, thing.invented, thing.missed) == (2, 0, 0)
    assert cover.both_m2 == pytest.approx(sum(area_m2(one.geom) for one in things), rel=1e-4)


def test_half_of_a_square__known_numbers():
    done = look([box(100, 100, 150, 200)], [box(100, 100, 200, 200)])
    cover, thing = done.covers["pit"], done.things["pit"]
    assert cover.iou == pytest.approx(0.5, abs=1e-6)
    assert (cover.precision, cover.recall) == (pytest.approx(1.0), pytest.approx(0.5, abs=1e-6))
    # An overlap of one half is not more than one half.
    assert (thing.matched, thing.invented, thing.missed, thing.pq) == (0, 1, 1, 0.0)


def test_panoptic__two_matches_one_invented_one_missed():
    true = [box(0, 0, 100, 100), box(200, 0, 300, 100), box(400, 400, 450, 450)]
    found = [box(0, 0, 100, 80), box(200, 0, 300, 100), box(500, 500, 520, 520)]
    thing = look(found, true).things["pit"]
    assert (thing.matched, thing.invented, thing.missed) == (2, 1, 1)
    assert thing.sq == pytest.approx(0.9, abs=1e-6)
    assert thing.rq == pytest.approx(2 / 3)
    assert thing.pq == pytest.approx(0.6, abs=1e-6)


def test_panoptic__a_thing_found_twice__counts_once():
    thing = look([box(0, 0, 10, 10), box(0, 0, 10, 10)], [box(0, 0, 10, 10)]).things["pit"]
    assert (thing.matched, thing.invented, thing.missed) == (1, 1, 0)


def test_kinds__do_not_mix():
    done = look([box(0, 0, 10, 10, "pit")], [box(0, 0, 10, 10, "roof")])
    assert (done.covers["pit"].iou, done.covers["roof"].iou) == (0.0, 0.0)
    assert (done.things["pit"].pq, done.things["roof"].pq) == (0.0, 0.0)


@pytest.mark.parametrize(("shift_px", "near"), [(1, True), (2, True), (3, False)])
def test_border__within_the_tolerance_in_metres__is_near(shift_px, near):
    done = look([box(100 + shift_px, 100, 200 + shift_px, 200)], [box(100, 100, 200, 200)], tolerance_m=20.1)
    assert (done.covers["pit"].boundary_f1 == pytest.approx(1.0)) == near


def test_border__across_a_seam_of_windows__is_seen_from_both_sides():
    # The border of the one lies in the first window, that of the other in the second.
    done = look([box(400, 10, 511, 100)], [box(400, 10, 514, 100)], tolerance_m=35)
    assert done.covers["pit"].boundary_f1 == pytest.approx(1.0)


def test_border__of_the_image_and_of_what_was_not_looked_at__is_none():
    done = look([box(0, 0, 700, 600)], [box(0, 0, 700, 600)])
    assert done.covers["pit"].boundary_f1 is None
    hidden = shapely.box(350, 0, 700, 600)
    assert look([box(0, 0, 700, 600)], [], looked=without(hidden)).covers["pit"].found_border == 0


def test_not_looked_at__counts_neither_way_and_is_told():
    hidden = shapely.box(0, 0, 300, 600)
    true = [box(10, 10, 60, 60), box(400, 10, 460, 60), box(280, 100, 400, 160)]
    found = [box(100, 300, 140, 340), box(400, 10, 460, 60), box(300, 100, 400, 160)]
    done = look(found, true, [box(20, 400, 40, 420)], looked=without(hidden))
    assert done.covers["pit"].iou == pytest.approx(1.0)
    thing = done.things["pit"]
    assert (thing.matched, thing.invented, thing.missed) == (2, 0, 0)
    assert done.unseen == (1, 1, 1)
    told = done.dump()["coverage"]
    assert told["looked_at_km2"] == pytest.approx(400 * 600 * 1e-4, rel=1e-3)
    assert told["not_looked_at_km2"] == pytest.approx(300 * 600 * 1e-4, rel=1e-3)
    assert told["truth_not_looked_at_km2"] == pytest.approx((50 * 50 + 20 * 60) * 1e-4, rel=1e-3)
    assert done.dump()["misses"] == done.dump()["false_alarms"] == []


def test_nothing_looked_at__nothing_is_said():
    done = look([box(0, 0, 10, 10)], [box(0, 0, 10, 10)], looked=lambda w: ~all_of(w))
    assert done.covers["pit"].iou is None
    assert done.things["pit"].pq is None
    assert done.dump()["kinds"]["pit"]["pixel_iou"] is None


def test_silent_look_alike_of_the_same_kind__is_not_taken_for_truth():
    done = look([box(0, 0, 10, 10)], [box(50, 50, 60, 60)], [box(0, 0, 10, 10)])
    assert done.covers["pit"].both_m2 == 0
    assert done.things["pit"].missed == 1
    assert [quiet.reason for _, quiet in done.evaluation.hits] == ["0,0"]
    assert set(done.dump()["kinds"]) == {"pit"}


def test_thing_smaller_than_a_pixel__is_left_out():
    tiny = Outline("pit", on_map(shapely.box(10.1, 10.1, 10.3, 10.3)))
    assert look([], [tiny]).unseen == (0, 1, 0)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_metrics__are_bounded_and_do_not_care_who_is_called_true(data):
    def things(label):
        edges = st.tuples(st.integers(0, 560), st.integers(0, 520), st.integers(1, 130), st.integers(1, 70))
        drawn = data.draw(st.lists(edges, max_size=4), label=label)
        return [("pit", on_map(shapely.box(x, y, x + w, y + h))) for x, y, w, h in drawn]

    one, other = things("one"), things("other")
    ahead, back = (count(Field(GRID, all_of), a, b, tolerance_m=30) for a, b in ((one, other), (other, one)))
    mine, its = ahead.covers["pit"], back.covers["pit"]
    assert mine.iou == pytest.approx(its.iou)
    assert mine.boundary_f1 == pytest.approx(its.boundary_f1)
    for value in (mine.iou, mine.boundary_f1, mine.precision):
        assert value is None or 0 <= value <= 1 + 1e-12
    kinds = (["pit"] * len(one), ["pit"] * len(other))
    if one or other:
        quality, mirrored = panoptic(ahead, *kinds)["pit"], panoptic(back, *reversed(kinds))["pit"]
        assert quality.pq == pytest.approx(mirrored.pq)
        assert quality.matched + quality.missed == len(other)
        assert quality.matched + quality.invented == len(one)


def test_areas__in_degrees__shrink_towards_the_pole():
    degrees = Grid(CRS.from_epsg(4326).to_wkt(), Affine(0.001, 0, 10.0, 0, -0.001, 70.0), 100, 3000)
    window = Window(0, 0, 100, 3000)
    areas = pixel_areas_m2(degrees, window)
    assert (np.diff(areas[:, 0]) > 0).all()
    whole = shapely.box(10.0, 67.0, 10.1, 70.0).segmentize(0.001)
    assert areas.sum() * 100 == pytest.approx(area_m2(whole), rel=1e-6)


def test_pixel_size__in_degrees__rows_and_columns_differ():
    degrees = Grid(CRS.from_epsg(4326).to_wkt(), Affine(0.001, 0, 10.0, 0, -0.001, 60.0), 10, 10)
    down_m, across_m = pixel_size_m(degrees)
    assert down_m == pytest.approx(111.4, abs=0.2)
    assert across_m == pytest.approx(55.8, abs=0.2)
    assert pixel_size_m(GRID) == pytest.approx((10, 10), rel=2e-3)


# -- scores ---------------------------------------------------------------------------------------


def test_reliability__known_answer():
    found = reliability([0.15, 0.15, 0.95, 0.95], [False, True, True, True])
    assert [(one.count, one.score, one.right) for one in found.bins] == [
        (2, pytest.approx(0.15), 0.5),
        (2, pytest.approx(0.95), 1.0),
    ]
    assert found.ece == pytest.approx((0.35 * 2 + 0.05 * 2) / 4)


def test_reliability__edges_and_nothing():
    assert [one.low for one in reliability([0.0, 0.5, 1.0], [True] * 3).bins] == pytest.approx([0.0, 0.5, 0.9])
    assert reliability([], []) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_reliability__bins_hold_every_score_once_and_the_error_is_bounded(pairs):
    found = reliability([score for score, _ in pairs], [right for _, right in pairs])
    assert sum(one.count for one in found.bins) == len(pairs)
    assert 0 <= found.ece <= 1
    assert all(one.low - 1e-9 <= one.score <= one.high + 1e-9 for one in found.bins)


@given(st.integers(0, 200), st.integers(0, 200))
def test_interval__holds_the_share(hits, more):
    low, high = interval(hits, hits + more)
    assert 0 <= low <= (hits / (hits + more) if hits + more else 0.5) <= high <= 1


def test_findings_with_scores__whole_and_parts_are_right():
    true = [box(0, 0, 100, 100)]
    found = [box(0, 0, 100, 90, score=0.9), box(5, 5, 10, 10, score=0.8), box(300, 300, 320, 320, score=0.3)]
    diagram = look(found, true).reliability
    assert [(one.count, one.right) for one in diagram.bins] == [(1, 0.0), (1, 1.0), (1, 1.0)]
