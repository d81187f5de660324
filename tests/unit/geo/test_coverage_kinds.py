"""What each kind of device sees: rivers, routes, satellites, cameras by the density of their pixels, over terrain."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from geo.coverage.asked import Asked
from geo.coverage.footprints import Device
from geo.coverage.pieces import cut
from geo.coverage.plane import Plane
from geo.coverage.relief import relief_around, under_surface
from geo.coverage.rivers import Waters
from geo.coverage.seen import NO_HEIGHT, NO_WATER, UNUSABLE, InMemory, Surroundings, what_is_seen
from geo.coverage.views import Seer, view_of
from geo.terrain import Terrain
from geo.types import LonLat

AT = LonLat(113.3, 23.1)
PLANE = Plane(AT)


def lines(*lists):
    return np.array([shapely.LineString(one) for one in lists], dtype=object)


def areas(*lists):
    return np.array([shapely.Polygon(one) for one in lists], dtype=object)


def seer(kind="video", range_m=300.0, at=AT, **more):
    view = {name: more.pop(name) for name in ("azimuth_deg", "hfov_deg", "mast_m", "target_m") if name in more}
    return Seer(device=Device(at, range_m, **view), label=kind, public_id=None, kind=kind, status="active", **more)


def seen(*seers, around=None):
    return what_is_seen(seers, PLANE, around or Surroundings(), lambda _: None)


# A main river that runs east along y = 0, with a tributary that comes in from the north at x = 1,000.
RIVER = lines([(-3_000, 0), (1_000, 0)], [(1_000, 0), (5_000, 0)], [(1_000, 3_000), (1_000, 0)])


def test_river__sensor_below_a_confluence__sees_up_both_arms_and_little_downstream():
    reach = Waters(RIVER).reach(shapely.Point(1_500, 20), 2_000.0, 200.0)
    assert reach.bounds == pytest.approx((-500, -15, 1_700, 1_500), abs=16)
    assert reach.area == pytest.approx(30 * (2_200 + 1_500), rel=0.02)


def test_river__sensor_above_a_confluence__does_not_see_the_other_arm():
    reach = Waters(RIVER).reach(shapely.Point(500, 0), 2_000.0, 200.0)
    assert not reach.intersects(shapely.box(900, 50, 1_100, 3_000))
    assert reach.bounds == pytest.approx((-1_500, -15, 700, 15), abs=1)


def test_river__downstream_walk__goes_on_into_the_next_line():
    reach = Waters(RIVER).reach(shapely.Point(900, 0), 100.0, 500.0)
    assert reach.bounds[2] == pytest.approx(1_400, abs=1)


def test_river__a_loop__ends():
    ring = lines([(0, 0), (100, 0)], [(100, 0), (100, 100)], [(100, 100), (0, 0)])
    assert Waters(ring).reach(shapely.Point(50, 0), 10_000.0, 10_000.0).area > 0


def test_river__no_water_near__nothing():
    assert Waters(RIVER).reach(shapely.Point(0, 300), 2_000.0, 200.0).is_empty
    assert Waters().reach(shapely.Point(0, 0), 2_000.0, 200.0).is_empty


def test_river__drawn_as_area__as_one_swims_and_not_across_the_bank():
    # A hairpin: two arms 100 m apart, joined in the east.
    bend = areas([(0, 0), (2_000, 0), (2_000, 220), (0, 220), (0, 160), (1_940, 160), (1_940, 60), (0, 60)])
    reach = Waters(areas=bend).reach(shapely.Point(0, 30), 1_000.0, 200.0)
    assert not reach.intersects(shapely.box(0, 100, 1_500, 220))
    assert reach.area == pytest.approx(60 * 1_000, rel=0.03)
    assert reach.difference(bend[0]).area == pytest.approx(0, abs=1e-6)
    round_the_bend = Waters(areas=bend).reach(shapely.Point(1_800, 30), 600.0, 200.0)
    assert round_the_bend.intersects(shapely.box(1_500, 160, 1_900, 220))


def test_river__line_with_its_bed__the_water_between_its_banks():
    bed = areas([(-3_000, -40), (5_000, -40), (5_000, 40), (-3_000, 40)])
    reach = Waters(RIVER[:2], bed).reach(shapely.Point(500, 30), 1_000.0, 200.0)
    assert reach.area == pytest.approx(80 * 1_200, rel=0.05)


def test_seen__water_sensor__its_reach_or_a_word_why_not():
    wet = seen(seer("water_quality", 500.0), around=Surroundings(waters=Waters(RIVER)))
    assert wet.views[0].area == pytest.approx(30 * 700, rel=0.02)
    assert seen(seer("water_quality", 500.0)).left_out == {0: NO_WATER}


def test_seen__patrol_route__strip_as_wide_as_the_camera_sees():
    path = ((113.3, 23.1, 100.0), (113.31, 23.1, 100.0))
    [strip] = seen(seer("patrol_route", 100.0, hfov_deg=90.0, path=path)).views
    long_m = 0.01 * 102_470
    assert strip.area == pytest.approx(200 * long_m + math.pi * 100**2, rel=0.01)


def test_seen__patrol_route_over_a_valley__wider_where_the_ground_falls_away(tmp_path):
    heights = np.full((200, 200), 100.0, np.float32)
    heights[:, 90:110] = 0.0
    model = raster(tmp_path, heights)
    path = ((113.295, 23.1, 100.0), (113.305, 23.1, 100.0))
    route = seer("patrol_route", 100.0, hfov_deg=90.0, path=path)
    over = seen(route, around=model).views[0]
    assert over.area > seen(route).views[0].area * 1.1
    middle = over.intersection(shapely.box(-20, -1_000, 20, 1_000))
    assert middle.bounds[3] == pytest.approx(200, rel=0.05)


def test_seen__satellite_scene__its_footprint():
    scene = shapely.box(113.2, 23.0, 113.4, 23.2)
    [shown] = seen(seer("satellite_ref", shape=scene)).views
    assert PLANE.to_wgs84(np.array([shown]))[0].symmetric_difference(scene).area == pytest.approx(0, abs=1e-7)


def test_seen__radar_behind_a_hill__hidden_and_noise_is_not(tmp_path):
    heights = np.zeros((200, 200), np.float32)
    heights[:, 115:118] = 300.0
    around = raster(tmp_path, heights)
    found = seen(seer("radar", 800.0, mast_m=2.0), seer("noise", 800.0), around=around)
    assert not found.views[0].intersects(shapely.box(250, -50, 800, 50))
    assert found.views[1].intersects(shapely.box(250, -50, 800, 50))


def test_seen__hole_of_the_model__counted_as_seeing_nothing(tmp_path):
    heights = np.zeros((200, 200), np.float32)
    heights[95:105, 95:105] = -9999
    found = seen(seer("video", 100.0), around=raster(tmp_path, heights))
    assert found.left_out == {0: NO_HEIGHT}
    assert found.views[0].is_empty


def test_seen__outside_the_model__counted_as_seeing_nothing(tmp_path):
    off = LonLat(113.5, 23.1)
    found = seen(seer("video", 100.0, at=off), seer(), around=raster(tmp_path, np.zeros((200, 200), np.float32)))
    assert found.left_out == {0: NO_HEIGHT}
    assert found.views[1].area == pytest.approx(math.pi * 300**2, rel=0.01)


@pytest.mark.parametrize(
    "view",
    [{"range_m": 0.0}, {"range_m": math.nan}, {"hfov_deg": 400.0}, {"hfov_deg": 60.0, "azimuth_deg": math.nan}],
)
def test_seen__view_that_cannot_be__told_and_the_others_go_on(view):
    found = seen(seer(**view), seer())
    assert found.left_out == {0: UNUSABLE}
    assert found.views[1].area > 0


def test_seen__building_between__hides_what_is_behind_it(tmp_path):
    around = raster(tmp_path, np.zeros((200, 200), np.float32))
    house = np.array([shapely.box(113.3008, 23.0995, 113.3011, 23.1005)], dtype=object)
    camera = seer("video", 300.0, azimuth_deg=90.0, hfov_deg=20.0)
    with_house = replace(around, buildings=house, buildings_m=20.0, kept=InMemory())
    open_view, hidden = seen(camera, around=around).views[0], seen(camera, around=with_house).views[0]
    behind = shapely.box(140, -30, 300, 30)
    assert open_view.intersection(behind).area > 1_000
    assert hidden.intersection(behind).area == pytest.approx(0, abs=1.0)


def test_seen__surface_between__hides_what_is_behind_it(tmp_path):
    around = raster(tmp_path, np.zeros((200, 200), np.float32))
    trees = np.full((200, 200), -9999, np.float32)
    trees[90:110, 108:111] = 20.0
    camera = seer("video", 300.0, azimuth_deg=90.0, hfov_deg=20.0)
    model = raster(tmp_path, trees, name="surface.tif").terrain
    wooded = replace(around, surface=model, surface_sha256="1")
    # What is kept of one surface is not told of another: both ask the same store.
    open_view, hidden = seen(camera, around=around).views[0], seen(camera, around=wooded).views[0]
    behind = shapely.box(140, -30, 300, 30)
    assert open_view.intersection(behind).area > 1_000
    assert hidden.intersection(behind).area == pytest.approx(0, abs=1.0)


def test_surface__is_believed_above_the_ground_alone_and_knows_nothing_that_the_ground_does_not(tmp_path):
    heights = np.random.default_rng(5).normal(100, 20, (200, 200)).astype(np.float32)
    heights[50:60, 70:90] = -9999
    ground = shapely.box(-700, -700, 700, 700)
    bare = relief_around(raster(tmp_path, heights).terrain, PLANE, ground, 20.0)

    def under(name, cells):
        model = raster(tmp_path, cells.astype(np.float32), name=name).terrain
        return under_surface(bare, model, PLANE, ground, 20.0).heights

    assert np.array_equal(under("low.tif", np.full((200, 200), -50.0)), bare.heights, equal_nan=True)
    assert np.array_equal(under("none.tif", np.full((200, 200), -9999.0)), bare.heights, equal_nan=True)
    high = under("high.tif", np.full((200, 200), 500.0))
    assert np.array_equal(np.isnan(high), np.isnan(bare.heights))
    assert np.nanmin(high) == np.nanmax(high) == 500.0


def test_seen__asked_again__nothing_is_looked_at_twice_and_one_that_moved_alone(tmp_path):
    class Counting(InMemory):
        kept = 0

        def put(self, found):
            self.kept += len(found)
            super().put(found)

    kept = Counting()
    around = replace(raster(tmp_path, np.zeros((200, 200), np.float32)), kept=kept)
    cameras = [seer(at=LonLat(113.3 + 0.001 * i, 23.1)) for i in range(5)]
    first = seen(*cameras, around=around)
    assert kept.kept == 5
    cameras[2] = seer(at=LonLat(113.3, 23.102))
    second = seen(*cameras, around=around)
    assert kept.kept == 6
    assert [a.equals(b) for a, b in zip(first.views, second.views, strict=True)] == [True, True, False, True, True]


def test_seen__rough_ground__outlines_touch_neither_themselves_nor_each_other(tmp_path):
    heights = np.random.default_rng(2).normal(0, 3, (200, 200)).astype(np.float32)
    around = raster(tmp_path, heights)
    places = [LonLat(113.3 + 0.0011 * i, 23.1) for i in range(3)]
    views = seen(*(seer(range_m=600.0, at=at, mast_m=8.0) for at in places), around=around).views
    ground = shapely.box(-900, -900, 900, 900)
    found = cut(views, ground, 3, lambda _: None)
    together = shapely.union_all(views)
    assert found.seen_m2[0] == pytest.approx(together.intersection(ground).area, rel=1e-9)
    assert shapely.area(found.of(0)).sum() == pytest.approx(ground.difference(together).area, rel=1e-7)


def raster(tmp_path, heights, cell_deg=0.0001, name="model.tif"):
    """A model of cells of about 10 m, its middle at AT."""
    rows, columns = heights.shape
    place = Affine(cell_deg, 0, AT.lon - columns / 2 * cell_deg, 0, -cell_deg, AT.lat + rows / 2 * cell_deg)
    profile = {"driver": "GTiff", "width": columns, "height": rows, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    path = tmp_path / name
    with rasterio.open(path, "w", transform=place, nodata=-9999, **profile) as target:
        target.write(heights, 1)
    return Surroundings(terrain=path, terrain_sha256="0")


def test_relief__any_piece_of_it__has_the_heights_of_the_model_and_the_same_cells(tmp_path):
    heights = np.random.default_rng(3).normal(100, 20, (200, 200)).astype(np.float32)
    heights[50:60, 70:90] = -9999
    path = raster(tmp_path, heights).terrain
    whole = relief_around(path, PLANE, shapely.box(-700, -700, 700, 700), 200.0)
    part = relief_around(path, PLANE, shapely.box(-300, -200, 350, 100), 13.0)
    row, column = (round(apart / whole.side_m) for apart in (whole.north - part.north, part.west - whole.west))
    rows, columns = part.heights.shape
    same = whole.heights[row : row + rows, column : column + columns]
    assert np.array_equal(same, part.heights, equal_nan=True)
    y = part.north - (np.arange(rows) + 0.5) * part.side_m
    x = part.west + (np.arange(columns) + 0.5) * part.side_m
    places = shapely.get_coordinates(PLANE.to_wgs84(shapely.points(*(axis.ravel() for axis in np.meshgrid(x, y)))))
    with Terrain.open(path) as terrain:
        told = terrain.heights_m(places[:, 0], places[:, 1]).reshape(part.heights.shape)
    assert np.allclose(told, part.heights, atol=0.02, equal_nan=True)


def row(**more):
    told = {"device_type": "video", "sector_azimuth_deg": 10.0, "hfov_deg": 60.0, "range_m": 500.0}
    return told | {"lon": 113.3, "lat": 23.1} | more


def test_EN_62676_4__density__shortens_the_view_to_where_targets_are_sharp():
    plain, _ = view_of(row(), Asked())
    sharp, _ = view_of(row(), Asked(density="identify"))
    assert plain.range_m == 500.0
    # 1,920 pixels over 60 degrees give 250 pixels a metre at 6.65 m.
    assert sharp.range_m == pytest.approx(1920 / (2 * 250 * math.tan(math.radians(30))))
    assert view_of(row(device_type="radar"), Asked(density="identify"))[0].range_m == 500.0


def test_view__camera_that_tells_nothing__turns_and_is_told_as_assumed():
    device, assumed = view_of(row(sector_azimuth_deg=None, hfov_deg=None, range_m=None), Asked())
    assert (device.azimuth_deg, device.hfov_deg, assumed) == (None, None, True)
    assert view_of(row(), Asked())[1] is False


@pytest.mark.parametrize(
    ("azimuth_deg", "hfov_deg", "view", "is_assumed"),
    [
        (10.0, None, (10.0, 60.0), True),  # it looks one way, however wide
        (None, 60.0, (None, None), True),  # it turns
        (None, 360.0, (None, None), False),
        (10.0, 360.0, (None, None), False),
    ],
)
def test_view__camera_that_tells_half_of_it__is_no_wider_than_it_says_and_told_as_assumed(
    azimuth_deg, hfov_deg, view, is_assumed
):
    device, assumed = view_of(row(sector_azimuth_deg=azimuth_deg, hfov_deg=hfov_deg), Asked())
    assert ((device.azimuth_deg, device.hfov_deg), assumed) == (view, is_assumed)
