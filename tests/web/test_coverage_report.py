"""The report of a study: all of its answers on a page and a paper that ask nobody for anything."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest
from PIL import Image

from schemas.refusals import RuleViolation
from sensing.sensors.health import read_snapshot
from tests.web.conftest import HTML
from tests.web.paper import text_of
from tests.web.studying import answered, site, sited
from web.planner import coverage_report, printed
from web.planner.coverage_report import MOST_SITES
from web.planner.printed import pdf_of
from web.server import SLOWEST_REQUEST_S
from web.settings import ROOT


@pytest.fixture(scope="module")
def study(shared_app):
    services = shared_app.extensions["services"]
    name = answered(services)
    sited(services, name, site(1), site(2, at=[113.262, 23.137], kind="shared", device="DV-DV1"))
    return name


def get(client, path, lang="en"):
    return client.get(path, headers={**HTML, "Accept-Language": lang})


def test_report__of_a_done_study__tells_every_answer_and_both_maps(reading_as, study):
    answer = get(reading_as("N1"), f"/planner/coverage/{study}/report")
    assert answer.status_code == 200
    page = answer.text
    for told in (
        "Two cameras see part of it.",
        "Bridges (fictional)",
        "The largest gaps",
        "What needs watching",
        "By item of supervision",
        " (ECO-01)</th>",
        "By status",
        "By kind of device",
        "By the time of day",
        "Whose homes are looked at",
        "Devices that the study adds or changes",
        "What the study changes",
        "From there it sees nothing",
        "Works (fictional)",
        "East village &lt;fictional&gt;",
        "Sample data.",
        "Site 2 sees a bend.",
        "sweep-1",
    ):
        assert told in page, told
    assert page.count('class="picture"') == 3


def test_report__of_very_many_sites__explains_the_first_and_says_so(reading_as, shared_app):
    services = shared_app.extensions["services"]
    name = answered(services)
    sited(services, name, *(site(number) for number in range(1, MOST_SITES + 6)))
    page = get(reading_as("N1"), f"/planner/coverage/{name}/report").text
    assert page.count('<section class="site">') == MOST_SITES
    assert f"The first {MOST_SITES} of {MOST_SITES + 5} sites are explained here" in page


def test_report__page__asks_nobody_for_anything(reading_as, study):
    answer = get(reading_as("N1"), f"/planner/coverage/{study}/report")
    assert not re.search(r"""(?:src|href)\s*=|url\((?!#)|@import|<script""", answer.text)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_report__in_chinese__says_so_everywhere(reading_as, study):
    page = get(reading_as("N1"), f"/planner/coverage/{study}/report", "zh").text
    assert "两台摄像机覆盖一部分。" in page
    assert 'lang="zh-CN"' in page


@pytest.mark.parametrize(("person", "status"), [("N1", 200), ("O4", 404), ("F1", 403)])
def test_report__of_others__is_not_there(reading_as, study, person, status):
    assert get(reading_as(person), f"/planner/coverage/{study}/report").status_code == status


@pytest.mark.parametrize("stage", ["waiting", "failed"])
def test_report__without_an_answer__refused_with_why(reading_as, shared_app, stage):
    name = answered(shared_app.extensions["services"], stage=stage)
    answer = get(reading_as("N1"), f"/planner/coverage/{name}/report.pdf")
    assert answer.status_code == 409
    assert "has no answer yet" in answer.text


@pytest.mark.parametrize("name", ["CS-NONE", "%00", "CS-%00", "..", "'", "x" * 3000])
def test_report__of_what_is_none__is_not_there(reading_as, name):
    assert get(reading_as("N1"), f"/planner/coverage/{name}/report").status_code == 404


def test_report__as_pdf__holds_its_text_and_its_fonts(reading_as, study):
    answer = get(reading_as("N1"), f"/planner/coverage/{study}/report.pdf", "zh")
    assert answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF-")
    assert "两台摄像机覆盖一部分。" in text_of(answer.data)


def test_pdf__of_a_document_that_asks_for_something__refused():
    with pytest.raises(printed.NotSet, match="a report fetches nothing: file:///etc/hostname"):
        pdf_of("<style></style><img src='file:///etc/hostname'>")


def test_pdf__others_wait_already__refused_before_long(monkeypatch):
    monkeypatch.setattr(printed, "_PATIENCE_S", 0.01)
    with printed._ONE_AT_A_TIME, pytest.raises(RuleViolation) as refused:
        pdf_of("<style></style><p>One page.</p>")
    assert refused.value.status == 503
    assert pdf_of("<style></style><p>One page.</p>").startswith(b"%PDF-")


def test_pdf__takes_longer_than_its_request_may__refused_with_what_to_do_and_the_next_is_set(
    reading_as, study, monkeypatch
):
    with monkeypatch.context() as hurried:
        hurried.setattr(printed, "ON_A_PAGE_S", 0.05)
        answer = get(reading_as("N1"), f"/planner/coverage/{study}/report.pdf")
    assert answer.status_code == 503
    assert "cannot be set on paper within" in answer.text
    assert "Open the report as a page and print that" in answer.text
    assert get(reading_as("N1"), f"/planner/coverage/{study}/report.pdf").data.startswith(b"%PDF-")


def test_pdf__waits_for_others_and_is_set__within_what_a_request_may_take():
    assert printed._PATIENCE_S < printed.ON_A_PAGE_S < SLOWEST_REQUEST_S


def test_report__more_than_it_tells__says_what_is_left_out(reading_as, shared_app, monkeypatch):
    services = shared_app.extensions["services"]
    name = answered(services)
    for number in range(1, 4):
        sited(services, name, site(number))
    monkeypatch.setattr(coverage_report, "MOST_RUNS", 2)
    monkeypatch.setattr(coverage_report, "MOST_OWN", 1)
    page = get(reading_as("N1"), f"/planner/coverage/{name}/report").text
    assert "The first 1 of 2 devices are listed here" in page
    assert "The latest 2 of 3 questions of siting are told here" in page


def test_pdf__is_set_in_another_process__this_one_never_loads_the_setter():
    code = (
        "import sys; from web.planner.printed import pdf_of;"
        " assert pdf_of('<style></style><p>One page.</p>').startswith(b'%PDF-');"
        " assert 'weasyprint' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pdf__once_made__half_a_picture_is_refused_as_before():
    assert pdf_of("<style></style><p>One page.</p>").startswith(b"%PDF-")
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 40).save(whole, "JPEG")
    with pytest.raises(RuleViolation):
        read_snapshot(whole.getvalue()[: whole.tell() // 2])


def test_GD_14_6__study_with_secret_devices__is_not_there_for_who_is_not_cleared(reading_as, shared_app):
    services = shared_app.extensions["services"]
    # Two, because a page to compare offers nothing before there are two.
    hushed, _ = (answered(services, title=title, secret=True) for title in ("Hushed", "Hushed too"))
    run = sited(services, hushed, site(1))
    paths = (f"/planner/coverage/{hushed}/report", f"/planner/coverage/{hushed}/siting", f"/planner/siting/{run}")
    assert [get(reading_as("N1"), path).status_code for path in paths] == [404, 404, 404]
    assert [get(reading_as("O1"), path).status_code for path in paths] == [200, 200, 200]
    for path in ("/planner/coverage/compare", "/planner/siting"):
        assert "Hushed" not in get(reading_as("N1"), path).text
        assert "Hushed" in get(reading_as("O1"), path).text
