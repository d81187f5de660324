"""GeoPackages, GeoJSON and tables, systems of coordinates and cells, read without a database."""

import json
import shutil
import sqlite3
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import Point, Polygon

from geo.intake.columns import Cells, match, position
from geo.intake.coordinates import placement, refuse_offset
from geo.intake.texts import read_csv, read_geojson
from geo.intake.vector import read_geopackage
from schemas.limits import LIMITS
from schemas.refusals import RuleViolation
from tests.unit.geo.layer_files import ANY, FIELD, frame, refusal

# -- GeoPackages ------------------------------------------------------------------------------------------


def geopackage(folder, *layers):
    path = folder / "data.gpkg"
    for name in layers:
        frame(name=[name]).to_file(path, layer=name, driver="GPKG", engine="pyogrio")
    return path


def test_geopackage__its_one_layer__read(tmp_path):
    table = read_geopackage(geopackage(tmp_path, "permits"), None)
    assert (table.rows[0].values, table.crs) == ({"name": "permits"}, "EPSG:4490")


def test_geopackage__two_layers__one_must_be_named(tmp_path):
    path = geopackage(tmp_path, "permits", "water")
    with pytest.raises(RuleViolation) as caught:
        read_geopackage(path, None)
    assert refusal(caught).required == "permits, water"
    assert read_geopackage(path, "water").rows[0].values == {"name": "water"}
    with pytest.raises(RuleViolation, match=r"layer\.choose: "):
        read_geopackage(path, "fire")


def test_geopackage__a_view_in_place_of_a_table__not_run(tmp_path):
    path = geopackage(tmp_path, "permits")
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE permits RENAME TO hidden")
        database.execute("CREATE VIEW permits AS SELECT * FROM hidden")
        database.execute("UPDATE gpkg_contents SET table_name = 'permits'")
    database.close()
    with pytest.raises(RuleViolation) as caught:
        read_geopackage(path, None)
    assert refusal(caught).text == "layer.no_features"
    with pytest.raises(RuleViolation) as caught:
        read_geopackage(path, "permits")
    assert refusal(caught).text == "layer.choose"


@pytest.mark.parametrize("content", [b"SQLite format 3\x00", b"SQLite format 3\x00" + b"\x00" * 5000])
def test_geopackage__that_is_none__refused(tmp_path, content):
    path = tmp_path / "a.gpkg"
    path.write_bytes(content)
    with pytest.raises(RuleViolation) as caught:
        read_geopackage(path, None)
    assert refusal(caught).text == "layer.corrupt"


def test_geopackage__whose_tables_are_described_in_garbage__refused_or_read_as_it_was(tmp_path):
    path, answers = geopackage(tmp_path, "permits"), set()
    whole = path.read_bytes()
    for at in range(whole.index(b"CREATE TABLE"), whole.index(b"CREATE TABLE") + 400, 20):
        path.write_bytes(whole[:at] + b"\x97\x84\xff" + whole[at + 3 :])
        try:
            table = read_geopackage(path, None)
        except RuleViolation as violation:
            answers.add(violation.refusals[0].text)
        else:
            answers.add((table.rows[0].values["name"], table.crs))
    # It can be read where the name of a column was hit that nobody asks for, as of a pyramid of tiles.
    assert answers == {"layer.corrupt", ("permits", "EPSG:4490")}


def test_geopackage__a_coordinate_that_is_no_number__told_by_its_row_and_not_on_the_console(tmp_path):
    path = tmp_path / "nan.gpkg"
    with np.errstate(invalid="ignore"):
        hole = Polygon([(113.26, 23.13), (float("nan"), 23.14), (113.27, 23.13)])
        frame(geoms=(hole,), name=["a"]).to_file(path, driver="GPKG", engine="pyogrio")
    (row,) = read_geopackage(path, None).rows
    assert not row.geom.is_empty


# -- GeoJSON ----------------------------------------------------------------------------------------------


def collection(*features, **more):
    return json.dumps({"type": "FeatureCollection", "features": list(features)} | more)


def feature(geom=FIELD, **properties):
    geometry = geom if isinstance(geom, dict) or geom is None else json.loads(shapely.to_geojson(geom))
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def geojson(tmp_path, text):
    path = tmp_path / "layer.geojson"
    path.write_text(text, encoding="utf-8")
    return path


def test_geojson__good_and_bad_features__each_judged_alone(tmp_path):
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    text = collection(feature(name="a", tags=["x"]), feature(bow_tie, name="b"), feature(None), 5)
    rows = read_geojson(geojson(tmp_path, text), ANY, None).rows
    assert [row.refusals[0].rule if row.refusals else None for row in rows] == [
        None,
        "geometry.invalid",
        "geometry.empty",
        "geometry.format",
    ]
    assert rows[0].values == {"name": "a", "tags": '["x"]'}
    assert rows[1].values == {"name": "b"}


