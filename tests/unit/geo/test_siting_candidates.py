"""Candidates: only where a device may stand, and only in directions in which it may look."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from geo.coverage.footprints import Relief
from geo.coverage.plane import Plane
from geo.siting.asked import Sources, View
from geo.siting.candidates import Land, along, candidates, high_ground, places
from geo.types import LonLat
from schemas.refusals import RuleViolation

PLANE = Plane(LonLat(113.3, 23.1))
FIELD = shapely.box(0, 0, 2000, 2000)
ROAD = np.array([shapely.LineString([(0, 1000), (2000, 1000)])], dtype=object)
NOWHERE = np.empty((0, 2))
NO_SHAPES = np.empty(0, dtype=object)
CAMERA = View(range_m=150, hfov_deg=60)


def land(**change):
    given = {"plane": PLANE, "open": FIELD, "roads": ROAD, "poles": NOWHERE, "private": NO_SHAPES}
    return Land(**(given | {"standing": NOWHERE, "within": FIELD} | change))


def test_along__a_road__a_place_every_so_many_metres():
    at = along(ROAD, 200)
    assert at[:, 1].tolist() == [1000] * 10
    assert np.diff(np.sort(at[:, 0])).tolist() == pytest.approx([200] * 9)


def test_candidates__road__each_place_in_each_direction():
    made = candidates(land(), Sources(spacing_m=500, directions=4), CAMERA)
    assert (len(made.at), len(made.footprints)) == (4, 16)
    assert made.azimuth_deg[:4].tolist() == [0, 90, 180, 270]
    assert made.device(1, CAMERA).azimuth_deg == 90
    assert set(made.source) == {"roads"}


def test_GD_15__private_place__nothing_stands_in_it_and_nothing_looks_into_it():
    bath = shapely.box(900, 1020, 1100, 1100)
    made = candidates(land(private=np.array([bath], dtype=object)), Sources(spacing_m=100, directions=8), CAMERA)
    assert not shapely.intersects(made.footprints, bath).any()
    # Beside it cameras may look elsewhere.
    beside = np.flatnonzero(np.abs(made.at[made.place][:, 0] - 1000) < 100)
    assert len(beside)
    assert set(made.azimuth_deg[beside]) <= {90.0, 135.0, 180.0, 225.0, 270.0}


def test_GD_15__place_in_a_private_place__left_out_and_told():
    private = np.array([shapely.box(0, 900, 1000, 1100)], dtype=object)
    made = candidates(land(private=private), Sources(spacing_m=200), View(range_m=20, hfov_deg=360))
    assert (made.at[:, 0] > 1000).all()
    assert made.left_out["private"] == len(made.barred["private"]) == 5
    assert np.isnan(made.azimuth_deg).all()


def test_candidates__jurisdiction_and_standing_devices__neither_beyond_nor_too_near():
    mine, standing = shapely.box(0, 0, 1000, 2000), np.array([[300.0, 1010.0]])
    made = candidates(land(within=mine, standing=standing), Sources(spacing_m=200, apart_m=50), CAMERA)
    assert sorted(np.round(made.at[:, 0]).tolist()) == [100, 500, 700, 900]
    assert (made.left_out["outside"], made.left_out["near"]) == (5, 1)
    assert made.barred["near"].round().tolist() == [[300, 1000]]
    assert sorted(made.barred["outside"][:, 0].round()) == [1100, 1300, 1500, 1700, 1900]


def test_candidates__behind_a_wall_all_round__blind_and_told():
    heights = np.zeros((200, 200), np.float32)
    heights[95:106, 25:36] = 60
    heights[100, 30] = 0
    made = candidates(
        land(relief=Relief(heights, 0.0, 2000.0, 10.0), roads=ROAD, poles=np.array([[305.0, 995.0]])),
        Sources(sources=("poles", "roads"), spacing_m=200),
        CAMERA,
    )
    assert made.left_out["found"] == len(made.at) + sum(len(at) for at in made.barred.values())


def test_candidates__two_places_nearer_than_the_least_spacing__a_pair():
    made = candidates(land(), Sources(spacing_m=200, apart_m=250), CAMERA)
    assert len(made.near) == 9
    assert (np.abs(np.diff(made.at[made.near][:, :, 0])) < 250).all()


@pytest.mark.parametrize("spacing_m", [100, 150.3, 333.3])
def test_candidates__places_just_as_far_apart_as_is_asked__no_pair(spacing_m):
    along_road = 2000 / (2000 // spacing_m)
    assert not len(candidates(land(), Sources(spacing_m=along_road, apart_m=along_road), CAMERA).near)
    grid = candidates(land(), Sources(sources=("grid",), spacing_m=spacing_m, apart_m=spacing_m), CAMERA)
    assert len(grid.at) > 30
    assert not len(grid.near)


def test_candidates__place_just_as_far_from_a_standing_device_as_is_asked__stays():
    standing = np.array([[300.0, 1050.0]])
    made = candidates(land(standing=standing), Sources(spacing_m=200, apart_m=50), CAMERA)
    assert made.left_out["near"] == 0


def test_places__poles_and_grid__each_told_by_its_source():
    at, source = places(
        land(poles=np.array([[10.0, 10.0], [10.0, 10.0]])), Sources(sources=("poles", "grid"), spacing_m=1000)
    )
    assert source == ["poles", "grid", "grid", "grid", "grid"]
    assert at[0].tolist() == [10, 10]


def test_high_ground__two_hills_and_a_plain__one_place_on_each_hill():
    x, y = np.meshgrid(np.arange(200) * 10.0, np.arange(200) * 10.0)
    hills = sum(h * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 2e4) for h, a, b in ((60, 500, 500), (30, 1500, 1200)))
    at = high_ground(Relief(np.asarray(hills[::-1], np.float32), 0.0, 2000.0, 10.0), 400)
    assert len(at) == 2
    assert {(round(a / 100), round(b / 100)) for a, b in at} == {(5, 5), (15, 12)}


def test_high_ground__level_ground__none():
    assert not len(high_ground(Relief(np.zeros((50, 50), np.float32), 0, 500, 10), 100))


@pytest.mark.parametrize(
    ("change", "sources", "rule"),
    [
        ({"private": np.array([FIELD], dtype=object)}, Sources(), "siting.no_candidates"),
        ({"roads": NO_SHAPES}, Sources(), "siting.no_candidates"),
        ({}, Sources(sources=("high_ground",)), "siting.no_model"),
        ({}, Sources(sources=("grid",), spacing_m=5, directions=36), "siting.too_many_candidates"),
    ],
)
def test_candidates__none_or_too_many__said_so(change, sources, rule):
    with pytest.raises(RuleViolation) as refused:
        candidates(land(**change), sources, CAMERA)
    assert refused.value.refusals[0].rule == rule
