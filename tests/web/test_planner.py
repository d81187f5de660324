"""The planner's desk: drafts on their way, refusals at their fields, what came back, files told row by row."""

from __future__ import annotations

import io
import json
import re

import geopandas
import pytest
from shapely.geometry import Point
from sqlalchemy import func, select

from geo.intake import Options, import_layer
from schemas.actors import HOST
from schemas.tables import Attachment, Device, SitingPlan
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.drafting import (
    PDF,
    case,
    drafted,
    get,
    hand_over,
    in_review,
    justify,
    made,
    plan,
    post,
    review,
    site,
    sites_of,
    told,
)

PAGES = (
    "",
    "/plans/new",
    "/plans/import",
    "/devices/new",
    "/devices/import",
    "/areas/new",
    "/points/new",
    "/areas/PA1",
)
IN_Z1 = {"lon": "113.2700", "lat": "23.1300"}
SQUARE = "113.30, 23.12\n113.31, 23.12\n113.31, 23.13\n113.30, 23.13"


@pytest.fixture(scope="module")
def acting_as(reading_as):
    """One world for the module: each test drafts things of its own."""
    return reading_as


@pytest.fixture
def planner(acting_as):
    return acting_as("N1")


def rows(shared_app, table):
    with shared_app.extensions["services"].session() as db:
        return db.scalar(select(func.count()).select_from(table))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page__for_a_planner__is_there(planner, path, lang):
    answer = planner.get(f"/planner{path}", headers={**HTML, "Accept-Language": lang})
    assert answer.status_code == 200
    assert "<h1>" in answer.text


# -- drafting ------------------------------------------------------------------------------------------------


def test_GD_09_2__two_typed_sites__drafted_and_told_what_comes_next(planner):
    name = drafted(planner, site("1"), site("3", lon="113.2640", place_text="Weir (fictional)"))
    page = get(planner, f"/planner/plans/{name}").text
    assert "This plan is a draft: say why its devices are needed" in page
    assert page.index("Bridge (fictional)") < page.index("Weir (fictional)")


def test_draft__every_fault_at_once_each_at_its_field(planner):
    sent = plan(site(lon="east", place_text="", hfov_deg="70"), title_en="")
    answer = post(planner, "/planner/plans/new", sent)
    assert answer.status_code == 422
    for field in ("title_en", "s1.lon", "s1.place_text", "s1.sector_azimuth_deg", "s1.range_m"):
        assert f'id="{field}-fault"' in answer.text
        assert re.search(rf'id="{re.escape(field)}"[^>]*aria-invalid="true"', answer.text)
    assert 'value="east"' in answer.text
    assert 'href="#title_en"' in answer.text


def test_draft__without_a_script__a_site_is_added_by_the_server(planner):
    answer = post(planner, "/planner/plans/new", plan() | {"step": "add"})
    assert answer.status_code == 200
    assert 'name="s2.lon"' in answer.text
    assert 'name="s2.purpose_zh" value="排污口"' in answer.text


def test_IR_1__site_beyond_the_jurisdiction__refused_with_its_place(planner):
    answer = post(planner, "/planner/plans/new", plan(site(lon="113.5")))
    assert answer.status_code == 409
    assert "Bridge (fictional)" in told(answer)[1][0]
    places = json.loads(re.search(r'data-config="([^"]*)"', answer.text)[1].replace("&#34;", '"'))["places"]
    assert places["features"][0]["geometry"]["coordinates"] == [113.5, 23.132]


def test_draft__blank_fieldset__left_out(planner):
    name = drafted(planner, site("1"), site("2", lon="", lat="", place_text="", purpose_en="", purpose_zh=""))
    assert len(sites_of(planner, name, "/planner")) == 1


def test_GD_15__draft_at_a_bath_house__told_before_it_is_justified(planner):
    answer = post(planner, "/planner/plans/new", plan(site(**IN_Z1)))
    page = get(planner, answer.location.partition("?")[0]).text
    assert "What the machine found at these sites" in page
    assert "PZ-Z1" in page


