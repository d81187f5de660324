"""The fence of a flight: what it holds, what it refuses, and what its proof says."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from shapely import affinity, shortest_line
from shapely.geometry import LineString, MultiLineString, Point, Polygon, box

from flights.canonical import fence_digest
from flights.link.fence import FlownPath, build_fence
from geo import crs, measure
from geo.types import LonLat
from geo.zones import Zone
from schemas.refusals import RuleViolation
from tests.situations import PA1, R1, Z1

HOME = LonLat(113.2550, 23.1250)
METRE_LON, METRE_LAT = 1 / 102_400.0, 1 / 110_750.0


def zone(geom, name="PZ-1", **more):
    return Zone(uuid.uuid4(), name, "dormitory", geom, 0.0, datetime(2025, 1, 1, tzinfo=UTC), **more)


def path(*places, home=HOME):
    return FlownPath(MultiLineString([places]), home)


def at(east_m, north_m):
    """A place some metres from the middle of PA1."""
    return 113.27 + east_m * METRE_LON, 23.13 + north_m * METRE_LAT


def disc(east_m, north_m, radius_m, corners=16):
    ring = Point(0, 0).buffer(radius_m, quad_segs=corners // 4)
    return affinity.translate(affinity.scale(ring, METRE_LON, METRE_LAT, origin=(0, 0)), *at(east_m, north_m))


STRAIGHT = path(*R1, home=LonLat(*R1[0]))


def refused(caught):
    return [refusal.text for refusal in caught.value.refusals]


def least_m(built, legs):
    """The least distance of the legs from any edge of the fence, measured by other means than the proof's."""
    edges = [Polygon(polygon.ring).exterior for polygon in built.fence.polygons]
    epsg = crs.utm_epsg(HOME)
    found = []
    for edge in edges:
        one, other = crs.to_metric(legs, epsg), crs.to_metric(edge, epsg)
        near = crs.to_wgs84(shortest_line(one, other), epsg)
        found.append(measure.length_m(near))
    return min(found)


def test_DC_1__corridor_in_zone_out():
    built = build_fence(PA1, [zone(Z1)], STRAIGHT)
    first, second = built.fence.polygons
    assert (first.inclusion, second.inclusion) == (True, False)
    assert Polygon(second.ring).equals(Z1)
    corridor = Polygon(first.ring)
    assert corridor.covers(STRAIGHT.legs)
    assert PA1.covers(corridor)
    assert corridor.area < PA1.area / 15


def test_DC_1__proof__is_json_and_names_counts_margins_digests():
    built = build_fence(PA1, [zone(Z1)], STRAIGHT)
    proof = json.loads(json.dumps(built.proof))
    assert proof["points"] == {"inclusion": 4, "exclusion": 4, "budget": 70}
    assert proof["digests"]["fence"] == fence_digest(built.fence.items)
    assert proof["margin_m"]["route_to_inclusion"] >= proof["margin_m"]["required"] == 5
    assert set(proof["covers"].values()) == {True}
    assert proof["zones"] == [{"zone": "PZ-1", "fate": "excluded"}]
    assert proof["libraries"]["shapely"]


def test_DC_1__same_things__same_fence_and_digest():
    one, again = (build_fence(PA1, [zone(Z1)], STRAIGHT) for _ in range(2))
    assert one.fence == again.fence


def test_DC_1__way_home_from_the_corner__held_as_well():
    """On its way back from the far end the aircraft flies the third side of the triangle."""
    bent = path(at(-1000, -800), at(1000, -800), at(1000, 800), home=LonLat(*at(-1000, -800)))
    corridor = Polygon(build_fence(PA1, [], bent).fence.polygons[0].ring)
    for share in (0.1, 0.5, 0.9):
        turned_back = LineString([at(1000, -800 + 1600 * share), at(-1000, -800)])
        assert corridor.covers(turned_back)


