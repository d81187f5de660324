"""Logs as they lie on the disk: what they tell is read, what they do not tell is refused, damage is told."""

import numpy as np
import pytest
from pymavlink import DFReader
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.canonical import mission_digest
from flights.logs.leap import gps_to_unix
from flights.logs.open import read_log
from flights.logs.record import Source
from flights.model import Command, Frame, PlanItem
from geo.types import LonLat
from schemas.refusals import RuleViolation
from tests.flightlogs import BOOT_UTC_S, Bin, bin_of, frame, record, straight, tlog_of

TRACK = straight(seconds=30)
ITEMS = [
    PlanItem(Command.NAV_TAKEOFF, Frame.GLOBAL_RELATIVE_ALT, at=LonLat(113.255, 23.125), alt_m=100.0).wire(),
    PlanItem(Command.DO_CHANGE_SPEED, params=(1.0, 8.0, 0.0, 0.0)).wire(),
    PlanItem(Command.NAV_WAYPOINT, Frame.GLOBAL_RELATIVE_ALT, at=LonLat(113.26, 23.125), alt_m=100.1).wire(),
]


@pytest.fixture
def read(tmp_path):
    def reading(data, system=1, name="flight.log"):
        path = tmp_path / name
        path.write_bytes(data)
        return read_log(path, system)

    return reading


def refused(read, data, **options):
    with pytest.raises(RuleViolation) as caught:
        read(data, **options)
    return str(caught.value)


def assert_same_flight(logged, track):
    flown = logged.flown()
    assert len(flown) == len(track.t)
    np.testing.assert_allclose(flown.at_s, track.t, atol=1.1e-3)
    np.testing.assert_allclose(flown.lon, track.lon, atol=1e-7)
    np.testing.assert_allclose(flown.lat, track.lat, atol=1e-7)
    np.testing.assert_allclose(flown.alt_rel_home_m, track.alt_m, atol=1e-3)
    np.testing.assert_allclose(flown.speed_m_s, track.speed_m_s, atol=0.01)
    assert (flown.seq == track.seq).all()
    assert len(logged.pictures.at_s) == len(track.shots)
    assert logged.clock.utc_at_boot_s == pytest.approx(BOOT_UTC_S, abs=0.002)
    assert np.allclose(logged.attitudes.yaw_deg, 90.0, atol=1e-4)


@pytest.mark.parametrize("sign", [None, b"k" * 32], ids=["plain", "signed"])
def test_tlog__both_directions_and_a_second_vehicle__the_flights_alone(read, sign):
    logged = read(tlog_of(TRACK, sign=sign))
    assert logged.source is Source.TLOG
    assert_same_flight(logged, TRACK)
    assert logged.clock.source == "gps"
    assert logged.found.others == {"245/190": len(TRACK.t), "9/1": len(TRACK.t)}
    assert (logged.found.signed > 0) == bool(sign)
    assert (logged.found.bad_checksums, logged.found.skipped_bytes, logged.found.torn_bytes) == (0, 0, 0)


def test_tlog__torn_last_record__read_and_told(read):
    whole = tlog_of(TRACK)
    logged = read(whole[:-5])
    assert_same_flight(logged, TRACK)
    assert 0 < logged.found.torn_bytes < 40


def test_tlog__garbage_in_between__skipped_and_told(read):
    data = tlog_of(TRACK)
    half = data.index(record(BOOT_UTC_S + TRACK.t[70], b""))
    logged = read(data[:half] + b"\xfd\x01garbage\xfe" * 5 + data[half:])
    assert logged.found.skipped_bytes == 50
    assert_same_flight(logged, TRACK)


def test_tlog__flipped_bit__that_frame_is_not_believed(read):
    data = bytearray(tlog_of(TRACK, own=False))
    data[data.index(round(TRACK.lon[40] * 1e7).to_bytes(4, "little"))] ^= 1
    logged = read(bytes(data))
    assert logged.found.bad_checksums == 1
    assert len(logged.flown()) == len(TRACK.t) - 1


