"""The coordinated-siting report: who may read whose, as page, paper and table, and what never stands in it (GD-17)."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from click.testing import CliRunner
from shapely.geometry import Point
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.tables import Authority, SitingPlan, SupervisionItem
from tests.web.conftest import HTML
from tests.web.paper import text_of
from tests.world import World, device, site_at
from web.cli.common import State
from web.cli.coverage import coverage
from web.planner import coordinating


@pytest.fixture(scope="module")
def acting_as(shared_app, reading_as):
    """Two cameras on one spot, of two authorities, and a secret one beside them."""
    admin = shared_app.extensions["services"].database.admin_engine()
    with Session(admin) as db, db.begin():
        world = World(db)
        plan = db.scalars(select(SitingPlan)).first()
        item = db.scalars(select(SupervisionItem)).one()
        at = {"platform": "fixed", "category": "fixed", "device_type": "video", "state": "published"}
        view = {"sector_azimuth_deg": 123.0, "hfov_deg": 60.0}
        for number, (code, range_m) in enumerate((("A1", 300.0), ("A2", 320.0)), 1):
            authority = db.scalars(select(Authority).where(Authority.code == code)).one()
            site = site_at(world, Point(113.2601, 23.1301), plan, f"T{number}")
            device(
                world,
                authority,
                item,
                site,
                public_id=f"DV-T{number}",
                name=f"=T{number}<b>",
                range_m=range_m,
                **view,
                **at,
            )
        site = site_at(world, Point(113.3301, 23.1301), plan, "HUSH")
        hush = {
            "state": "active",
            "activated_on": date(2025, 6, 30),
            "secret": True,
            "secret_document": "S-1",
            "secret_authority": "Office",
            "secret_level": "secret",
            "secret_until": date(2030, 1, 1),
        }
        device(world, authority, item, site, public_id="DV-HUSH", name="Hush", range_m=900.0, **view, **at | hush)
    admin.dispose()
    return reading_as


def get(client, path, lang="en"):
    return client.get(path, headers={**HTML, "Accept-Language": lang})


def table(answer):
    return list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))


def test_report__for_a_planner__of_the_government_above_with_all_its_authorities(acting_as):
    answer = get(acting_as("N1"), "/planner/coordinated")
    assert answer.status_code == 200
    for code in ("P0", "A1", "A2"):
        assert f"Authority {code} (fictional)" in answer.text
    assert "Together the authorities see" in answer.text
    assert "各机关共覆盖" in get(acting_as("N1"), "/planner/coordinated", "zh").text


def test_report__of_the_own_authority__is_of_its_ground_alone_and_nobody_elses(acting_as):
    rows = table(get(acting_as("N1"), "/planner/coordinated/report.csv?government=A1"))
    assert [row["authority"] for row in rows] == ["A1"]
    assert get(acting_as("N1"), "/planner/coordinated?government=A2").status_code == 404
    assert get(acting_as("S1"), "/planner/coordinated?government=A2").status_code == 200


def test_report__devices_close_together_on_wide_ground__a_map_of_that_part_too(acting_as, monkeypatch):
    def page():
        return get(acting_as("S1"), "/planner/coordinated/report.html").text

    close = page()
    assert close.count('<svg class="picture"') == 2
    assert "The part of it in which the devices stand." in close
    monkeypatch.setattr(coordinating, "_SMALL_PART", 0.0)
    spread = page()
    assert spread.count('<svg class="picture"') == 1
    assert "The part of it" not in spread


def test_report__nothing_to_ask_others_for__says_nothing_of_asking(acting_as):
    assert "ask for its use before buying one" in get(acting_as("S1"), "/planner/coordinated").text
    alone = get(acting_as("N1"), "/planner/coordinated?government=A1").text
    assert "are duplicates" in alone
    assert "ask for its use before buying one" not in alone


def test_GD_17__twins_of_two_authorities__each_told_whom_to_ask(acting_as):
    rows = table(get(acting_as("S1"), "/planner/coordinated/report.csv?table=duplicates"))
    told = {row["id"]: row for row in rows}
    assert told["DV-T1"]["ask_authorities"] == "A2"
    assert float(told["DV-T1"]["share"]) > 0.99
    # What begins like a formula is text in a spreadsheet.
    assert told["DV-T1"]["name"] != "=T1<b>"
    assert "=T1&lt;b&gt;" in get(acting_as("N1"), "/planner/coordinated").text


def test_GD_14_6__secret_device__stands_nowhere_and_counts_nowhere(acting_as):
    page = get(acting_as("S1"), "/planner/coordinated/report.html").text
    assert "HUSH" not in page
    assert "Hush" not in page
    counted = {row["authority"]: row for row in table(get(acting_as("S1"), "/planner/coordinated/report.csv"))}
    assert counted["A2"]["announced"] == "1"


def test_5_3__report__tells_no_direction(acting_as):
    for form in ("html", "csv?table=duplicates", "csv?table=authorities"):
        assert "123" not in get(acting_as("N1"), f"/planner/coordinated/report.{form}").text.replace("123 ", "")


def test_report__on_paper_and_alone__holds_its_text_and_asks_nobody(acting_as):
    paper = get(acting_as("P1"), "/planner/coordinated/report.pdf", "zh")
    assert paper.mimetype == "application/pdf"
    assert "机关A1（虚构）" in text_of(paper.data)
    page = get(acting_as("P1"), "/planner/coordinated/report.html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in page.text


def test_report__of_a_year_that_is_over__says_what_it_cannot_know(acting_as):
    text = get(acting_as("N1"), "/planner/coordinated?year=2024").text
    assert "Of a year that is over only what was in use is counted" in text
    assert "At the end of 2024" in text


@pytest.mark.parametrize(
    "query", ["year=1999", "year=2026", "year=x", "year=%F0%9F%98%80", "year=-1", "year=20255", "year=" + "9" * 400]
)
def test_report__of_no_year__refused(acting_as, query):
    assert get(acting_as("N1"), f"/planner/coordinated?{query}").status_code == 422


@pytest.mark.parametrize(
    "path", ["?government=NONE", "/report.csv?government='", "/report.xlsx", "/report.pdf?government=" + "A" * 999]
)
def test_report__of_what_is_none__is_not_there(acting_as, path):
    assert get(acting_as("N1"), f"/planner/coordinated{path}").status_code == 404


def test_report__of_no_table__refused(acting_as):
    assert get(acting_as("N1"), "/planner/coordinated/report.csv?table=money").status_code == 422


@pytest.mark.parametrize("name", ["r.html", "r.pdf", "r.csv"])
def test_command__writes_the_same(acting_as, shared_app, tmp_path, name):
    answer = _run(shared_app, "coordinated", "--out", str(tmp_path / name))
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / name).stat().st_size > 300


def test_command__another_kind_of_file__refused(shared_app, tmp_path):
    answer = _run(shared_app, "coordinated", "--out", str(tmp_path / "r.docx"))
    assert answer.exit_code == 1
    assert "report.out" in str(answer.exception)


def _run(shared_app, *words):
    state = State("en")
    state._services = shared_app.extensions["services"]
    return CliRunner().invoke(coverage, words, obj=state)
