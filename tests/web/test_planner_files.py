"""Patrol areas and deployment points from files at the planner's desk: all rows or none, each row told (GD-16.3)."""

from __future__ import annotations

import io
import json
import re
import zipfile

import geopandas
import pytest
from shapely.geometry import LineString, MultiPolygon, Point, box
from sqlalchemy import func, select, text

from schemas.tables import DeploymentPoint, PatrolArea
from tests.web.conftest import HTML
from tests.web.drafting import get, made, post

TABLES = {"areas": PatrolArea, "points": DeploymentPoint}
HEAD = "code,name_en,name_zh,purpose_en,purpose_zh,place_text,lon,lat\n"
NO_PLACE = "Weir,堰,Patrol,巡查,Bridge"


@pytest.fixture(scope="module")
def acting_as(reading_as):
    """One world for the module: each test drafts things of its own."""
    return reading_as


@pytest.fixture
def planner(acting_as):
    return acting_as("N1")


@pytest.fixture
def count(shared_app):
    def rows(kind):
        with shared_app.extensions["services"].session() as db:
            return db.scalar(select(func.count()).select_from(TABLES[kind]))

    return rows


def row(code, lon="113.2545", lat="23.1250"):
    return f"{code},{NO_PLACE},{lon},{lat}\n"


def square(lon=113.30, lat=23.12):
    return box(lon, lat, lon + 0.01, lat + 0.01)


def said(code, **changes):
    told = {"code": code, "name_en": "Fields", "name_zh": "田野", "purpose_en": "Patrol", "purpose_zh": "巡查"}
    return told | {"alt_min_agl_m": 60, "alt_max_agl_m": 110} | changes