@pytest.mark.parametrize(
    ("crs", "text"),
    [
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}, "layer.geojson_projected"),
        ({"type": "name", "properties": {"name": "GCJ-02"}}, "layer.offset"),
        ({"type": "link", "properties": {"href": "http://127.0.0.1/"}}, "layer.crs_unknown"),
        ("EPSG:4490", "layer.crs_unknown"),
    ],
)
def test_geojson__a_system_that_it_cannot_be_in__refused(tmp_path, crs, text):
    with pytest.raises(RuleViolation) as caught:
        read_geojson(geojson(tmp_path, collection(feature(), crs=crs)), ANY, None)
    assert refusal(caught).text == text


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4490", "EPSG:4326"])
def test_geojson__an_old_crs_member_of_longitude_and_latitude__taken(tmp_path, name):
    crs = {"type": "name", "properties": {"name": name}}
    table = read_geojson(geojson(tmp_path, collection(feature(), crs=crs)), ANY, None)
    assert placement(table.crs, None).is_geographic


def test_geojson__one_feature_or_geometry_alone__a_layer_of_one_row(tmp_path):
    alone = feature(name="a")
    table = read_geojson(geojson(tmp_path, json.dumps(alone)), ANY, None)
    assert [(row.number, row.values) for row in table.rows] == [(1, {"name": "a"})]
    bare = read_geojson(geojson(tmp_path, json.dumps(alone["geometry"])), ANY, None)
    assert [(row.values, row.geom) for row in bare.rows] == [({}, table.rows[0].geom)]
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    (row,) = read_geojson(geojson(tmp_path, json.dumps(bow_tie)), ANY, None).rows
    assert [one.rule for one in row.refusals] == ["geometry.invalid"]


def test_geojson__a_feature_that_names_a_system_of_its_own__refused(tmp_path):
    own = feature() | {"crs": {"type": "name", "properties": {"name": "GCJ-02"}}}
    rows = read_geojson(geojson(tmp_path, collection(own, feature())), ANY, None).rows
    assert [[one.rule for one in row.refusals] for row in rows] == [["geometry.crs"], []]


@pytest.mark.parametrize("text", ["[]", '{"type":"Feature"}', '{"type":"FeatureCollection","features":{}}', "", "<x/>"])
def test_geojson__anything_else__refused(tmp_path, text):
    with pytest.raises(RuleViolation):
        read_geojson(geojson(tmp_path, text), ANY, None)


# -- CSV --------------------------------------------------------------------------------------------------


