"""Signatures by themselves: ours against pymavlink's own, both ways, and everything that must not be believed."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.signing import LAST_STAMP, RESERVED, STAMPS_PER_S, Dropped, Signature, stamp_of
from schemas.clock import FixedClock

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def stock(key: bytes | None, system: int = 1, *, stamp: int | None = None, link_id: int = 0) -> mavlink.MAVLink:
    """pymavlink's own codec, set up as its `setup_signing` does."""
    codec = mavlink.MAVLink(None, srcSystem=system, srcComponent=1)
    codec.signing.secret_key = key
    codec.signing.sign_outgoing = key is not None
    codec.signing.link_id = link_id
    codec.signing.timestamp = stamp_of(NOW) if stamp is None else stamp
    return codec


def beat() -> mavlink.MAVLink_message:
    return mavlink.MAVLink_heartbeat_message(2, 3, 0, 0, 3, 3)


def frame(codec: mavlink.MAVLink, message: mavlink.MAVLink_message | None = None) -> bytes:
    return (message or beat()).pack(codec)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def ours(clock) -> Signature:
    return Signature(KEY, 5, clock=clock)


def signed(signature: Signature, system: int = 245) -> bytes:
    message = beat()
    return signature.sign(message.pack(mavlink.MAVLink(None, system, 190)), message.crc_extra)


def test_sign__ours__verified_by_pymavlink(ours):
    theirs = stock(KEY)
    for expected in (ours, ours):
        message = theirs.decode(bytearray(signed(expected)))
        assert message.get_signed()
        assert message.get_link_id() == 5
    assert theirs.signing.goodsig_count == 2


@given(
    system=st.integers(1, 255),
    values=st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**32 - 1)),
)
def test_sign__any_message__verified_by_pymavlink_and_unchanged(system, values):
    lat, lon, boot_ms = values
    message = mavlink.MAVLink_global_position_int_message(boot_ms, lat, lon, 1, 2, 3, 4, 5, 6)
    ours = Signature(KEY, 0, clock=FixedClock(NOW))
    sent = ours.sign(message.pack(mavlink.MAVLink(None, system, 1)), message.crc_extra)
    read = stock(KEY).decode(bytearray(sent))
    assert (read.lat, read.lon, read.time_boot_ms, read.get_srcSystem()) == (lat, lon, boot_ms, system)


def test_refuses__signed_by_pymavlink__believed(ours):
    theirs = stock(KEY)
    assert [ours.refuses(frame(theirs)) for _ in range(3)] == [None, None, None]


def test_refuses__unsigned__dropped(ours):
    assert ours.refuses(frame(stock(None))) is Dropped.UNSIGNED


def test_refuses__unsigned_while_no_key_is_on_board_yet__believed(clock):
    assert Signature(KEY, strict=False, clock=clock).refuses(frame(stock(None))) is None
    assert Signature(KEY, strict=False, clock=clock).refuses(frame(stock(OTHER))) is Dropped.SIGNATURE


def test_refuses__modem_of_the_radio__counted_by_itself(ours):
    status = mavlink.MAVLink_radio_status_message(200, 190, 100, 40, 40, 0, 0)
    assert ours.refuses(frame(stock(None, system=51), status)) is Dropped.MODEM
    assert ours.refuses(frame(stock(OTHER, system=51), status)) is Dropped.SIGNATURE


def test_refuses__wrong_key__dropped(ours):
    assert ours.refuses(frame(stock(OTHER))) is Dropped.SIGNATURE


@pytest.mark.parametrize("at", [2, 4, 5, 6, 12, -14, -13, -10, -1])
def test_refuses__one_bit_flipped__dropped(ours, at):
    bent = bytearray(frame(stock(KEY)))
    bent[at] ^= 2 if at == 2 else 1
    assert ours.refuses(bent) is Dropped.SIGNATURE


def test_refuses__same_frame_again__dropped(ours):
    once = frame(stock(KEY))
    assert ours.refuses(once) is None
    assert ours.refuses(once) is Dropped.REPLAY


def test_refuses__older_frame_of_a_known_stream__dropped(ours):
    theirs = stock(KEY)
    first, second = frame(theirs), frame(theirs)
    assert ours.refuses(second) is None
    assert ours.refuses(first) is Dropped.REPLAY


def test_refuses__other_link_or_component__streams_of_their_own(ours):
    assert ours.refuses(frame(stock(KEY, link_id=1))) is None
    assert ours.refuses(frame(stock(KEY, link_id=2))) is None
    assert ours.refuses(frame(stock(KEY, system=2, link_id=2))) is None


@pytest.mark.parametrize(("lag_s", "believed"), [(59, True), (61, False), (3600, False)])
def test_refuses__new_stream_behind_us__by_a_minute_at_most(ours, lag_s, believed):
    late = frame(stock(KEY, stamp=stamp_of(NOW) - lag_s * STAMPS_PER_S))
    assert ours.refuses(late) is (None if believed else Dropped.REPLAY)


