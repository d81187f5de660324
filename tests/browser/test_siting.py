"""From a study to a draft plan in the browser; its report with the network cut, its comparison in both looks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, PHONE_PX, press
from tests.web.studying import MORE, answered
from web import siting_jobs

FINDINGS = 0


@pytest.fixture(scope="module")
def study(site):
    return answered(site.services)


def test_siting__asked_answered_explained_and_drafted(site, study, sign_in):
    page = sign_in("N1")
    page.goto(f"/planner/coverage/{study}/siting")
    assert faults(page) == []
    # What another model asks for is not shown.
    expect(page.locator("#share")).to_be_hidden()
    page.get_by_label("See so much with the least effort").check()
    expect(page.locator("#share")).to_be_visible()
    page.get_by_label("See the most with so many devices").check()
    page.get_by_label("Anywhere, on a grid").check()
    page.get_by_label("Along roads").uncheck()
    for name, value in {"count": "2", "spacing_m": "400", "range_m": "300", "hfov_deg": "360"}.items():
        page.fill(f"#{name}", value)
    press(page.get_by_role("button", name="Find the sites"))
    expect(page.locator("h1")).to_have_text("The best sites are being looked for")
    assert siting_jobs.do_next(site.services) is not None
    # The page looks again by itself.
    expect(page.locator("ol.sites > li")).to_have_count(2)
    expect(page.locator("svg.picture .m-place g")).to_have_count(2)
    assert faults(page) == []
    page.fill("#purpose_en", "Outfall")
    page.fill("#purpose_zh", "排污口")
    page.select_option("#item", "ECO-01")
    press(page.get_by_role("button", name="Draft the plan"))
    expect(page.locator("h1")).to_contain_text("say why its devices are needed")
    expect(page.locator("[id='reason.necessity']")).not_to_have_value("")


def test_report__kept_as_a_file__opens_with_the_network_cut(study, sign_in, browser, tmp_path):
    kept = tmp_path / "report.html"
    kept.write_bytes(sign_in("N1").request.get(f"/planner/coverage/{study}/report").body())
    context = browser.new_context(offline=True, viewport={"width": PHONE_PX[0], "height": PHONE_PX[1]})
    page = context.new_page()
    wrong = []
    page.on("console", lambda said: wrong.append(said.text))
    page.on("request", lambda asked: None if asked.url.startswith("file:") else wrong.append(asked.url))
    page.goto(kept.as_uri())
    expect(page.locator("h1")).to_have_text("Bridges (fictional)")
    for picture in page.locator("svg.picture").all():
        assert picture.bounding_box()["width"] > PHONE_PX[0] / 2
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_PX[0]
    assert faults(page) == []
    assert wrong == []
    context.close()


@pytest.mark.parametrize(("lang", "size", "scheme"), [("en", DESK_PX, "light"), ("zh", PHONE_PX, "dark")])
def test_compare__in_both_looks__readable_and_at_one_scale(site, study, sign_in, lang, size, scheme):
    more = answered(site.services, title="With a third", devices=MORE)
    page = sign_in("N1", lang=lang, size=size, scheme=scheme)
    page.goto(f"/planner/coverage/compare?ids={study},{more}")
    scales = page.locator(".beside .m-scale text").all_text_contents()
    assert len({text for text in scales if re.search(r"\d", text)}) == 1
    assert faults(page) == []
    page.goto("/planner/coordinated")
    assert faults(page) == []
