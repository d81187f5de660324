"""Nadir photos: poses, places and the mosaic."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Geod
from rasterio.windows import Window

from geo.photo_ground import rays_of
from geo.terrain import Terrain
from schemas.refusals import RuleViolation
from sensing.frames import Placement, draw, plan_mosaic, pose_of
from sensing.header import HeaderReport, PhotoReport
from sensing.quarantine import quarantine
from tests.unit.sensing.pictures import CORNER, north_up, write_photo, write_tif

GEOD = Geod(ellps="WGS84")
GOOD = PhotoReport(
    taken="2025-07-02T10:00:00.25+08:00",
    lon=113.27,
    lat=23.125,
    alt_amsl_m=112.0,
    alt_above_takeoff_m=100.0,
    heading_deg=90.0,
    gimbal_pitch_deg=-90.0,
)


def report(**changes: object) -> HeaderReport:
    photo = GOOD.model_copy(update=changes)
    return HeaderReport(
        driver="JPEG", width=1400, height=1050, bands=3, file_bytes=1, isolation="drivers only", photo=photo
    )


def refusals(**changes: object) -> list[str]:
    options = changes.pop("options", {"hfov_deg": 70.0})
    with pytest.raises(RuleViolation) as caught:
        pose_of(report(**changes), "a.jpg", **options)
    return [refusal.message() for refusal in caught.value.refusals]


def test_pose__seventy_degrees_at_100_m__strip_of_140_m():
    pose = pose_of(report(), "a.jpg", hfov_deg=70.0)
    assert pose.captured_at == datetime(2025, 7, 2, 2, 0, 0, 250_000, tzinfo=UTC)
    assert pose.alt_agl_m == 100.0
    plan = plan_mosaic([report()], [pose])
    assert plan.placements[0].pixel_m * 1400 == pytest.approx(140.04, abs=0.01)


def test_pose__focal_length_of_the_photo__serves_without_an_option():
    pose = pose_of(report(focal_35mm=18 / math.tan(math.radians(35))), "a.jpg")
    assert pose.hfov_deg == pytest.approx(70.0)


@pytest.mark.parametrize("hfov_deg", [0.0, -5.0, 151.0, 200.0, math.nan, math.inf])
def test_pose__field_of_view_of_no_camera__refused(hfov_deg):
    assert "field of view" in refusals(options={"hfov_deg": hfov_deg})[0]


@pytest.mark.parametrize("focal_35mm", [0.001, 1.0])
def test_pose__focal_length_of_no_camera__refused(focal_35mm):
    assert "field of view" in refusals(focal_35mm=focal_35mm, options={})[0]


@pytest.mark.parametrize("height_m", [-50.0, 1.0, 10_001.0, 999_999.0])
def test_pose__height_that_no_drone_maps_from__refused(height_m):
    assert "above the ground" in refusals(alt_above_takeoff_m=height_m)[0]


def test_pose__no_height__refused_without_naming_an_option_that_is_none():
    (message,) = refusals(alt_above_takeoff_m=None)
    assert "RelativeAltitude" in message


def test_pose__no_lens__refused():
    assert "FocalLengthIn35mmFilm" in refusals(options={})[0]


def test_pose__everything_missing__all_named_at_once():
    (message,) = refusals(taken=None, lon=None, heading_deg=None, options={})
    for tag in ("GPSLatitude", "DateTimeOriginal", "FlightYawDegree", "FocalLengthIn35mmFilm"):
        assert tag in message


def test_pose__local_time_without_offset__refused_and_taken_with_one():
    assert "OffsetTimeOriginal" in refusals(taken="2025-07-02T10:00:00")[0]
    pose = pose_of(report(taken="2025-07-02T10:00:00"), "a.jpg", hfov_deg=70.0, utc_offset=timedelta(hours=8))
    assert pose.captured_at == datetime(2025, 7, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize("taken", ["2025-13-45T99:00:00+08:00", "yesterday", ""])
def test_pose__nonsense_time__refused(taken):
    assert "DateTimeOriginal" in refusals(taken=taken)[0]


@pytest.mark.parametrize(("lon", "lat"), [(200.0, 23.0), (113.0, 89.0), (None, 23.0)])
def test_pose__position_not_on_the_map__refused(lon, lat):
    assert "GPSLatitude" in refusals(lon=lon, lat=lat)[0]


def test_pose__oblique__refused():
    assert "-45.0 degrees" in refusals(gimbal_pitch_deg=-45.0)[0]


def test_pose__on_the_ground__refused():
    assert "1.0 m above the ground" in refusals(alt_above_takeoff_m=1.0)[0]


def test_pose__no_height_at_all__refused():
    assert "RelativeAltitude" in refusals(alt_above_takeoff_m=None)[0]


@pytest.fixture
def terrain(tmp_path):
    heights = np.full((1, 400, 400), 30.0, np.float32)
    with Terrain.open(
        write_tif(tmp_path / "dem.tif", heights, transform=north_up(10.0, (CORNER[0], CORNER[1] + 2000)))
    ) as opened:
        yield opened


def test_pose__elevation_model__decides_the_height(terrain):
    pose = pose_of(report(lon=113.265, lat=23.125), "a.jpg", hfov_deg=70.0, ground=terrain)
    assert pose.alt_agl_m == pytest.approx(82.0)
    assert pose.position_error_m < pose_of(report(), "a.jpg", hfov_deg=70.0).position_error_m


def nadir(east_m: float, north_m: float, pixel_m: float, yaw_deg: float, width: int, height: int) -> Placement:
    """A photo taken straight down from 100 m above level ground at 0 m."""
    turn = Affine.translation(east_m, north_m) @ Affine.rotation(-yaw_deg) @ Affine.scale(pixel_m, -pixel_m)
    edges = [(-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2)]
    corners = tuple(turn @ corner for corner in edges)
    return Placement(east_m, north_m, 100.0, 0.0, 100.0 / pixel_m, yaw_deg, -90.0, 0.0, width, height, corners)


def test_placement__heading_east__upper_edge_points_east():
    placement = nadir(1000.0, 2000.0, 0.5, 90.0, 200, 100)
    x, y = np.array([1000.0, 1025.0, 1000.0]), np.array([2000.0, 2000.0, 1950.0])
    columns, rows = placement.pixels(x, y, np.zeros(3))
    assert columns == pytest.approx([100, 100, 200])
    assert rows == pytest.approx([50, 0, 50])


def test_placement__higher_ground__lies_nearer_to_the_camera_and_further_out_in_the_photo():
    placement = nadir(0.0, 0.0, 0.5, 0.0, 400, 400)
    columns, _ = placement.pixels(np.array([40.0, 40.0]), np.zeros(2), np.array([0.0, 50.0]))
    assert columns == pytest.approx([280, 360])


def test_plan__frames_far_apart__refused():
    reports = [report(), report(lon=114.9)]
    poses = [pose_of(one, "a.jpg", hfov_deg=70.0) for one in reports]
    with pytest.raises(RuleViolation) as caught:
        plan_mosaic(reports, poses)
    assert [refusal.rule for refusal in caught.value.refusals] == ["raster.pixels", "frame.apart"]
    assert caught.value.status == 413


def test_pose__no_pitch__refused():
    assert "GimbalPitchDegree" in refusals(gimbal_pitch_deg=None)[0]


def test_pose__oblique_over_known_ground__is_taken_with_a_larger_error(terrain):
    at = {"lon": 113.265, "lat": 23.125}
    down = pose_of(report(**at), "a.jpg", hfov_deg=70.0, ground=terrain)
    oblique = pose_of(report(**at, gimbal_pitch_deg=-60.0), "a.jpg", hfov_deg=70.0, ground=terrain)
    assert oblique.position_error_m > 1.5 * down.position_error_m


def test_pose__horizon_in_the_photo__refused(terrain):
    with pytest.raises(RuleViolation) as caught:
        pose_of(report(lon=113.265, lat=23.125, gimbal_pitch_deg=-20.0), "a.jpg", hfov_deg=70.0, ground=terrain)
    assert caught.value.refusals[0].text == "frame.horizon"


class Ramp:
    """Ground that rises to the east by a third, from 0 m at the camera."""

    def heights_m(self, lons, lats):
        return (np.asarray(lons) - 113.27) * 111_320 * math.cos(math.radians(23.125)) / 3


def test_mosaic__oblique_photo_of_a_slope__every_place_comes_back_where_it_is(tmp_path):
    """A photo is rendered from a known ground by another path, ray by ray, and projected back onto it."""
    from geo.crs import transformer

    pose = pose_of(
        report(gimbal_pitch_deg=-65.0, gimbal_roll_deg=4.0, heading_deg=130.0), "a.jpg", hfov_deg=50.0, ground=Ramp()
    )
    width, height = 560, 420
    told = {"pitch_deg": -65.0, "roll_deg": 4.0, "heading_deg": 130.0, "alt_amsl_m": 112.0}
    focal = width / 2 / math.tan(math.radians(25))
    column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = rays_of(pose.look, (column.ravel() - width / 2) / focal, (height / 2 - row.ravel()) / focal)
    # Where the ray meets the plane z = x / 3, x to the east of the camera, which is 112 m above its foot.
    reach = 112.0 / (rays[:, 0] / 3 - rays[:, 2])
    lons, lats, _ = GEOD.fwd(
        np.full(reach.size, 113.27),
        np.full(reach.size, 23.125),
        np.degrees(np.arctan2(rays[:, 0], rays[:, 1])),
        reach * np.hypot(rays[:, 0], rays[:, 1]),
    )
    east_code = np.clip((lons - 113.268) / 0.004 * 250, 1, 254)
    north_code = np.clip((lats - 23.123) / 0.004 * 250, 1, 254)
    pixels = np.stack([east_code, north_code, np.full(reach.size, 9.0)], axis=1).reshape(height, width, 3)
    names = [write_photo(tmp_path / "a.png.jpg", pixels.astype(np.uint8), **told)]
    with quarantine(tmp_path / "q") as room:
        guests = [room.admit(name) for name in names]
        reports = room.inspect(guests)
        poses = [pose_of(reports[0], "a.jpg", hfov_deg=50.0, ground=Ramp())]
        plan = plan_mosaic(reports, poses, ground=Ramp())
        with rasterio.open(room.mosaic(guests, plan, [], lambda _: None).path) as mosaic:
            data, shown = mosaic.read(), mosaic.dataset_mask() > 0
            row, column = np.nonzero(shown)
            x, y = mosaic.transform @ (column + 0.5, row + 0.5)
    lon, lat = transformer(32649, 4326).transform(x, y)
    assert shown.sum() > 50_000
    assert np.abs(data[0][shown] - (lon - 113.268) / 0.004 * 250).mean() < 1.5
    assert np.abs(data[1][shown] - (lat - 23.123) / 0.004 * 250).mean() < 1.5


def test_plan__footprint__is_what_the_photos_show():
    plan = plan_mosaic([report(heading_deg=0.0)], [pose_of(report(heading_deg=0.0), "a.jpg", hfov_deg=70.0)])
    west, south, east, north = plan.footprint.bounds
    assert GEOD.inv(west, 23.125, east, 23.125)[2] == pytest.approx(140, abs=2)
    assert GEOD.inv(113.27, south, 113.27, north)[2] == pytest.approx(105, abs=2)


def test_draw__two_photos__each_pixel_from_the_nearer_centre():
    transform = north_up(1.0, (0.0, 100.0))
    placements = [nadir(30.0, 50.0, 1.0, 0.0, 60, 60), nadir(60.0, 50.0, 1.0, 0.0, 60, 60)]
    photos = [np.full((3, 60, 60), shade, np.uint8) for shade in (10, 200)]
    picture, shown = draw(Window(0, 0, 100, 100), transform, placements, photos.__getitem__)
    assert shown.sum() == 60 * 90
    assert set(np.unique(picture[0, 50, :45])) == {10}
    assert set(np.unique(picture[0, 50, 46:90])) == {200}


def test_draw__any_window__same_picture():
    rng = np.random.default_rng(5)
    transform = north_up(0.5, (0.0, 60.0))
    placements = [
        nadir(20.0, 30.0, 0.4, 30.0, 64, 48),
        nadir(31.0, 33.0, 0.45, 200.0, 64, 48),
        nadir(44.0, 25.0, 0.5, 275.0, 64, 48),
    ]
    photos = [rng.integers(0, 255, (3, 48, 64)).astype(np.uint8) for _ in placements]
    whole, _ = draw(Window(0, 0, 120, 120), transform, placements, photos.__getitem__)
    parts = np.zeros_like(whole)
    for top in range(0, 120, 37):
        for left in range(0, 120, 41):
            size = (min(37, 120 - top), min(41, 120 - left))
            piece, _ = draw(Window(left, top, size[1], size[0]), transform, placements, photos.__getitem__)
            parts[:, top : top + size[0], left : left + size[1]] = piece
    assert np.array_equal(parts, whole)


def test_mosaic__photos_from_a_known_ground__come_back_in_their_places(tmp_path):
    """Frames cut from a ground picture at three headings give that ground back within the stated error."""
    from geo.crs import transformer

    rng = np.random.default_rng(7)
    ground = np.kron(rng.integers(0, 255, (3, 40, 80)), np.ones((1, 20, 20))).astype(np.uint8)
    pixel_m, to_lonlat = 0.25, transformer(32649, 4326)
    names = []
    for number, (east, heading) in enumerate([(60.0, 0.0), (100.0, 90.0), (140.0, 180.0)]):
        column, row = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
        turn = Affine.translation(east, 100.0) @ Affine.rotation(-heading) @ Affine.scale(pixel_m, -pixel_m)
        x, y = turn @ Affine.translation(-160, -120) @ (column, row)
        pixels = ground[:, ((200 - y) / pixel_m).astype(int), (x / pixel_m).astype(int)]
        lon, lat = to_lonlat.transform(CORNER[0] + east, CORNER[1] + 100.0)
        convergence = math.degrees(math.atan(math.tan(math.radians(lon - 111)) * math.sin(math.radians(lat))))
        told = {"lon": lon, "lat": lat, "heading_deg": (heading + convergence) % 360, "relative_m": 57.12}
        names.append(write_photo(tmp_path / f"{number}.jpg", np.moveaxis(pixels, 0, 2), **told))
    hfov = 2 * math.degrees(math.atan(320 * pixel_m / 2 / 57.12))
    with quarantine(tmp_path / "q") as room:
        guests = [room.admit(name) for name in names]
        reports = room.inspect(guests)
        poses = [pose_of(r, g.name, hfov_deg=hfov) for r, g in zip(reports, guests, strict=True)]
        plan = plan_mosaic(reports, poses)
        written = room.mosaic(guests, plan, [], lambda _: None)
        with rasterio.open(written.path) as mosaic:
            shown = mosaic.dataset_mask() > 0
            row, column = np.nonzero(shown)
            x, y = mosaic.transform @ (column + 0.5, row + 0.5)
            there = (((200 + CORNER[1] - y) / pixel_m).astype(int), ((x - CORNER[0]) / pixel_m).astype(int))
            away = np.abs(mosaic.read(1)[shown].astype(int) - ground[0][there].astype(int))
    assert written.valid > 100_000
    assert np.mean(away > 30) < 0.12


def test_pose__calibrated_focal_length__goes_before_the_rounded_one():
    calibrated = 700 / math.tan(math.radians(35))
    assert pose_of(report(focal_px=calibrated, focal_35mm=26.0), "a.jpg").hfov_deg == pytest.approx(70.0)


def test_draw__black_of_one_photo__does_not_hide_another():
    transform = north_up(1.0, (0.0, 60.0))
    placements = [nadir(30.0, 30.0, 1.0, 0.0, 60, 60), nadir(32.0, 30.0, 1.0, 0.0, 60, 60)]
    photos = [np.zeros((3, 60, 60), np.uint8), np.full((3, 60, 60), 80, np.uint8)]
    picture, shown = draw(Window(0, 0, 60, 60), transform, placements, photos.__getitem__)
    assert shown[:, 2:].all()
    assert picture[0, 30, 20] == 80
