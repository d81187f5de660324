"""Demand: pieces that add up to what they are cut from, never on private ground, never money."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.coverage import demand
from geo.coverage.wanted import Ground
from schemas.refusals import RuleViolation

FIELD = shapely.box(0, 0, 1000, 1000)
HOLE = shapely.box(300, 300, 500, 620)


@settings(max_examples=25)
@given(st.floats(13, 400), st.integers(0, 5_000))
def test_over_area__any_cells__pieces_weigh_what_the_area_measures_and_lie_on_it(side_m, seed):
    numbers = np.random.default_rng(seed)
    discs = [shapely.Point(*numbers.uniform(0, 1000, 2)).buffer(numbers.uniform(20, 300)) for _ in range(4)]
    area = shapely.union_all(discs).difference(HOLE)
    made = demand.over_area(demand.AREA, "ground", area, side_m)
    assert made.weight.sum() == pytest.approx(area.area, rel=1e-9)
    assert made.total == area.area
    assert shapely.intersects_xy(area, made.at).all()


def test_over_area__seen_by_overlapping_devices__counted_once_and_exactly():
    made = demand.over_area(demand.AREA, "ground", FIELD.difference(HOLE), 100)
    footprints = np.array([shapely.box(200, 200, 400, 400), shapely.box(250, 250, 450, 450)], dtype=object)
    assert made.seen(footprints) == shapely.union_all(footprints).difference(HOLE).area


def test_at_places__one_cell__one_piece_at_its_heaviest():
    places = np.array([[10.0, 10.0], [20.0, 20.0], [700.0, 700.0], [5_000.0, 0.0], [350.0, 350.0]])
    weight = np.array([1.0, 3.0, 2.0, 9.0, 9.0])
    made = demand.at_places(demand.RISK, "open_leads", places, weight, FIELD.difference(HOLE), 100)
    assert made.at.tolist() == [[20.0, 20.0], [700.0, 700.0]]
    assert made.weight.tolist() == [4.0, 2.0]


def test_at_entities__fewer_views_than_required__counted_by_those_it_has():
    places = np.array([[100.0, 100.0], [800.0, 800.0], [-50.0, 0.0]])
    made = demand.at_entities(["SE-1", "SE-2", "SE-3"], places, [2, 1, 4], FIELD)
    assert made.names == ("SE-1", "SE-2")
    assert made.total == 3
    near = shapely.box(50, 50, 150, 150)
    assert made.seen(np.array([near], dtype=object)) == 1
    assert made.seen(np.array([near, near, near], dtype=object)) == 2


@pytest.mark.parametrize("kind", ["revenue", "fines", "area "])
def test_GD_13_1__money_and_other_kinds__no_demand(kind):
    with pytest.raises(RuleViolation) as refused:
        demand.known_kinds(["area", kind])
    assert refused.value.refusals[0].rule == "demand.kind"


def test_demand__empty__said_so():
    made = demand.at_places(demand.RISK, "open_leads", np.empty((0, 2)), np.empty(0), FIELD, 10)
    assert (made.total, made.seen(np.array([FIELD], dtype=object))) == (0, 0)
    for nothing in (made, demand.over_area(demand.AREA, "ground", shapely.Polygon(), 10)):
        with pytest.raises(RuleViolation) as refused:
            demand.needed(nothing)
        assert refused.value.refusals[0].rule == "siting.no_demand"


def test_demand__cells_far_too_fine__refused_before_they_are_made():
    with pytest.raises(RuleViolation) as refused:
        demand.over_area(demand.AREA, "ground", FIELD, 0.1)
    assert refused.value.refusals[0].rule == "demand.pieces"


def test_ground__all_of_it_private__refused():
    ground = shapely.box(113.2, 23.1, 113.21, 23.11)
    with pytest.raises(RuleViolation) as refused:
        Ground.of(ground, ground.buffer(0.01))
    assert refused.value.refusals[0].rule == "coverage.no_ground"


def test_GD_15__privacy_zone__never_demand():
    ground, zone = shapely.box(113.2, 23.1, 113.21, 23.11), shapely.box(113.203, 23.103, 113.206, 23.106)
    made = Ground.of(ground, zone)
    whole = demand.over_area(demand.AREA, "ground", made.open, made.side_m)
    private = made.plane.to_metres(np.array([zone], dtype=object))[0]
    assert made.private_m2 == pytest.approx(private.area)
    assert not shapely.contains_xy(private, whole.at).any()
    assert whole.seen(np.array([private], dtype=object)) == pytest.approx(0, abs=1e-6)
