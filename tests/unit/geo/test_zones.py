import uuid
from datetime import UTC, datetime, timedelta

import pytest
from shapely.geometry import Point, box, shape

from geo import zones
from geo.private_places import Place
from geo.types import LonLat
from geo.zones import Zone
from tests.unit.geo.shapes import R1, R2, R3, Z1

NOW = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def zone(geom=Z1, **changes):
    fields = {"kind": "public_bathhouse", "buffer_m": 0.0, "valid_from": NOW - DAY} | changes
    return Zone(uuid.uuid4(), "PZ-1", geom=geom, **fields)


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "holds"),
    [
        (NOW - DAY, None, True),
        (NOW, None, True),
        (NOW + DAY, None, False),
        (NOW - DAY, NOW + DAY, True),
        (NOW - DAY, NOW, False),
    ],
)
def test_in_force__from_its_first_moment_until_before_its_last(valid_from, valid_to, holds):
    it = zone(valid_from=valid_from, valid_to=valid_to)
    assert zones.in_force([it], NOW) == ((it,) if holds else ())


def test_in_force__a_zone_that_begins_during_a_flight_counts():
    it = zone(valid_from=NOW + timedelta(minutes=20))
    assert not it.in_force(NOW)
    assert it.in_force(NOW, NOW + timedelta(hours=1))
    assert not it.in_force(NOW, NOW + timedelta(minutes=10))


def test_GD_16_5__a_line_through_a_zone__hit_at_distance_0_with_the_place():
    (hit,) = zones.hits(R2, [zone()])
    assert hit.distance_m == 0
    assert shape(hit.place).within(Z1.buffer(1e-9))


def test_GD_16_5__a_line_55_metres_away__hit_only_with_a_buffer():
    assert zones.hits(R3, [zone()]) == ()
    (hit,) = zones.hits(R3, [zone(buffer_m=56.0)])
    assert hit.distance_m == pytest.approx(55.4, abs=0.2)
    assert len(zones.hits(R3, [zone()], extra_buffer_m=56.0)) == 1
    assert zones.hits(R3, [zone(buffer_m=54.0)]) == ()


def test_hits__touching_counts_as_reaching():
    east = box(113.2705, 23.1295, 113.2715, 23.1305)
    assert len(zones.hits(east, [zone()])) == 1


def test_hits__no_zones__nothing():
    assert zones.hits(R1, []) == ()


def test_hits__keep_the_order_given_and_leave_out_the_far():
    near, far = zone(), zone(geom=box(114.0, 24.0, 114.1, 24.1))
    other = zone(geom=box(113.262, 23.1295, 113.263, 23.1305))
    assert [hit.zone for hit in zones.hits(R2, [other, far, near])] == [other, near]


def sensitive():
    """A displayed square of some 500 m around a small exact one, which is not in its middle."""
    exact = box(113.2680, 23.1320, 113.2682, 23.1322)
    return zone(geom=box(113.2660, 23.1300, 113.2710, 23.1350), exact_geom=exact), exact


def test_sensitive_zone__answers_speak_of_the_displayed_shape_alone():
    it, _ = sensitive()
    (hit,) = zones.hits(R3, [zone(geom=it.geom, exact_geom=it.exact_geom, buffer_m=200.0)])
    assert hit.distance_m == pytest.approx(zones.distance_m(R3, it.geom))
    assert shape(hit.place).equals(it.geom)


def test_sensitive_zone__an_exact_shape_that_stands_out_is_still_checked():
    it, _ = sensitive()
    stray = zone(geom=it.geom, exact_geom=Point(113.27, 23.1290).buffer(0.0001))
    (hit,) = zones.hits(R3, [stray])
    assert shape(hit.place).equals(it.geom)
    assert hit.distance_m == pytest.approx(zones.distance_m(R3, it.geom))


def test_GD_15__view_all_round__looked_at_without_a_direction():
    at = LonLat(113.26, 23.13)
    assert Place(at, "open_air", None, 360.0, 150.0).seen == Place(at, "open_air", 0.0, 360.0, 150.0).seen
    assert Place(at, "open_air", None, 90.0, 150.0).seen is None