def collection(*pairs):
    features = [
        {"type": "Feature", "properties": told, "geometry": shape.__geo_interface__ if shape else None}
        for told, shape in pairs
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def send(planner, kind, body, name, **changes):
    data = body if isinstance(body, bytes) else body.encode()
    sent = {"authority": "A1", "item": "ECO-01", "siting_plan": "SP-1", "file": (io.BytesIO(data), name)}
    if name.endswith(".csv"):
        sent["crs"] = "EPSG:4326"
    return post(planner, f"/planner/{kind}/import", sent | changes)


def ids(answer):
    return re.findall(r"\b(?:PA|DP)-[A-Z0-9]+", answer.text)


def report(answer):
    """What the page says of the rows."""
    return re.search(r'class="tight report">(.*?)</table>', answer.text, re.DOTALL)[1]


# -- what is good ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page__stands_beside_the_map(planner, kind, lang):
    headers = {**HTML, "Accept-Language": lang}
    answer = planner.get(f"/planner/{kind}/import", headers=headers)
    assert answer.status_code == 200
    assert ("from a file" if lang == "en" else "从文件起草") in answer.text
    for page in ("/planner", f"/planner/{kind}/new"):
        assert f'href="/planner/{kind}/import"' in planner.get(page, headers=headers).text


def test_GD_16_3__areas_of_a_geojson__each_drafted_with_an_event_and_checked(planner, count, shared_app):
    before = count("areas")
    body = collection((said("FA1"), square()), (said("FA2", name_en="Hills"), square(113.28)))
    answer = send(planner, "areas", body, "areas.geojson")
    assert answer.status_code == 200
    assert "2 rows were imported" in answer.text
    assert count("areas") == before + 2
    assert len(ids(answer)) == 2
    with shared_app.extensions["services"].session() as db:
        query = "SELECT e.action, e.actor FROM ledger.event e JOIN core.patrol_area a ON a.id::text = e.subject_id"
        events = db.execute(text(f"{query} WHERE a.code IN ('FA1', 'FA2')")).all()
        assert [event.action for event in events] == ["patrol_area.draft"] * 2
        assert len({event.actor for event in events}) == 1
    made(post(planner, f"/planner/areas/{ids(answer)[0]}/check", {"version": "1"}))
    assert "60 – 110 m" in get(planner, f"/planner/areas/{ids(answer)[0]}").text


def test_GD_16_3__points_of_a_table__each_drafted_and_checked(planner):
    answer = send(planner, "points", HEAD + row("FP1") + row("FP2", lon="113.2630"), "points.csv")
    assert "2 rows were imported" in answer.text
    made(post(planner, f"/planner/points/{ids(answer)[0]}/check", {"version": "1"}))


def test_points__chinese_columns_of_a_gbk_table__drafted(planner, count):
    before = count("points")
    words = "代码,名称,用途,设置地点,经度,纬度\nFP3,堰（虚构）,巡查,桥,113.2545,23.1250\n"
    answer = send(planner, "points", words.encode("gbk"), "points.csv", encoding="gbk")
    assert answer.status_code == 200
    assert count("points") == before + 1


def test_areas__chinese_columns_of_a_geopackage_of_collections_of_one__drafted(planner, tmp_path):
    words = {"代码": ["FA3"], "名称": ["田野"], "用途": ["巡查"], "最低真高": [60.0], "最高真高": [110.0]}
    table = geopandas.GeoDataFrame(words, geometry=[MultiPolygon([square()])], crs="EPSG:4490")
    table.to_file(tmp_path / "areas.gpkg", driver="GPKG")
    answer = send(planner, "areas", (tmp_path / "areas.gpkg").read_bytes(), "areas.gpkg")
    assert answer.status_code == 200
    assert "田野" in get(planner, f"/planner/areas/{ids(answer)[0]}").text


@pytest.mark.parametrize("kind", TABLES)
def test_shapefile__names_cut_to_ten_letters__drafted(planner, tmp_path, kind):
    told = said(f"FS-{kind}") | {"place_text": "Bridge"}
    shape = square() if kind == "areas" else Point(113.2545, 23.125)
    table = geopandas.GeoDataFrame({name[:10]: [value] for name, value in told.items()}, geometry=[shape], crs=4326)
    table.to_file(tmp_path / "places.shp", encoding="utf-8")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part in tmp_path.glob("places.*"):
            archive.write(part, part.name)
    answer = send(planner, kind, packed.getvalue(), "places.zip")
    assert answer.status_code == 200, answer.text
    assert len(ids(answer)) == 1


# -- what is refused by its row --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row("FQ2", lon="23.1250", lat="113.2545"), "113.2545"),
        (row("FQ2", lat="abc"), "abc"),
        (row("FQ2", lon="0.5", lat="0.5"), "No rule pack is in force"),
        (row(""), "code / "),
        (row("FQ1"), "stands in row 1 already"),
        (row("X" * 41), "40 characters"),
        (row("=1+1"), "formula"),
        (row("FQ2").replace("Bridge", ""), "place_text"),
        (row("FQ2").replace("巡查", ""), "purpose"),
        (row("FQ2").replace("Bridge", "Bridge,more"), "9"),
    ],
)
def test_points__one_bad_row__told_and_nothing_drafted(planner, count, bad, says):
    before = count("points")
    answer = send(planner, "points", HEAD + row("FQ1") + bad, "points.csv")
    assert answer.status_code == 422
    assert "1 row cannot be taken: nothing was imported" in answer.text
    assert says in report(answer)
    assert not ids(answer)
    assert count("points") == before


