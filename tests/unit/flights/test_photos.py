"""Photos joined to the track: the clock's offset, the pose, what is seen of the ground, and how wrong it can be."""

import math

import numpy as np
import pytest
from pyproj import Geod
from shapely import Point

from flights.logs.open import read_log
from flights.photos.joining import Trail, offset_of, pose_at
from geo.photo_ground import Camera, Doubt, Look, seen_by
from geo.types import LonLat
from tests.flightlogs import BOOT_UTC_S, bin_of, straight, tlog_of

AT = LonLat(113.27, 23.125)
GEOD = Geod(ellps="WGS84")
CAMERA = Camera.of(70.0, 4000, 3000)


class Plain:
    def __init__(self, height_m=12.0, slope=0.0):
        self.height_m, self.slope = height_m, slope

    def heights_m(self, lons, lats):
        east = (np.asarray(lons) - AT.lon) * 111_320 * math.cos(math.radians(AT.lat))
        return self.height_m + self.slope * east


def releases(count=40, seed=1):
    return 1000.0 + np.cumsum(np.random.default_rng(seed).uniform(1.5, 4.0, count))


@pytest.mark.parametrize("true_s", [0.0, 0.4, -2.5, 37.2])
def test_time_offset__camera_clock_off__found_and_stated(true_s):
    noise = np.random.default_rng(2).normal(0, 0.03, 40)
    offset = offset_of(releases() + true_s + noise, releases())
    assert offset.source == "releases"
    assert offset.seconds == pytest.approx(true_s, abs=0.03)
    assert offset.sigma_s < 0.1
    assert offset.matched >= 38


def test_time_offset__some_photos_lost_and_some_releases_missed__still_found():
    taken = np.delete(releases(), [3, 4, 5, 20]) + 1.7
    offset = offset_of(taken, np.delete(releases(), [0, 9, 30]))
    assert offset.seconds == pytest.approx(1.7, abs=0.02)


def test_time_offset__photos_of_another_flight_in_the_folder__make_no_difference():
    own = releases() + 1.7
    offset = offset_of(np.concatenate([own - 9_000.0, own - 5_000.0, own]), releases())
    assert (offset.source, offset.matched) == ("releases", 40)
    assert offset.seconds == pytest.approx(1.7, abs=0.02)


def test_time_offset__even_beat__the_smallest_that_fits():
    even = np.arange(0, 100, 2.0)
    assert offset_of(even + 0.1, even).seconds == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("heard", [np.empty(0), np.array([1.0, 2.0]), np.arange(5000.0, 5100.0, 3.0)])
def test_time_offset__nothing_to_compare__assumed_and_said_so(heard):
    offset = offset_of(releases(), heard)
    assert (offset.seconds, offset.source, offset.sigma_s) == (0.0, "assumed", 1.0)


@pytest.mark.parametrize(("made", "source"), [(bin_of, "bin"), (tlog_of, "tlog")])
def test_pose__between_two_positions__interpolated(tmp_path, made, source):
    track = straight(seconds=30)
    path = tmp_path / "log"
    path.write_bytes(made(track))
    trail = Trail.of_logs([read_log(path, 1)])
    assert trail.source == source
    middle = (track.t[20] + track.t[21]) / 2
    pose = pose_at(trail, BOOT_UTC_S + middle)
    assert pose.lon == pytest.approx((track.lon[20] + track.lon[21]) / 2, abs=3e-7)
    assert pose.alt_rel_home_m == pytest.approx(100.0, abs=1e-3)
    assert pose.yaw_deg == pytest.approx(90.0, abs=0.01)
    assert len(trail.releases) == len(track.shots)


def trail(t, yaw):
    n = len(t)
    t = np.array(t, float)
    flat = np.zeros(n)
    return Trail("x", t, 113.0 + t * 1e-4, flat + 23, flat + 100, flat + 10, t, np.array(yaw, float), flat, flat, flat)


def test_pose__heading_through_north__not_through_south():
    assert pose_at(trail([0, 1], [350, 10]), 0.5).yaw_deg % 360 == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("at_s", [-2.5, 12.5, 7.0])
