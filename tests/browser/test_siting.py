"""From a study to a draft plan in the browser; its report with the network cut, its comparison in both looks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from geo.commands import studies
from geo.coverage.asked import Asked
from schemas.tables import Authority, PlannedSite, SitingPlan
from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, MAP_TIMEOUT_MS, PHONE_PX, press, shoot, wait_for_map
from tests.browser.test_planning import check_list, path_of
from tests.web.studying import GROUND, MORE, answered, sited
from tests.web.studying import site as found_site
from web import planning_jobs, siting_jobs

FINDINGS = 0
# How wide a shape of a picture is on the screen, without its stroke.
DRAWN_PX = "shape => shape.getBBox().width * shape.getScreenCTM().a"


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
    page.get_by_role("checkbox", name="Anywhere, on a grid").check()
    page.get_by_role("checkbox", name="Along roads").uncheck()
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


def ask_for_sites(page, study, **typed):
    """Asks on a grid for what sees all round, and is where the answer will be."""
    page.goto(f"/planner/coverage/{study}/siting")
    page.get_by_role("checkbox", name="Anywhere, on a grid").check()
    page.get_by_role("checkbox", name="Along roads").uncheck()
    for name, value in ({"count": "2", "spacing_m": "400", "range_m": "300", "hfov_deg": "360"} | typed).items():
        page.fill(f"#{name}", value)
    press(page.get_by_role("button", name="Find the sites"))


def draft_of(page, title):
    """One click more: the sites that were found are a plan."""
    page.fill("#title_en", title)
    page.fill("#purpose_en", "Outfall")
    page.fill("#purpose_zh", "排污口")
    page.select_option("#item", "ECO-01")
    press(page.get_by_role("button", name="Draft the plan"))
    expect(page.locator("h1")).to_contain_text("say why its devices are needed")
    return path_of(page)


def test_siting__stopped_by_a_button__says_so_and_is_computed_after_all(site, study, sign_in):
    page = sign_in("N1")
    ask_for_sites(page, study)
    press(page.get_by_role("button", name="Stop the computation"))
    expect(page.locator("h1")).to_have_text("This question was stopped")
    assert faults(page) == []
    assert siting_jobs.do_next(site.services) is None
    press(page.get_by_role("button", name="Compute it again"))
    expect(page.locator("h1")).to_have_text("The best sites are being looked for")
    assert siting_jobs.do_next(site.services) is not None
    expect(page.locator("ol.sites > li")).to_have_count(2)


def test_front__answer_chosen_in_the_table__is_the_one_that_is_drafted(site, study, sign_in):
    points = []
    for burden, sites in ((0.0, [found_site(1)]), (600.0, [found_site(1), found_site(2, at=[113.262, 23.137])])):
        said = {"en": [f"An answer of {len(sites)}."], "zh": [f"{len(sites)} 个点位的结果。"]}
        answer = {"sites": sites, "seen_after": 1e6 + 1e5 * len(sites), "fit": None, "sentences": said}
        places = [one["at"] for one in sites]
        points.append({"seen": 1e5 * len(sites), "burden": burden, "sites": places, "answer": answer})
    name = sited(site.services, study, *points[1]["answer"]["sites"], front=points, model="front")
    page = sign_in("N1")
    page.goto(f"/planner/siting/{name}")
    expect(page.locator("ol.sites > li")).to_have_count(2)
    page.get_by_role("link", name="Show answer 1 and its sites").click()
    expect(page.locator("ol.sites > li")).to_have_count(1)
    expect(page.get_by_text("The plan takes answer 1 of the front")).to_be_visible()
    assert faults(page) == []
    plan = draft_of(page, "The quietest answer").rsplit("/", 1)[-1]
    assert only_site_of(site.services, plan)


def test_GD_09__found_sites__through_the_review_desks_to_the_approval_of_the_province(site, study, sign_in):
    planner = sign_in("N1")
    ask_for_sites(planner, study)
    assert siting_jobs.do_next(site.services) is not None
    expect(planner.locator("ol.sites > li")).to_have_count(2)
    path = draft_of(planner, "Found by the solver")
    press(planner.get_by_role("button", name="This is the case"))
    press(planner.get_by_role("button", name="Hand it over"))
    expect(planner.locator("h1")).to_contain_text("with its two reviewers")
    review = path.replace("/planner", "/reviews")
    for code, kind in (("L1", "Legal review"), ("T1", "Technical review")):
        reviewer = sign_in(code)
        reviewer.goto(review)
        press(reviewer.get_by_role("link", name=kind).first)
        for _ in range(2):
            check_list(reviewer)
    head = sign_in("H1")
    head.goto(review)
    press(head.get_by_role("button", name="Submit it to the approver"))
    approver = sign_in("P1")
    approver.goto("/reviews")
    press(approver.locator(".waits a", has_text="Found by the solver"))
    approver.fill("#approval_no", "GD-2025-77")
    press(approver.get_by_role("button", name="Approve it"))
    expect(approver.locator("main")).to_contain_text("GD-2025-77")
    planner.goto(path)
    expect(planner.get_by_role("link", name="Register a device here")).to_have_count(2)


@pytest.mark.parametrize(
    ("lang", "size", "scheme"),
    [("en", DESK_PX, "light"), ("zh", DESK_PX, "dark"), ("en", PHONE_PX, "dark"), ("zh", PHONE_PX, "light")],
)
def test_siting__places_on_the_map__quiet_and_large_enough_to_be_told_apart(site, study, sign_in, lang, size, scheme):
    grid = [[113.256 + 0.0025 * column, 23.121 + 0.0025 * row] for column in range(10) for row in range(8)]
    kinds = {"open": grid[:50], "private": grid[50:60], "outside": grid[60:68], "near": grid[68:74], "blind": grid[74:]}
    counts = {"found": 80, "private": 10, "outside": 8, "near": 6, "blind": 6}
    name = sited(site.services, study, found_site(1), places=kinds, left_out=counts)
    page = sign_in("N1", lang=lang, size=size, scheme=scheme)
    page.goto(f"/planner/siting/{name}")
    for look in ("candidate", "barred_private", "barred_near", "barred_blind"):
        width = page.locator(f"svg.picture .m-{look} path").first.evaluate(DRAWN_PX)
        # Told apart by their shape, and smaller than what was chosen.
        assert 2.5 <= width <= 9, (look, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert faults(page) == []
    shoot(page, f"siting-places-{lang}-{size[0]}-{scheme}", whole=True)


def test_what_if__site_of_a_plan__moved_by_hand_and_kept_for_the_study_alone(site, sign_in):
    page = sign_in("N1")
    page.on("dialog", lambda dialog: dialog.accept())
    on = answered(site.services, title="For a plan (fictional)")
    ask_for_sites(page, on, count="1")
    assert siting_jobs.do_next(site.services) is not None
    expect(page.locator("ol.sites > li")).to_have_count(1)
    plan = draft_of(page, "Movable (fictional)").rsplit("/", 1)[-1]
    key = only_site_of(site.services, plan)
    study = make_study(site.services)
    assert planning_jobs.do_next(site.services)
    page.goto(f"/planner/coverage/{study}")
    find_device(page, key)
    # Other plans of this module may ask for the same place: further than all of them it sees what none does.
    page.fill("#wi-range", "900")
    expect(page.locator("#wi-lead")).to_contain_text("more would be seen")
    press(page.get_by_role("button", name="Keep these changes"))
    assert planning_jobs.do_next(site.services)
    expect(page.locator("h1")).to_contain_text("of this ground is seen")
    find_device(page, key)
    expect(page.locator("#wi-range")).to_have_value("900")


def find_device(page, key):
    """Chooses a device of the map by its public id, with the keyboard."""
    wait_for_map(page)
    page.wait_for_selector("#map[data-devices]", timeout=MAP_TIMEOUT_MS)
    page.locator("#find-device").focus()
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    expect(page.locator("#device-name")).to_contain_text(key)


def only_site_of(services, plan):
    with services.session() as db:
        sites = db.scalars(select(PlannedSite.public_id).join(SitingPlan).where(SitingPlan.public_id == plan))
        return sites.one()


def make_study(services):
    """A study that waits, of what stands and what is planned; its public id."""
    with services.work(services.actor("N1")) as work:
        authority = work.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        asked = Asked(statuses=("active", "published", "planned"))
        new = studies.NewStudy(title="With plans (fictional)", authority=authority, ground=GROUND, asked=asked)
        made = studies.draft_study(work, new)
        work.commit()
        return made.public_id


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
    pictures = page.locator("svg.picture").all()
    assert pictures
    for picture in pictures:
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