def test_refuses__recorded_an_hour_ago__dropped_after_a_restart(clock):
    """pymavlink's own time stamp advances by one with every message: an old recording would be taken as new."""
    recorded = frame(stock(KEY))
    clock.at = NOW + timedelta(hours=1)
    assert Signature(KEY, clock=clock).refuses(recorded) is Dropped.REPLAY


def test_refuses__forged_frame_from_the_far_future__silences_nobody(ours):
    """The hole in pymavlink: one such frame, and nothing of the real aircraft is believed any more."""
    forged = bytearray(frame(stock(OTHER, stamp=LAST_STAMP - 2)))
    theirs, deaf = stock(KEY), stock(KEY, system=245)
    with pytest.raises(mavlink.MAVError):
        deaf.decode(bytearray(forged))
    with pytest.raises(mavlink.MAVError):
        deaf.decode(bytearray(frame(theirs)))
    assert ours.refuses(forged) is Dropped.SIGNATURE
    assert ours.refuses(frame(theirs)) is None
    assert int.from_bytes(signed(ours)[-12:-6], "little") < stamp_of(NOW) + STAMPS_PER_S


def test_refuses__unknown_kind_without_a_signature__dropped(ours):
    unknown = b"\xfd\x04\x00\x00\x00\x01\x01\x77\x77\x77abcd\x00\x00"
    assert stock(KEY).decode(bytearray(unknown)).get_type().startswith("UNKNOWN")
    assert ours.refuses(unknown) is Dropped.UNSIGNED


@given(st.integers(1, 13))
def test_refuses__signature_cut_short__dropped(cut):
    whole = frame(stock(KEY))
    assert Signature(KEY, clock=FixedClock(NOW)).refuses(whole[:-cut]) is Dropped.SIGNATURE


@given(st.binary(min_size=12, max_size=300))
def test_refuses__any_bytes__never_believed_and_never_raises(noise):
    ours = Signature(KEY, clock=FixedClock(NOW))
    assert ours.refuses(b"\xfd" + noise) in (Dropped.UNSIGNED, Dropped.SIGNATURE, Dropped.MODEM)


def test_sign__time_stands_still_or_goes_back__stamps_rise(ours, clock):
    stamps = []
    for shift_s in (0, 0, -3600, 0, 1, -60):
        clock.at += timedelta(seconds=shift_s)
        stamps.append(int.from_bytes(signed(ours)[-12:-6], "little"))
    assert stamps == sorted(set(stamps))
    assert stamps[0] == stamp_of(NOW)


def test_sign__long_idle__stamp_follows_the_clock(ours, clock):
    signed(ours)
    clock.at += timedelta(minutes=10)
    assert int.from_bytes(signed(ours)[-12:-6], "little") == stamp_of(clock.at)


def test_sign__aircraft_is_ahead__ours_goes_above_it(ours):
    ahead = stamp_of(NOW) + 600 * STAMPS_PER_S
    assert ours.refuses(frame(stock(KEY, stamp=ahead))) is None
    theirs = stock(KEY, stamp=ahead + 1)
    assert theirs.decode(bytearray(signed(ours))).get_signed()


def test_sign__restart_with_the_clock_set_back__goes_on_above_what_was_sent(clock):
    kept: list[int] = []
    before = Signature(KEY, keep=kept.append, clock=clock)
    last = int.from_bytes(signed(before)[-12:-6], "little")
    assert kept == [last + RESERVED]
    clock.at -= timedelta(days=300)
    after = Signature(KEY, sent=kept[-1], keep=kept.append, clock=clock)
    assert int.from_bytes(signed(after)[-12:-6], "little") > last


def test_sign__stamp_is_written_down_before_it_is_used__and_seldom(clock):
    kept: list[int] = []
    ours = Signature(KEY, keep=kept.append, clock=clock)
    for _ in range(500):
        clock.at += timedelta(milliseconds=10)
        assert int.from_bytes(signed(ours)[-12:-6], "little") <= kept[-1]
    assert len(kept) == 3
    ours.release()
    assert kept[-1] == int.from_bytes(signed(ours)[-12:-6], "little") - 1


def test_sign__stamp_cannot_be_written_down__sent_all_the_same(clock, caplog):
    def full(_stamp: int) -> None:
        raise OSError(28, "No space left on device")

    ours = Signature(KEY, keep=full, clock=clock)
    assert stock(KEY).decode(bytearray(signed(ours))).get_signed()
    assert "No space left" in caplog.text


def test_key__of_another_length__refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Signature(b"short")
    with pytest.raises(ValueError, match="one byte"):
        Signature(KEY, 256)


def test_key__shown_or_copied_out__never(ours):
    assert KEY.hex() not in repr(ours)
    assert str(KEY) not in repr(ours)
    with pytest.raises(TypeError):
        pickle.dumps(ours)
    with pytest.raises(TypeError):
        copy.copy(ours)
