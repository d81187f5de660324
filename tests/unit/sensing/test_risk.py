"""Risk adds up from few facts, says why, and never falls when a fact grows worse."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.rules import Rulebook
from sensing.risk import Facts, assess, protected_layers, scale

DUE = date(2025, 7, 8)
PLAIN = Facts(violation="illegal_excavation", area_m2=300, least_m2=300, score=0.5)


def test_risk__plain_find__severity_and_score_alone():
    risk = assess(PLAIN, DUE)
    assert risk.points == 4 * 6 + 5
    assert risk.turn == DUE - timedelta(days=2)
    assert [one.key for one in risk.trace] == ["risk.place", "risk.severity", "risk.score"]


def test_risk__protected_large_and_growing__each_has_its_sentence():
    facts = replace(PLAIN, protected={"farmland": 0.9, "water": 0.004}, area_m2=2400, growth=2.0)
    risk = assess(facts, DUE)
    assert risk.points == 24 + 20 + 15 + 10 + 5
    told = [one.render("en") for one in risk.trace]
    assert told[0] == "risk 74 of 100 brings it 7 days ahead of its last day, 2025-07-08"
    assert told[2] == "90% of it on farmland: 20 points"
    assert "8.0 times" in told[3]
    assert "grown to 200%" in told[4]
    assert all(one.render("zh") for one in risk.trace)


def test_risk__place_that_it_touches__half_the_points():
    assert assess(replace(PLAIN, protected={"protected": 0.2}), DUE).points == assess(PLAIN, DUE).points + 10


def test_risk__changed_more_than_the_rest_of_the_picture__up_to_five_points():
    risk = assess(replace(PLAIN, change=1.0), DUE)
    assert risk.points == assess(PLAIN, DUE).points + 5
    assert "risk.change" in [sentence.key for sentence in risk.trace]
    assert assess(replace(PLAIN, change=0.9), DUE) == assess(PLAIN, DUE)


def test_risk__shrunk_or_seen_first__no_points_for_growth():
    assert assess(replace(PLAIN, growth=0.5), DUE) == assess(PLAIN, DUE)


facts = st.builds(
    Facts,
    violation=st.sampled_from([None, "illegal_discharge", "uncovered_soil", "unheard_of"]),
    area_m2=st.floats(1, 1e9),
    least_m2=st.floats(1, 1e4),
    score=st.floats(0, 1),
    protected=st.dictionaries(st.sampled_from(protected_layers()), st.floats(0, 1)),
    growth=st.none() | st.floats(0.01, 1e4),
)


@given(facts, st.floats(1, 100))
def test_risk__worse_is_never_later(one, times):
    risk = assess(one, DUE)
    assert 0 <= risk.points <= 100
    assert risk.turn <= risk.due == DUE
    worse = (
        replace(one, area_m2=one.area_m2 * times),
        replace(one, score=1.0),
        replace(one, growth=(one.growth or 1) * times),
        replace(one, protected=dict.fromkeys(protected_layers(), 1.0)),
        replace(one, violation="illegal_discharge"),
    )
    assert all(assess(other, DUE).turn <= risk.turn for other in worse)


def test_risk__every_violation_of_the_packs_has_its_severity():
    codes = {entry.code for pack in Rulebook.load().packs for entry in pack.violation_catalogue}
    assert codes == set(scale()["severity"])