def test_tlog__mavlink_1__read(read):
    link = mavlink.MAVLink(None, 1, 1)
    frames = [
        record(BOOT_UTC_S + n, bytes(m.pack(link, force_mavlink1=True)))
        for n in range(3)
        for m in [mavlink.MAVLink_global_position_int_message(n * 1000, 231250000, 1132550000 + n, 0, 0, 0, 0, 0, 0)]
    ]
    logged = read(b"".join(frames))
    assert len(logged.positions) == 3
    assert logged.clock.source == "receipt"
    assert logged.clock.utc_at_boot_s == pytest.approx(BOOT_UTC_S)


def test_tlog__restart_in_flight__time_goes_on(read):
    second = straight(seconds=10, start_s=5.0)
    data = tlog_of(TRACK) + tlog_of(second, receipt_utc_s=BOOT_UTC_S + 100)
    logged = read(data)
    assert logged.found.reboots == 1
    assert (np.diff(logged.positions.at_s) >= 0).all()


def test_tlog__other_aircraft__refused_with_those_it_tells_of(read):
    message = refused(read, tlog_of(TRACK), system=7)
    assert "system 7" in message
    assert "1/1" in message


@pytest.mark.parametrize("data", [b"", b"x", b"\x00" * 5000, b"\xfd" * 70_000, bytes(range(256)) * 8192])
def test_log__garbage__refused(read, data):
    assert "cannot be read" in refused(read, data)


def test_log__larger_than_a_flight__refused(read, monkeypatch):
    monkeypatch.setattr("flights.logs.open.limit", lambda name: 100)
    with pytest.raises(RuleViolation) as caught:
        read(tlog_of(TRACK))
    assert caught.value.status == 413


# -- the memory of the aircraft -------------------------------------------------------------------------


@pytest.mark.parametrize("mise", [True, False], ids=["mise", "cmd_again"])
def test_bin__flight__read(read, mise):
    logged = read(bin_of(TRACK, mission=ITEMS, mise=mise))
    assert logged.source is Source.BIN
    assert_same_flight(logged, TRACK)
    assert (logged.clock.source, logged.clock.leap_s) == ("gps", 18)


def test_bin__same_as_pymavlink_reads(read, tmp_path):
    path = tmp_path / "oracle.bin"
    path.write_bytes(bin_of(TRACK, mission=ITEMS))
    oracle = DFReader.DFReader_binary(str(path))
    rows = []
    while (message := oracle.recv_match(type="POS")) is not None:
        rows.append((message.TimeUS / 1e6, message.Lng, message.Lat, message.RelHomeAlt, message._timestamp))
    oracle.close()
    at_s, lon, lat, alt, stamps = np.array(rows).T
    logged = read(path.read_bytes())
    np.testing.assert_allclose(logged.positions.at_s, at_s)
    np.testing.assert_allclose(logged.positions.lon, lon, atol=1e-9)
    np.testing.assert_allclose(logged.positions.lat, lat, atol=1e-9)
    np.testing.assert_allclose(logged.positions.alt_rel_home_m, alt)
    np.testing.assert_allclose(logged.positions.at_s + logged.clock.utc_at_boot_s, stamps, atol=0.01)


def test_bin__mission_in_the_log__has_the_digest_of_the_publication(read):
    assert read(bin_of(TRACK, mission=ITEMS)).mission_digest == mission_digest(ITEMS)
    moved = [*ITEMS[:2], ITEMS[2]._replace(x=ITEMS[2].x + 45)]
    assert read(bin_of(TRACK, mission=moved)).mission_digest != mission_digest(ITEMS)


def listed(items, *, at_s=BOOT_UTC_S + 50.0, system=1, left_out=(), kind=0):
    """What a vehicle sends when its mission is read back, its home first."""
    sent = [mavlink.MAVLink_mission_count_message(245, 190, len(items) + 1, kind)]
    sent += [
        mavlink.MAVLink_mission_item_int_message(245, 190, seq, i.frame, i.command, 0, 1, *i[2:], kind)
        for seq, i in enumerate([ITEMS[0]._replace(x=1, y=1), *items])
        if seq not in left_out
    ]
    return b"".join(record(at_s, frame(message, system=system)) for message in sent)