# -- the case ------------------------------------------------------------------------------------------------


def test_GD_09_1__case_with_blanks__each_blank_at_its_field_and_the_rest_kept(planner):
    name = drafted(planner)
    answer = justify(planner, name, **{"reason.necessity": "", "need.incidents": "", "reason.legal_basis": "Article 1"})
    assert answer.status_code == 409
    assert 'id="reason.necessity-fault"' in answer.text
    assert 'id="need.incidents-fault"' in answer.text
    assert 'id="reason.legal_basis-fault"' not in answer.text
    assert ">Article 1</textarea>" in answer.text


def test_GD_13_1__case_that_names_revenue__refused_in_words(planner):
    answer = justify(planner, drafted(planner), **{"reason.necessity": "It brings revenue target money."})
    assert answer.status_code == 409
    assert "GD-13.1" in answer.text


def test_GD_09_1__case_with_a_paper__kept_and_opened_again(planner, shared_app):
    name = drafted(planner)
    before = rows(shared_app, Attachment)
    made(justify(planner, name, files=(io.BytesIO(PDF), "study.pdf")))
    assert rows(shared_app, Attachment) == before + 1
    link = re.search(r'href="(/planner/attachments/AT-[A-Z0-9]+)"', get(planner, f"/planner/plans/{name}").text)[1]
    paper = planner.get(link)
    assert (paper.data, paper.mimetype) == (PDF, "application/pdf")
    assert "attachment" in paper.headers["Content-Disposition"]
    paper.close()


def test_attachment__of_another_authority__is_not_there(acting_as):
    name = drafted(acting_as("N1"))
    made(justify(acting_as("N1"), name, files=(io.BytesIO(PDF), "study.pdf")))
    link = re.search(r"/planner/attachments/AT-[A-Z0-9]+", get(acting_as("N1"), f"/planner/plans/{name}").text)[0]
    assert acting_as("O4").get(link, headers=HTML).status_code == 404
    assert get(acting_as("O4"), f"/planner/plans/{name}").status_code == 404


def test_case__with_a_file_of_another_kind__refused_and_words_kept(planner):
    answer = justify(planner, drafted(planner), files=(io.BytesIO(b"MZ program"), "study.exe"))
    assert answer.status_code == 415
    assert ">Said.</textarea>" in answer.text


def test_GD_11_1__one_person_for_both_reviews__refused(planner):
    name = drafted(planner)
    made(justify(planner, name))
    answer = hand_over(planner, name, technical="L1")
    assert answer.status_code == 422
    assert 'id="technical-fault"' in answer.text


def test_state__step_out_of_turn__told_as_a_refusal(planner):
    name = drafted(planner)
    assert hand_over(planner, name).status_code == 409
    assert told(justify(planner, in_review_of(planner)))[0] == 409


def in_review_of(planner):
    name = drafted(planner)
    made(justify(planner, name))
    made(hand_over(planner, name))
    return name


def test_stale__case_for_a_plan_that_changed_meanwhile__refused(planner):
    name = drafted(planner)
    assert post(planner, f"/planner/plans/{name}/justify", case(version="7")).status_code == 409


# -- what came back --------------------------------------------------------------------------------------------