def test_GD_15_2__zone_beside_the_route__kept_out_of_with_the_margin():
    near = zone(disc(0, -480, 60))
    built = build_fence(PA1, [near], STRAIGHT)
    assert Polygon(built.fence.polygons[1].ring).covers(near.geom)
    assert built.proof["margin_m"]["route_to_exclusion"] >= 5
    assert least_m(built, STRAIGHT.legs) >= 5


def test_GD_15_2__zone_in_the_way__refused_with_its_displayed_shape():
    inside = zone(disc(0, -550, 30))
    with pytest.raises(RuleViolation) as caught:
        build_fence(PA1, [inside], STRAIGHT)
    assert refused(caught) == ["fence.zone_near"]
    assert caught.value.refusals[0].measured == "0.0 m"
    assert caught.value.refusals[0].place["type"] == "Polygon"


def test_GD_15_2__zone_passed_above_its_ceiling__left_out_and_said_so():
    low = zone(disc(0, -550, 30), ceiling_agl_m=40.0)
    built = build_fence(PA1, [low], STRAIGHT)
    assert len(built.fence.polygons) == 1
    assert built.proof["zones"] == [{"zone": "PZ-1", "fate": "passed_in_height"}]


def test_GD_15_2__low_zone_beside_the_route__still_full_height_on_board():
    low = zone(disc(0, -400, 30), ceiling_agl_m=40.0)
    assert len(build_fence(PA1, [low], STRAIGHT).fence.polygons) == 2


def test_GD_15__sensitive_zone__only_its_displayed_shape_counts():
    shown = disc(0, -400, 60)
    with_exact = build_fence(PA1, [zone(shown, exact_geom=disc(20, -400, 5))], STRAIGHT)
    assert with_exact.fence == build_fence(PA1, [zone(shown)], STRAIGHT).fence


def test_hole_of_the_area__kept_out_of():
    holed = Polygon(PA1.exterior, [disc(0, -400, 50).exterior])
    built = build_fence(holed, [], STRAIGHT)
    assert [polygon.inclusion for polygon in built.fence.polygons] == [True, False]
    assert built.proof["zones"] == [{"zone": "area", "fate": "excluded"}]


@pytest.mark.parametrize(("north_m", "fine"), [(-1098, True), (-1104, False), (-1120, False)])
def test_DC_1__route_at_the_edge_of_its_area(north_m, fine):
    """The southern edge lies 1107.5 m south of the middle."""
    along = path(at(-500, north_m), at(500, north_m), home=LonLat(*at(-500, north_m)))
    if fine:
        assert build_fence(PA1, [], along).proof["covers"]["inside_the_area"]
        return
    with pytest.raises(RuleViolation) as caught:
        build_fence(PA1, [], along)
    assert refused(caught) == ["fence.outside"]


def test_DC_1__straight_way_home_leaves_the_area__refused():
    bend = Polygon([at(-1000, -1000), at(1000, -1000), at(1000, 1000), at(700, 1000), at(700, -700), at(-1000, -700)])
    bent = path(at(-900, -850), at(850, -850), at(850, 900), home=LonLat(*at(-900, -850)))
    with pytest.raises(RuleViolation) as caught:
        build_fence(bend, [], bent)
    assert refused(caught) == ["fence.return_outside"]
    assert -1_000 < float(caught.value.refusals[0].measured.split()[0]) < -300


def many(count, north_m=-500, corners=24):
    return [zone(disc(-1400 + 2800 / count * n, north_m, 25, corners), f"PZ-{n}") for n in range(count)]


def test_DC_1__more_corners_than_a_board_stores__drawn_wider_until_they_fit():
    zones = many(10)
    built = build_fence(PA1, zones, STRAIGHT)
    drawn = [Polygon(polygon.ring) for polygon in built.fence.polygons]
    assert sum(len(polygon.ring) for polygon in built.fence.polygons) <= 70
    assert all(any(ring.covers(each.geom) for ring in drawn[1:]) for each in zones)
    assert least_m(built, STRAIGHT.legs) >= 5


