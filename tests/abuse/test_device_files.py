"""Lists of cameras as departments have them, and bad ones: told row by row, nothing half imported (S01)."""

import csv
import io
import json

import geopandas
import pytest
from shapely.geometry import Point
from sqlalchemy import func, select

from geo.intake import Options, import_layer
from schemas.refusals import RuleViolation
from schemas.tables import Device, DeviceShare, ImportBatch
from tests.world import World

DEPARTMENTS = ("A1", "A2", "B1", "B2", "B3")
ENGLISH = ["name", "device_type", "purpose", "place_text", "item", "device_code", "authority", "lon", "lat"]
CHINESE = ["设备名称", "设备类型", "用途", "设置地点", "事项编码", "国标编码", "所属部门", "经度", "纬度"]
POINT = {"lon": 113.26, "lat": 23.131}


@pytest.fixture
def departments(services):
    """Three more departments beside A1 and A2."""
    with services.housekeeping() as session:
        world = World(session)
        for code in ("B1", "B2", "B3"):
            world.authority(code, "county")


@pytest.fixture
def bring(work, tmp_path):
    def run(name, content, **options):
        path = tmp_path / name
        path.write_bytes(content) if isinstance(content, bytes) else content(path)
        options.setdefault("crs", "EPSG:4490" if name.endswith("csv") else None)
        with work("D1") as doing:
            report = import_layer(doing, path, Options(layer="devices", **options))
            if report.batch is not None:
                doing.commit()
        return report

    return run


def camera(number, owner=None, **change):
    """One row by the English names of its columns; two departments list every tenth camera."""
    row = {
        "name": f"清河排口{number}号",
        "device_type": "视频",
        "purpose": "排口核查",
        "place_text": f"清河路{number}号",
        "item": "ECO-01",
        "device_code": f"3701{number:016d}",
        "authority": owner or DEPARTMENTS[number % 5],
        "lon": f"{113.26 + number * 1e-4:.6f}",
        "lat": "23.131000",
    }
    return row | change


def cameras():
    again = [camera(number, DEPARTMENTS[(number + 1) % 5]) for number in range(0, 200, 10)]
    return [*(camera(number) for number in range(200)), *again]


def table(rows, names=CHINESE, delimiter=",", encoding="utf-8"):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([row[field] for field in ENGLISH] for row in rows)
    return file.getvalue().encode(encoding)


def geojson(rows):
    features = [
        {
            "type": "Feature",
            "properties": {key: value for key, value in row.items() if key not in POINT},
            "geometry": {"type": "Point", "coordinates": [float(row["lon"]), float(row["lat"])]},
        }
        for row in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def gpkg(rows):
    def write(path):
        places = [Point(float(row["lon"]), float(row["lat"])) for row in rows]
        columns = {field: [row[field] for row in rows] for field in ENGLISH if field not in POINT}
        geopandas.GeoDataFrame(columns, geometry=places, crs="EPSG:4490").to_file(path, driver="GPKG", engine="pyogrio")

    return write


def kept(session):
    ours = select(func.count()).where(Device.code.is_not(None))
    queries = (ours, select(func.count(DeviceShare.id)), select(func.count(ImportBatch.id)))
    return tuple(session.scalar(query) for query in queries)


def told(report):
    return {row.number: [refusal.text for refusal in row.refusals] for row in report.rows if row.refusals}


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("utf8.csv", table(cameras()), {}),
        ("bom.csv", table(cameras(), encoding="utf-8-sig"), {}),
        ("gbk.csv", table(cameras(), encoding="gbk"), {"encoding": "GBK"}),
        ("gb18030.csv", table(cameras(), encoding="gb18030"), {"encoding": "GB18030"}),
        ("semicolons.csv", table(cameras(), delimiter=";", encoding="utf-8-sig"), {}),
        ("english.csv", table(cameras(), names=ENGLISH), {}),
        ("cameras.geojson", geojson(cameras()), {}),
        ("cameras.gpkg", gpkg(cameras()), {}),
    ],
)
def test_S01__two_hundred_cameras_of_five_departments__one_device_each(
    bring, departments, session, name, content, options
):
    report = bring(name, content, **options)
    assert (report.imported, report.refused) == (220, 0)
    assert kept(session) == (200, 20, 1)
    assert session.scalars(select(Device.name).where(Device.code == camera(7)["device_code"])).one() == "清河排口7号"


UNREADABLE = [
    (table([camera(0)], encoding="gbk"), {}, "layer.encoding_wrong"),
    (table([camera(0)], encoding="utf-16"), {}, "layer.encoding_wrong"),
    (table([camera(0)]), {"encoding": "GBK"}, "layer.encoding_utf8"),
    (table([camera(0)]), {"encoding": "EBCDIC-XX"}, "layer.encoding_unknown"),
    (table([camera(0)], names=[*CHINESE[:7], "高德经度", "高德纬度"]), {}, "layer.offset"),
    (table([camera(0)], names=[*CHINESE[:7], "gcj02_lng", "gcj02_lat"]), {}, "layer.offset"),
    (table([camera(0)]), {"crs": "GCJ-02"}, "layer.offset"),
    (table([camera(0)], names=[*CHINESE[:8], "经度"]), {}, "layer.header_twice"),
    (b",".join(b"c%d" % n for n in range(1200)) + b"\n", {}, "layer.columns"),
    (b"\n" * 50, {}, "layer.no_header"),
    (table([]), {}, "layer.empty"),
    (b'name,lon,lat\n"open', {}, "layer.corrupt"),
]


