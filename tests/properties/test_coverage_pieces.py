"""An answer of coverage is that of the whole ground, whatever tiles it is worked out in."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.coverage import pieces
from geo.coverage.halves import by_halves
from geo.coverage.union import Union

GROUND = shapely.Point(0, 0).buffer(2_000).difference(shapely.box(-100, -900, 300, 500))


def views(seed, count):
    drawn = np.random.default_rng(seed)
    places = shapely.points(drawn.uniform(-2_200, 2_200, (count, 2)))
    return shapely.buffer(places, drawn.uniform(50, 400, count), quad_segs=4)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 25), st.sampled_from([3, 10]))
def test_pieces__any_tiles__areas_shapes_and_gaps_of_one_union(seed, count, most):
    some = views(seed, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_MOST_IN_A_TILE", most)
        found = pieces.cut(some, GROUND, 3, lambda _: None)
    whole = Union(some, GROUND, levels=3)
    assert found.seen_m2 == pytest.approx(whole.areas_m2, rel=1e-8, abs=1e-3)
    for level in (1, 2, 3):
        together = shapely.union_all(found.of(level), grid_size=1e-7)
        assert shapely.area(found.of(level)).sum() == pytest.approx(together.area, rel=1e-6, abs=1e-2)
        assert together.symmetric_difference(whole.seen(level)).area == pytest.approx(0, abs=1.0)
    gaps = shapely.get_parts(whole.gap())
    gaps = gaps[shapely.area(gaps) > 1e-2]
    joined = pieces.joined(found.of(0), found.tiles)
    sizes = np.bincount(joined, shapely.area(found.of(0)))
    assert np.sort(sizes[sizes > 1e-2]) == pytest.approx(np.sort(shapely.area(gaps)), rel=1e-6, abs=1e-2)


class _Mistaken(Union):
    """A union that tells less than is seen, or draws less of the gap."""

    @property
    def areas_m2(self):
        return super().areas_m2 * 0.5


class _HalfDrawn(Union):
    def gap(self):
        return shapely.MultiPolygon()


class _OnceForTwice(Union):
    def seen(self, times=1):
        return super().seen(1 if times == 2 else times)


@pytest.mark.parametrize("wrong", [_Mistaken, _HalfDrawn, _OnceForTwice])
def test_pieces__fast_way_that_does_not_make_up_the_ground__not_believed(monkeypatch, wrong):
    some = views(3, 12)
    expected = [part.intersection(GROUND).area for part in by_halves(some, 3)]
    monkeypatch.setattr(pieces, "Union", wrong)
    found = pieces.cut(some, GROUND, 3, lambda _: None)
    assert found.seen_m2 == pytest.approx(expected)
    assert [shapely.area(found.of(level)).sum() for level in (1, 2, 3)] == pytest.approx(expected, abs=1e-3)
    assert shapely.area(found.of(0)).sum() == pytest.approx(GROUND.area - expected[0], abs=1e-3)
    if wrong is not _OnceForTwice:  # it draws nothing
        assert pieces.areas_seen(some, GROUND, 3) == pytest.approx(expected)
