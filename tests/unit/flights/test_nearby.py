"""How near a flying aircraft is to the zones that count at its height and hour."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import LineString, box

from flights.conformance import Fix
from flights.gateway.nearby import Approach, Nearby
from geo.zones import Zone
from tests.world import R1

AT = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)
# 111 m north of R1, half way along it.
ZONE = Zone(
    uuid.uuid4(), "PZ-1", "dormitory", box(113.2695, 23.1260, 113.2705, 23.1265), 0.0, datetime(2025, 1, 1, tzinfo=UTC)
)


def near(*zones):
    return Nearby(LineString(R1.coords), zones, ZoneInfo("Asia/Shanghai"))


def fix(at_s, lat, alt_agl_m=100.0):
    return Fix(at_s, 113.27, lat, alt_agl_m, 10.0, on_route=True)


def test_approach__straight_towards_a_zone__distance_and_how_fast_it_shrinks():
    zones = near(ZONE)
    first, second = (zones.approach(fix(at_s, lat), AT) for at_s, lat in ((0.0, 23.1250), (4.0, 23.1252)))
    assert first.zone_m == pytest.approx(110.8, abs=0.5)
    assert first.closing_m_s == 0.0
    assert second.zone_m == pytest.approx(88.6, abs=0.5)
    assert second.closing_m_s == pytest.approx(5.54, abs=0.05)


def test_approach__away_from_it__does_not_close():
    zones = near(ZONE)
    zones.approach(fix(0.0, 23.1252), AT)
    assert zones.approach(fix(4.0, 23.1250), AT).closing_m_s < 0


def test_approach__inside__nothing_left():
    assert near(ZONE).approach(fix(0.0, 23.1262), AT).zone_m == 0


@pytest.mark.parametrize(("alt_agl_m", "counts"), [(100.0, False), (59.0, True), (float("nan"), True)])
def test_approach__zone_up_to_a_height__counts_below_it_and_where_the_height_is_not_known(alt_agl_m, counts):
    found = near(replace(ZONE, ceiling_agl_m=60.0)).approach(fix(0.0, 23.1262, alt_agl_m), AT)
    assert found == (Approach(0.0, 0.0) if counts else Approach(None, 0.0))


def test_approach__zone_that_is_over__does_not_count():
    over = replace(ZONE, valid_to=AT - timedelta(days=1))
    assert near(over).approach(fix(0.0, 23.1262), AT).zone_m is None
    assert near(over, ZONE).approach(fix(0.0, 23.1262), AT).zone_m == 0
