"""Exact unions of footprints: the same area and shape as GEOS finds one by one, whatever the work is cut into."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.coverage.apart import apart
from geo.coverage.halves import by_halves
from geo.coverage.sweep import GAP
from geo.coverage.union import Union
from geo.footprint import sector
from geo.types import LonLat
from schemas.refusals import RuleViolation

GROUND = shapely.box(0, 0, 60, 60).difference(shapely.box(20, 20, 25, 30))
# On a lattice of ten metres, edges and corners fall on one another as those of real sites do: poles with
# several cameras, cells of one terrain model.
lattice = st.integers(0, 6).map(lambda n: n * 10.0)


@st.composite
def footprints(draw):
    shapes = []
    for _ in range(draw(st.integers(1, 9))):
        x, y, wide = draw(lattice), draw(lattice), draw(st.sampled_from([10.0, 20.0]))
        kind = draw(st.sampled_from(["box", "triangle", "ring", "pair"]))
        box = shapely.box(x, y, x + wide, y + wide)
        if kind == "triangle":
            shapes.append(shapely.Polygon([(x, y), (x + wide, y), (x, y + wide)]))
        elif kind == "ring":
            shapes.append(box.difference(shapely.box(x + 4, y + 4, x + 6, y + 6)))
        elif kind == "pair":
            shapes.append(shapely.MultiPolygon([box, shapely.box(x + 30, y, x + 40, y + 10)]))
        else:
            shapes.append(box)
    return np.array(shapes, dtype=object)


def one_by_one(shapes, ground, levels):
    """What is seen at least 1, 2, ... times, by adding one footprint after another with GEOS."""
    seen = [shapely.Polygon()] * levels
    for shape in shapes:
        for k in range(levels - 1, 0, -1):
            seen[k] = seen[k].union(seen[k - 1].intersection(shape))
        seen[0] = seen[0].union(shape)
    return [part.intersection(ground) for part in seen]


@given(footprints())
def test_union__footprints_that_share_edges_and_corners__areas_of_geos(shapes):
    union = Union(shapes, GROUND, levels=3)
    expected = one_by_one(shapes, GROUND, 3)
    assert union.areas_m2 == pytest.approx([part.area for part in expected], rel=1e-9, abs=1e-5)
    assert union.gap_m2 == pytest.approx(GROUND.difference(expected[0]).area, abs=1e-5)


@given(footprints())
def test_union__shapes__valid_and_where_geos_has_them(shapes):
    union = Union(shapes, GROUND, levels=2)
    expected = one_by_one(shapes, GROUND, 2)
    drawn = [union.seen(1), union.seen(2), union.gap()]
    for shape, other in zip(drawn, [*expected, GROUND.difference(expected[0])], strict=True):
        assert shape.is_valid
        assert shape.symmetric_difference(other).area < 1e-4


@given(footprints(), st.sampled_from([3.0, 7.7, 25.0, 500.0]), st.integers(1, 3))
def test_union__any_cells_and_threads__same_bits(shapes, side_m, threads):
    plain = Union(shapes, GROUND, threads=1)
    other = Union(shapes, GROUND, threads=threads, side_m=side_m)
    assert plain.areas_m2.tobytes() == other.areas_m2.tobytes()
    assert shapely.normalize(plain.seen()).wkb == shapely.normalize(other.seen()).wkb


@pytest.mark.parametrize("side_m", [None, 3.0, 7.7, 25.0])
def test_union__border_of_the_ground_deep_within_many_views__all_of_the_ground_seen(side_m):
    views = np.array([shapely.box(-90 - n, -80, 130, 140 + n) for n in range(6)], dtype=object)
    union = Union(views, GROUND, levels=3, side_m=side_m)
    assert union.areas_m2 == pytest.approx([GROUND.area] * 3, rel=1e-12)
    assert union.seen(3).symmetric_difference(GROUND).area < 1e-6
    assert union.gap().is_empty


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([8.0, 17.0])), min_size=1, max_size=9))
def test_union__footprints_apart_pierced_and_across_the_border__shapes_of_geos(places):
    boxes = [(shapely.box(20 * x, 20 * y, 20 * x + wide, 20 * y + wide), wide) for x, y, wide in places]
    shapes = np.array(
        [shapely.transform(box, lambda xy: xy - 4).difference(box.centroid.buffer(w / 9)) for box, w in boxes]
    )
    union, expected = Union(shapes, GROUND), one_by_one(shapes, GROUND, 2)
    drawn = union.shapes(1, 2, GAP)
    assert union.areas_m2[:2] == pytest.approx([part.area for part in expected], rel=1e-9, abs=1e-5)
    for shape, other in zip(drawn, [*expected, GROUND.difference(expected[0])], strict=True):
        assert shape.is_valid
        assert shape.symmetric_difference(other).area < 1e-4


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 12)), min_size=1, max_size=30))
def test_apart__any_boxes__those_that_touch_no_other(places):
    boxes = shapely.bounds(np.array([shapely.box(x, y, x + wide, y + 3) for x, y, wide in places]))
    alone = apart(boxes)
    shapes = shapely.box(*boxes.T)
    for number, shape in enumerate(shapes):
        assert alone[number] == (not shapely.intersects(shape, np.delete(shapes, number)).any())


def test_union__six_cameras_on_one_pole__no_crack_between_them():
    at = LonLat(113.3, 23.1)
    sectors = np.array([sector(at, 60.0 * n, 60.0, 300.0) for n in range(6)], dtype=object)
    metres = shapely.transform(sectors, lambda xy: (xy - [at.lon, at.lat]) * [102_000, 110_700])
    seen = Union(metres).seen()
    assert len(seen.geoms) == 1
    assert not seen.geoms[0].interiors
    assert seen.geoms[0].exterior.length < shapely.total_bounds(metres)[2] * 7


@pytest.mark.parametrize(
    "shape", [None, shapely.Polygon(), shapely.Point(0, 0), shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])]
)
def test_union__no_area__refused_with_its_number(shape):
    with pytest.raises(RuleViolation) as refused:
        Union(np.array([shapely.box(0, 0, 1, 1), shape], dtype=object))
    assert refused.value.refusals[0].rule == "coverage.footprint_unusable"
    assert refused.value.refusals[0].params["number"] == 2


def test_union__nothing_seen__all_of_the_ground_is_gap():
    union = Union(np.array([shapely.box(1000, 1000, 1010, 1010)], dtype=object), GROUND)
    assert union.areas_m2.tolist() == [0, 0, 0]
    assert union.gap_m2 == GROUND.area
    assert union.gap().equals(GROUND)
    assert union.seen().is_empty


def views_on_one_lattice(seed):
    """What nine devices see of one terrain model: outlines that follow the borders of the same cells."""
    numbers = np.random.default_rng(seed)
    views = []
    for _ in range(9):
        west, south = numbers.integers(0, 10, 2) * 30.0 + [300_000, -250_000]
        cells = [
            shapely.box(x, y, x + 1, y + 1) for x, y in zip(*np.nonzero(numbers.random((9, 9)) < 0.6), strict=True)
        ]
        views.append(shapely.transform(shapely.union_all(cells), lambda xy, w=west, s=south: xy * 30 + [w, s]))
    return np.array(views, dtype=object)


@pytest.mark.parametrize("seed", range(6))
def test_union__views_over_one_terrain_model__areas_and_shapes_of_geos(seed):
    views = views_on_one_lattice(seed)
    ground = shapely.box(300_000, -250_000, 301_000, -249_000)
    union = Union(views, ground, levels=2)
    expected = one_by_one(views, ground, 2)
    assert union.areas_m2 == pytest.approx([part.area for part in expected], rel=1e-9)
    for shape, other in zip([union.seen(1), union.seen(2)], expected, strict=True):
        assert shape.is_valid
        assert shape.symmetric_difference(other).area < 1e-9 * other.area


@pytest.mark.parametrize("seed", range(8))
def test_union__twins_a_nanometre_apart__areas_of_geos(seed):
    numbers = np.random.default_rng(seed)
    places, wide = numbers.integers(0, 6, (6, 2)) * 100.0, numbers.choice([50.0, 100.0], 6)
    circles = shapely.buffer(shapely.points(places), wide, quad_segs=8)
    # One device in two lists: its coordinates were rounded at another figure.
    views = np.array(
        [
            shapely.Polygon(xy[:-1] + numbers.normal(0, 1e-9, (len(xy) - 1, 2)))
            for xy in map(shapely.get_coordinates, circles[numbers.integers(0, 6, 20)])
        ]
    )
    ground = shapely.box(-50, -60, 560, 530)
    expected = [part.intersection(ground).area for part in by_halves(views, 3)]
    assert Union(views, ground, levels=3).areas_m2 == pytest.approx(expected, rel=2e-9)
    far = shapely.transform(np.append(views, ground), lambda xy: xy + np.array([200_000, 0]))
    other = shapely.box(-200_600, 0, -200_000, 500)
    spread = Union(np.append(far[:-1], other), shapely.MultiPolygon([far[-1], other]), levels=3).areas_m2
    assert spread - [other.area, 0, 0] == pytest.approx(expected, rel=2e-8)


@given(footprints())
def test_by_halves__any_footprints__what_one_after_another_gives(shapes):
    halves = by_halves(shapes, 3)
    assert [part.area for part in halves] == pytest.approx(
        [part.area for part in one_by_one(shapes, shapely.box(-99, -99, 199, 199), 3)]
    )


def crowded(seed):
    """Sectors, discs and pierced discs in two crowds, most of them deep within others, and a few twins."""
    numbers = np.random.default_rng(seed)
    views = []
    for _ in range(80):
        x, y = numbers.uniform(-30, 30, 2) + numbers.choice([0.0, 110.0])
        disc = shapely.Point(x, y).buffer(numbers.uniform(8, 40), quad_segs=4)
        kind = numbers.integers(4)
        if kind == 0:
            disc = disc.difference(shapely.Point(x + 1, y).buffer(3, quad_segs=2))
        elif kind == 1:
            disc = disc.intersection(shapely.Polygon([(x, y), (x + 90, y + 70), (x + 20, y + 90)]))
        elif kind == 2:
            disc = shapely.MultiPolygon([disc, shapely.box(x + 45, y, x + 50, y + 9)])
        views += [disc] * numbers.integers(1, 3)
    return np.array(views, dtype=object)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("side_m", [None, 2.0, 5.0, 11.0])
def test_union__crowds__areas_and_shapes_of_geos_though_few_are_swept(seed, side_m):
    views, ground = crowded(seed), shapely.box(-60, -60, 170, 150).difference(shapely.Point(0, 0).buffer(4))
    union, expected = Union(views, ground, levels=3, side_m=side_m), by_halves(views, 3)
    expected = [part.intersection(ground) for part in expected]
    assert union.areas_m2 == pytest.approx([part.area for part in expected], rel=1e-9)
    drawn = union.shapes(1, 2, 3, GAP)
    for shape, other in zip(drawn, [*expected, ground.difference(expected[0])], strict=True):
        assert shape.is_valid
        assert shape.symmetric_difference(other).area < 1e-4


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from([1.5, 4.0, 9.0, 30.0]), st.integers(1, 3), st.integers(1, 4))
def test_union__crowds_in_any_cells_and_threads__same_bits(seed, side_m, threads, levels):
    views, ground = crowded(seed), shapely.box(-60, -60, 170, 150)
    # In cells as large as this, all are swept.
    plain = Union(views, ground, threads=1, side_m=400.0, levels=levels)
    other = Union(views, ground, threads=threads, side_m=side_m, levels=levels)
    assert plain.areas_m2.tobytes() == other.areas_m2.tobytes()
    for level in (1, levels, GAP):
        one, same = plain.shapes(level)[0], other.shapes(level)[0]
        assert shapely.normalize(one).wkb == shapely.normalize(same).wkb