def test_pose__before_behind_or_in_a_gap__none(at_s):
    assert pose_at(trail([0, 1, 2, 9, 10], [0] * 5), at_s) is None


def test_footprint__straight_down_over_level_ground__the_camera_rectangle():
    seen = seen_by(Look(AT, 112.0, yaw_deg=0.0), CAMERA, Plain(), Doubt())
    assert seen.alt_agl_m == pytest.approx(100.0)
    corners = seen.footprint.exterior.coords
    west, south, east, north = seen.footprint.bounds
    width = GEOD.inv(west, AT.lat, east, AT.lat)[2]
    height = GEOD.inv(AT.lon, south, AT.lon, north)[2]
    assert width == pytest.approx(2 * 100 * math.tan(math.radians(35)), abs=0.05)
    assert height == pytest.approx(width * 0.75, abs=0.05)
    assert len(corners) == 33


def test_footprint__turned_east__long_side_north():
    seen = seen_by(Look(AT, 112.0, yaw_deg=90.0), CAMERA, Plain(), Doubt())
    west, south, east, north = seen.footprint.bounds
    assert GEOD.inv(AT.lon, south, AT.lon, north)[2] > GEOD.inv(west, AT.lat, east, AT.lat)[2]


def test_footprint__pitched_ahead_and_flying_east__lies_in_the_east():
    seen = seen_by(Look(AT, 112.0, yaw_deg=90.0, pitch_deg=-60.0), CAMERA, Plain(), Doubt())
    assert seen.footprint.centroid.x > AT.lon + 3e-4
    assert seen.footprint.centroid.y == pytest.approx(AT.lat, abs=1e-6)


def test_footprint__rolled_right_and_flying_north__the_picture_leans():
    seen = seen_by(Look(AT, 112.0, yaw_deg=0.0, roll_deg=10.0, pitch_deg=-80.0), CAMERA, Plain(), Doubt())
    assert seen.footprint.is_valid
    assert seen.footprint.contains(Point(AT))


def test_footprint__slope_rising_to_the_east__nearer_there():
    seen = seen_by(Look(AT, 112.0, yaw_deg=0.0), CAMERA, Plain(slope=0.3), Doubt())
    west, _, east, _ = seen.footprint.bounds
    right = GEOD.inv(AT.lon, AT.lat, east, AT.lat)[2]
    left = GEOD.inv(west, AT.lat, AT.lon, AT.lat)[2]
    edge = math.tan(math.radians(35))
    assert right == pytest.approx(100 * edge / (1 + 0.3 * edge), rel=0.01)
    assert left == pytest.approx(100 * edge / (1 - 0.3 * edge), rel=0.01)


@pytest.mark.parametrize(
    ("look", "ground"),
    [
        (Look(AT, 112.0, 0.0, pitch_deg=-20.0), Plain()),
        (Look(AT, 112.0, 0.0), Plain(math.nan)),
        (Look(AT, 5.0, 0.0), Plain()),
    ],
    ids=["horizon", "unknown_ground", "below_ground"],
)
def test_footprint__no_place_on_the_ground__none(look, ground):
    assert seen_by(look, CAMERA, ground, Doubt()) is None


def test_error__grows_with_height_clock_and_receiver():
    def error(alt=112.0, **doubt):
        return seen_by(Look(AT, alt, 0.0), CAMERA, Plain(), Doubt(**doubt)).error_m

    assert 3.0 < error() < 9.0
    assert error(alt=312.0) > error()
    assert error(time_m=10.0) > math.hypot(10.0, 3.0)
    assert error(gps_m=0.02) < error()
    assert error(ground_known=False) > error()


def test_error__terms__add_up():
    seen = seen_by(Look(AT, 112.0, 0.0), CAMERA, Plain(), Doubt(time_m=2.0))
    assert math.hypot(*seen.terms_m.values()) == pytest.approx(seen.error_m, abs=0.02)
    assert set(seen.terms_m) == {"gps", "time", "attitude", "heading", "height", "terrain"}