def table_of(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "points.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_csv__chinese_columns_in_gbk__read(tmp_path):
    path = table_of(tmp_path, "名称,经度,纬度\r\n甲厂,113.26,23.13\r\n", "gbk")
    table = read_csv(path, "GBK", "EPSG:4490")
    assert table.rows[0].values["名称"] == "甲厂"
    assert table.rows[0].geom.equals(Point(113.26, 23.13))


def test_csv__semicolons_a_mark_at_the_start_and_blank_lines__read(tmp_path):
    path = table_of(tmp_path, '\ufeffname;lon;lat\n"a;b";113.26;23.13\n\n;;\nc;113.27;23.14\n')
    rows = read_csv(path, None, "4326").rows
    assert [(row.number, row.values["name"]) for row in rows] == [(1, "a;b"), (4, "c")]


@pytest.mark.parametrize(
    ("lon", "lat", "rule"),
    [
        ("", "23.13", "geometry.not_a_number"),
        ("113,26", "23.13", "layer.field"),
        ("1_13", "23.13", "geometry.not_a_number"),
        ("nan", "23.13", "geometry.not_a_number"),
        ("1e999", "23.13", "geometry.not_finite"),
        ("23.13", "113.26", "geometry.out_of_range"),
    ],
)
def test_csv__a_bad_position__its_row_is_refused(tmp_path, lon, lat, rule):
    rows = read_csv(table_of(tmp_path, f"name,lon,lat\na,{lon},{lat}\nb,113.26,23.13\n"), None, "EPSG:4326").rows
    assert rows[0].refusals[0].rule == rule
    assert rows[1].refusals == ()


@pytest.mark.parametrize(
    ("text", "crs", "key"),
    [
        ("name,lon,lat\n", None, "layer.crs_missing"),
        ("name,lon,lat\n", "EPSG:4547", "layer.csv_projected"),
        ("name,lon,lat\n", "GCJ02", "layer.offset"),
        ("name,WKT\na,POINT(1 1)\n", "EPSG:4326", "layer.csv_wkt"),
        ("name,address\n", "EPSG:4326", "layer.csv_columns"),
        ("", "EPSG:4326", "layer.no_header"),
        ("a,a,lon,lat\n", "EPSG:4326", "layer.header_twice"),
        ('name,lon,lat\n"a,1,2\n', "EPSG:4326", "layer.corrupt"),
    ],
)
def test_csv__a_table_that_cannot_be_placed__refused(tmp_path, text, crs, key):
    with pytest.raises(RuleViolation) as caught:
        read_csv(table_of(tmp_path, text), None, crs)
    assert refusal(caught).text == key


def test_csv__more_rows_than_are_taken__refused_without_reading_them_all(tmp_path, monkeypatch):
    monkeypatch.setitem(LIMITS, "layer.rows", LIMITS["layer.rows"].__class__(3, "rows", "test", "test"))
    rows = "a,113.26,23.13\n"
    assert len(read_csv(table_of(tmp_path, "name,lon,lat\n" + rows * 3), None, "EPSG:4326").rows) == 3
    path = table_of(tmp_path, "name,lon,lat\n" + rows * 4_000)
    path.write_bytes(path.read_bytes() + b"\xff")  # would be told, if anybody came as far
    with pytest.raises(RuleViolation) as caught:
        read_csv(path, None, "EPSG:4326")
    assert (caught.value.status, refusal(caught).measured) == (413, "> 3")


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv__any_line_end_in_any_encoding__read(tmp_path, encoding, end):
    path = table_of(tmp_path, f"名称;lon;lat{end}甲;113.26;23.13{end}", encoding)
    (row,) = read_csv(path, None if encoding == "utf-8-sig" else encoding, "EPSG:4326").rows
    assert row.values["名称"] == "甲"


def test_csv__gbk_read_as_utf_8__refused_with_what_to_do(tmp_path):
    with pytest.raises(RuleViolation) as caught:
        read_csv(table_of(tmp_path, "名称,经度,纬度\n", "gbk"), None, "EPSG:4326")
    assert refusal(caught).text == "layer.encoding_wrong"


# -- coordinate systems -----------------------------------------------------------------------------------


def test_crs__cgcs2000_longitude_and_latitude__equal_to_wgs_84():
    way = placement("EPSG:4490", None)
    (placed,) = way.place([FIELD])
    assert placed.equals_exact(FIELD, 1e-9)
    assert way.accuracy_m == 0.0


@pytest.mark.parametrize("epsg", [4513, 4526, 4533, 4534, 4538, 4547, 4554])
def test_crs__cgcs2000_zones__the_false_origin_is_their_own_meridian(epsg):
    way = placement(f"EPSG:{epsg}", None)
    (there,) = way.place([Point(_false_easting(epsg), 2_560_000.0)])
    assert there.x == pytest.approx(_meridian(epsg), abs=1e-9)
    assert there.y == pytest.approx(23.14, abs=0.01)


def _meridian(epsg):
    """Three-degree zones with and without the number in front of the easting, from EPSG's own table."""
    return 75 + 3 * (epsg - 4513) if epsg < 4534 else 75 + 3 * (epsg - 4534)


def _false_easting(epsg):
    return 25_500_000.0 + 1_000_000.0 * (epsg - 4513) if epsg < 4534 else 500_000.0


def test_crs__wkt_of_a_prj_by_esri__known():
    wkt = (
        'PROJCS["CGCS2000_3_Degree_GK_CM_114E",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",'
        'DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
        'UNIT["Degree",0.0174532925199433]],PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",500000.0],'
        'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",114.0],PARAMETER["Scale_Factor",1.0],'
        'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
    )
    (there,) = placement(wkt, None).place([Point(500_000.0, 2_560_000.0)])
    assert there.x == pytest.approx(114.0)


@pytest.mark.parametrize(
    ("declared", "wanted", "text"),
    [
        (None, None, "layer.crs_missing"),
        ("", None, "layer.crs_missing"),
        (None, "gcj02", "layer.offset"),
        ("EPSG:4490", "BD-09", "layer.offset"),
        ('GEOGCS["GCJ-02",DATUM["x"]]', None, "layer.offset"),
        (None, "EPSG:999999", "layer.crs_unknown"),
        (None, "+proj=longlat", "layer.crs_unknown"),
        (None, "+init=/etc/passwd:x", "layer.crs_unknown"),
        (None, "http://127.0.0.1/crs", "layer.crs_unknown"),
        ("GEOGCS[" + "x" * 40_000, None, "layer.crs_unknown"),
        (None, "EPSG:4979x", "layer.crs_unknown"),
        (None, "EPSG:5773", "layer.crs_unusable"),
        (None, "EPSG:4978", "layer.crs_unusable"),
        (None, "EPSG:4610", "layer.crs_no_way"),
    ],
)
def test_crs__that_cannot_be_used__refused(declared, wanted, text):
    with pytest.raises(RuleViolation) as caught:
        placement(declared, wanted)
    assert refusal(caught).text == text


def test_crs__named_on_the_command_line__comes_before_the_declared_one():
    assert placement("EPSG:4547", "EPSG:4490").is_geographic


@pytest.mark.parametrize(
    "name",
    ["lon_gcj02", "GCJ-02", "bd09_x", "bd_lng", "BD09", "高德经度", "百度坐标", "火星坐标", "amap.csv", "mars_lon"],
)
def test_offset__confessed_in_any_name__refused(name):
    with pytest.raises(RuleViolation) as caught:
        refuse_offset(["permits.shp", name])
    assert refusal(caught).rule == "geometry.crs"


def test_offset__ordinary_names__pass():
    refuse_offset(["lon", "lat", "名称", "abd", "mars", "bd", "高度", "permits_2025.zip"])


@pytest.mark.parametrize(
    "name",
    [
        "GCJSDW",
        "gcjd",
        "BDX",
        "bdlx",
        "chinamap.shp",
        "roadmap.geojson",
        "百度大厦.shp",
        "高德置地广场",
        "火星村",
        "amap_id",
    ],
)
def test_offset__initials_and_names_that_only_look_alike__pass(name):
    refuse_offset([name])


@pytest.mark.parametrize(
    "name", ["gcj_lng", "GCJ02MC", "baidu_x", "百度.csv", "高德poi.csv", "百度地图坐标", "poi_gcj.shp"]
)
def test_offset__in_the_ways_in_which_people_name_their_files__refused(name):
    with pytest.raises(RuleViolation):
        refuse_offset([name])


# -- cells ------------------------------------------------------------------------------------------------


def cells(**values):
    return Cells(values, {name: name for name in values})


def test_columns__names_in_both_languages_and_any_case():
    found = match(("名称", "Permit-No", " 有效期起 ", "x"), ("name", "number", "valid_from", "kind"))
    assert found == {"name": "名称", "number": "Permit-No", "valid_from": " 有效期起 "}


def test_columns__one_column_carries_one_field_only():
    assert match(("地址",), ("place_text", "address")) == {"place_text": "地址"}


@pytest.mark.parametrize(
    "text",
    ["2025-06-01", "2025/6/1", "2025.06.01", "20250601", "2025年6月1日", "2025-06-01T00:00:00", "2025-06-01 08:30"],
)
def test_cells__a_day_in_any_usual_form(text):
    assert cells(valid_from=text).day("valid_from") == date(2025, 6, 1)


@pytest.mark.parametrize(
    "text", ["0001-01-01", "1025-06-01", "2025-02-30", "01/06/2025", "June", "2025061", "25-6-1", "20250632"]
)
def test_cells__a_day_that_is_none__refused(text):
    row = cells(valid_from=text)
    assert row.day("valid_from") is None
    assert row.refusals[0].rule == "layer.field"


def test_cells__all_faults_are_collected():
    row = cells(buffer_m="ten", is_measuring_instrument="perhaps", kind="castle", name="x" * 2_000)
    row.number("buffer_m")
    row.flag("is_measuring_instrument")
    row.word("kind", {"toilet": "toilet"})
    row.text("name")
    row.text("address", required=True)
    assert len(row.refusals) == 5
    for one in row.refusals:
        one.render("zh")


def test_cells__a_code_kept_in_a_column_of_numbers__loses_its_decimals():
    assert cells(number=440100.0).text("number") == "440100"


def test_cells__what_no_field_carries__is_kept_where_it_can_be_stored():
    unstorable = {"bad": "a\x00b", "long": "x" * 2000, "endless": float("inf")}
    row = Cells({"name": "a", "height": 3.5, "blank": None} | unstorable, {"name": "name"})
    assert row.others() == {"height": 3.5}


def test_cells__text_that_cannot_be_stored__refused():
    row = cells(name="a\x00b")
    assert row.text("name") is None
    assert row.refusals[0].text == "layer.text"


def test_cells__a_column_without_a_name__is_no_field():
    assert Cells({"": "b"}, {}).day("valid_from") is None
    assert Cells({"": "b"}, {}).refusals == []


def test_position__reads_only_plain_numbers():
    assert position({"lon": "113.26", "lat": 23.13}, {"lon": "lon", "lat": "lat"}) == [113.26, 23.13]


def test_shapes__unclosed_or_empty__never_repaired(tmp_path: Path):
    made = frame(geoms=(Polygon(),), name=["nothing"])
    path = tmp_path / "e.gpkg"
    made.to_file(path, driver="GPKG", engine="pyogrio")
    (row,) = read_geopackage(path, None).rows
    assert row.geom is None or row.geom.is_empty
    shutil.rmtree(tmp_path)
