"""Remote ID against the register and the telemetry: when it fits, when it does not, and when nobody can say."""

import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flights.link.connection import mavlink
from flights.remote_id.messages import BasicId, Location, Module, OperatorId, System, from_mavlink
from flights.remote_id.register import (
    APART_TIMES,
    FIRST_ROUND,
    SILENT_AFTER_S,
    Identification,
    Registered,
    State,
    notes_of,
)
from geo.types import LonLat
from schemas.refusals import RuleViolation

NOW = datetime(2025, 7, 2, 2, 59, 30, tzinfo=UTC)
HERE = LonLat(113.26, 23.125)
EAST_DEG_PER_M = 1 / 102_480
OPERATOR = LonLat(113.2, 23.1)


def basic(uas_id, kind="serial_number"):
    return BasicId(kind, "multirotor", uas_id)


def place(at=HERE, since_hour_s=None, within_m=10.0, time_within_s=0.1):
    return Location(
        "airborne", at, None, None, 90.0, "take_off", 90.0, 10.0, 0.0, since_hour_s, within_m, 3.0, 1.0, time_within_s
    )


def east(metres):
    return LonLat(HERE.lon + metres * EAST_DEG_PER_M, HERE.lat)


def hour_s(at):
    return at.minute * 60 + at.second + at.microsecond / 1e6


def known(serial="SN-1", mark="B-1234"):
    return Identification(Registered(mark, serial))


def flown(known, seconds, off_m=0.0, start=NOW, late_s=0.0, **claims):
    """Telemetry four times a second at 10 m/s to the east, and once a second a place `off_m` away from it."""
    for quarter in range(seconds * 4):
        at = start + timedelta(seconds=quarter / 4)
        known.see(at, east(10 * quarter / 4), 10.0)
        if quarter % 4 == 2:
            told_at = at - timedelta(seconds=late_s)
            known.hear(place(east(10 * quarter / 4 + off_m), hour_s(told_at), **claims), at)
    return known


@pytest.mark.parametrize("said", ["SN-1", "sn-1 ", " SN-1"])
def test_serial_number__that_of_the_register__match(said):
    told = known()
    told.hear(basic(said), NOW)
    assert (told.state, told.reasons) == (State.MATCH, ())


def test_serial_number__another__mismatch_with_what_was_expected():
    told = known()
    told.hear(basic("SN-2"), NOW)
    assert (told.state, told.reasons) == (State.MISMATCH, ("serial_number",))
    assert told.render()["registered"] == {"serial_number": "SN-1"}


def test_registration__another_mark__mismatch_even_where_the_serial_fits():
    told = known()
    told.hear(basic("SN-1"), NOW)
    told.hear(basic("B-9999", "registration"), NOW)
    assert told.reasons == ("registration",)


@pytest.mark.parametrize(
    ("registered", "said"),
    [
        (Registered("B-1234", None), basic("SN-1")),
        (Registered("B-1234", "SN-1"), basic("")),
        (Registered("B-1234", "SN-1"), basic("77", "session")),
    ],
)
def test_nothing_to_compare__unknown_and_no_match(registered, said):
    told = Identification(registered)
    told.hear(said, NOW)
    assert (told.state, told.reasons) == (State.UNKNOWN, ())


def test_nothing_heard__absent__told_once_the_telemetry_went_on_for_a_while():
    told = known()
    told.see(NOW, HERE, 0.0)
    assert not told.is_worth_telling
    told.see(NOW + timedelta(seconds=SILENT_AFTER_S + 1), HERE, 0.0)
    assert (told.state, told.is_worth_telling) == (State.ABSENT, True)


def test_module_alone__identifies_nobody():
    told = known()
    told.hear(Module(False, "no position"), NOW)
    assert told.state is State.ABSENT
    assert told.render()["module"] == {"is_fit": False, "reason": "no position"}


def test_no_id__told_after_a_whole_round():
    told = known()
    for _ in range(FIRST_ROUND - 1):
        told.hear(OperatorId("OP"), NOW)
        assert not told.is_worth_telling
    told.hear(OperatorId("OP"), NOW)
    assert told.is_worth_telling


@pytest.mark.parametrize(("off_m", "reasons"), [(0, ()), (18, ()), (40, ("position",)), (5_000, ("position",))])
def test_position__apart_by_more_than_both_may_be_wrong__mismatch(off_m, reasons):
    """10 m claimed, 10 m of our own, 10 m/s for a tenth of a second."""
    told = flown(known(), 8, off_m)
    assert told.reasons == reasons
    assert told.render()["apart_m"] == pytest.approx(off_m, rel=1e-3, abs=0.6)
    assert told.render()["allowed_m"] == pytest.approx(21.0)


def test_position__one_report_off__no_mismatch():
    told = flown(known(), 4)
    told.hear(place(east(900), hour_s(NOW + timedelta(seconds=3.6))), NOW)
    assert told.reasons == ()


def test_position__no_accuracy_claimed__not_compared():
    told = flown(known(), 8, 5_000, within_m=None)
    assert told.reasons == ()
    assert told.render()["apart_m"] is None


