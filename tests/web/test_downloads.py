"""Whole layers as files: the same records in every format, made once, by halves where a reader asks, and harmless."""

import csv
import io
import json
import sqlite3
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import geopandas
import pyogrio
import pytest
import shapely
from pyarrow import parquet
from sqlalchemy import text

from tests.web.conftest import HTML
from web.opendata import files
from web.opendata.layers import COLUMNS, OPEN_LAYERS, Type

LAYERS = list(OPEN_LAYERS)
SHAPE = "shape"
# Two names of the database for what readers need not tell apart.
SAME_TYPES = {"character varying": "text"}


def unjudged(admin, statement, *values):
    """Changes what no trigger would let anybody change."""
    admin.execute("SET session_replication_role = replica")
    admin.execute(statement, values or None)
    admin.execute("SET session_replication_role = origin")


def rows(services, layer):
    with services.public() as public:
        found = public.execute(text(f"SELECT * FROM public_map.{layer.view} ORDER BY public_id")).mappings().all()
    return [dict(row) for row in found]


def test_layers__their_columns_and_types__are_those_of_the_database(services):
    with services.public() as public:
        found = public.execute(
            text(
                "SELECT table_name, column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = 'public_map' AND table_name LIKE 'open\\_%' ORDER BY table_name, ordinal_position"
            )
        ).all()
    found = [(view, column, SHAPE if column == "geom" else SAME_TYPES.get(kind, kind)) for view, column, kind in found]
    wanted = [(layer.view, name, COLUMNS[name].type.value) for layer in OPEN_LAYERS.values() for name in layer.columns]
    wanted += [(layer.view, "geom", SHAPE) for layer in OPEN_LAYERS.values()]
    assert sorted(found) == sorted(wanted)
    for layer in OPEN_LAYERS.values():
        columns = [column for view, column, _ in found if view == layer.view]
        assert columns == [*layer.columns, "geom"]
    assert {name for layer in OPEN_LAYERS.values() for name in layer.columns} == set(COLUMNS)


@pytest.mark.parametrize("layer", LAYERS)
def test_geojson__holds_what_the_view_holds(reader, shared_app, layer):
    answer = reader.get(f"/data/{layer}.geojson")
    assert (answer.status_code, answer.mimetype) == (200, "application/geo+json")
    body = json.loads(answer.data)
    expected = rows(shared_app.extensions["services"], OPEN_LAYERS[layer])
    assert (body["type"], body["name"]) == ("FeatureCollection", layer)
    assert "crs" not in body
    assert [feature["id"] for feature in body["features"]] == [row["public_id"] for row in expected]
    for feature, row in zip(body["features"], expected, strict=True):
        assert list(feature) == ["type", "id", "geometry", "properties"]
        assert list(feature["properties"]) == list(OPEN_LAYERS[layer].columns)
        for name, value in feature["properties"].items():
            kept = row[name]
            if COLUMNS[name].type is Type.DATE:
                assert value == (kept.isoformat() if kept else None)
            elif COLUMNS[name].type is not Type.INSTANT:
                assert value == kept


@pytest.mark.parametrize("layer", [name for name in LAYERS if name != "flight_log"])
def test_all_formats__of_a_layer__hold_the_same_records(reader, tmp_path, layer):
    paths = {}
    for kind in files.FORMATS:
        answer = reader.get(f"/data/{layer}.{kind}")
        assert answer.status_code == 200
        paths[kind] = tmp_path / f"{layer}.{kind}"
        paths[kind].write_bytes(answer.data)
    features = json.loads(paths["geojson"].read_bytes())["features"]
    assert features
    columns = list(OPEN_LAYERS[layer].columns)
    expected = [f["properties"] for f in features]
    shapes = [shapely.from_geojson(json.dumps(f["geometry"])) for f in features]

    table = geopandas.read_parquet(paths["parquet"])
    assert table.crs.to_authority() == ("OGC", "CRS84")
    assert list(table.columns) == [*columns, "geometry"]
    assert all(one.equals(other) for one, other in zip(table.geometry, shapes, strict=True))

    package = pyogrio.read_dataframe(paths["gpkg"], layer=layer)
    assert package.crs.to_epsg() == 4326
    assert all(one.equals(other) for one, other in zip(package.geometry, shapes, strict=True))

    lines = list(csv.DictReader(io.StringIO(paths["csv"].read_text(encoding="utf-8"), newline="")))
    for index, row in enumerate(expected):
        for name in columns:
            plain = "" if row[name] is None else str(row[name])
            plain = plain.lower() if isinstance(row[name], bool) else plain
            assert lines[index][name].removeprefix("'") == plain
            said = table[name][index]
            if row[name] is not None and COLUMNS[name].type in (Type.TEXT, Type.BOOLEAN, Type.NUMBER, Type.INTEGER):
                assert said == row[name]
                assert package[name][index] == row[name]
            elif row[name] is not None and COLUMNS[name].type is Type.DATE:
                assert said == date.fromisoformat(row[name])
    assert len(lines) == len(table) == len(package) == len(features)


