"""A government's devices together: duplicates and whom to ask, what each adds alone, what the plans will close."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.coverage.coordinated import Standing, coordinate, duplicates
from geo.coverage.footprints import Device, footprints
from geo.coverage.plane import Plane
from geo.types import LonLat
from schemas.refusals import RuleViolation

GROUND = shapely.box(113.20, 23.08, 113.30, 23.18)
DISC_M2 = math.pi * 500**2


def standing(name, lon, lat, *, authority="A", range_m=500.0, **more):
    given = {"kind": "video", "status": "active", "label": name} | more
    return Standing(public_id=name, authority=authority, device=Device(LonLat(lon, lat), range_m), **given)


def of(*found, ratio=0.8, zones=None, codes=("A", "B")):
    return coordinate(found, codes, GROUND, zones, ratio)


def test_GD_17__same_view_of_another_authority__duplicates_and_its_owner_is_asked():
    found = of(
        standing("d1", 113.25, 23.13), standing("d2", 113.25, 23.1301, authority="B"), standing("d3", 113.28, 23.10)
    )
    assert [one.public_id for one in found.duplicates] in (["d1", "d2"], ["d2", "d1"])
    by_name = {one.public_id: one for one in found.duplicates}
    assert by_name["d1"].by == (("d2", "B"),)
    assert by_name["d1"].of_others == ("B",)
    assert 0.9 < by_name["d1"].share < 1.0


def test_GD_17__two_halves_by_two_devices__duplicate_of_both_together():
    halves = [standing(f"h{n}", 113.25, 23.13, range_m=520.0, authority="B") for n in (1, 2)]
    views = [Device(one.device.at, 520.0, azimuth, 182.0) for one, azimuth in zip(halves, (0.0, 180.0), strict=True)]
    halves = [
        Standing(public_id=f"h{n}", label="h", authority="B", kind="video", status="active", device=view)
        for n, view in enumerate(views)
    ]
    found = of(standing("d1", 113.25, 23.13), *halves)
    assert {name for name, _ in next(one for one in found.duplicates if one.public_id == "d1").by} == {"h0", "h1"}


@pytest.mark.parametrize("other", [{"kind": "noise"}, {"status": "blocked"}, {"is_assumed": True}, {"range_m": 380.0}])
def test_GD_17__another_kind_or_out_of_use_or_assumed_or_smaller__no_duplicate(other):
    found = of(standing("d1", 113.25, 23.13), standing("d2", 113.25, 23.13, authority="B", **other))
    assert "d1" not in [one.public_id for one in found.duplicates]


def test_LF_6__planned_site__closes_its_view_and_duplicates_nothing_of_those_in_use():
    found = of(
        standing("d1", 113.25, 23.13),
        standing("p1", 113.28, 23.10, status="planned"),
        standing("p2", 113.25, 23.13, status="planned"),
    )
    assert found.gap_m2 - found.planned_gap_m2 == pytest.approx(DISC_M2, rel=1e-3)
    assert [(one.public_id, one.is_planned) for one in found.duplicates] == [("p2", True)]
    assert found.shares[0].planned == 2


def test_alone__what_both_see__is_the_merit_of_neither():
    found = of(standing("d1", 113.25, 23.13), standing("d2", 113.25, 23.13, authority="B", range_m=1_000.0))
    mine, theirs = found.shares
    assert mine.alone_m2 == pytest.approx(0.0, abs=1.0)
    assert theirs.alone_m2 == pytest.approx(3 * DISC_M2, rel=1e-3)
    assert found.seen_m2[0] == pytest.approx(4 * DISC_M2, rel=1e-3)
    assert found.seen_m2[1] == pytest.approx(DISC_M2, rel=1e-3)


def test_zones__taken_off_the_ground__and_never_a_gap():
    zone = shapely.box(113.21, 23.09, 113.22, 23.10)
    found = of(standing("d1", 113.25, 23.13), zones=zone)
    assert found.private_m2 == pytest.approx(found_area(zone), rel=1e-4)
    assert not found.gaps.intersects(zone.buffer(-1e-6))
    with pytest.raises(RuleViolation, match=r"coverage\.no_ground"):
        of(standing("d1", 113.25, 23.13), zones=GROUND.buffer(0.01))


def found_area(shape):
    return float(shapely.area(Plane.around(GROUND).to_metres(np.array([shape], dtype=object)))[0])


def test_nothing_set_up__all_is_one_gap():
    found = of()
    assert found.gap_m2 == found.ground_m2 == pytest.approx(found.largest[0].area_m2)
    assert GROUND.contains(shapely.Point(found.largest[0].at))


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(113.22, 113.28), st.floats(23.10, 23.16), st.sampled_from("AB")), max_size=8))
def test_shares__never_add_up_to_more_than_is_seen_and_order_changes_nothing(places):
    devices = [standing(f"d{n}", lon, lat, authority=code) for n, (lon, lat, code) in enumerate(places)]
    found, turned = of(*devices), of(*devices[::-1])
    assert sum(one.alone_m2 for one in found.shares) <= found.seen_m2[0] + 1.0
    assert found.seen_m2[0] + found.gap_m2 == pytest.approx(found.ground_m2)
    assert turned.seen_m2 == pytest.approx(found.seen_m2)
    assert {one.public_id for one in turned.duplicates} == {one.public_id for one in found.duplicates}


def test_duplicates__against_a_plain_loop__the_same():
    rng = np.random.default_rng(5)
    devices = [standing(f"d{n}", 113.25 + x, 23.13 + y) for n, (x, y) in enumerate(rng.uniform(-0.006, 0.006, (40, 2)))]
    views = footprints([one.device for one in devices], Plane.around(GROUND))
    share = [views[n].intersection(shapely.union_all(np.delete(views, n))).area / views[n].area for n in range(40)]
    expected = {f"d{n}" for n in range(40) if share[n] >= 0.9}
    assert expected
    assert {one.public_id for one in duplicates(devices, views, 0.9)} == expected