@pytest.mark.parametrize(
    ("told", "shape", "says"),
    [
        (said("PA1"), square(), "The code PA1 is taken"),
        (said("FB2", alt_min_agl_m=110, alt_max_agl_m=60), square(), "is not below"),
        (said("FB2", alt_max_agl_m=None), square(), "alt_max_agl_m"),
        (said("FB2", alt_min_agl_m=-1), square(), "-1"),
        (said("FB2", alt_max_agl_m="high"), square(), "high"),
        (said("FB2"), None, "geometry"),
        (said("FB2"), Point(113.3, 23.12), "Point"),
        (said("FB2"), LineString([(113.3, 23.12), (113.4, 23.2)]), "LineString"),
        (said("FB2"), MultiPolygon([square(), square(113.33)]), "has 2 outlines"),
        (said("FB2"), square(10, 10), "No rule pack is in force"),
        (said("FB2", name_zh=""), square(), "name"),
    ],
)
def test_areas__one_bad_row__told_and_nothing_drafted(planner, count, told, shape, says):
    before = count("areas")
    answer = send(planner, "areas", collection((said("FB1"), square()), (told, shape)), "areas.geojson")
    assert answer.status_code == 422
    assert "1 row cannot be taken: nothing was imported" in answer.text
    assert says in report(answer)
    assert count("areas") == before


def test_rows__every_fault_of_every_row_at_once(planner):
    faulty = said("PA1", name_en="", purpose_zh="", alt_min_agl_m=200)
    crossed = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    body = json.loads(collection((faulty, square()), (said("FB3"), square(10, 10)), (said("FB4"), square())))
    body["features"][0]["geometry"] = crossed
    answer = send(planner, "areas", json.dumps(body), "areas.geojson", authority="nobody")
    assert 'href="#authority"' in answer.text
    for words in ("field name is", "field purpose is", "The code PA1 is taken", "is not below", "not valid"):
        assert words in report(answer)
    again = send(planner, "areas", json.dumps(body), "areas.geojson")
    assert "2 rows cannot be taken" in again.text
    assert "2 of 3 rows" in again.text


def test_codes_of_points__are_apart_from_those_of_areas(planner):
    assert send(planner, "points", HEAD + row("PA1"), "points.csv").status_code == 200


# -- what is refused whole -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name", "field"),
    [
        (b"", "points.csv", "file"),
        (HEAD.encode(), "points.csv", "file"),
        (HEAD.encode("utf-16"), "points.csv", "encoding"),
        ((HEAD + row("FR1")).encode("gb18030"), "points.csv", "encoding"),
        ((HEAD + row("FR1")).replace("lon,", "gcj02_lon,").encode(), "points.csv", "file"),
        (b"%PDF-1.4", "points.pdf", "file"),
        (b"{}", "points.geojson", "file"),
        (b"SQLite format 3\x00" + b"\x00" * 100, "points.gpkg", "file"),
        ((HEAD + row("FR1") * 1001).encode(), "points.csv", "file"),
    ],
    ids=["empty", "no-rows", "utf-16", "gb18030", "gcj-column", "pdf", "object", "sqlite", "too-many"],
)
def test_points__a_file_that_is_none__refused_with_a_fix(planner, count, body, name, field):
    before = count("points")
    answer = send(planner, "points", body, name)
    assert 400 <= answer.status_code < 500
    assert f'id="{field}-fault"' in answer.text
    assert count("points") == before


def test_points__table_of_no_system__refused_at_its_field(planner):
    assert 'id="crs-fault"' in send(planner, "points", HEAD + row("FR2"), "points.csv", crs="").text


def test_areas__of_a_table__refused_with_what_to_give_instead(planner):
    answer = send(planner, "areas", HEAD + row("FR3"), "areas.csv")
    assert answer.status_code == 422
    assert "patrol areas are polygons" in answer.text


def test_import__no_file__refused(planner):
    assert post(planner, "/planner/areas/import", {"authority": "A1"}).status_code == 422


def test_import__of_another_authority__refused_at_its_field(acting_as, count):
    before = count("areas")
    answer = send(acting_as("O4"), "areas", collection((said("FR4"), square())), "areas.geojson")
    assert answer.status_code in (404, 422)
    assert count("areas") == before


def test_import__by_a_reviewer__forbidden(acting_as):
    assert send(acting_as("L1"), "areas", "{}", "areas.geojson").status_code == 403


def test_import__script_in_a_cell__escaped(planner):
    answer = send(planner, "points", HEAD + row('"=<script>"'), "points.csv")
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text.replace('<script type="module"', "")
