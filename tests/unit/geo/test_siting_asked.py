"""A question of siting as JSON: read as it was written, and refused by name where it speaks of money (GD-13.1)."""

from __future__ import annotations

import math

import pytest

from geo.siting.asked import SitingAsked, Sources, View
from schemas.refusals import RuleViolation


def rules(told):
    with pytest.raises(RuleViolation) as refused:
        SitingAsked.of_json(told)
    return [refusal.rule for refusal in refused.value.refusals]


def test_question__written_and_read__the_same():
    asked = SitingAsked(
        model="least_cost",
        count=7,
        demand="risk",
        candidates=Sources(sources=("roads", "poles"), effort={"poles": 0.5}),
        view=View(device_type="radar", hfov_deg=360),
        most_burden=100.0,
    )
    assert SitingAsked.of_json(asked.as_json()) == asked
    assert asked.as_json()["candidates"]["from"] == ["roads", "poles"]


@pytest.mark.parametrize(
    "told",
    [
        {"revenue": 1},
        {"demand": "fine_income"},
        {"candidates": {"from": ["roads"], "penalty_weight": 3}},
        {"candidates": {"effort": {"revenue": 1.0}}},
        {"view": {"fines": 2}},
    ],
)
def test_GD_13_1__money_under_any_name__refused_by_that_rule(told):
    assert "GD-13.1" in rules(told)


def test_GD_13_1__revenue__has_no_place_in_a_question():
    with pytest.raises(TypeError, match="revenue"):
        SitingAsked(revenue=1)


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"colour": 1}, "siting.unknown_key"),
        ({"count": "three"}, "siting.unreadable"),
        ({"count": True}, "siting.unreadable"),
        ({"view": 3}, "siting.unreadable"),
        ({"model": "best"}, "siting.word"),
        ({"demand": "weather"}, "siting.word"),
        ({"candidates": {"from": []}}, "siting.no_source"),
        ({"candidates": {"effort": {"roads": 0}}}, "siting.number"),
        ({"count": 0}, "siting.number"),
        ({"share": 1.5}, "siting.number"),
        ({"view": {"range_m": 0}}, "siting.number"),
        ({"view": {"hfov_deg": 400}}, "siting.number"),
        ({"view": {"range_m": math.nan}}, "siting.number"),
        ({"most_burden": -1}, "siting.number"),
        ({"model": "nearest", "most_burden": 5}, "siting.unbounded"),
    ],
)
def test_question__that_cannot_be__refused_with_its_part(told, rule):
    assert rule in rules(told)


def test_question__several_faults__all_told_at_once():
    assert rules({"count": -1, "share": 9, "model": "best"}) == ["siting.word", "siting.number", "siting.number"]