def test_GD_10_3__returned_plan__says_what_each_reviewer_said_and_is_drafted_anew(acting_as):
    planner = acting_as("N1")
    name = in_review(acting_as, site("1"), site("2", place_text="Weir (fictional)"))
    first, second = sites_of(acting_as("T1"), name)
    made(review(acting_as("T1"), first, "technical"))
    made(review(acting_as("T1"), second, "technical", fails=["meets_standards"], text="No night vision."))
    made(post(acting_as("T1"), f"/reviews/plans/{name}/return", {"reason": "Take another model."}))
    assert "2 drafts that came back" in get(planner, "/planner").text or "came back" in get(planner, "/planner").text
    page = get(planner, f"/planner/plans/{name}").text
    assert "Take another model." in page
    assert "No night vision." in page
    instead = post(planner, f"/planner/plans/{name}/change", {"step": f"instead:{second}"})
    assert 'value="Weir (fictional)"' in instead.text
    sent = site("1", place_text="Weir, other bank (fictional)") | {"drop": second, "reason": "Another bank."}
    assert made(post(planner, f"/planner/plans/{name}/change", sent)) == name
    again = get(planner, f"/planner/plans/{name}").text
    assert "1 site was taken out" in again
    assert "version 2" in again


def test_redraft__without_saying_why__refused_and_the_sites_kept(acting_as):
    planner = acting_as("N1")
    name = drafted(planner)
    made(justify(planner, name))
    answer = post(planner, f"/planner/plans/{name}/change", site("1", place_text="New (fictional)"))
    assert answer.status_code == 422
    assert 'id="reason-fault"' in answer.text
    assert 'value="New (fictional)"' in answer.text


# -- the list ------------------------------------------------------------------------------------------------


def test_list__filters_stand_in_the_address(planner):
    name = drafted(planner, title_en="Only this one (fictional)")
    assert name in get(planner, "/planner", kind="plan", state="draft", mine="1").text
    assert name not in get(planner, "/planner", kind="area").text
    assert name not in get(planner, "/planner", state="approved").text
    page = get(planner, "/planner", kind="plan", state="draft").text
    assert '<option value="plan" selected>' in page
    assert '<option value="draft" selected>' in page


@pytest.mark.parametrize("query", ["kind=x", "state=%00", "page=-1", "page=99999999999", "mine=maybe"])
def test_list__filter_that_means_nothing__422(planner, query):
    assert planner.get(f"/planner?{query}", headers=HTML).status_code == 422


def test_waiting__own_drafts__told_at_every_desk_of_the_reader(planner):
    drafted(planner)
    for path in ("/planner", "/pilot", "/account", "/registry"):
        assert re.search(r"\d+ drafts? to go on with", get(planner, path).text), path


def test_navigation__shows_only_the_desks_of_ones_roles(acting_as):
    assert 'href="/planner"' not in get(acting_as("L1"), "/account").text
    assert 'href="/reviews"' not in get(acting_as("N1"), "/account").text
    assert 'href="/reviews"' in get(acting_as("L1"), "/account").text


# -- files -----------------------------------------------------------------------------------------------------

HEADER = "lon,lat,place_text,device_type,purpose_en,purpose_zh\n"
GOOD = "113.2630,23.1320,Bridge,video,Outfall,排污口\n"


def sites_file(text, name="sites.csv"):
    body = {"title_en": "Plan", "title_zh": "方案", "authority": "A1", "item": "ECO-01", "crs": "EPSG:4326"}
    return body | {"file": (io.BytesIO(text if isinstance(text, bytes) else text.encode()), name)}


def test_import__good_rows__drafted_with_all_of_them(planner):
    answer = post(planner, "/planner/plans/import", sites_file(HEADER + GOOD + GOOD.replace("Bridge", "Weir")))
    assert len(sites_of(planner, made(answer), "/planner")) == 2


def test_import__geojson__drafted(planner):
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [113.263, 23.132]},
        "properties": {
            "place_text": "桥",
            "device_type": "视频",
            "用途": "排污口",
            "hfov": 70,
            "azimuth": 0,
            "range": 80,
        },
    }
    body = json.dumps({"type": "FeatureCollection", "features": [feature]})
    sent = sites_file(body, "sites.geojson") | {"crs": ""}
    name = made(post(planner, "/planner/plans/import", sent))
    assert "70° wide, 80 m" in get(planner, f"/planner/plans/{name}").text