def test_DC_1__cannot_fit__refused_with_both_counts_and_nothing_dropped():
    with pytest.raises(RuleViolation) as caught:
        build_fence(PA1, many(30, -517), STRAIGHT)
    (refusal,) = caught.value.refusals
    assert (refusal.text, refusal.required) == ("fence.points", 70)
    assert refusal.measured == refusal.params["inclusion"] + refusal.params["exclusion"] > 70
    assert refusal.params["exclusion"] >= 90


def test_DC_1__larger_board__fits():
    assert build_fence(PA1, many(30, -517), STRAIGHT, budget=200).proof["points"]["budget"] == 200


def test_DC_1__too_many_zones_a_little_way_off__a_narrower_corridor():
    built = build_fence(PA1, many(30), STRAIGHT)
    assert built.proof["margin_m"]["route_to_inclusion"] < 30
    assert "beyond" in {each["fate"] for each in built.proof["zones"]}


def test_zones_beyond_the_corridor__as_many_as_there_is_room_for():
    far = [zone(disc(-1500 + 100 * n, 500, 20), f"PZ-{n}") for n in range(20)]
    built = build_fence(PA1, far, STRAIGHT)
    fates = {each["zone"]: each["fate"] for each in built.proof["zones"]}
    assert set(fates.values()) == {"excluded", "beyond"}
    assert len(fates) == 20


def test_zone_of_five_thousand_corners__quick_and_covered():
    rough = disc(0, -440, 50, 5_000)
    built = build_fence(PA1, [zone(rough)], STRAIGHT)
    assert Polygon(built.fence.polygons[1].ring).covers(rough)


METRES = st.integers(-1_000, 1_000)
PLACES = st.lists(st.tuples(METRES, METRES), min_size=2, max_size=8, unique=True)
ZONES = st.lists(st.tuples(METRES, METRES, st.integers(5, 150), st.sampled_from([4, 8, 24])), max_size=8)


@settings(max_examples=120, deadline=None)
@given(PLACES, ZONES, st.integers(16, 90))
def test_any_route_and_zones__proved_by_other_means_or_refused(places, zones, budget):
    """Whatever is built holds every leg and way home, keeps out every zone, and the margin, on the ellipsoid."""
    route = [at(*place) for place in places]
    flown = path(*route, home=LonLat(*route[0]))
    barred = [zone(disc(*spec), f"PZ-{n}") for n, spec in enumerate(zones)]
    try:
        built = build_fence(PA1, barred, flown, budget=budget)
    except RuleViolation as violation:
        reasons = {refusal.text for refusal in violation.refusals}
        event(f"refused: {reasons}")
        if not reasons <= {"fence.zone_near", "fence.points"}:
            raise
        return
    inside, *outside = (Polygon(polygon.ring) for polygon in built.fence.polygons)
    assert sum(len(polygon.ring) for polygon in built.fence.polygons) <= budget
    assert PA1.covers(inside)
    for corner in route:
        assert inside.covers(LineString([corner, route[0]])) or corner == route[0]
    assert inside.covers(flown.legs)
    assert all(any(ring.covers(each.geom) for ring in outside) for each in barred if each.geom.intersects(inside))
    assert not any(ring.intersects(flown.legs) for ring in outside)
    assert least_m(built, flown.legs) >= 5.0


@settings(max_examples=30, deadline=None)
@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(1, 15))
def test_GD_15__any_exact_shape__the_same_fence_and_proof(east_m, north_m, radius_m):
    """Nothing of the exact shape of a sensitive zone leaves the house by way of a fence."""
    shown = box(*at(-60, -460), *at(60, -340))
    hidden = zone(shown, exact_geom=disc(east_m, -400 + north_m, radius_m))
    built, plain = build_fence(PA1, [hidden], STRAIGHT), build_fence(PA1, [zone(shown)], STRAIGHT)
    assert (built.fence, built.proof) == (plain.fence, plain.proof)
