"""The georeference gate."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint

from schemas.refusals import RuleViolation
from sensing.georeference import ground_resolution_m, locate
from sensing.grid import Grid, crs_name
from sensing.header import GroundPoint, HeaderReport, judge
from sensing.intake import Told, receive
from sensing.positions import Basis
from sensing.quarantine import quarantine
from tests.unit.sensing.pictures import CORNER, noise, north_up, sensor_model, write_tif


def header(**changes: object) -> HeaderReport:
    usual = {"driver": "GTiff", "width": 50, "height": 40, "bands": 3, "file_bytes": 1, "isolation": "drivers only"}
    return HeaderReport.model_validate(usual | changes)


def wkt(epsg: int) -> str:
    return rasterio.crs.CRS.from_epsg(epsg).to_wkt()


def refused(**changes: object) -> str:
    with pytest.raises(RuleViolation) as caught:
        locate(header(**changes))
    return caught.value.refusals[0].text


def test_locate__utm__footprint_and_resolution():
    place = locate(header(crs_wkt=wkt(32649), transform=tuple(north_up(10.0))[:6]))
    assert place.method == "affine"
    assert place.gsd_m == pytest.approx(10.0, rel=1e-2)
    assert place.footprint.contains(place.footprint.centroid)
    assert place.position_error_m is None


def test_locate__degrees__resolution_in_metres():
    place = locate(header(crs_wkt=wkt(4326), transform=(0.001, 0, -74.7, 0, -0.001, -8.3)))
    assert place.gsd_m == pytest.approx(110.3, rel=1e-2)


@pytest.mark.parametrize("pixel_m", [1e-5, 1e-4])
def test_locate__pixels_smaller_than_a_millimetre__refused(pixel_m):
    assert refused(crs_wkt=wkt(32649), transform=tuple(north_up(pixel_m))[:6]) == "raster.resolution"


@pytest.mark.parametrize("pixel_m", [0.002, 0.25, 10.0, 300.0])
def test_ground_resolution__any_size__to_a_thousandth(pixel_m):
    grid = Grid(wkt(32649), north_up(pixel_m), 20, 20)
    assert ground_resolution_m(grid) == pytest.approx(pixel_m, rel=1e-3)


def test_locate__south_up__is_taken():
    flipped = (10.0, 0.0, CORNER[0], 0.0, 10.0, CORNER[1])
    assert locate(header(crs_wkt=wkt(32649), transform=flipped)).gsd_m == pytest.approx(10, rel=1e-2)


def points(count: int, wrong: float = 0.0) -> tuple[GroundPoint, ...]:
    rng = np.random.default_rng(2)
    col, row = rng.uniform(0, 50, count), rng.uniform(0, 40, count)
    x = 113.2 + col * 1e-4 + row * 1e-5
    y = 23.1 - row * 1e-4
    x[0] += wrong
    return tuple(GroundPoint(row=r, col=c, x=a, y=b) for r, c, a, b in zip(row, col, x, y, strict=True))


def test_locate__control_points__north_up_grid_with_a_stated_error():
    place = locate(header(gcps=points(12), gcp_crs_wkt=wkt(4326)))
    assert place.method == "gcp"
    assert place.grid.transform.b == place.grid.transform.d == 0
    assert place.position_error_m < 1


def test_locate__contradicting_points__refused():
    assert refused(gcps=points(12, wrong=0.5), gcp_crs_wkt=wkt(4326)) == "raster.gcp_error"


@pytest.mark.parametrize("count", [4, 9, 10, 40])
def test_locate__points_measured_to_20_m__that_is_what_is_stated_however_few_there_are(count):
    rng, found = np.random.default_rng(count), []
    for _ in range(40):
        exact = points(count)
        off = rng.normal(0, 20 / 1.414, (count, 2))
        moved = [
            p.model_copy(update={"x": p.x + dx / 102_400, "y": p.y + dy / 110_800})
            for p, (dx, dy) in zip(exact, off, strict=True)
        ]
        try:
            found.append(locate(header(gcps=tuple(moved), gcp_crs_wkt=wkt(4326))).position_error_m)
        except RuleViolation:
            continue
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(20, rel=0.35)


@pytest.mark.parametrize("count", [1, 3])
def test_locate__too_few_points__refused(count):
    assert refused(gcps=points(count), gcp_crs_wkt=wkt(4326)) == "raster.gcps"


@pytest.mark.parametrize("count", [6, 12])
@pytest.mark.parametrize("slope", [0.0, 0.4], ids=["one place", "one line"])
def test_locate__points_that_tie_down_no_surface__refused(count, slope):
    steps = np.arange(count) * (1.0 if slope else 0.0)
    same = tuple(
        GroundPoint(row=5 + slope * s, col=5 + s, x=113.2 + s * 1e-4, y=23.1 - slope * s * 1e-4) for s in steps
    )
    assert refused(gcps=same, gcp_crs_wkt=wkt(4326)) == "raster.gcps_in_line"


def test_locate__points_spread_in_the_image_and_in_line_on_the_ground__refused():
    flat = tuple(point.model_copy(update={"y": 23.1}) for point in points(6))
    assert refused(gcps=flat, gcp_crs_wkt=wkt(4326)) == "raster.gcps_in_line"


def test_locate__points_without_crs__refused():
    assert refused(gcps=points(6)) == "raster.half_placed"


def test_locate__sensor_model_alone__refused():
    assert refused(rpc=sensor_model(50, 40)) == "raster.rpc_only"


def test_locate__nothing_known__refused():
    assert refused() == "raster.unplaced"


def test_locate__crs_alone__refused():
    assert refused(crs_wkt=wkt(32649)) == "raster.half_placed"


def test_locate__across_the_antimeridian__refused():
    assert refused(crs_wkt=wkt(4326), transform=(0.1, 0, 178.0, 0, -0.1, 10)) == "raster.off_earth"


def test_judge__several_faults__all_named():
    bad = header(width=200_000, height=200_000, bands=40)
    with pytest.raises(RuleViolation) as caught:
        judge(bad)
    assert [refusal.rule for refusal in caught.value.refusals] == ["raster.pixels", "raster.bands"]
    assert caught.value.status == 413


def test_judge__crs_of_five_megabytes__refused_before_it_is_parsed():
    with pytest.raises(RuleViolation) as caught:
        judge(header(crs_wkt="x" * (5 << 20)))
    assert (caught.value.status, caught.value.refusals[0].rule) == (422, "raster.crs")


def test_judge__complex_numbers__refused():
    with pytest.raises(RuleViolation) as caught:
        judge(header(dtypes=("complex64",)))
    assert caught.value.refusals[0].rule == "raster.dtype"


def test_transcode__control_points__pixels_land_where_the_points_say(tmp_path):
    data = np.zeros((1, 120, 160), np.uint16) + 50
    data[0, 30:50, 100:130] = 900
    corners = [(r, c) for r in (0, 40, 80, 120) for c in (0, 80, 160)]
    gcps = [GroundControlPoint(row=r, col=c, x=113.2 + c * 1e-4, y=23.1 - r * 1e-4, z=0) for r, c in corners]
    path = write_tif(tmp_path / "a.tif", data, crs=rasterio.crs.CRS.from_epsg(4326), transform=None, gcps=None)
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=120, width=160, dtype="uint16", gcps=gcps, crs="EPSG:4326"
    ) as target:
        target.write(data)
    with quarantine(tmp_path / "q") as room:
        guest = room.admit(path)
        (report,) = room.inspect([guest])
        place = locate(report)
        written = room.transcode(guest, report, place.grid, [], lambda _: None)
        with rasterio.open(written.path) as stored:
            from rasterio.warp import transform

            (x,), (y,) = transform("EPSG:4326", stored.crs, [113.2 + 115e-4], [23.1 - 40e-4])
            assert next(stored.sample([(x, y)]))[0] == 900
            assert written.void > 0


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("uint8", "uint8"), ("uint16", "uint16"), ("int16", "int16"), ("float32", "float32"), ("float64", "float32")],
)
def test_transcode__every_type__values_kept(tmp_path, dtype, kept):
    data = noise(3, 30, 40, high=200, dtype=dtype)
    with quarantine(tmp_path / "q") as room:
        guest = room.admit(write_tif(tmp_path / "a.tif", data))
        (report,) = room.inspect([guest])
        written = room.transcode(guest, report, locate(report).grid, [], lambda _: None)
        with rasterio.open(written.path) as stored:
            assert stored.dtypes[0] == kept
            assert np.array_equal(stored.read(), data)


def test_transcode__void_pixels__marked_and_zeroed(tmp_path):
    data = noise(3, 600, 700).astype(np.float32)
    data[:, :100, :50] = -9999
    data[1, 300, 300] = np.nan
    with quarantine(tmp_path / "q") as room:
        guest = room.admit(write_tif(tmp_path / "a.tif", data, nodata=-9999))
        (report,) = room.inspect([guest])
        written = room.transcode(guest, report, locate(report).grid, [], lambda _: None)
        with rasterio.open(written.path) as stored:
            assert (written.valid, written.void) == (600 * 700 - 5001, 5001)
            assert (stored.dataset_mask() > 0).sum() == written.valid
            assert stored.overviews(1)


# -- what a place is worth ------------------------------------------------------------------------


def position_of(path, tmp_path, **told):
    with quarantine(tmp_path / "q") as room:
        return receive(room, [path], Told(**told)).position


@pytest.mark.parametrize(
    ("crs", "corner", "error_m"),
    [
        ("EPSG:32649", CORNER, 12.5),
        ("EPSG:4526", (38_530_000.0, 2_560_000.0), 12.54),
        ("EPSG:26914", (600_000.0, 5_200_000.0), 13.12),
    ],
)
def test_position__usual_error__grows_by_what_the_datum_adds(tmp_path, crs, corner, error_m):
    path = write_tif(tmp_path / "a.tif", noise(3, 20, 20), crs=crs, transform=north_up(10.0, corner))
    found = position_of(path, tmp_path)
    assert (found.basis, found.error_m) == (Basis.USUAL, error_m)


def test_position__coarse_pixels__at_least_half_of_one(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(3, 20, 20), transform=north_up(250.0))
    assert position_of(path, tmp_path).error_m == pytest.approx(125, rel=0.01)


KRASSOWSKY = (
    'PROJCS["Our town",GEOGCS["x",DATUM["d",SPHEROID["Krassowsky",6378245,298.3]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
    'PARAMETER["central_meridian",113],PARAMETER["scale_factor",1],PARAMETER["false_easting",500000],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)


@pytest.mark.parametrize("crs", ["EPSG:2334", KRASSOWSKY])
def test_position__datum_of_unknown_lie__unknown_unless_stated(tmp_path, crs):
    corner = (20_530_000.0 if crs == "EPSG:2334" else 530_000.0, 2_560_000.0)
    path = write_tif(tmp_path / "a.tif", noise(3, 20, 20), crs=crs, transform=north_up(10.0, corner))
    with quarantine(tmp_path / "q") as room:
        assert [one.rule for one in receive(room, [path], Told()).held] == ["raster.datum"]
    assert position_of(path, tmp_path, position_error_m=150.0).basis == Basis.STATED


def test_position__kind_that_nobody_has_judged__refused(tmp_path):
    with pytest.raises(RuleViolation) as caught:
        position_of(write_tif(tmp_path / "a.tif", noise(3, 20, 20)), tmp_path, sensor="balloon")
    assert caught.value.refusals[0].rule == "raster.position"


@pytest.mark.parametrize(
    ("name", "tags", "sensor"),
    [
        ("m_4709963_se_14_1_20200831.tif", {}, "aerial"),
        ("LC08_L1TP_121044_20250702_20250710_02_T1_B4.tif", {}, "satellite"),
        ("a.tif", {"TIFFTAG_SOFTWARE": "pix4dmapper"}, "uav"),
        ("a.tif", {"PLATFORM": "Landsat-8"}, "satellite"),
        ("a.tif", {"SENSOR": "SATELLITE"}, "satellite"),
        ("m_my_own_map.tif", {}, None),
        ("a.tif", {"SENSOR": "unknown"}, None),
    ],
)
@pytest.mark.parametrize("pixel_m", [1.0, 10.0])
def test_position__sensor_that_nobody_names__no_error_is_made_up_from_the_pixels(tmp_path, name, tags, sensor, pixel_m):
    path = write_tif(tmp_path / name, noise(3, 20, 20), transform=north_up(pixel_m), tags={"SENSOR": ""} | tags)
    with quarantine(tmp_path / "q") as room:
        placed = receive(room, [path], Told())
    if sensor:
        assert (placed.sensor, placed.position.basis, placed.held) == (sensor, Basis.USUAL, ())
    else:
        assert (placed.position, [one.rule for one in placed.held]) == (None, ["raster.position"])


def test_locate__crs_with_heights__lies_on_the_ground_alone():
    compound = rasterio.crs.CRS.from_string("EPSG:32649+5773").to_wkt()
    place = locate(header(crs_wkt=compound, transform=tuple(north_up(10.0))[:6]))
    assert crs_name(place.grid.crs_wkt) == "EPSG:32649"


def test_receive__orthomosaic__is_of_an_unmanned_aircraft_by_who_made_it(tmp_path):
    tags = {"TIFFTAG_SOFTWARE": "ODM 3.5.4", "TIFFTAG_DATETIME": "2025:06:20 03:00:00"}
    pixels = noise(4, 60, 60, high=255, dtype="uint8")
    pixels[3] = 255
    pixels[3, :20] = 0
    path = write_tif(tmp_path / "a.tif", pixels, transform=north_up(0.05), tags=tags, photometric="rgb", alpha="YES")
    with quarantine(tmp_path / "q") as room:
        placed = receive(room, [path], Told())
        copy, _ = placed.written(room, [], lambda _: None)
    assert (placed.sensor, placed.position_error_m) == ("uav", 5.0)
    assert f"{placed.captured_at:%Y-%m-%d %H}" == "2025-06-20 03"
    assert (copy.valid, copy.void, len(placed.roles)) == (2400, 1200, 3)


def odm_project(root, stats: str):
    (root / "odm_orthophoto").mkdir(parents=True)
    (root / "odm_report").mkdir()
    (root / "odm_report" / "stats.json").write_text(stats)
    pixels = noise(3, 60, 60, high=255, dtype="uint8")
    return write_tif(root / "odm_orthophoto" / "odm_orthophoto.tif", pixels, transform=north_up(0.05))


GCP_STATS = (
    '{"reconstruction_statistics": {"has_gcp": true}, "gcp_errors": {"error": {"x": 0.03, "y": 0.04, "z": 0.2}}}'
)


def test_position__orthomosaic_with_control_points__what_its_own_report_measured(tmp_path):
    found = position_of(odm_project(tmp_path / "project", GCP_STATS), tmp_path)
    assert (found.basis, found.error_m) == (Basis.RESIDUAL, 0.05)


@pytest.mark.parametrize(
    "stats",
    [
        "",
        "[" * 100_000,
        "[]",
        GCP_STATS.replace("true", "false"),
        GCP_STATS.replace("0.03", "NaN"),
        GCP_STATS.replace("0.03", '"3"'),
        GCP_STATS.replace("0.03", "-1"),
    ],
)
def test_position__orthomosaic_whose_report_says_nothing__the_usual_error(tmp_path, stats):
    found = position_of(odm_project(tmp_path / "project", stats), tmp_path)
    assert (found.basis, found.error_m) == (Basis.USUAL, 5.0)
