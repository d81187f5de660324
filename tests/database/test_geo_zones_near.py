"""Zones that the database finds near a place, where boxes in degrees are most easily wrong."""

import pytest
from shapely.geometry import Point, box

from geo import commands, measure
from geo.queries import zones_near
from geo.zones import hits

SIZE_DEG = 1e-4


@pytest.mark.parametrize(
    ("lon", "lat", "there_lon", "there_lat"),
    [
        (179.9990, 10.0, -179.9990, 10.0),
        (-179.9990, -10.0, 179.9990, -10.0),
        (0.0010, 51.0, -0.0010, 51.0),
        (15.0, 82.9, 15.02, 82.9),
        (113.26, 0.0005, 113.26, -0.0005),
    ],
)
def test_GD_16_5__a_zone_across_a_meridian_or_the_equator__found_within_its_buffer(
    work, services, clock, lon, lat, there_lon, there_lat
):
    geom = box(there_lon - SIZE_DEG, there_lat - SIZE_DEG, there_lon + SIZE_DEG, there_lat + SIZE_DEG)
    with work("H1") as doing:
        commands.add_privacy_zone(
            doing, commands.NewZone(kind="other", name_en="far", name_zh="远", geom=geom, buffer_m=400.0)
        )
        doing.commit()
    _, _, apart_m = measure.WGS84.inv(lon, lat, there_lon, there_lat)
    assert apart_m < 380
    with services.session() as session:
        (hit,) = hits(Point(lon, lat), zones_near(session, Point(lon, lat), clock.now()))
    assert hit.distance_m == pytest.approx(apart_m, abs=20)
