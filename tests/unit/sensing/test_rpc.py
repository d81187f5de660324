"""Images that a sensor model places: read, reckoned with, projected onto the ground, refused where they cannot be."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer

from geo.crs import transformer
from schemas.refusals import RuleViolation
from sensing.georeference import locate
from sensing.header import HeaderReport
from sensing.intake import Told, receive
from sensing.lots import sort_out
from sensing.positions import Basis
from sensing.quarantine import quarantine
from sensing.relief import Level
from sensing.rpc import is_rpc_name, read_rpc
from tests.unit.sensing.pictures import noise, rpb_of, rpc_txt_of, sensor_model, write_photo, write_tif


class Hill:
    """Ground that rises from 20 m to 120 m within the picture, and no height beyond."""

    def heights_m(self, lons, lats):
        away = np.hypot(np.asarray(lons) - 113.27, np.asarray(lats) - 23.12) / 0.002
        return np.where(away < 3, 20 + 100 * np.exp(-away * away), np.nan)


def same(one, other) -> bool:
    return all(
        np.allclose(getattr(one, name), getattr(other, name), atol=1e-7)
        for name in type(one).model_fields
        if not name.startswith("err")
    )


def test_read_rpc__text_of_either_kind__the_same_model():
    model = sensor_model(400, 300, seed=3)
    assert same(read_rpc(rpb_of(model).encode(), "a.RPB"), model)
    assert same(read_rpc(rpc_txt_of(model).encode(), "a_RPC.TXT"), model)


@pytest.mark.parametrize("error", [0.0, 4.5])
def test_read_rpc__stated_error__zero_states_nothing(error):
    assert read_rpc(rpb_of(sensor_model(9, 9), error).encode(), "a.rpb").stated_error_m == (error or None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("latScale", "xatScale"),
        lambda text: text.replace("lineDenCoef = (", "lineDenCoef = (1.0,"),
        lambda text: text.replace("latOffset = 23.12", "latOffset = 123.12"),
        lambda text: text.replace("heightScale = 500.0", "heightScale = 0"),
        lambda text: text[:900],
        lambda text: "",
        lambda text: text + " " * 70_000,
    ],
)
def test_read_rpc__spoilt__422_raster_rpc(spoil):
    with pytest.raises(RuleViolation) as caught:
        read_rpc(spoil(rpb_of(sensor_model(9, 9))).encode(), "a.rpb")
    assert (caught.value.status, caught.value.refusals[0].rule) == (422, "raster.rpc")


@given(st.binary(max_size=400), st.sampled_from(["a.rpb", "a_RPC.TXT"]))
def test_read_rpc__any_bytes__refused_and_nothing_else(data, name):
    with pytest.raises(RuleViolation):
        read_rpc(data, name)


@pytest.mark.parametrize(
    ("name", "belongs"),
    [("GF2.rpb", True), ("gf2.RPB", True), ("GF2_RPC.TXT", True), ("GF2_rpc.txt", True), ("GF20.rpb", False)],
)
def test_is_rpc_name(name, belongs):
    assert is_rpc_name(name, "GF2") is belongs


def test_pixels__against_gdal__to_a_thousandth_of_a_pixel():
    model = sensor_model(4000, 3000, seed=7)
    plain = {k: v for k, v in model.model_dump().items() if k.endswith(("_off", "_scale"))}
    coefficients = {f"{k}_coeff": list(getattr(model, k)) for k in ("line_num", "line_den", "samp_num", "samp_den")}
    rng = np.random.default_rng(1)
    lons, lats = 113.27 + rng.uniform(-0.015, 0.015, 50), 23.12 + rng.uniform(-0.01, 0.01, 50)
    heights = rng.uniform(0, 300, 50)
    with RPCTransformer(RPC(**plain, **coefficients)) as peer:
        rows, columns = peer.rowcol(lons, lats, zs=heights, op=lambda v: v)
    ours = model.pixels(lons, lats, heights)
    assert np.allclose(ours, [columns, rows], atol=1e-3)


def test_places__undo_pixels():
    model = sensor_model(4000, 3000, seed=7)
    columns, rows = np.array([0.0, 4000, 1234]), np.array([0.0, 3000, 2345])
    lons, lats = model.places(columns, rows, np.array([10.0, 90, 40]))
    back = model.pixels(lons, lats, np.array([10.0, 90, 40]))
    assert np.allclose(back, [columns, rows], atol=1e-3)


def test_pixels__beyond_reach__nowhere():
    columns, _ = sensor_model(400, 300).pixels(
        np.array([113.27, 114.0]), np.array([23.12, 23.12]), np.array([40.0, 40])
    )
    assert np.isfinite(columns).tolist() == [True, False]


def report(rpc) -> HeaderReport:
    return HeaderReport(
        driver="GTiff",
        width=400,
        height=300,
        bands=1,
        file_bytes=1,
        isolation="drivers only",
        rpc=rpc,
        dtypes=("uint8",),
    )


def refused(rpc, ground) -> str:
    with pytest.raises(RuleViolation) as caught:
        locate(report(rpc), ground=ground)
    return caught.value.refusals[0].text


def test_locate__sensor_model_without_ground__refused():
    assert refused(sensor_model(400, 300), None) == "raster.rpc_only"


def test_locate__sensor_model_off_the_elevation_model__refused():
    assert refused(sensor_model(400, 300), Level(float("nan"))) == "raster.rpc_uncovered"


def test_locate__sensor_model_without_meaning__refused():
    flat = sensor_model(400, 300).model_copy(update={"samp_num": (0.0,) * 20})
    assert refused(flat, Level(20.0)) == "raster.rpc_numbers"


def test_locate__sensor_model__error_stated_or_usual_and_larger_the_more_oblique():
    usual = locate(report(sensor_model(400, 300, slant=0.0)), ground=Level(20.0))
    assert (usual.method, usual.position.basis, usual.position_error_m) == ("rpc", Basis.USUAL, 50.0)
    stated = sensor_model(400, 300, slant=0.0).model_copy(update={"err_bias_m": 5.0})
    assert locate(report(stated), ground=Level(20.0)).position_error_m == pytest.approx(5.0, abs=0.01)
    oblique = sensor_model(400, 300, slant=0.5).model_copy(update={"err_bias_m": 5.0})
    assert locate(report(oblique), ground=Level(20.0)).position_error_m > 15


def test_receive__image_with_rpb_beside_it__pixels_land_where_the_ground_shows_them(tmp_path):
    """Every pixel of the image knows from which longitude it came; over a hill the sensor looks at obliquely."""
    width, height = 400, 300
    model = sensor_model(width, height, slant=0.6, seed=5)
    # The picture as the sensor takes it: the place of each pixel, by going along its ray to the ground.
    column, row = (part.ravel() for part in np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5))
    heights = np.full(column.size, 40.0)
    for _ in range(12):
        lons, lats = model.places(column, row, heights)
        heights = Hill().heights_m(lons, lats)
    data = np.stack([(lons - 113.26) * 1e6, (lats - 23.11) * 1e6]).reshape(2, height, width).round().astype(np.uint16)
    path = write_tif(tmp_path / "GF2_PMS1.tiff", data, crs=None, transform=None)
    (tmp_path / "GF2_PMS1.rpb").write_text(rpb_of(model, 2.0))
    with quarantine(tmp_path / "q") as room:
        placed = receive(room, [path], Told(terrain=Hill()))
        copy, _ = placed.written(room, [], lambda _: None)
        with rasterio.open(copy.path) as stored:
            found, shown = stored.read(), stored.dataset_mask() > 0
            down, across = np.nonzero(shown)
            lon, lat = transformer(32649, 4326).transform(*(stored.transform @ (across + 0.5, down + 0.5)))
    assert placed.position.basis == Basis.FILE
    assert [one.name for one in placed.arrivals] == ["GF2_PMS1.tiff", "GF2_PMS1.rpb"]
    assert shown.mean() > 0.9
    # One pixel is 1e-5 degrees, ten units.
    assert np.abs(found[0][shown] - (lon - 113.26) * 1e6).max() < 11
    assert np.abs(found[1][shown] - (lat - 23.11) * 1e6).max() < 11


GAOFEN = "GF1_PMS1_E113.3_N23.1_20250702_L1A0001-MSS1"
START = (
    "<ProductMetaData><SatelliteID>GF1</SatelliteID><StartTime>{}</StartTime><CloudPercent>3</CloudPercent>{}"
    "</ProductMetaData>"
)


def gaofen(folder, xml, stem=GAOFEN, bands=4):
    path = write_tif(folder / f"{stem}.tiff", noise(bands, 30, 40), crs=None, transform=None)
    (folder / f"{stem}.rpb").write_text(rpb_of(sensor_model(40, 30)))
    if xml is not None:
        (folder / f"{stem}.xml").write_text(xml)
    with quarantine(folder / "q") as room:
        return receive(room, [path], Told(terrain=Level(20.0)))


@pytest.mark.parametrize(
    ("start", "utc"),
    [
        ("2025-07-02 11:15:01", "2025-07-02 03:15:01"),
        ("2025-07-02T11:15:01.250", "2025-07-02 03:15:01"),
        ("2025-07-02T03:15:01Z", "2025-07-02 03:15:01"),
        ("2025-07-02T05:15:01+02:00", "2025-07-02 03:15:01"),
    ],
)
def test_receive__gaofen_product__bands_and_time_as_the_operator_delivers_them(tmp_path, start, utc):
    placed = gaofen(tmp_path, START.format(start, ""))
    assert [role.value for role in placed.roles] == ["blue", "green", "red", "nir"]
    assert f"{placed.captured_at:%Y-%m-%d %H:%M:%S}" == utc
    assert placed.about == {"platform": "GF1", "level": "L1A", "cloud_percent": "3"}
    assert [one.name.rsplit(".")[-1] for one in placed.arrivals] == ["tiff", "rpb", "xml"]


def test_receive__gaofen_product_without_a_usable_time__unknown_and_the_bands_are_known(tmp_path):
    for number, xml in enumerate([None, START.format("soon", ""), START.format("0001-01-01 00:00:00", "")]):
        (tmp_path / str(number)).mkdir()
        placed = gaofen(tmp_path / str(number), xml)
        assert (placed.captured_at, placed.roles[0].value) == (None, "blue")


def test_receive__gaofen_end_of_the_exposure__kept_where_it_makes_sense(tmp_path):
    for number, (end, seconds) in enumerate({"11:15:05": 4, "11:15:00": 0, "23:00:00": 0}.items()):
        (tmp_path / str(number)).mkdir()
        told = START.format("2025-07-02 11:15:01", f"<EndTime>2025-07-02 {end}</EndTime>")
        placed = gaofen(tmp_path / str(number), told)
        assert (placed.captured_until - placed.captured_at).total_seconds() == seconds


def test_receive__gaofen_metadata_with_a_document_type__422(tmp_path):
    with pytest.raises(RuleViolation) as caught:
        gaofen(tmp_path, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    assert (caught.value.status, caught.value.refusals[0].rule) == (422, "product.xml")


def test_receive__wide_camera_of_gaofen_6__eight_bands(tmp_path):
    placed = gaofen(tmp_path, None, "GF6_WFV_E113.3_N23.1_20250702_L1A1120001-1", bands=8)
    assert [role.value for role in placed.roles] == ["blue", "green", "red", "nir", "red_edge", *["other"] * 3]


def test_receive__bands_of_a_sensor_model_image_of_no_known_product__refused_unless_told(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(4, 30, 40), crs=None, transform=None)
    (tmp_path / "a.rpb").write_text(rpb_of(sensor_model(40, 30)))
    with quarantine(tmp_path / "q") as room:
        with pytest.raises(RuleViolation) as caught:
            receive(room, [path], Told(terrain=Level(20.0)))
        told = Told(terrain=Level(20.0), bands=("red", "green", "blue", "nir"))
        assert receive(room, [path], told).roles[0].value == "red"
    assert caught.value.refusals[0].text == "scene.bands_unknown"


def test_sort_out__gaofen_folder__one_scene_with_what_belongs_to_it(tmp_path):
    gaofen(tmp_path, START.format("2025-07-02 11:15:01", ""))
    for name in (f"{GAOFEN}.jpg", f"{GAOFEN}_thumb.jpg"):
        write_photo(tmp_path / name, np.zeros((40, 40, 3), np.uint8))
    lots, skipped = sort_out([tmp_path])
    assert ([lot.files for lot in lots], skipped) == ([(tmp_path / f"{GAOFEN}.tiff",)], [])


def test_receive__rpb_beside_an_image_that_has_a_place__is_not_read(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(1, 30, 40))
    (tmp_path / "a.rpb").write_text("nonsense")
    with quarantine(tmp_path / "q") as room:
        assert receive(room, [path], Told()).attached == ()


def test_receive__spoilt_rpb_beside_an_image_without_a_place__422(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(1, 30, 40), crs=None, transform=None)
    (tmp_path / "a_rpc.txt").write_text("nonsense")
    with quarantine(tmp_path / "q") as room, pytest.raises(RuleViolation) as caught:
        receive(room, [path], Told(terrain=Level(20.0)))
    assert caught.value.refusals[0].text == "raster.rpc_text"


def test_receive__rpc_tag_inside_a_tiff__serves_as_well(tmp_path):
    model = sensor_model(400, 300)
    plain = {k: v for k, v in model.model_dump().items() if k.endswith(("_off", "_scale"))}
    coefficients = {f"{k}_coeff": list(getattr(model, k)) for k in ("line_num", "line_den", "samp_num", "samp_den")}
    rpcs = RPC(**plain, **coefficients)
    path = write_tif(tmp_path / "a.tif", noise(1, 300, 400), crs=None, transform=None, rpcs=rpcs)
    with quarantine(tmp_path / "q") as room:
        placed = receive(room, [path], Told(terrain=Level(20.0)))
        copy, _ = placed.written(room, [], lambda _: None)
    assert placed.gsd_m == pytest.approx(1.07, abs=0.03)
    assert copy.valid == pytest.approx(400 * 300, rel=0.01)