def test_import__geopackage__drafted(planner, tmp_path):
    words = {
        "place_text": ["桥（虚构）"],
        "device_type": ["video"],
        "purpose_en": ["Outfall"],
        "purpose_zh": ["排污口"],
    }
    table = geopandas.GeoDataFrame(words, geometry=[Point(113.263, 23.132)], crs="EPSG:4490")
    table.to_file(tmp_path / "sites.gpkg", driver="GPKG")
    sent = sites_file((tmp_path / "sites.gpkg").read_bytes(), "sites.gpkg") | {"crs": ""}
    name = made(post(planner, "/planner/plans/import", sent))
    assert "桥（虚构）" in get(planner, f"/planner/plans/{name}").text


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("23.1320,113.2630,Swapped,video,Outfall,x\n", "113.263"),
        ("113.2630,23.1320,,video,Outfall,x\n", "place_text"),
        ("113.2630,23.1320,Bridge,telescope,Outfall,x\n", "telescope"),
        ("113.2630,abc,Bridge,video,Outfall,x\n", "abc"),
    ],
)
def test_import__one_bad_row__every_row_told_and_nothing_half_imported(planner, shared_app, row, says):
    before = rows(shared_app, SitingPlan)
    answer = post(planner, "/planner/plans/import", sites_file(HEADER + GOOD + row))
    assert answer.status_code == 422
    assert "1 row cannot be taken: nothing was imported" in answer.text
    assert says in answer.text
    assert 'value="方案"' in answer.text
    assert rows(shared_app, SitingPlan) == before


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_IR_1__imported_site_outside_the_jurisdiction__told_in_its_row(planner, shared_app, lang):
    before = rows(shared_app, SitingPlan)
    outside = "120.1000,30.1000,Bridge,video,Outfall,x\n"
    headers = {**SAME_ORIGIN, **HTML, "Accept-Language": lang}
    answer = planner.post("/planner/plans/import", data=sites_file(HEADER + GOOD + outside + GOOD), headers=headers)
    assert answer.status_code == 409
    table = re.search(r'class="tight report">.*?<tbody>(.*?)</tbody>', answer.text, re.DOTALL)[1]
    told = [re.sub(r"<[^>]+>|\s+", " ", row).split() for row in table.split("<tr>")[1:]]
    refused = {row[0]: "A1" in " ".join(row) for row in told}
    assert sorted(refused.items()) == [("1", False), ("2", True), ("3", False)]
    assert sum(("good" if lang == "en" else "可导入") in row for row in told) == 2
    assert ("1 row cannot be taken" if lang == "en" else "1 行无法导入") in answer.text
    assert rows(shared_app, SitingPlan) == before


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"", "sites.csv"),
        (HEADER.encode("utf-16"), "sites.csv"),
        ((HEADER + GOOD).encode("gb18030"), "sites.csv"),
        (b"%PDF-1.4", "sites.pdf"),
        (b"{}", "sites.geojson"),
        (b"SQLite format 3\x00" + b"\x00" * 100, "sites.gpkg"),
    ],
)
def test_import__a_file_that_is_none__refused_with_a_fix(planner, shared_app, body, name):
    before = rows(shared_app, SitingPlan)
    answer = post(planner, "/planner/plans/import", sites_file(body, name))
    assert 400 <= answer.status_code < 500
    assert re.search(r'id="(file|encoding|crs)-fault"', answer.text)
    assert rows(shared_app, SitingPlan) == before


def test_import__formula__refused_by_its_row_and_escaped(planner):
    text = HEADER + GOOD.replace("Bridge", '"=HYPERLINK(""http://x"")<script>"')
    answer = post(planner, "/planner/plans/import", sites_file(text))
    assert answer.status_code == 422
    assert "formula" in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text.replace('<script type="module"', "")


def test_import__no_file__refused(planner):
    assert post(planner, "/planner/plans/import", {"authority": "A1"}).status_code == 422


def device_file(text):
    return {"authority": "A1", "item": "ECO-01", "crs": "EPSG:4326", "file": (io.BytesIO(text.encode()), "devices.csv")}


