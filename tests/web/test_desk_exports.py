"""Findings handed on and printed: columns documented, losses told, nothing of others and nothing that a zone hides."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import subprocess
import zipfile

import pyogrio
import pytest
import shapely
from click.testing import CliRunner
from shapely.geometry import box, mapping
from sqlalchemy import select

from geo.measure import area_m2
from schemas import tables as t
from sensing.decisions import redraw_detection
from sensing.export_columns import COLUMNS
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.findings import PIT, make_findings
from web.cli.common import State
from web.cli.finding import finding as finding_group


@pytest.fixture(scope="module")
def made(server, world_template, tmp_path_factory):
    """A database with three findings, their public ids, and the folder that holds their images."""
    from schemas.clock import FixedClock
    from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
    from web.settings import Settings
    from web.wiring import Services

    name, folder = server.clone(world_template), tmp_path_factory.mktemp("made")
    services = Services(Settings(data_dir=folder), server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    ids = make_findings(services, folder)
    services.close()
    yield name, ids, folder
    server.drop(name)


@pytest.fixture
def database(clone, made):
    return clone(made[0])


@pytest.fixture
def services(database, clock, made):
    from web.settings import Settings
    from web.wiring import Services

    services = Services(Settings(data_dir=made[2]), database, clock)
    yield services
    services.close()


@pytest.fixture
def findings(made):
    return made[1]


@pytest.fixture
def cli(services):
    def run(*arguments, code=0, lang="en"):
        state = State(lang)
        state._services = services
        answer = CliRunner().invoke(finding_group, [str(one) for one in arguments], obj=state)
        assert answer.exit_code == code, answer.output + str(answer.exception)
        return answer.output

    return run


def zone(admin, shape, number="PZ-X", sensitive=False):
    admin.execute(
        "INSERT INTO core.privacy_zone (id, public_id, origin, kind, name_en, name_zh, geom, sensitive, buffer_m,"
        " source, valid_from, zone_version) VALUES (gen_random_uuid(), %s, 'sample', 'dormitory', 'x', 'x',"
        " ST_GeomFromText(%s, 4326), %s, 0, 'legal', '2025-05-01', 1)",
        [number, shape.wkt, sensitive],
    )


CHAIN = {"window": [50, 108, 20, 18], "models": {"pixel": "1" * 64, "object": "2" * 64}}
FIT = {
    "shift_columns_px": -0.26,
    "shift_rows_px": 0.68,
    "residual_px": 0.31,
    "windows": 16,
    "agreeing": 15,
    "gsd_m": 10.0,
}


@pytest.fixture
def chain(admin, findings):
    """The first finding as an engine leaves one: with everything on record that it was made from."""
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        "UPDATE core.segmentation_run SET stretch_sha256 = %s, features_sha256 = %s, coregistration = %s::jsonb",
        ["3" * 64, "4" * 64, json.dumps(FIT)],
    )
    admin.execute(
        "UPDATE core.detection SET provenance = %s::jsonb WHERE public_id = %s", [json.dumps(CHAIN), findings[0]]
    )
    return findings[0]


def test_export__window_stretch_features_models_residual__in_columns(cli, chain, tmp_path):
    cli("export", tmp_path / "out.gpkg", "--as", "O1")
    row = pyogrio.read_dataframe(tmp_path / "out.gpkg", layer="findings").set_index("finding").loc[chain]
    assert (row["window"], row["residual_px"]) == ("50, 108, 20, 18", 0.31)
    assert row["bands"] == "red, green, blue, nir"
    assert (row["stretch_sha256"], row["features_sha256"]) == ("3" * 64, "4" * 64)
    assert (row["pixel_model_sha256"], row["object_model_sha256"]) == ("1" * 64, "2" * 64)
    assert (len(row["before_copy_sha256"]), row["before_scene"][:3]) == (64, "SC-")
    cli("export", tmp_path / "out.zip", "--as", "O1")
    short = pyogrio.read_dataframe(f"/vsizip/{tmp_path / 'out.zip'}/findings.shp").set_index("finding").loc[chain]
    assert (short["resid_px"], short["pix_sha"], short["stret_sha"]) == (0.31, "1" * 64, "3" * 64)


@pytest.mark.parametrize(
    ("lang", "residual"), [("en", "what remains is 0.31 pixels (3.1 m)"), ("zh", "残差 0.31 像素（3.1 米）")]
)
def test_sheet__window_stretch_features_models_residual__printed(signed_in, chain, lang, residual):
    page = signed_in("O1").get(f"/review/{chain}/sheet.html?lang={lang}", headers=HTML).text
    told = ["20 x 18", "red, green, blue, nir", residual, *(number * 64 for number in "1234")]
    assert [one for one in told if one not in page] == []


def test_desk__cut_joined_taken_back_redrawn_accepted__handed_on_with_its_shape_and_whence_it_comes(
    signed_in, findings, cli, tmp_path, session
):
    client, whole = signed_in("O1"), findings[1]

    def decide(finding, **sent):
        row = session.scalars(select(t.Detection).where(t.Detection.public_id == finding)).one()
        session.refresh(row)
        form = {"version": str(row.version), "code": "other", "reason": "seen on the ground", **sent}
        answer = client.post(f"/review/{finding}", data=form, headers={**HTML, **SAME_ORIGIN})
        assert answer.status_code == 303, answer.text
        session.rollback()

    def states():
        session.rollback()
        return dict(session.execute(select(t.Detection.public_id, t.Detection.state)).all())

    west, south, east, north = box(*PIT.bounds).bounds
    middle = (west + east) / 2 + 0.004
    line = {"type": "LineString", "coordinates": [[middle, south - 0.001], [middle, north + 0.001]]}
    decide(whole, decision="split", line=json.dumps(line))
    first, second = sorted(set(states()) - set(findings))
    decide(first, decision="merge", others=second)
    (joined,) = set(states()) - {*findings, first, second}
    assert states()[joined] == "assigned"
    decide(joined, decision="undo")
    assert (states()[joined], states()[first]) == ("withdrawn", "assigned")
    drawn = box(middle, south, east + 0.004, north - 0.0004)
    decide(first, decision="confirm", shape=json.dumps(mapping(drawn)))
    cli("export", tmp_path / "out.gpkg", "--as", "O1")
    rows = pyogrio.read_dataframe(tmp_path / "out.gpkg", layer="findings").set_index("finding")
    row = rows.loc[first]
    assert row.geometry.geoms[0].equals(drawn)
    assert (row["state"], row["outline"], row["decided_by"]) == ("confirmed", "officer", "O1")
    assert (row["made_from"], rows.loc[joined]["made_from"]) == (f"split {whole}", f"merge {first}, {second}")
    assert row["outline_sha256"] == hashlib.sha256(shapely.to_wkb(drawn)).hexdigest()
    assert row["area_m2"] == pytest.approx(area_m2(drawn), abs=0.1)
    assert (len(row["scene_sha256"]), len(row["copy_sha256"]), row["rules_sha256"]) == (64, 64, "1" * 64)
    assert rows.loc[whole]["state"] == "split"
    assert not isinstance(rows.loc[whole]["made_from"], str)


@pytest.mark.parametrize("epsg", [4326, 4490])
def test_export__geopackage__read_back_by_others_with_its_columns(cli, findings, tmp_path, epsg):
    out = tmp_path / "out.gpkg"
    told = json.loads(cli("export", out, "--crs", f"EPSG:{epsg}", "--as", "O1", "--json"))
    assert (told["findings"], told["losses"]) == (3, [])
    frame = pyogrio.read_dataframe(out, layer="findings")
    assert frame.crs.to_epsg() == epsg
    assert list(frame["finding"]) == findings
    assert [name for name in frame.columns if name != "geometry"] == [one.name for one in COLUMNS]
    assert frame.geometry.iloc[0].equals(PIT)
    assert frame["trace_en"].iloc[0].splitlines()[0] == "Bare soil where there was green before"
    assert list(pyogrio.read_dataframe(out, layer="columns")["name"]) == [one.name for one in COLUMNS]
    said = subprocess.run(["ogrinfo", "-so", out, "findings"], capture_output=True, text=True, check=True).stdout
    assert "Feature Count: 3" in said
    assert "Multi Polygon" in said


def test_export__shapefile__short_names_and_every_loss_told(cli, findings, tmp_path, admin):
    admin.execute("SET session_replication_role = replica")
    long = json.dumps(["挖" * 200])
    admin.execute("UPDATE core.detection SET rule_trace = %s::jsonb WHERE public_id = 'DT-T0'", [long])
    out = tmp_path / "out.zip"
    told = json.loads(cli("export", out, "--as", "O1", "--json"))
    frame = pyogrio.read_dataframe(f"/vsizip/{out}/findings.shp")
    assert [name for name in frame.columns if name != "geometry"] == [one.short for one in COLUMNS]
    assert frame["trace_zh"].iloc[0] == "挖" * 84
    lost = {(one["finding"], one["column"]) for one in told["losses"]}
    assert ("DT-T0", "trace_zh") in lost
    assert ("", "position_error_m") in lost
    with zipfile.ZipFile(out) as archive:
        assert {"findings.cpg", "findings.prj", "columns.csv", "losses.csv"} <= set(archive.namelist())
        rows = list(csv.reader(io.StringIO(archive.read("losses.csv").decode("utf-8-sig"))))
    assert len(rows) == len(told["losses"]) + 1
    assert "cut: " not in cli("export", tmp_path / "plain.gpkg", "--as", "O1")
    said = subprocess.run(["ogrinfo", "-so", f"/vsizip/{out}", "findings"], capture_output=True, text=True, check=True)
    assert "Feature Count: 3" in said.stdout


@pytest.mark.parametrize("name", ["out.gpkg", "out.zip"])
def test_export__outline_by_sam__a_layer_of_its_own_without_what_a_zone_hides(cli, findings, tmp_path, admin, name):
    out, layer = tmp_path / name, "alternatives"
    place = str(out) if name == "out.gpkg" else f"/vsizip/{out}/alternatives.shp"
    cli("export", out, "--as", "O1")
    assert not any("alternatives" in one for one in (pyogrio.list_layers(out)[:, 0] if name == "out.gpkg" else ()))
    admin.execute("SET session_replication_role = replica")
    drawn = json.dumps({"alternative": mapping(PIT.buffer(0.001))})
    admin.execute("UPDATE core.detection SET context = context || %s::jsonb WHERE public_id = 'DT-T0'", [drawn])
    by = {"architecture": "vit_b", "checkpoint_sha256": "a" * 64, "licence": "Apache-2.0"}
    admin.execute("UPDATE core.segmentation_run SET refinement = %s::jsonb", [json.dumps(by)])
    out.unlink()
    cli("export", out, "--as", "O1")
    frame = pyogrio.read_dataframe(place, layer=layer)
    assert frame.crs.to_epsg() == 4326
    assert frame.drop(columns=["geometry", "area_m2"]).to_dict("records") == [
        {"finding": "DT-T0", "drawn_by": "sam", "model": "vit_b", "model_sha": "a" * 64, "licence": "Apache-2.0"}
    ]
    whole_m2 = frame["area_m2"].iloc[0]
    assert whole_m2 == pytest.approx(area_m2(PIT.buffer(0.001)), rel=1e-3)
    assert len(pyogrio.read_dataframe(place.replace(layer, "findings"), layer="findings")) == 3
    west, south, _, north = PIT.bounds
    # Far enough from the finding itself, which would not be handed on at all.
    zone(admin, box(west - 0.0012, south, west - 0.0006, north))
    out.unlink()
    told = json.loads(cli("export", out, "--as", "O1", "--json"))
    assert ("DT-T0", "alternative") in {(one["finding"], one["column"]) for one in told["losses"]}
    assert pyogrio.read_dataframe(place, layer=layer)["area_m2"].iloc[0] < 0.96 * whole_m2


def test_GD_43__export__what_a_zone_hides_is_not_handed_on(cli, findings, tmp_path, admin, work):
    west, south, east, north = PIT.bounds
    zone(admin, box(west - 0.0001, south - 0.0001, (west + east) / 2, north + 0.0001))
    zone(admin, box(west + 0.0039, south - 0.0001, east + 0.0041, north + 0.0001), "PZ-Y", sensitive=True)
    with work("O1") as unit:
        # Over the zone that the image hid already.
        redraw_detection(unit, findings[2], box(113.268, 23.124, 113.271, 23.131), "larger", seen=1)
        unit.commit()
    told = json.loads(cli("export", tmp_path / "out.gpkg", "--as", "O1", "--json"))
    frame = pyogrio.read_dataframe(tmp_path / "out.gpkg", layer="findings")
    assert list(frame["finding"]) == [findings[2]]
    assert (list(frame["hidden"]), list(frame["outline"])) == ([1], ["officer"])
    assert not frame.geometry.iloc[0].buffer(-1e-9).intersects(box(113.2695, 23.1295, 113.2705, 23.1305))
    assert [(one["finding"], one["en"].split(":")[0]) for one in told["losses"]] == [
        (findings[0], "left out"),
        (findings[1], "left out"),
        (findings[2], "cut"),
    ]
    assert list(pyogrio.read_dataframe(tmp_path / "out.gpkg", layer="losses")["finding"]) == findings


def test_export__filters_and_other_authorities(cli, findings, tmp_path, signed_in):
    assert "1 findings" in cli("export", tmp_path / "kind.gpkg", "--kind", "building", "--as", "O1")
    assert "2 findings" in cli("export", tmp_path / "since.gpkg", "--since", "2025-06-30T00:00+08:00", "--as", "O1")
    for asked in (("--state", "confirmed", "--as", "O1"), ("--as", "O4"), ()):
        assert cli("export", tmp_path / "none.gpkg", *asked, code=1) is not None
    client = signed_in("O1")
    answer = client.get("/review/export?format=shp&crs=4490&kind=building&since=2025-06-01")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    (tmp_path / "web.zip").write_bytes(answer.data)
    frame = pyogrio.read_dataframe(f"/vsizip/{tmp_path / 'web.zip'}/findings.shp")
    assert (list(frame["finding"]), frame.crs.to_epsg()) == ([findings[1]], 4490)
    for query in ("format=kml", "crs=3857", "since=yesterday", "state=gone"):
        assert client.get(f"/review/export?{query}").status_code == 422, query
    assert signed_in("O4").get("/review/export").status_code == 409


def test_finding__list_show_and_take(cli, findings, admin):
    listed = cli("list", "--as", "O1")
    assert listed.index(findings[0]) < listed.index(findings[1])
    assert "excavation" in listed
    assert json.loads(cli("list", "--kind", "building", "--as", "O1", "--json"))["findings"][0]["mine"] is True
    shown = cli("show", findings[0], "--as", "O1", lang="zh")
    assert "采挖" in shown
    assert cli("show", findings[0], "--as", "O4", code=1) is not None
    assert cli("list", code=1) is not None
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.detection SET state = 'new', assigned_to = NULL WHERE public_id <> %s", [findings[0]])
    taken = json.loads(cli("take", *findings, "--as", "O2", "--json", code=1))
    assert taken["taken"] == findings[1:]
    assert list(taken["refused"]) == [findings[0]]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_sheet__stands_by_itself_and_says_what_it_is(signed_in, findings, lang):
    answer = signed_in("O1").get(f"/review/{findings[0]}/sheet.html?lang={lang}", headers=HTML)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'inline; filename="{findings[0]}.html"'
    page = answer.text
    assert page.count("data:image/png;base64,") == 2
    assert {"en": "Triage on the masked copy, not evidence", "zh": "初筛结果，不是证据"}[lang] in page
    assert "113.261000° E" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_sheet__opens_in_the_browser__its_own_style_allowed_and_nothing_else(signed_in, findings):
    answer = signed_in("O1").get(f"/review/{findings[0]}/sheet.html", headers=HTML)
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    told = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{told}'" in policy
    assert "default-src 'none'" in policy
    assert " style=" not in answer.text


@pytest.mark.parametrize(("named", "said"), [(True, False), (False, True)])
def test_finding__placeholder_of_a_legal_basis__gives_way_to_the_one_that_the_item_names(
    signed_in, findings, admin, named, said
):
    admin.execute("SET session_replication_role = replica")
    params = {"basis": {"en": "to be named by a lawyer", "zh": "待律师确定"}}
    trace = json.dumps(["Bare soil", {"key": "law.basis_placeholder", "params": params}])
    admin.execute("UPDATE core.detection SET rule_trace = %s::jsonb WHERE public_id = %s", [trace, findings[0]])
    if not named:
        admin.execute("UPDATE core.detection SET item_id = NULL WHERE public_id = %s", [findings[0]])
    for path in (f"/review/{findings[0]}?lang=en", f"/review/{findings[0]}/sheet.html?lang=en"):
        assert ("to be named by a lawyer" in signed_in("O1").get(path, headers=HTML).text) is said


def test_sheet__redrawn__the_officers_outline_and_its_area(signed_in, findings, work):
    with work("O1") as unit:
        redraw_detection(unit, findings[1], box(113.264, 23.124, 113.268, 23.1256), "larger", seen=1)
        unit.commit()
    page = signed_in("O1").get(f"/review/{findings[1]}/sheet.html?lang=en", headers=HTML).text
    assert "72,5" in page
    assert "by an officer&#39;s outline" in page


def test_GD_43__sheet__picture_that_shows_what_a_zone_hides__left_out(signed_in, findings, admin):
    zone(admin, PIT)
    page = signed_in("O1").get(f"/review/{findings[0]}/sheet.html", headers=HTML).text
    assert "data:image/png" not in page


def test_sheet__of_another_authority__404(signed_in, findings):
    assert signed_in("O4").get(f"/review/{findings[0]}/sheet.html", headers=HTML).status_code == 404
