"""The conformance engine on the fixtures of requirements 3.0."""

import math
from dataclasses import replace

import pytest
from shapely import LineString, Point, Polygon, box

from flights.conformance import Fix, Judge, Monitor, RouteShape, State, implausible
from geo.types import LonLat

R1 = RouteShape(
    line=LineString([(113.2550, 23.1250), (113.2850, 23.1250)]),
    area=Polygon([(113.25, 23.12), (113.29, 23.12), (113.29, 23.14), (113.25, 23.14)]),
    alt_agl_m=100.0,
    home=LonLat(113.2550, 23.1240),
)


def fix(at_s=0.0, lon=113.27, lat=23.125, alt=100.0, on_route=True, speed=10.0):
    return Fix(at_s, lon, lat, alt, speed, on_route)


def flown(lat=23.125, alt=100.0, step=0.0005):
    count = round(0.03 / step) + 1
    return [fix(10.0 * n, 113.255 + step * n, lat, alt) for n in range(count)]


@pytest.fixture(scope="module")
def judge():
    return Judge(R1, 30.0)


def test_flight_deviation__fix_50_m_off__deviating(judge):
    report = judge.judge([*flown(), fix(700.0, 113.2700, 23.12545)])
    assert report.lateral.deviation_m == pytest.approx(49.8, abs=0.1)
    assert report.lateral.place == LonLat(113.2700, 23.12545)
    assert report.lateral.along_m == pytest.approx(1537, abs=2)
    assert not report.is_within


def test_flight_deviation__fix_22_m_off__within(judge):
    report = judge.judge([*flown(), fix(700.0, 113.2700, 23.1252)])
    assert report.lateral.deviation_m == pytest.approx(22.15, abs=0.1)
    assert report.is_within


def test_flight_deviation__exact_flight__nothing_to_report(judge):
    report = judge.judge(flown())
    assert report.lateral.deviation_m < 0.2
    assert report.vertical.deviation_m == 0.0
    assert report.share_inside == 1.0
    assert not replace(report, share_inside=0.99999).render()["stayed_inside"]
    assert report.share_flown == pytest.approx(1.0)


def test_flight_deviation__40_m_too_high__deviating(judge):
    report = judge.judge(flown(alt=140.0))
    assert report.vertical.deviation_m == pytest.approx(40.0)
    assert not report.is_within


def test_flight_deviation__half_flown__share_says_so(judge):
    report = judge.judge(flown()[:31])
    assert report.share_flown == pytest.approx(0.51, abs=0.01)
    assert report.is_within


def test_flight_deviation__way_from_home__judged_against_the_way_and_without_height(judge):
    on_the_way = fix(0.0, 113.2550, 23.1245, 30.0, on_route=False)
    report = judge.judge([on_the_way, *flown()])
    assert report.lateral.deviation_m < 0.2
    assert report.vertical.deviation_m == 0.0


FAR_HOME = RouteShape(R1.line, R1.area, 100.0, LonLat(113.2550, 23.1350))


def home_from(lon, lat, start_s, steps=20, off_lat=0.0):
    """Fixes along the straight way from a place to the home of FAR_HOME, which no item of the mission belongs to."""
    shares = [(n + 1) / steps for n in range(steps)]
    home = FAR_HOME.home
    return [
        fix(start_s + 10 * n, lon + s * (home.lon - lon), lat + s * (home.lat - lat) + off_lat, 60.0, on_route=False)
        for n, s in enumerate(shares)
    ]


def test_flight_deviation__called_home_from_the_middle__the_checked_way_home_is_no_deviation():
    """The way home was judged from any point before the flight; whoever turns back there flies as published."""
    judge = Judge(FAR_HOME, 30.0)
    fixes = [*flown()[:31], *home_from(113.27, 23.125, 310.0)]
    report = judge.judge(fixes)
    assert report.as_published
    assert report.lateral.deviation_m < 1.0
    assert report.share_flown == pytest.approx(0.51, abs=0.01)
    monitor = Monitor(judge)
    assert {standing.state for standing in map(monitor.take, fixes)} == {State.ACTIVATED}


def test_flight_deviation__beside_the_way_home__deviating():
    judge = Judge(FAR_HOME, 30.0)
    report = judge.judge([*flown()[:31], *home_from(113.27, 23.125, 310.0, off_lat=0.0008)])
    assert not report.as_published
    assert report.lateral.deviation_m > 60.0


def test_flight_deviation__called_home_from_beside_the_route__still_out_until_it_is_back():
    judge = Judge(FAR_HOME, 30.0)
    astray = [fix(310.0 + 10 * n, 113.27 + 0.0005 * n, 23.1235) for n in range(5)]
    monitor = Monitor(judge)
    for one in [*flown()[:31], *astray]:
        standing = monitor.take(one)
    assert standing.state is State.NONCONFORMING
    (first, *_) = home_from(113.2720, 23.1235, 360.0, steps=40)
    assert monitor.take(first).cross_track_m > 100.0


def test_flight_deviation__outside_area__not_within(judge):
    narrow = RouteShape(R1.line, box(113.25, 23.12, 113.28, 23.14), 100.0, R1.home)
    report = Judge(narrow, 30.0).judge(flown())
    assert report.share_inside == pytest.approx(50 / 61, abs=0.02)
    assert not report.is_within


def test_flight_deviation__unknown_ground__vertical_is_none(judge):
    report = judge.judge([fix(alt=math.nan), fix(1.0, alt=math.nan)])
    assert report.vertical is None
    assert report.is_within


def test_flight_deviation__nothing_recorded__not_within(judge):
    report = judge.judge([])
    assert report.lateral is None
    assert not report.is_within
    assert report.render()["within"] is False


@pytest.mark.parametrize(
    "wrong",
    [
        fix(1.0, lat=91.0),
        fix(1.0, lon=190.0),
        fix(1.0, lat=math.nan),
        fix(1.0, speed=900.0),
        fix(1.0, lon=113.66),
        fix(1.0, lon=0.0, lat=0.0),
        fix(-1.0),
        fix(1.0, alt=20_000.0),
    ],
    ids=["latitude_91", "longitude_190", "nan", "speed_900", "jump_40_km", "null_island", "backwards", "height"],
)
def test_plausibility__impossible_fix__flagged_and_not_used(judge, wrong):
    fixes = [fix(0.0), wrong, fix(2.0)]
    assert implausible(fixes) == [False, True, False]
    report = judge.judge(fixes)
    assert report.implausible == 1
    assert report.lateral.deviation_m < 0.2


def test_plausibility__reports_of_one_instant__not_a_jump():
    assert implausible([fix(0.0), fix(0.0, lon=113.2703)]) == [False, False]


def test_plane__ten_kilometres__agrees_with_the_ellipsoid():
    from pyproj import Geod

    from flights.conformance import Plane

    plane = Plane(R1.line)
    ends = [plane.geometry(Point(113.22, 23.10)), plane.geometry(Point(113.32, 23.15))]
    true_m = Geod(ellps="WGS84").inv(113.22, 23.10, 113.32, 23.15)[2]
    assert ends[0].distance(ends[1]) == pytest.approx(true_m, abs=0.02)
