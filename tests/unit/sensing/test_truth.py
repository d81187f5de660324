"""Ground truth of others: any usual format and coordinate system, their own names, and nothing taken on trust."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine

from geo.measure import area_m2
from schemas.refusals import RuleViolation
from sensing.truth import Reading, read_truth_file
from tests.unit.sensing.pictures import UTM, noise, north_up, vrt_of, write_tif

KINDS = {"excavation", "building"}
LEFT, TOP = 731_400.0, 2_560_000.0
SQUARES = [
    shapely.box(LEFT + x, TOP - y - 100, LEFT + x + 200, TOP - y) for x, y in ((100, 100), (500, 300), (900, 700))
]
NAMES = ["PIT", "HOUSE", "LAKE"]
READING = Reading(names={"PIT": "excavation", "HOUSE": "building", "LAKE": "-"}, field="Klasse")


def frame(**columns):
    return geopandas.GeoDataFrame({"Klasse": NAMES} | columns, geometry=SQUARES, crs=UTM)


def read(path: Path, tmp_path: Path, reading: Reading | None = None):
    return read_truth_file(path, tmp_path / "rooms", KINDS, reading)


def refused(path: Path, tmp_path: Path, reading: Reading | None = None) -> set[str]:
    with pytest.raises(RuleViolation) as caught:
        read(path, tmp_path, reading)
    assert 400 <= caught.value.status < 500
    for lang in ("en", "zh"):
        caught.value.render(lang)
    return {refusal.rule for refusal in caught.value.refusals}


@pytest.mark.parametrize("epsg", [32649, 4326, 4490, 3857, 4547])
@pytest.mark.parametrize("name", ["truth.gpkg", "truth.shp", "truth.geojson", "truth.zip"])
def test_truth__of_any_format_and_system__the_same_ground(tmp_path, name, epsg):
    path = tmp_path / name
    made = frame().to_crs(epsg)
    if name.endswith(".geojson"):
        made = frame().to_crs(4326)
    if name.endswith(".zip"):
        made.to_file(tmp_path / "inner.shp")
        with zipfile.ZipFile(path, "w") as archive:
            for part in tmp_path.glob("inner.*"):
                archive.write(part, part.name)
    else:
        made.to_file(path)
    found = read(path, tmp_path, READING)
    assert [one.kind for one in found.wanted] == ["excavation", "building"]
    assert (found.ignored, found.silent) == (1, ())
    for one, square in zip(found.wanted, frame().to_crs(4326).geometry, strict=False):
        assert area_m2(one.geom.symmetric_difference(square)) < 30
        # A UTM grid is a little smaller or larger than the ground.
        assert area_m2(one.geom) == pytest.approx(20_000, rel=3e-3)


def test_truth__raster_of_classes__areas_of_equal_value(tmp_path):
    plane = np.zeros((1, 60, 80), np.uint8)
    plane[0, 10:20, 10:30] = 7
    plane[0, 40:50, 10:20] = 7
    plane[0, 40:50, 40:60] = 9
    path = write_tif(tmp_path / "classes.tif", plane, transform=north_up(10.0))
    found = read(path, tmp_path, Reading(names={"7": "excavation", "9": "none"}))
    assert [round(area_m2(one.geom), -2) for one in found.wanted] == pytest.approx([20_000, 10_000], rel=0.02)
    assert [round(area_m2(one.geom), -2) for one in found.silent] == pytest.approx([20_000], rel=0.02)
    assert list((tmp_path / "rooms").iterdir()) == []


def test_truth__raster_in_degrees_with_a_colour_table__classes_are_numbers(tmp_path):
    plane = np.zeros((1, 30, 30), np.uint8)
    plane[0, 5:15, 5:15] = 3
    path = tmp_path / "palette.tif"
    write_tif(path, plane, crs="EPSG:4326", transform=Affine(1e-4, 0, 113.26, 0, -1e-4, 23.13))
    import rasterio

    with rasterio.open(path, "r+") as target:
        target.write_colormap(1, {0: (0, 0, 0, 255), 3: (200, 10, 10, 255)})
    (only,) = read(path, tmp_path, Reading(names={"3": "building"})).wanted
    assert only.geom.bounds == pytest.approx((113.2605, 23.1285, 113.2615, 23.1295), abs=1e-9)


def test_truth__our_own_form__silent_things_stay_silent(tmp_path):
    shapes = frame().to_crs(4326).geometry
    facts = [
        {"kind": "excavation", "expect": "finding", "reason": "unlawful"},
        {"kind": "excavation", "expect": "none", "reason": "permitted"},
        {"kind": "greenhouse", "expect": "none"},
    ]
    features = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(shape), "properties": fact}
        for shape, fact in zip(shapes, facts, strict=True)
    ]
    path = tmp_path / "own.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found = read(path, tmp_path)
    assert [(one.kind, one.reason) for one in found.wanted] == [("excavation", "unlawful")]
    assert [(one.kind, one.reason) for one in found.silent] == [("excavation", "permitted"), ("greenhouse", "")]


def test_truth__one_kind_for_all__needs_no_column(tmp_path):
    frame().drop(columns="Klasse").to_file(tmp_path / "a.gpkg")
    found = read(tmp_path / "a.gpkg", tmp_path, Reading(names={"*": "building"}))
    assert [one.kind for one in found.wanted] == ["building"] * 3


def test_truth__numbers_for_names__written_without_a_point(tmp_path):
    frame(code=[1.0, 2.0, 3.0]).to_file(tmp_path / "a.gpkg")
    reading = Reading(names={"1": "excavation", "*": "-"}, field="CODE")
    assert len(read(tmp_path / "a.gpkg", tmp_path, reading).wanted) == 1


# -- what is refused ------------------------------------------------------------------------------


def test_truth__name_that_means_nothing_here__refused_and_not_dropped(tmp_path):
    frame().to_file(tmp_path / "a.gpkg")
    assert refused(tmp_path / "a.gpkg", tmp_path, Reading(names={"PIT": "excavation"}, field="Klasse")) == {
        "truth.unknown_names"
    }


@pytest.mark.parametrize("reading", [Reading(), Reading(field="class")])
def test_truth__without_a_column_of_names__refused(tmp_path, reading):
    frame().to_file(tmp_path / "a.gpkg")
    assert refused(tmp_path / "a.gpkg", tmp_path, reading) == {"truth.no_names"}


def test_truth__all_left_out__refused(tmp_path):
    frame().to_file(tmp_path / "a.gpkg")
    reading = Reading(names={"*": "-"}, field="Klasse")
    assert refused(tmp_path / "a.gpkg", tmp_path, reading) == {"truth.unreadable"}


def test_truth__unsound_shapes__all_of_them_are_told(tmp_path):
    made = frame()
    bow_tie = shapely.Polygon([(LEFT, TOP), (LEFT + 100, TOP - 100), (LEFT + 100, TOP), (LEFT, TOP - 100)])
    made.geometry = [bow_tie, SQUARES[1], shapely.Point(LEFT, TOP)]
    made.to_file(tmp_path / "a.gpkg")
    assert refused(tmp_path / "a.gpkg", tmp_path, READING) == {"geometry.invalid", "geometry.type"}


def test_truth__numbers_of_another_system_than_is_declared__refused(tmp_path):
    frame().set_crs(4326, allow_override=True).to_file(tmp_path / "a.gpkg")
    assert refused(tmp_path / "a.gpkg", tmp_path, READING) <= {"geometry.out_of_range", "geometry.crs"}


def test_truth__without_a_system__refused_and_taken_when_it_is_named(tmp_path):
    frame().to_file(tmp_path / "a.shp")
    (tmp_path / "a.prj").unlink()
    assert refused(tmp_path / "a.shp", tmp_path, READING) == {"geometry.crs"}
    told = Reading(names=READING.names, field=READING.field, crs="EPSG:32649")
    assert len(read(tmp_path / "a.shp", tmp_path, told).wanted) == 2


def test_truth__offset_map_of_china__refused_by_name(tmp_path):
    frame().to_file(tmp_path / "truth_gcj02.gpkg")
    assert refused(tmp_path / "truth_gcj02.gpkg", tmp_path, READING) == {"geometry.crs"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tif", b"II*\0" + b"\0" * 50),
        ("a.tif", b""),
        ("a.gpkg", b"SQLite format 3\x00" + b"\xff" * 4000),
        ("a.shp", b"\x00\x00\x27\x0a" + b"\0" * 200),
        ("a.zip", b"PK\x03\x04" + b"\0" * 200),
        ("a.geojson", b"[1,2"),
        ("a.geojson", b'{"type":"FeatureCollection"}'),
        ("a.geojson", b'{"a":' * 4000),
        ("a.kml", b"<kml/>"),
        ("a.vrt", vrt_of(Path("/etc/hostname"))),
    ],
)
def test_truth__hostile_file__refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert refused(tmp_path / name, tmp_path)


def test_truth__raster_with_the_name_of_a_table__is_read_by_what_it_is(tmp_path):
    write_tif(tmp_path / "a.tif", noise(1, 20, 20, high=3, dtype="uint8"))
    (tmp_path / "a.tif").rename(tmp_path / "a.geojson")
    assert refused(tmp_path / "a.geojson", tmp_path, Reading(names={"*": "building"})) == {"raster.magic"}


def test_truth__raster_of_measurements__is_no_truth(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(1, 20, 20).astype("float32"))
    assert refused(path, tmp_path, Reading(names={"*": "building"})) == {"truth.unreadable"}


def test_truth__raster_without_a_place__refused(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(1, 20, 20, dtype="uint8", high=3), crs=None)
    assert refused(path, tmp_path, Reading(names={"*": "building"})) & {"raster.crs", "raster.transform"}


def test_truth__raster_of_more_areas_than_a_map_has__refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sensing.truth.limit", lambda name: 50 if name == "layer.rows" else 1 << 20)
    path = write_tif(tmp_path / "a.tif", noise(1, 40, 40, high=9, dtype="uint8"))
    with pytest.raises(RuleViolation) as caught:
        read(path, tmp_path, Reading(names={"*": "building"}))
    assert (caught.value.status, caught.value.refusals[0].rule) == (413, "layer.rows")


def test_truth__geopackage_that_runs_what_somebody_wrote__only_tables_are_read(tmp_path):
    frame().to_file(tmp_path / "a.gpkg", layer="t")
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        database.execute("CREATE VIEW v AS SELECT * FROM t")
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES ('v', 'features', 'v', 32649)"
        )
    assert len(read(tmp_path / "a.gpkg", tmp_path, READING).wanted) == 2
