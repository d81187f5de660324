"""What a run says: every figure in both languages, and the rules that a site does not meet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geo.commands.words import DEVICE_TYPES
from geo.siting.asked import SitingAsked, View
from geo.siting.drafting import Argument, case_of
from geo.siting.found import Fit, Found, Point, Site
from geo.siting.telling import Checked, Facts, Laws, told
from schemas.refusals import refuse

NEW = Site(
    "new", 113.26, 23.13, 90.0, 60.0, 150.0, 6.0, adds=11_000.0, homes_m2=2_000.0, homes=("Homes",), source="roads"
)
SHARED = Site("shared", 113.27, 23.13, 0.0, 60.0, 150.0, 6.0, adds=5.0, device="DV-1", label="Theirs", authority="A2")


def found(*sites, **change):
    given = {"proven": True, "gap": 0.0, "seconds": 1.0, "total": 1e6, "seen_before": 1e5, "seen_after": 2e5}
    left = {"found": 9, "private": 2, "outside": 1, "near": 0}
    return Found(**given | {"candidates": 40, "left_out": left, "sites": sites} | change)


def document(*sites, checked=None, **change):
    front = [[Checked()] * len(point.sites) for point in change.get("front", ())]
    names = {"A2": {"en": "Other bureau", "zh": "另一局"}}
    facts = Facts(checked or [Checked()] * len(sites), Laws(0.8), names, front)
    return told(SitingAsked(), found(*sites, **change), facts)


def rule(site, name):
    return next(one for one in site["rules"] if one["rule"] == name)


def test_told__site__adds_duplicates_and_homes_in_words():
    (site,) = document(NEW, checked=[Checked(0.25, ("DV-9",))])["sites"]
    english, chinese = (" ".join(site["sentences"][lang]) for lang in ("en", "zh"))
    for words in ("11,000 m²", "25%", "DV-9", "2,000 m² of homes", "Homes"):
        assert words in english
    for words in ("11,000 平方米", "25%", "DV-9", "住宅用地 2,000 平方米"):
        assert words in chinese
    assert rule(site, "GD-17")["met"]


def test_GD_17__four_fifths_seen_already__not_met_and_to_be_answered():
    (site,) = document(NEW, checked=[Checked(0.8, ("DV-9",))])["sites"]
    assert not rule(site, "GD-17")["met"]
    assert "80%" in " ".join(site["sentences"]["en"])
    assert "须说明" in " ".join(site["sentences"]["zh"])


def test_GD_15__private_place__not_met():
    (site,) = document(NEW, checked=[Checked(private=(refuse("GD-15", "siting.no_site"),))])["sites"]
    assert not rule(site, "GD-15")["met"]


def test_told__gap__printed_where_nothing_is_proven():
    document_of = document(NEW, proven=False, gap=0.125)
    assert "12.5%" in " ".join(document_of["sentences"]["en"])
    assert "12.5%" in " ".join(document_of["sentences"]["zh"])
    assert "proved" not in " ".join(document_of["sentences"]["en"])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("most_seen", "sees at most 12.5% more"),
        ("least_cost", "12.5% less effort"),
        ("nearest", "12.5% nearer"),
        ("front", "12.5% more for as many homes"),
        ("patrol_hours", "worth at most 12.5% more"),
    ],
)
def test_told__gap__in_what_the_model_is_about(model, words):
    facts = Facts([], Laws(0.8), {})
    open_end = told(SitingAsked(model=model), found(proven=False, gap=0.125), facts)
    assert words in " ".join(open_end["sentences"]["en"])
    assert "12.5%" in " ".join(open_end["sentences"]["zh"])


def test_told__front_whose_burden_is_not_proven__said_so():
    facts = Facts([], Laws(0.8), {})
    whole = told(SitingAsked(model="front"), found(proven=False, is_least=False), facts)["sentences"]
    assert "fewer homes in view" in " ".join(whole["en"])
    assert "at most" not in " ".join(whole["en"])


def test_LF_9__entities_that_become_fit__named_in_both_languages():
    facts = Facts([], Laws(0.8), {})
    whole = told(SitingAsked(demand="entities"), found(fit=Fit(12, 3, 4, ("SE-7",))), facts)
    assert "Of 12 entities, 3 have every view" in " ".join(whole["sentences"]["en"])
    assert "SE-7" in " ".join(whole["sentences"]["zh"])
    assert whole["fit"] == {"entities": 12, "before": 3, "after": 4, "gained": ["SE-7"]}


def test_GD_17__study_of_one_item__whose_views_count_is_told_by_the_item():
    whole = document(replace(NEW, item="ECO-01"), item="ECO-01")
    assert any("supervision item ECO-01" in said for said in whole["sentences"]["en"])
    assert any("ECO-01" in said for said in whole["sites"][0]["sentences"]["zh"])


def test_told__study_of_an_item_that_is_in_the_catalogue__its_name_and_code():
    item = {"en": "Outfalls (fictional)", "zh": "排污口（虚构）"}
    facts = Facts([Checked()], Laws(0.8), {}, (), item)
    whole = told(SitingAsked(), found(replace(NEW, item="ECO-01"), item="ECO-01"), facts)
    assert any("supervision item Outfalls (fictional) (ECO-01)" in said for said in whole["sentences"]["en"])
    assert any("排污口（虚构）（ECO-01）" in said for said in whole["sites"][0]["sentences"]["zh"])


def test_told__answer_of_the_front__its_own_proof():
    points = (Point(10.0, 0.0, (NEW,)), Point(20.0, 500.0, (NEW, SHARED), gap=0.25, proven=False))
    whole = document(NEW, SHARED, front=points, proven=False, gap=0.25)
    least, most = (point["answer"] for point in whole["front"])
    assert (least["proven"], least["gap"], most["proven"], most["gap"]) == (True, 0.0, False, 0.25)
    assert any("the solver proved it" in said for said in least["sentences"]["en"])
    assert not any("proved" in said for said in most["sentences"]["en"])


def test_told__front_and_shared_devices__named():
    points = (Point(10.0, 0.0, ()), Point(20.0, 500.0, (SHARED, NEW)))
    whole = document(SHARED, NEW, front=points)
    english = " ".join(whole["sentences"]["en"])
    assert "Theirs (DV-1)" in english
    assert "2 choices" in english
    assert "Other bureau" in " ".join(whole["sites"][0]["sentences"]["en"])
    assert "另一局" in " ".join(whole["sites"][0]["sentences"]["zh"])


@pytest.mark.parametrize("device_type", DEVICE_TYPES)
def test_told__every_kind_of_device__whose_views_count_is_told(device_type):
    facts = Facts([Checked()], Laws(0.8), {})
    asked = SitingAsked(view=View(device_type=device_type))
    assert any("As seen counts" in said for said in told(asked, found(NEW), facts)["sentences"]["en"])


def argument(**change):
    asked = SitingAsked()
    given = {
        "result": document(SHARED, NEW),
        "question": asked.as_json(),
        "run": "SR-1",
        "study": {"title": "Study", "result": {}},
        "item": {"en": "Item", "zh": "事项", "code": "ECO-1"},
        "law": {"en": "Law", "zh": "法", "article": "7"},
        "notice_days": 30,
        "reasons": ("legal_basis", "publication_plan", "technical_rationale", "alternatives", "necessity"),
        "need": ("risk_evidence", "incidents", "coverage_gap"),
        "history": {"decided": 3, "leads": 4, "incidents": 5},
    }
    return Argument(**given | change)


def test_GD_09_1__prepared_case__five_reasons_and_the_need_in_both_languages():
    case = case_of(argument())
    assert list(case.justification) == list(argument().reasons)
    assert list(case.need) == list(argument().need)
    for text in (*case.justification.values(), *case.need.values()):
        chinese, _, english = text.partition("\n\n")
        assert any("一" <= letter <= "鿿" for letter in chinese)
        assert english
    assert case.duplicates_answer is None


def test_told__homes_as_demand__that_they_are_the_burden_too_is_told():
    facts = Facts([Checked()], Laws(0.8), {})
    words = told(SitingAsked(demand="population"), found(NEW), facts)["sentences"]
    assert any("the demand and the burden" in said for said in words["en"])
    assert any("隐私负担" in said for said in words["zh"])


@pytest.mark.parametrize("device_type", DEVICE_TYPES)
def test_prepared_case__every_kind_of_device__named_in_both_languages(device_type):
    question = SitingAsked(view=View(device_type=device_type)).as_json()
    assert device_type.split("_")[0] in case_of(argument(question=question)).justification["technical_rationale"]


def test_prepared_case__nobody_named_an_item__the_legal_basis_is_left_to_people():
    assert "legal_basis" not in case_of(argument(item=None, law=None)).justification


def test_prepared_case__reason_that_the_machine_cannot_know__left_out():
    assert list(case_of(argument(reasons=("necessity", "weather"))).justification) == ["necessity"]