def test_import_devices__bad_row__reported_and_none_registered(planner, shared_app):
    before = rows(shared_app, Device)
    head = "name,lon,lat,place_text,device_type,purpose_en,purpose_zh\n"
    good = "Cam 1,113.2630,23.1320,Bridge,video,Outfall,x\n"
    answer = post(planner, "/planner/devices/import", device_file(head + good + good.replace("113.2630", "")))
    assert answer.status_code == 422
    assert "cannot be taken" in answer.text
    assert rows(shared_app, Device) == before
    taken = post(planner, "/planner/devices/import", device_file(head + good))
    assert taken.status_code == 200
    assert "1 row was imported" in taken.text
    assert rows(shared_app, Device) == before + 1


CAMERA = (
    "device_code,name,lon,lat,place_text,device_type,purpose_en,purpose_zh,remark\n"
    "37010000000000000001,Cam 1,113.2630,23.1320,Bridge,video,Outfall,x,y\n"
)


def brought(shared_app, tmp_path, content, **options):
    """What the host imports for the authority A2."""
    path = tmp_path / "cameras.csv"
    path.write_text(content, encoding="utf-8")
    with shared_app.extensions["services"].work(HOST) as work:
        asked = Options(layer="devices", crs="EPSG:4326", authority="A2", item="ECO-01", **options)
        report = import_layer(work, path, asked)
        work.commit()
    return report


def test_S01__import_devices__merged_row_and_unknown_column__told(planner, shared_app, tmp_path):
    theirs = brought(shared_app, tmp_path, CAMERA).rows[0].public_ids[1]
    before = rows(shared_app, Device)
    page = post(planner, "/planner/devices/import", device_file(CAMERA.replace("Cam 1", "Pole 7"))).text
    assert "1 row was merged into a device that was there before" in page
    assert f"One device with {theirs}" in page
    assert "Pole 7" in page
    assert re.search(r"left aside</dt><dd><span[^>]*>remark<", page)
    assert rows(shared_app, Device) == before


def test_import_devices__file_that_was_taken_partly__tells_the_rows_that_were_left_out(planner, shared_app, tmp_path):
    bad = CAMERA.replace("0001,", "0002,") + "37010000000000000003,Cam 3,23.1320,113.2630,Bridge,video,Outfall,x,y\n"
    batch = brought(shared_app, tmp_path, bad, partly=True).batch
    answer = post(planner, "/planner/devices/import", device_file(bad))
    assert answer.status_code == 422
    assert "This file was imported already, without the rows below" in answer.text
    assert batch in answer.text
    assert re.search(r"<td>2</td>\s*<td><span class=\"state stop\"", answer.text)


# -- devices, areas, points ------------------------------------------------------------------------------------


def device(**changes):
    fields = {name.partition(".")[2]: value for name, value in site().items() if name != "sites"}
    return fields | {"name": "Camera (fictional)", "authority": "A1", "item": "ECO-01"} | changes


def test_IR_1__device__registered_and_told_what_is_missing(planner):
    name = made(post(planner, "/planner/devices/new", device()))
    page = get(planner, f"/planner/devices/{name}").text
    assert "What is missing before it counts as reviewed" in page
    assert "GD-10.3" in page


def test_IR_1__device_without_an_item__refused_at_the_field(planner):
    answer = post(planner, "/planner/devices/new", device(item=""))
    assert answer.status_code == 409
    assert 'id="item-fault"' in answer.text
    assert 'value="Camera (fictional)"' in answer.text


def test_GD_10_3__device__new_version_with_a_reason(planner):
    name = made(post(planner, "/planner/devices/new", device()))
    path = f"/planner/devices/{name}"
    assert post(planner, path, device(purpose_en="Weir", reason="")).status_code == 422
    made(post(planner, path, device(purpose_en="Weir", reason="Other use", version="1")))
    page = get(planner, path).text
    assert "version 2" in page
    assert "Other use" in page or "a new version was made" in page


