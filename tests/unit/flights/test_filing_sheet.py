"""The filing sheet: class of airspace of each leg, and the dates that the rule pack gives, in local time."""

from datetime import UTC, datetime, timedelta

import pytest
from shapely.geometry import LineString, box

from flights.check.situation import AirspaceArea
from flights.ground import UnknownGround
from flights.mission import RouteSpec, compile_route
from flights.papers.filing_sheet import Sheet, deadlines_of, emergency_of, first_day, legs_of
from flights.path.profile import profile
from geo.types import LonLat
from schemas.rules import Rulebook
from tests.missions import SPEED_M_S, TRIGGER_M, FlatGround

BOOK = Rulebook.load()
PACK, NEUTRAL = BOOK["cn-gd-2025"], BOOK["demo-neutral"]
START = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)  # 10:00 in Qinghe
R1 = LineString([(113.2550, 23.1250), (113.2850, 23.1250)])
HOME = LonLat(113.2545, 23.1250)
WATER = AirspaceArea("drinking_water_source", "Upper reservoir", "approval", box(113.27, 23.12, 113.272, 23.13))
PORT = AirspaceArea("port", "Harbour", "filing", box(113.2830, 23.12, 113.2860, 23.13))


def path(alt_m=100.0):
    plan = compile_route(RouteSpec(R1, alt_m, HOME, SPEED_M_S, TRIGGER_M), FlatGround()).plan
    return profile(plan, FlatGround())


def sheet(now, *, held=False, alt_m=100.0, airspace=(), pack=PACK):
    return Sheet(
        about={"flight": "FL-1"},
        window=(START, START + timedelta(minutes=40)),
        home=HOME,
        home_amsl_m=12.0,
        legs=legs_of(path(alt_m), airspace, pack),
        deadlines=deadlines_of(pack, START),
        emergency=emergency_of(pack, START),
        emergency_enabled=pack["uav.emergency_enabled"],
        held=held,
        now=now,
    )


def local(day, hour, minute=0):
    return datetime(2025, 7, day, hour, minute, tzinfo=PACK.zone)


class TestClass:
    def test_article_19__100_m_over_nothing_listed__suitable_airspace(self):
        legs = legs_of(path(), (), PACK)
        assert [leg.controlled for leg in legs] == [False] * len(legs)
        assert {leg.part for leg in legs} == {"transit", "route", "return"}
        assert sheet(START).needs is None
        assert not sheet(START).too_late

    @pytest.mark.parametrize(("alt_m", "controlled"), [(119.9, False), (120.0, False), (120.2, True), (150.0, True)])
    def test_article_19__above_120_m_true_height__controlled(self, alt_m, controlled):
        (route,) = [leg for leg in legs_of(path(alt_m), (), PACK) if leg.part == "route"]
        assert route.controlled == controlled
        assert route.needs == ("approval" if controlled else None)

    def test_article_19__over_a_protected_place__that_leg_alone(self):
        legs = legs_of(path(), (WATER,), PACK)
        (route,) = [leg for leg in legs if leg.part == "route"]
        assert (route.because, route.needs) == (("Upper reservoir",), "approval")
        assert not any(leg.controlled for leg in legs if leg.part == "transit")

    def test_GD_16_2__filing_beside_approval__the_stricter_one(self):
        made = sheet(START, airspace=(WATER, PORT))
        assert {leg.needs for leg in made.legs} >= {"approval"}
        assert made.needs == "approval"
        assert sheet(START, airspace=(PORT,)).needs == "filing"

    def test_GD_16_2__height_not_known__counts_as_controlled(self):
        plan = compile_route(RouteSpec(R1, 100.0, HOME, SPEED_M_S, TRIGGER_M), FlatGround()).plan
        for leg in legs_of(profile(plan, UnknownGround()), (), PACK):
            assert (leg.because, leg.needs, leg.alt_max_agl_m) == (("height_unknown",), "approval", None)


class TestDates:
    def test_article_26__noon_and_nine_of_the_day_before_and_one_hour__local(self):
        apply, decision, ready = deadlines_of(PACK, START)
        assert apply.at == local(1, 12)
        assert decision.at == local(1, 21)
        assert ready.at == local(2, 9)
        assert "inferred" in decision.source
        assert all(deadline.source for deadline in (apply, decision, ready))

    def test_article_26__day_is_the_local_one(self):
        """23:30 UTC on the first is already the second in Qinghe."""
        apply, _decision, ready = deadlines_of(PACK, datetime(2025, 7, 1, 23, 30, tzinfo=UTC))
        assert (apply.at, ready.at) == (local(1, 12), local(2, 6, 30))

    def test_emergency__half_an_hour_and_ten_minutes(self):
        apply, decision = emergency_of(PACK, START)
        assert (apply.at, decision.at) == (local(2, 9, 30), local(2, 9, 50))
        assert PACK["uav.emergency_enabled"] is False

    def test_another_pack__other_dates(self):
        apply, _decision, ready = deadlines_of(NEUTRAL, START)
        assert (START - ready.at, apply.at.hour) == (timedelta(minutes=30), 18)

    @pytest.mark.parametrize(("minute", "missed"), [(0, False), (1, True)])
    def test_article_26__one_minute_past_noon__missed(self, minute, missed):
        made = sheet(local(1, 12, minute), airspace=(WATER,))
        assert made.apply_by.render(made.now)["missed"] == missed
        assert made.too_late == missed

    def test_article_26__held_already__not_too_late(self):
        assert not sheet(local(1, 13), airspace=(WATER,), held=True).too_late

    @pytest.mark.parametrize(("hour", "minute", "first"), [(12, 0, 2), (12, 1, 3)])
    def test_first_day__of_an_application_made_now(self, hour, minute, first):
        assert first_day(PACK, local(1, hour, minute)) == local(first, 0).date()


def test_render__is_json_with_local_times_and_metres():
    body = sheet(local(1, 11), airspace=(WATER,)).render()
    assert body["needs"] == "approval"
    assert body["deadlines"][0]["at"] == "2025-07-01T12:00:00+08:00"
    assert body["deadlines"][0]["left_min"] == 60
    assert body["emergency"]["enabled"] is False
    assert {leg["class"] for leg in body["legs"]} == {"controlled", "suitable"}
