"""Hostile logs: whatever is done to the bytes, the answer is a flight or a refusal, soon and in bounded memory."""

import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flights.logs.open import read_log
from schemas.refusals import RuleViolation
from tests.flightlogs import Bin, bin_of, straight, tlog_of

TRACK = straight(seconds=4)
LOGS = {"bin": bin_of(TRACK), "tlog": tlog_of(TRACK)}


def answer(path, data):
    path.write_bytes(data)
    try:
        return read_log(path, 1)
    except RuleViolation:
        return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_log__bytes_changed__a_flight_or_a_refusal(tmp_path, data):
    log = bytearray(LOGS[data.draw(st.sampled_from(sorted(LOGS)))])
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(log) - 1))
        match data.draw(st.sampled_from("xdic")):
            case "x":
                log[place] = data.draw(st.integers(0, 255))
            case "d":
                del log[place : place + data.draw(st.integers(1, 300))]
            case "i":
                log[place:place] = data.draw(st.binary(max_size=300))
            case _:
                log = log[: place + 1]
        if not log:
            break
    logged = answer(tmp_path / "log", bytes(log))
    assert logged is None or len(logged.positions)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=4000), name=st.sampled_from([b"POS", b"GPS", b"CMD", b"CAM"]))
def test_bin__fields_called_what_they_are_not__a_flight_or_a_refusal(tmp_path, data, name):
    log = Bin()
    log.describe("POS", 130, "QLLff", "TimeUS,Lat,Lng,Alt,RelHomeAlt")
    log.describe(name.decode(), 131, "dffff", "TimeUS,CTot,CNum,GWk,GMS")
    body = b"".join(b"\xa3\x95" + bytes([130 + n // 25 % 2]) + data[n : n + 24].ljust(24, b"\xff")
                    for n in range(0, len(data), 25))  # fmt: skip
    answer(tmp_path / "log", bytes(log.data) + body)


@pytest.mark.parametrize("head", [b"", LOGS["bin"][:200], LOGS["tlog"][:60]], ids=["alone", "bin", "tlog"])
def test_log__eight_megabytes_of_noise__refused_soon_and_in_little_memory(tmp_path, head):
    noise = bytes((n * 7919 >> 3) & 255 for n in range(65_536)) * 128
    tracemalloc.start()
    assert answer(tmp_path / "log", head + noise) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