def test_files_that_cannot_be_read_as_they_are__refused_whole(bring, departments, session):
    for content, options, text_key in UNREADABLE:
        with pytest.raises(RuleViolation) as caught:
            bring("bad.csv", content, **options)
        assert text_key in {refusal.text for refusal in caught.value.refusals}
    assert kept(session) == (0, 0, 0)


BAD = {
    "=cmd|' /C calc'!A0": ["layer.formula"],
    '=HYPERLINK("http://x","y")': ["layer.formula"],
    "@SUM(1+1)": ["layer.formula"],
    "+cmd|' /C calc'!A0": ["layer.formula"],
    "x" * 1_001: ["layer.text"],
    "a\u0000b": ["layer.text"],
    "": ["layer.field_missing"],
}


def test_formulas_and_texts_that_are_none__told_by_row(bring, departments, session):
    rows = [camera(number, name=name) for number, name in enumerate(BAD)]
    report = bring("bad.csv", table([*rows, camera(50), camera(51, name="+86 20 0000")]), partly=True)
    assert list(told(report).values()) == list(BAD.values())
    assert kept(session) == (2, 0, 1)


WRONG = [
    ({"lon": "23.131", "lat": "113.26"}, "geometry.swapped"),
    ({"lon": "200", "lat": "95"}, "geometry.out_of_range"),
    ({"lon": "113,26", "lat": "23,13"}, "geometry.not_a_number"),
    ({"lon": "nan"}, "geometry.not_a_number"),
    ({"lon": "1e999"}, "geometry.not_finite"),
    ({"lon": "=A1"}, "geometry.not_a_number"),
    ({"lon": ""}, "geometry.not_a_number"),
    ({"lon": "2538000.5", "lat": "38431000.2"}, "geometry.out_of_range"),
    ({"authority": "ZZ"}, "layer.authority_unknown"),
    ({"item": "ECO-99"}, "layer.item_unknown"),
    ({"device_type": "telescope"}, "layer.value"),
]


@pytest.mark.parametrize("partly", [False, True])
def test_bad_rows_among_good_ones__each_told__nothing_half_imported(bring, departments, session, partly):
    bad = [camera(number, **change) for number, (change, _key) in enumerate(WRONG)]
    report = bring("bad.csv", table([camera(50), *bad, camera(51)]), partly=partly)
    assert list(told(report)) == list(range(2, len(WRONG) + 2))
    for (_change, text_key), texts in zip(WRONG, told(report).values(), strict=True):
        assert text_key in texts
    assert kept(session) == ((2, 0, 1) if partly else (0, 0, 0))
    for lang in ("en", "zh"):
        assert all(row["refusals"][0]["fix"] for row in report.render(lang)["rows"][1:-1])


def test_two_hundred_columns__those_that_are_known_are_read(bring, departments, session):
    """Sheets have columns for everything, and many that are empty."""
    extra = [f"备注{n}" for n in range(100)] + [""] * 91
    rows = [list(camera(0).values()) + ["x"] * 100 + [""] * 91]
    file = io.StringIO()
    csv.writer(file).writerows([[*CHINESE, *extra], *rows])
    report = bring("wide.csv", file.getvalue().encode())
    assert (report.imported, len(report.columns)) == (1, 7)
    assert report.left_aside == tuple(extra[:100])


def test_a_formula__told_once__and_not_as_a_blank(bring, departments, session):
    content = table([camera(0)]).decode().replace("用途", "purpose_en").splitlines()
    content = [f"{line},{more}" for line, more in zip(content, ("purpose_zh", "排口核查"), strict=True)]
    content[1] = content[1].replace("排口核查", "=A1", 1)
    assert told(bring("formula.csv", "\n".join(content).encode())) == {1: ["layer.formula"]}


def test_row_with_more_or_fewer_cells__told(bring, departments, session):
    content = table([camera(0), camera(1)]).decode().replace("3701" + "1".rjust(16, "0"), "3701,x").encode()
    assert told(bring("torn.csv", content)) == {2: ["layer.cells"]}


def test_geojson_feature_that_is_none__told_by_row(bring, departments, session):
    document = json.loads(geojson([camera(number) for number in range(5)]))
    document["features"][1] = 3
    document["features"][2]["geometry"] = None
    document["features"][3]["geometry"]["coordinates"] = ["113.26", 23.1]
    report = bring("x.geojson", json.dumps(document).encode(), partly=True)
    assert sorted(told(report)) == [2, 3, 4]
    assert kept(session)[0] == 2