def test_position__no_exact_time__a_second_of_flight_is_allowed():
    assert flown(known(), 4, time_within_s=None).render()["allowed_m"] == pytest.approx(30.0)


def test_position__over_the_full_hour__still_compared():
    """From 02:59:30 on, for a minute and a half."""
    told = flown(known(), 90, 60)
    assert told.reasons == ("position",)
    assert flown(known(), 90).reasons == ()


def test_position__recorded_and_sent_again__time_speaks_against_it():
    told = flown(known(), 8, late_s=600.0)
    assert told.reasons == ("time",)
    assert flown(known(), 8, late_s=0.6).reasons == ()


def test_telemetry_stops__remote_id_goes_on__its_time_is_not_blamed():
    told = flown(known(), 8)
    for second in range(8, 60):
        told.hear(place(east(10 * second), hour_s(NOW + timedelta(seconds=second))), NOW)
    told.see(NOW + timedelta(seconds=60), east(600), 10.0)
    assert told.reasons == ()


def test_silent__while_the_telemetry_goes_on():
    told = known()
    told.see(NOW, HERE, 0.0)
    told.hear(basic("SN-1"), NOW)
    told.see(NOW + timedelta(seconds=SILENT_AFTER_S), HERE, 0.0)
    assert told.state is State.MATCH
    told.see(NOW + timedelta(seconds=SILENT_AFTER_S + 0.5), HERE, 0.0)
    assert told.state is State.SILENT
    told.hear(basic("SN-1"), NOW + timedelta(seconds=11))
    assert told.state is State.MATCH


def test_silent__after_a_mismatch__the_mismatch_stays():
    told = known()
    told.see(NOW, HERE, 0.0)
    told.hear(basic("SN-2"), NOW)
    told.see(NOW + timedelta(seconds=60), HERE, 0.0)
    assert told.state is State.MISMATCH


def test_fixed__places_move_it_not__the_operator_does__another_id_is_news():
    told = known()
    told.hear(basic("SN-1"), NOW)
    told.hear(place(), NOW)
    before = told.fixed
    told.hear(place(east(50)), NOW)
    told.hear(System("live", east(5), None, 1, 0.0, None), NOW)
    assert told.fixed == before
    news = told.news
    told.hear(OperatorId("OP"), NOW)
    assert (told.fixed != before, told.news) == (True, news)
    told.hear(basic("SN-2"), NOW)
    assert told.news != news


def test_notes__all_that_spoke_against_it__and_never_where_the_operator_stood():
    told, bodies = known(), []
    told.hear(System("live", OPERATOR, None, 1, 0.0, None), NOW)
    for serial in ("SN-1", "SN-2", "SN-1"):
        told.hear(basic(serial), NOW)
        bodies.append(told.render())
    assert bodies[0]["operator_at"] == list(OPERATOR)
    notes = notes_of(bodies)
    assert notes["spoke_against"] == ["serial_number"]
    assert (notes["heard"], notes["matched"], notes["state"]) == (True, True, "match")
    assert notes["ids"] == [["serial_number", "SN-1"], ["serial_number", "SN-2"]]
    assert str(OPERATOR.lon) not in str(notes)
    assert "operator" not in str(notes)


def test_notes__nothing_heard():
    assert notes_of([]) == notes_of([known().render()])
    assert notes_of([])["state"] == "absent"


@given(
    st.lists(
        st.tuples(
            st.floats(0, 7_200),
            st.floats(-180, 180),
            st.floats(-90, 90),
            st.floats(0, 3_600) | st.none(),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_any_order_of_reports__never_fails(reports):
    told = known()
    for after_s, lon, lat, since_hour_s, is_told in reports:
        if is_told:
            told.hear(place(LonLat(lon, lat), since_hour_s), NOW)
        else:
            told.see(NOW + timedelta(seconds=after_s), LonLat(lon, lat), 5.0)
        assert told.render()["state"] in list(State)
    assert APART_TIMES > 1


KINDS = [kind for kind in mavlink.mavlink_map.values() if kind.msgname.startswith("OPEN_DRONE_ID_")]


@given(st.sampled_from(KINDS), st.binary(min_size=260, max_size=260))
def test_any_payload_of_any_remote_id_frame__says_what_json_can_hold(kind, noise):
    """NaN, infinity, texts that are none, packs within packs: whatever a frame with a right checksum may hold."""
    payload = noise[: kind.unpacker.size]
    head = bytes([0xFD, len(payload), 0, 0, 0, 1, 236]) + kind.id.to_bytes(3, "little")
    crc = mavlink.x25crc(head[1:] + payload)
    crc.accumulate(bytes([kind.crc_extra]))
    told = known()
    told.see(NOW, HERE, 5.0)
    message = mavlink.MAVLink(None).decode(bytearray(head + payload + crc.crc.to_bytes(2, "little")))
    with contextlib.suppress(RuleViolation):
        for said in from_mavlink(message):
            told.hear(said, NOW)
    told.see(NOW + timedelta(seconds=1), HERE, 5.0)
    body = json.loads(json.dumps(told.render(), allow_nan=False))
    assert body["state"] in list(State)
    notes_of([body])
