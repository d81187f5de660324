"""Violation types as data: what a pack may say of them, and what is refused at load."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from schemas.rules import Rulebook
from schemas.rules.rulebook import PackError, read_pack
from schemas.rules.violations import Range, Season

PACK = Path("schemas/rules/packs/demo-neutral.yaml")
# The types that issue and law name; a pack of the house has a rule for every one of them.
NAMED = {
    *("illegal_building", "land_conversion", "vegetation_clearance", "open_dumping", "open_burning"),
    *("open_burning_flames", "open_burning_smoke"),
    *("illegal_discharge", "algal_bloom", "black_odour_water", "uncovered_soil", "illegal_excavation"),
}


@pytest.fixture
def document():
    return yaml.safe_load(PACK.read_text(encoding="utf-8"))


def refused(document, **changes) -> str:
    document["violation_catalogue"][0] |= changes
    with pytest.raises(PackError) as caught:
        read_pack(yaml.safe_dump(document, allow_unicode=True))
    return str(caught.value)


def test_pack_of_the_house__names_every_type():
    entries = Rulebook.load()["cn-gd-2025"].violation_catalogue
    assert {entry.code for entry in entries} == NAMED
    assert all(entry.legal_basis.placeholder for entry in entries)


def test_another_pack__other_numbers_and_kinds__loads_without_code(document):
    entry = document["violation_catalogue"][0]
    entry |= {"code": "salt_pan", "min_area_m2": 7, "seasons": [{"first": "11-01", "last": "02-29"}]}
    entry["land_cover"] = {"kinds": ["salt"], "least_score": 0.5, "measures": {"whiteness": {"least": 0.8}}}
    (loaded,) = read_pack(yaml.safe_dump(document, allow_unicode=True)).violation_catalogue
    assert loaded.kinds == ("salt",)
    assert loaded.seasons[0].covers(date(2026, 1, 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"surprise": 1}, "surprise"),
        ({"legal_basis": "an act"}, "legal_basis"),
        ({"land_cover": {"kinds": []}}, "kinds"),
        ({"land_cover": {"kinds": ["salt"], "measures": {"whiteness": {}}}}, "a least or a most"),
        ({"land_cover": {"kinds": ["salt"], "measures": {"w": {"least": 2, "most": 1}}}}, "above the most"),
        ({"land_cover": {"kinds": ["salt"], "least_score": 1.5}}, "least_score"),
        ({"observed": []}, "observed"),
        ({"observed": [{"dates": 3, "bands": ["red"], "coarsest_m": 1}]}, "dates"),
        ({"observed": [{"dates": 1, "bands": ["ultraviolet"], "coarsest_m": 1}]}, "bands"),
        ({"observed": [{"dates": 1, "bands": ["red"], "coarsest_m": 0}]}, "coarsest_m"),
        ({"min_area_m2": float("nan")}, "min_area_m2"),
        ({"trust": "absolute"}, "trust"),
        ({"trust": "low"}, "asks for no corroboration"),
        ({"same_place": {"least_share": 0, "grown_ratio": 2}}, "least_share"),
        ({"same_place": {"least_share": 0.5, "grown_ratio": 1}}, "grown_ratio"),
        ({"only_within": ["water"], "never_within": ["water"]}, "only and never"),
        ({"unless_permitted": ["quarry"], "only_permitted": ["quarry"]}, "needs and forbids"),
        ({"seasons": [{"first": "02-30", "last": "03-01"}]}, "no day of a year"),
        ({"seasons": [{"first": "1 May", "last": "03-01"}]}, "first"),
    ],
)
def test_type__anything_else__refused(document, change, said):
    assert said in refused(document, **change)


def test_placeholder__without_legal_review__refused(document):
    said = refused(document, legal_basis={"en": "to be named", "zh": "待定", "placeholder": True})
    assert "needs_legal_review" in said


def test_code__twice__refused(document):
    twin = document["violation_catalogue"][0] | {"land_cover": {"kinds": ["salt"]}}
    document["violation_catalogue"].append(twin)
    assert "one code names two violation types" in refused(document)


@pytest.mark.parametrize(
    ("first", "last", "within", "without"),
    [
        ("04-01", "10-31", ["2025-04-01", "2025-10-31"], ["2025-03-31", "2025-11-01"]),
        ("11-01", "02-28", ["2025-11-01", "2025-12-31", "2026-01-01", "2026-02-28"], ["2025-10-31", "2024-02-29"]),
    ],
)
def test_season__both_ends_included__over_new_year_too(first, last, within, without):
    season = Season(first=first, last=last)
    assert all(season.covers(date.fromisoformat(day)) for day in within)
    assert not any(season.covers(date.fromisoformat(day)) for day in without)


def test_range__open_at_one_end__holds_the_end_itself():
    assert Range(least=1).holds(1)
    assert Range(most=1).holds(1)
    assert not Range(least=1).holds(0.999)
