"""One thing at two dates: pairs are the same from both sides, nothing is matched twice, growth is the rule pack's."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.crs import to_wgs84
from schemas.rules.violations import SamePlace
from sensing.identity import Figures, Find, Look, Relation, is_remedied, match, overlap, would_show

EPSG, EAST, NORTH = 32649, 700_000.0, 2_550_000.0
SAME = {kind: SamePlace(least_share=0.3, grown_ratio=1.25) for kind in ("excavation", "burn_scar")}


def square(x_m: float, y_m: float, side_m: float):
    return to_wgs84(shapely.box(EAST + x_m, NORTH + y_m, EAST + x_m + side_m, NORTH + y_m + side_m), EPSG)


def finds(prefix: str):
    one = st.tuples(st.sampled_from(sorted(SAME)), st.integers(0, 40), st.integers(0, 40), st.integers(5, 30))
    return st.lists(one, max_size=6).map(
        lambda rows: [Find(f"{prefix}{n}", kind, square(x, y, side)) for n, (kind, x, y, side) in enumerate(rows)]
    )


@given(finds("a"), finds("b"))
def test_match__from_both_sides__the_same_pairs(earlier, later):
    forwards = {(one.earlier, one.later) for one in match(earlier, later, SAME)}
    backwards = {(one.later, one.earlier) for one in match(later, earlier, SAME)}
    assert forwards == backwards


@given(finds("a"), finds("b"))
def test_match__no_find_twice__and_only_of_its_kind(earlier, later):
    kinds = {one.name: one.kind for one in (*earlier, *later)}
    pairs = match(earlier, later, SAME)
    assert max(Counter(one.earlier for one in pairs).values(), default=1) == 1
    assert max(Counter(one.later for one in pairs).values(), default=1) == 1
    assert all(kinds[one.earlier] == kinds[one.later] for one in pairs)
    assert all(one.figures.of_smaller >= 0.3 for one in pairs)


@given(finds("a"), finds("b"), st.randoms())
def test_match__in_any_order__the_same(earlier, later, random):
    shuffled = random.sample(earlier, len(earlier)), random.sample(later, len(later))
    assert set(match(*shuffled, SAME)) == set(match(earlier, later, SAME))


@given(finds("a"), finds("b"))
def test_match__what_is_left_over__overlaps_nothing_free_enough(earlier, later):
    """Two finds of a kind that overlap enough are never both left without a partner."""
    pairs = match(earlier, later, SAME)
    free_a = [one for one in earlier if one.name not in {pair.earlier for pair in pairs}]
    free_b = [one for one in later if one.name not in {pair.later for pair in pairs}]
    assert match(free_a, free_b, SAME) == []


@given(finds("a").filter(bool), finds("b").filter(bool))
def test_overlap__sides_exchanged__figures_exchanged(earlier, later):
    one, other = overlap(earlier[0].geom, later[0].geom), overlap(later[0].geom, earlier[0].geom)
    swapped = Figures(other.iou, other.second_share, other.first_share, 1 / other.area_ratio)
    assert one.iou == pytest.approx(swapped.iou, abs=1e-9)
    assert one.first_share == pytest.approx(swapped.first_share, abs=1e-9)
    assert one.area_ratio == pytest.approx(swapped.area_ratio, rel=1e-9)


@given(st.floats(1.05, 3.0), st.floats(0.5, 4.0))
def test_grown__from_the_ratio_of_the_rule_pack_on(ratio, grown):
    if abs(grown - ratio) < 1e-3:
        return
    rule = {"excavation": SamePlace(least_share=0.3, grown_ratio=ratio)}
    side = 20.0
    earlier, later = square(0, 0, side), square(0, 0, side * grown**0.5)
    (one,) = match([Find("a", "excavation", earlier)], [Find("b", "excavation", later)], rule)
    assert one.relation is (Relation.GROWN if grown >= ratio else Relation.PERSISTS)


def test_match__kind_without_a_rule__nothing():
    same = square(0, 0, 10)
    assert match([Find("a", "crop_circle", same)], [Find("b", "crop_circle", same)], SAME) == []


def day(number: int) -> datetime:
    return datetime(2025, 6, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("compared_with", "then_compared_with", "shows"),
    [
        (None, None, True),
        (None, day(1), True),
        (day(1), day(1), True),
        (day(1), day(2), True),
        (day(2), day(1), False),
        (day(10), day(1), False),
        (day(1), None, False),
    ],
)
def test_would_show__a_look_for_change_only_from_before_the_thing_came(compared_with, then_compared_with, shows):
    assert would_show(Look(day(20), compared_with), Look(day(10), then_compared_with)) is shows


@given(st.floats(0, 1), st.booleans(), st.booleans())
def test_remedied__never_where_not_all_of_it_was_looked_at(share, judged, shown):
    assert is_remedied(share, judged=judged, shown=shown) is (share == 1.0 and judged and shown)
