"""Pages of siting: asked, followed, each site explained, the front as rows too, and one click to a draft plan."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import select

from schemas.tables import SitingRun
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.drafting import case, get, made, post, told
from tests.web.studying import answered, site, sited

FRONT = [
    {"seen": 100_000.0, "burden": 0.0, "sites": [[113.258, 23.123]]},
    {"seen": 250_000.0, "burden": 4_000.0, "sites": [[113.258, 23.123], [113.262, 23.137]]},
]
ANSWERS = [
    {**point, "answer": {"sites": found, "seen_after": 1e6 + point["seen"], "fit": None, "sentences": said}}
    for point, found, said in (
        (FRONT[0], [site(1, kind="new")], {"en": ["The least answer."], "zh": ["最少的结果。"]}),
        (FRONT[1], [site(1), site(2, at=[113.262, 23.137])], {"en": ["The most."], "zh": ["最多。"]}),
    )
]
NAMES = {"title_en": "Bends (fictional)", "title_zh": "河湾（虚构）", "purpose_en": "Outfalls", "purpose_zh": "排污口"}


@pytest.fixture(scope="module")
def acting_as(reading_as):
    """One world for the module: each test asks on studies of its own."""
    return reading_as


@pytest.fixture
def planner(acting_as):
    return acting_as("N1")


@pytest.fixture(scope="module")
def services(shared_app):
    return shared_app.extensions["services"]


@pytest.fixture(scope="module")
def study(services):
    return answered(services)


def typed(**changes):
    fields = {
        "model": "most_seen",
        "count": "2",
        "hours": "10",
        "share": "80",
        "limit_s": "20",
        "demand": "area",
        "sources": ["grid"],
        "spacing_m": "300",
        "apart_m": "50",
        "directions": "4",
        "device_type": "video",
        "range_m": "400",
        "hfov_deg": "90",
        "mast_m": "8",
        "most_burden": "",
    }
    return fields | changes


def asked(services, name):
    with services.session() as db:
        return db.scalars(select(SitingRun).where(SitingRun.public_id == name)).one()


# -- asking ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_ask__page__has_no_word_of_money_to_choose(planner, study, lang):
    answer = planner.get(f"/planner/coverage/{study}/siting", headers={**HTML, "Accept-Language": lang})
    assert answer.status_code == 200
    fields = re.findall(r'name="([^"]+)"|value="([^"]+)"', answer.text)
    assert not [one for pair in fields for one in pair if re.search("revenue|fine|penalt|money|income|罚|收入", one)]


def test_ask__as_typed__waits_as_it_was_asked(planner, services, study):
    answer = post(
        planner, f"/planner/coverage/{study}/siting", typed(model="least_cost", share="62.5", most_burden="900")
    )
    run = asked(services, made(answer))
    assert (run.stage, run.question["model"], run.question["share"]) == ("waiting", "least_cost", 0.625)
    assert run.question["candidates"]["from"] == ["grid"]
    assert run.question["most_burden"] == 900
    page = get(planner, f"/planner/siting/{run.public_id}").text
    assert 'hx-get="/planner/siting/' in page
    assert "Share that shall be seen" in page
    assert run.public_id in get(planner, f"/planner/coverage/{study}/siting").text
    assert run.public_id in get(planner, "/planner/siting").text


def test_ask__patrol_hours__are_the_number_that_counts(planner, services, study):
    run = asked(
        services, made(post(planner, f"/planner/coverage/{study}/siting", typed(model="patrol_hours", hours="7")))
    )
    assert run.question["count"] == 7


def test_ask__every_fault_at_its_field(planner, study):
    answer = post(
        planner, f"/planner/coverage/{study}/siting", typed(count="0", hfov_deg="400", spacing_m="1", sources=[])
    )
    assert answer.status_code == 422
    for name in ("count", "hfov_deg", "spacing_m"):
        assert f'id="{name}-fault"' in answer.text, name
    assert 'id="sources-fault"' in answer.text


@pytest.mark.parametrize("field", ["revenue", "expected_fines", "罚款", "penalty_income"])
def test_GD_13_1__a_field_of_money__refused_by_name(planner, study, field):
    answer = post(planner, f"/planner/coverage/{study}/siting", typed(**{field: "1000"}))
    assert answer.status_code == 422
    assert field in html.unescape(answer.text)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "x" * 9000},
        {"model": ""},
        {"demand": "money"},
        {"count": "NaN"},
        {"count": "1e309"},
        {"count": "2.5"},
        {"count": "-1"},
        {"share": "101"},
        {"limit_s": "99999"},
        {"sources": ["<script>"]},
        {"device_type": "'"},
        {"most_burden": "-1"},
        {"directions": "0"},
        {"mast_m": "high"},
        {"range_m": "0"},
    ],
    ids=str,
)
def test_ask__hostile_input__refused(planner, study, changes):
    assert post(planner, f"/planner/coverage/{study}/siting", typed(**changes)).status_code == 422


def test_ask__nothing_at_all__refused(planner, study):
    assert post(planner, f"/planner/coverage/{study}/siting").status_code == 422


# -- one run ---------------------------------------------------------------------------------------------------


def test_run__done__each_site_explained_and_the_front_told_in_rows(planner, services, study):
    twin = site(2, at=[113.262, 23.137], duplicates_share=0.93, duplicates_of=["DV-DV1"])
    name = sited(services, study, site(1), twin, front=FRONT, model="front")
    text = get(planner, f"/planner/siting/{name}").text
    for said in (
        "Site 1 sees a bend.",
        "Proven: no better answer exists",
        "East village &lt;fictional&gt;",
        "outside every protected place",
        "Devices see 93 % of this view already",
        'href="/rules#gd-15"',
        "0.25 km²",
        "/planner/uses",
    ):
        assert said in text, said
    assert text.count('class="front-point"') == 2
    assert len(re.findall(r'href="[^"]*\?point=\d"', text)) == 2
    assert "Answer 2 of the front." in get(planner, f"/planner/siting/{name}", point="2").text


PLACES = {"open": [[113.258, 23.123], [113.26, 23.125]], "private": [[113.27, 23.13]], "near": [[113.268, 23.131]]}
LEFT = {"found": 9, "private": 3, "outside": 0, "near": 1, "blind": 0}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_run__places_that_were_weighed__drawn_with_why_others_are_not_allowed(planner, services, study, lang):
    name = sited(services, study, site(1), places=PLACES, left_out=LEFT)
    page = planner.get(f"/planner/siting/{name}", headers={**HTML, "Accept-Language": lang}).text
    for look, marks in {"candidate": 2, "barred_private": 1, "barred_near": 1}.items():
        drawn = page.split(f'<g class="m-{look}" ', 1)[1].split("</g></g>")[0]
        assert drawn.count("<g transform=") == marks, look
    told_as = {
        "en": ("Place that was weighed: 5", "looks into one (GD-15): 3", "too near to a device that stands: 1"),
        "zh": ("GD-15",),
    }
    for said in told_as[lang]:
        assert said in page, said
    assert "m-barred_outside" not in page


def test_run__answered_before_places_were_told__is_shown_without_them(planner, services, study):
    assert "m-candidate" not in get(planner, f"/planner/siting/{sited(services, study, site(1))}").text


@pytest.mark.parametrize("gap", [None, 0.0])
def test_run__nothing_proven_and_no_gap_known__still_shown(planner, services, study, gap):
    name = sited(services, study, site(1), proven=False, gap=gap)
    assert "Not proven within the time." in get(planner, f"/planner/siting/{name}").text


def test_run__few_sites_on_a_wide_ground__the_headline_tells_what_is_gained(planner, services, study):
    name = sited(services, study, site(1), seen_before=1e6, seen_after=1e6 + 11_781)
    heading = re.search("<h1>([^<]+)</h1>", get(planner, f"/planner/siting/{name}").text)[1]
    assert heading.startswith(("0.01 km²", "11,781 m²")), heading
    assert "instead of" not in heading


def test_ask__least_effort__a_number_for_each_kind_of_place(planner, services, study):
    where = f"/planner/coverage/{study}/siting"
    run = asked(services, made(post(planner, where, typed(model="least_cost", effort_roads="2.5", effort_grid="1"))))
    assert run.question["candidates"]["effort"] == {"roads": 2.5, "grid": 1}
    assert "2.5" in get(planner, f"/planner/siting/{run.public_id}").text
    for wrong in ("0", "-1", "NaN", "1e300", "much"):
        answer = post(planner, where, typed(model="least_cost", effort_roads=wrong))
        assert answer.status_code == 422, wrong
        assert 'id="effort_roads-fault"' in answer.text, wrong


@pytest.mark.parametrize("point", ["0", "3", "-1", "x", "９", "9" * 50])
def test_run__point_that_is_none__shows_the_sites(planner, services, study, point):
    name = sited(services, study, site(1), front=FRONT)
    assert "of the front." not in get(planner, f"/planner/siting/{name}", point=point).text


def test_run__waiting__says_how_far_and_then_asks_to_be_loaded_anew(planner, services, study):
    waiting = sited(services, study, stage="waiting")
    answer = get(planner, f"/planner/siting/{waiting}/progress")
    assert 'hx-trigger="every' in answer.text
    assert "HX-Refresh" not in answer.headers
    done = sited(services, study, site(1))
    assert get(planner, f"/planner/siting/{done}/progress").headers["HX-Refresh"] == "true"


@pytest.mark.parametrize("path", ["", "/progress"])
@pytest.mark.parametrize("person", ["O4", "N1"])
def test_run__of_others_or_of_nobody__is_not_there(acting_as, services, study, path, person):
    name = sited(services, study, site(1)) if person == "O4" else "SR-NONE"
    assert get(acting_as(person), f"/planner/siting/{name}{path}").status_code == 404
    assert name not in get(acting_as(person), "/planner/siting").text


@pytest.mark.parametrize("step", ["plan", "remove", "stop", "again"])
def test_run__of_others__nothing_is_done_with_it(acting_as, services, study, step):
    name = sited(services, study, site(1))
    assert post(acting_as("O4"), f"/planner/siting/{name}/{step}", NAMES | {"item": "ECO-01"}).status_code == 404
    assert asked(services, name).plan_id is None


def test_run__stopped__says_so_and_can_be_computed_again(planner, services, study):
    name = sited(services, study, stage="waiting")
    assert f'action="/planner/siting/{name}/stop"' in get(planner, f"/planner/siting/{name}").text
    assert post(planner, f"/planner/siting/{name}/stop").status_code == 303
    text = get(planner, f"/planner/siting/{name}").text
    assert "<h1>This question was stopped</h1>" in text
    assert f'action="/planner/siting/{name}/again"' in text
    assert "/stop" not in text
    assert "Stopped early" in get(planner, "/planner/siting").text
    answer = get(planner, f"/planner/siting/{name}/progress")
    assert answer.headers["HX-Refresh"] == "true"
    assert post(planner, f"/planner/siting/{name}/stop").status_code == 409
    assert post(planner, f"/planner/siting/{name}/again").status_code == 303
    assert asked(services, name).stage == "waiting"


def test_run__over_when_stop_is_pressed__says_so_beside_its_answer(planner, services, study):
    name = sited(services, study, site(1))
    answer = post(planner, f"/planner/siting/{name}/stop")
    assert answer.status_code == 409
    assert "nothing is left to stop" in answer.text
    assert "Site 1 sees a bend." in answer.text


def test_front__answer_that_is_chosen__shown_whole_and_drafted(planner, services, study):
    name = sited(services, study, site(1), site(2, at=[113.262, 23.137]), front=ANSWERS, model="front")
    whole = get(planner, f"/planner/siting/{name}").text
    assert "The plan takes the answer that sees the most." in whole
    least = get(planner, f"/planner/siting/{name}", point="1").text
    assert "The least answer." in least
    assert least.count('<li class="panel') == 1
    assert "With 1 site" in re.search("<h1>([^<]+)</h1>", least)[1]
    assert 'name="point" value="1"' in least
    wrong = post(planner, f"/planner/siting/{name}/plan", {"point": "1"})
    assert 'name="point" value="1"' in wrong.text
    plan = made(post(planner, f"/planner/siting/{name}/plan", NAMES | {"item": "ECO-01", "point": "1"}))
    assert len(set(re.findall(r"PS-[A-Z0-9]+", get(planner, f"/planner/plans/{plan}").text))) == 1
    after = get(planner, f"/planner/siting/{name}").text
    assert "The least answer." in after
    assert "A plan was drafted from these sites." in after
    assert "A plan was drafted from another answer" in get(planner, f"/planner/siting/{name}", point="2").text


@pytest.mark.parametrize("point", ["0", "-1", "x", "9", "1e9", "NaN", "1.5", "01"])
def test_front__a_point_that_is_none__drafts_nothing(planner, services, study, point):
    name = sited(services, study, site(1), front=ANSWERS, model="front")
    answer = post(planner, f"/planner/siting/{name}/plan", NAMES | {"item": "ECO-01", "point": point})
    assert answer.status_code in (409, 422)
    assert asked(services, name).plan_id is None


def test_front__of_which_only_places_were_kept__cannot_be_drafted_and_says_so(planner, services, study):
    name = sited(services, study, site(1), front=FRONT, model="front")
    text = get(planner, f"/planner/siting/{name}", point="2").text
    assert "only the places were kept" in text
    assert f'action="/planner/siting/{name}/plan"' not in text


# -- to a plan -------------------------------------------------------------------------------------------------


def test_plan__one_click__a_draft_with_its_case_prepared_that_a_person_justifies(planner, services, study):
    name = sited(services, study, site(1), site(2, at=[113.2755, 23.1365], kind="shared", device="DV-DV1"))
    plan = made(post(planner, f"/planner/siting/{name}/plan", NAMES | {"item": "ECO-01"}))
    page = get(planner, f"/planner/plans/{plan}").text
    assert "This plan is a draft" in page
    assert len(set(re.findall(r"PS-[A-Z0-9]+", page))) == 1
    for field in ("reason.necessity", "reason.technical_rationale", "need.coverage_gap"):
        assert re.search(rf'name="{re.escape(field)}"[^>]*>[^<]+<', page), field
    run = get(planner, f"/planner/siting/{name}").text
    assert f'href="/planner/plans/{plan}"' in run
    again = post(planner, f"/planner/siting/{name}/plan", NAMES | {"item": "ECO-01"})
    assert again.status_code == 409
    assert post(planner, f"/planner/plans/{plan}/justify", case()).status_code == 303, told(again)


def test_plan__without_titles_and_item__every_fault_at_its_field(planner, services, study):
    name = sited(services, study, site(1))
    answer = post(planner, f"/planner/siting/{name}/plan", {"title_en": "A"})
    assert answer.status_code == 422
    for field in ("title_zh", "purpose_en", "purpose_zh", "item"):
        assert f'id="{field}-fault"' in answer.text, field
    assert asked(services, name).plan_id is None


def test_plan__of_a_run_that_is_not_done__refused(planner, services, study):
    name = sited(services, study, stage="waiting")
    assert post(planner, f"/planner/siting/{name}/plan", NAMES | {"item": "ECO-01"}).status_code == 409


def test_plan__from_another_site__refused(planner, services, study):
    name = sited(services, study, site(1))
    answer = planner.post(
        f"/planner/siting/{name}/plan", data=NAMES, headers={**SAME_ORIGIN, "Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


def test_remove__a_run__is_gone(planner, services, study):
    name = sited(services, study, site(1))
    assert post(planner, f"/planner/siting/{name}/remove").status_code == 303
    assert get(planner, f"/planner/siting/{name}").status_code == 404