def test_tlog__mission_read_back_on_the_link__has_the_digest_of_the_publication(read):
    moved = [*ITEMS[:2], ITEMS[2]._replace(x=ITEMS[2].x + 45)]
    assert read(listed(ITEMS) + tlog_of(TRACK)).mission_digest == mission_digest(ITEMS)
    assert read(listed(ITEMS) + listed(moved) + tlog_of(TRACK)).mission_digest == mission_digest(moved)


@pytest.mark.parametrize(
    "data",
    [b"", listed(ITEMS, left_out=(2,)), listed(ITEMS, system=9), listed(ITEMS, kind=1), listed([])],
    ids=["none", "half", "another vehicle", "fence", "empty"],
)
def test_tlog__mission_not_read_back_whole__no_digest(read, data):
    assert read(data + tlog_of(TRACK)).mission_digest is None


def test_bin__no_mission_listed__no_digest(read):
    assert read(bin_of(TRACK)).mission_digest is None


@pytest.mark.parametrize("write", [tlog_of, bin_of], ids=["tlog", "bin"])
def test_log__vehicle_brings_itself_home__flies_no_item(read, write):
    """Its mission stays at the item that it broke off; whoever judged by that would take the way home for the route."""
    home = TRACK.moved(rtl_s=TRACK.t[100])
    logged = read(write(home))
    np.testing.assert_array_equal(logged.flown().seq, np.where(home.t >= home.rtl_s, 0, 4))


def test_leap__around_the_newest__one_second_apart():
    week, second = divmod(1_167_264_018, 604_800)
    before, after = gps_to_unix(np.array([week, week], float), np.array([second - 1, second], float))
    assert after - before == 0.0
    assert after == 1_483_228_800  # 2017-01-01


def test_bin__torn_last_record__read_and_told(read):
    logged = read(bin_of(TRACK)[:-7])
    assert 0 < logged.found.torn_bytes < 40
    assert len(logged.flown()) == len(TRACK.t)


def test_bin__garbage_in_between__skipped_and_told(read):
    data = bin_of(TRACK)
    half = data.rindex(b"\xa3\x95\x80") + 89
    logged = read(data[:half] + b"\xa3\x95\xff\x00\xa3" + data[half:])
    assert logged.found.skipped_bytes == 5
    assert len(logged.flown()) == len(TRACK.t)


def hostile(name, letters, labels, length=None):
    log = Bin()
    log.describe(name, 130, letters, labels)
    if length is not None:
        log.data[-89 + 4] = length
    return bytes(log.data) + b"\xa3\x95\x82" + b"\x01" * 60


@pytest.mark.parametrize(
    "data",
    [
        hostile("POS", "QLL", "TimeUS,Lat,Lng", length=0),
        hostile("POS", "QLL", "TimeUS,Lat,Lng", length=255),
        hostile("POS", "QLL", "TimeUS,Lat"),
        hostile("POS", "QLL", "TimeUS,Lat,Lat"),
        hostile("POS", "QLL", "TimeUS,,Lng"),
        hostile("POS", "QQ", "A,B"),
        hostile("POS", "", ""),
        bin_of(TRACK)[: 89 * 3],
        Bin().data * 1000,
    ],
)
def test_bin__hostile_description__refused(read, data):
    assert "cannot be read" in refused(read, bytes(data))


def test_bin__description_changed_later__first_one_holds(read):
    log = Bin()
    log.data = bytearray(bin_of(TRACK))
    log.describe("POS", 130, "QLLffB", "TimeUS,Lat,Lng,Alt,RelHomeAlt,Evil")
    assert len(read(bytes(log.data) + bin_of(TRACK)[89:]).positions) == 2 * len(TRACK.t)


def test_bin__too_many_records__refused(read, monkeypatch):
    monkeypatch.setattr("flights.logs.dataflash.limit", lambda name: 50)
    assert "more than 50" in refused(read, bin_of(TRACK))