def test_layer_without_a_record__in_every_format__is_whole(reader, tmp_path):
    for kind in files.FORMATS:
        answer = reader.get(f"/data/flight_log.{kind}")
        assert answer.status_code == 200
        (tmp_path / f"flight_log.{kind}").write_bytes(answer.data)
    assert json.loads((tmp_path / "flight_log.geojson").read_bytes())["features"] == []
    assert len(geopandas.read_parquet(tmp_path / "flight_log.parquet")) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert len(pyogrio.read_dataframe(tmp_path / "flight_log.gpkg")) == 0
    assert len((tmp_path / "flight_log.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_geoparquet__metadata__is_that_of_version_1_1(reader, tmp_path):
    path = tmp_path / "areas.parquet"
    path.write_bytes(reader.get("/data/patrol_areas.parquet").data)
    metadata = parquet.read_metadata(path).metadata
    geo = json.loads(metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    column = geo["columns"]["geometry"]
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Polygon"]
    assert "crs" not in column
    west, south, east, north = column["bbox"]
    assert 113 < west < east < 114
    assert 23 < south < north < 24


@pytest.mark.parametrize("kind", files.FORMATS)
def test_sample_data__in_every_format__says_that_it_is_fictional(reader, tmp_path, kind):
    path = tmp_path / f"devices.{kind}"
    path.write_bytes(reader.get(f"/data/devices.{kind}").data)
    said = {
        "geojson": lambda: json.loads(path.read_bytes())["notice"]["en"],
        "csv": lambda: next(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))["notice"],
        "gpkg": lambda: str(sqlite3.connect(path).execute("SELECT metadata FROM gpkg_metadata").fetchall()),
        "parquet": lambda: parquet.read_metadata(path).metadata[b"notice"].decode(),
    }[kind]()
    assert "fictional" in said


def test_polygons__in_a_file__turn_as_RFC_7946_wants(client, admin):
    unjudged(admin, "UPDATE core.patrol_area SET geom = ST_ForcePolygonCW(geom)")
    feature = json.loads(client.get("/data/patrol_areas.geojson").data)["features"][0]
    assert shapely.from_geojson(json.dumps(feature["geometry"])).exterior.is_ccw


def test_GD_16_3__route_in_a_file__runs_the_way_that_it_was_published(reader, shared_app):
    with shared_app.extensions["services"].public() as public:
        published = dict(
            public.execute(text("SELECT public_id, ST_AsText(geom, 7) FROM public_map.open_patrol_routes")).all()
        )
    features = json.loads(reader.get("/data/patrol_routes.geojson").data)["features"]
    drawn = {one["id"]: shapely.from_geojson(json.dumps(one["geometry"])) for one in features}
    assert drawn
    assert all(shape.equals_exact(shapely.from_wkt(published[name]), 1e-7) for name, shape in drawn.items())


# Texts of two devices, of which each may say something else.
TEXTS = [(device, column) for device in ("DV-DV1", "DV-DR1") for column in ("name", "purpose_en", "purpose_zh")]


def say(admin, said):
    """Has each of the texts say one of `said`; gives what stands where."""
    placed = dict(zip(TEXTS, said, strict=False))
    for (device, column), words in placed.items():
        unjudged(admin, f"UPDATE core.device SET {column} = %s WHERE public_id = %s", words, device)
    return placed


def test_csv__cell_that_a_spreadsheet_would_run__is_text(client, admin):
    placed = say(admin, ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
    text_ = client.get("/data/devices.csv").data.decode()
    rows = {row["public_id"]: row for row in csv.DictReader(io.StringIO(text_, newline=""))}
    for (device, column), words in placed.items():
        assert rows[device][column] == f"'{words}"


def test_csv__point_west_of_greenwich__keeps_its_number(client, admin):
    unjudged(admin, "UPDATE core.device_site SET geom = ST_Point(-70.5, -33.25, 4326)")
    row = next(csv.DictReader(io.StringIO(client.get("/data/devices.csv").data.decode())))
    assert (row["longitude"], row["latitude"]) == ("-70.5", "-33.25")


def test_words__of_any_kind__come_through(client, admin, tmp_path):
    hostile = [
        'a "quote", a \\ and a line\nbreak',
        "\x01\x02",
        "\\.",
        "虚构 ☃ 😀",
        "</script><script>alert(1)</script>",
    ]
    placed = say(admin, hostile)
    found = {f["id"]: f["properties"] for f in json.loads(client.get("/data/devices.geojson").data)["features"]}
    path = tmp_path / "devices.parquet"
    path.write_bytes(client.get("/data/devices.parquet").data)
    table = geopandas.read_parquet(path).set_index("public_id")
    for (device, column), words in placed.items():
        assert found[device][column] == words
        assert table.loc[device, column] == words


@pytest.mark.parametrize("kind", files.FORMATS)
def test_file__held_already__304(reader, kind):
    first = reader.get(f"/data/devices.{kind}")
    assert first.headers["Cache-Control"] == "public, no-cache"
    for held in (
        {"If-None-Match": first.headers["ETag"]},
        {"If-Modified-Since": first.headers["Last-Modified"]},
    ):
        again = reader.get(f"/data/devices.{kind}", headers=held)
        assert (again.status_code, again.data) == (304, b"")
    assert f'filename="devices.{kind}"' in first.headers["Content-Disposition"]


def test_file__part_of_it__comes_alone_and_fits(reader):
    whole = reader.get("/data/devices.geojson")
    part = reader.get("/data/devices.geojson", headers={"Range": "bytes=100-", "If-Range": whole.headers["ETag"]})
    assert part.status_code == 206
    assert whole.data[:100] + part.data == whole.data


def test_file__head__tells_its_length_without_it(reader):
    answer = reader.head("/data/devices.csv")
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(reader.get("/data/devices.csv").data)


@pytest.mark.parametrize(
    "path", ["person.geojson", "devices.shp", "devices.xlsx", "open_devices.csv", "..%2Fx.csv", "%00.csv"]
)
def test_file__unknown__404(reader, path):
    answer = reader.get(f"/data/{path}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def change(admin, words):
    unjudged(admin, "UPDATE core.device SET purpose_en = %s WHERE public_id = 'DV-DV1'", words)


def test_file__after_a_change__is_made_anew(client, admin, monkeypatch):
    monkeypatch.setattr(files, "MOST_OF_THE_TIME", 0)
    first = client.get("/data/devices.csv")
    change(admin, "something else")
    after = client.get("/data/devices.csv", headers={"If-None-Match": first.headers["ETag"]})
    assert after.status_code == 200
    assert "something else" in after.text
    assert after.headers["ETag"] != first.headers["ETag"]


def test_file__that_a_platform_of_before_wrote__is_made_anew(client, services, monkeypatch):
    monkeypatch.setattr(files, "MOST_OF_THE_TIME", 0)
    with monkeypatch.context() as before:
        before.setattr(files, "_EDITION", "drawn backwards")
        assert client.get("/data/patrol_routes.geojson").status_code == 200
    (kept,) = (services.data_dir / files.FOLDER).glob("patrol_routes-*.geojson")
    kept.write_text('{"type": "FeatureCollection", "features": []}', encoding="utf-8")
    # Nothing was published since.
    assert client.get("/data/patrol_routes.geojson").json["features"]


def test_file__while_changes_come_faster_than_it_is_made__is_the_one_before(client, admin, monkeypatch):
    monkeypatch.setattr(files, "MOST_OF_THE_TIME", 1e9)
    first = client.get("/data/devices.geojson")
    change(admin, "something else")
    assert client.get("/data/devices.geojson").headers["ETag"] == first.headers["ETag"]


def test_files__after_many_changes__are_two_of_each(client, admin, services, monkeypatch):
    monkeypatch.setattr(files, "MOST_OF_THE_TIME", 0)
    for words in "abcd":
        change(admin, words)
        assert f'"purpose_en":"{words}"' in client.get("/data/devices.geojson").text
    assert len(list((services.data_dir / files.FOLDER).glob("devices-*.geojson"))) == files.KEPT


def test_file__asked_for_by_many_at_once__is_made_once_and_whole(app, services):
    with ThreadPoolExecutor(8) as readers:
        answers = list(readers.map(lambda _: app.test_client().get("/data/devices.geojson"), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert not list((services.data_dir / files.FOLDER).glob("part-*"))


def test_file__that_cannot_be_made__503_and_no_half_of_it(client, services):
    client.get("/data/devices.geojson")
    [made] = (services.data_dir / files.FOLDER).glob("devices-*.geojson")
    made.write_text("no features")
    answer = client.get("/data/devices.gpkg")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert not list((services.data_dir / files.FOLDER).glob("*.gpkg"))


def test_data_page__leads_to_every_file_and_explains_every_column(reader):
    page = reader.get("/data?lang=en", headers=HTML).text
    for layer in OPEN_LAYERS.values():
        for kind in files.FORMATS:
            assert f'href="/data/{layer.name}.{kind}"' in page
        for name in layer.columns:
            assert f"<code>{name}</code>" in page