def area(code, **changes):
    fields = {
        "code": code,
        "name_en": "Fields (fictional)",
        "name_zh": "田野（虚构）",
        "purpose_en": "Patrol",
        "purpose_zh": "巡查",
        "authority": "A1",
        "item": "ECO-01",
        "siting_plan": "SP-1",
        "shape": SQUARE,
        "alt_min_agl_m": "60",
        "alt_max_agl_m": "110",
    }
    return fields | changes


def test_GD_16_3__area__drafted_checked_and_drafted_anew(planner):
    name = made(post(planner, "/planner/areas/new", area("PW1")))
    made(post(planner, f"/planner/areas/{name}/check", {"version": "1"}))
    assert "waits for the unit head" in get(planner, f"/planner/areas/{name}").text
    made(post(planner, f"/planner/areas/{name}", area("PW1", alt_max_agl_m="90", version="2")))
    page = get(planner, f"/planner/areas/{name}").text
    assert "60 – 90 m" in page
    assert "This is a draft" in page


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shape": "113.30, 23.12\nhere"}, "shape"),
        ({"shape": ""}, "shape"),
        ({"shape": "113.30, 23.12\n113.31, 23.13\n113.31, 23.12\n113.30, 23.13"}, "shape"),
        ({"shape": '{"type": "Point", "coordinates": [1, 2]}'}, "shape"),
        ({"alt_min_agl_m": "110", "alt_max_agl_m": "60"}, "alt_min_agl_m"),
        ({"alt_min_agl_m": "-1"}, "alt_min_agl_m"),
        ({"code": "PA1"}, "code"),
        ({"name_zh": ""}, "name_zh"),
    ],
)
def test_GD_16_3__area_with_a_fault__told_at_its_field(planner, changes, field):
    answer = post(planner, "/planner/areas/new", area("PW2") | changes)
    assert answer.status_code in (409, 422)
    assert f'id="{field}-fault"' in answer.text
    assert 'value="Patrol"' in answer.text


def test_IR_1__area_beyond_the_jurisdiction__check_shows_where(planner):
    away = SQUARE.replace("113.31", "113.40")
    name = made(post(planner, "/planner/areas/new", area("PW3", shape=away)))
    answer = post(planner, f"/planner/areas/{name}/check", {"version": "1"})
    assert answer.status_code == 409
    assert 'data-show="0"' in answer.text


def test_GD_15__point_in_a_bath_house__refused(planner):
    sent = area("PW4", lon="113.2700", lat="23.1300", place_text="Bath-house")
    answer = post(planner, "/planner/points/new", sent)
    if answer.status_code == 303:
        answer = post(planner, f"/planner/points/{made(answer)}/check", {"version": "1"})
    assert answer.status_code == 409
    assert "GD-15" in answer.text


def test_point__drafted(planner):
    name = made(post(planner, "/planner/points/new", area("PW5", lon="113.2545", lat="23.1250", place_text="Weir")))
    made(post(planner, f"/planner/points/{name}/check", {"version": "1"}))


# -- who, and from where ---------------------------------------------------------------------------------------


def test_draft__from_another_site__refused(planner):
    answer = planner.post("/planner/plans/new", data=plan(), headers={"Sec-Fetch-Site": "cross-site", **HTML})
    assert answer.status_code == 403


def test_draft__by_a_reviewer__forbidden(acting_as):
    assert post(acting_as("L1"), "/planner/plans/new", plan()).status_code == 403


def test_draft__session_lost__asks_to_sign_in(shared_app):
    assert post(shared_app.test_client(), "/planner/plans/new", plan()).status_code == 401


def test_draft__by_a_program__refusals_as_problem_json(planner):
    answer = planner.post("/planner/plans/new", data=plan(title_en=""), headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 422
    assert answer.get_json()["refusals"][0]["message"]
