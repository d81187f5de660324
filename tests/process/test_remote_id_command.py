"""`skywarden remote-id` on what was really recorded, and on files that are something else."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from flights.link.recorder import Recorder
from flights.link.signing import Signature
from flights.link.vehicle import VehicleLink
from flights.simulator.options import Identity
from schemas.clock import SystemClock
from schemas.refusals import RuleViolation
from tests.process.flying import until
from tests.simulated import simulator
from tests.unit.flights.test_broadcast import legacy
from tests.unit.flights.test_remote_id import BASIC, LOCATION, OPERATOR
from web.cli.main import skywarden

KEY = bytes(range(32))
IDENTITY = Identity("1581F5BKD223Q00A1234", "CHN-OP-0001")


def run(*arguments, lang="en"):
    result = CliRunner().invoke(skywarden, ["--lang", lang, "remote-id", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def tlog(tmp_path_factory):
    """The log of a signed line to an aircraft that stands and identifies itself."""
    path = tmp_path_factory.mktemp("log") / "line.tlog"
    recorder = Recorder(path, SystemClock())
    with (
        simulator(identity=IDENTITY, key=KEY, speed_up=60.0) as (vehicle, url),
        VehicleLink.connect(url, SystemClock(), recorder=recorder, signature=Signature(KEY, 1)) as link,
    ):
        until(lambda: vehicle.autopilot.now_s > 50)
        time.sleep(0.1)
        assert link.connection.counts["accepted"] > 50
    recorder.close()
    return path


def test_tlog__who_it_was_in_a_few_lines(tlog):
    lines = run(tlog).output.splitlines()
    assert len(lines) < 12
    (aircraft,) = [line for line in lines if " aircraft " in line and "1/236" in line and "serial" in line]
    assert IDENTITY.serial in aircraft
    assert "×" in aircraft
    assert any(IDENTITY.operator in line for line in lines)
    assert any("23.12500 113.25450 ± 10.0 m" in line for line in lines)
    assert lines[-1].endswith("senders: 1; damaged frames: 0.")


def test_tlog__json__every_message_with_its_time(tlog):
    body = json.loads(run(tlog, "--json").output)
    assert body["damaged"] == 0
    assert len(body["heard"]) == body["messages"] > 100
    assert {one["from"] for one in body["heard"]} == {"1/236"}
    kinds = {said["kind"] for one in body["heard"] for said in one["said"]}
    assert kinds == {"BasicId", "Location", "SelfId", "System", "OperatorId", "Module"}
    times = [one["at"] for one in body["heard"]]
    assert times == sorted(times)


def test_tlog__all__a_line_for_each(tlog):
    assert len(run(tlog, "--all").output.splitlines()) > 100


def test_tlog__bytes_changed_on_the_way__that_frame_alone_is_lost(tlog, tmp_path):
    whole = json.loads(run(tlog, "--json").output)["messages"]
    data = bytearray(tlog.read_bytes())
    at = data.index(IDENTITY.serial.encode())
    data[at] ^= 1
    (tmp_path / "changed.tlog").write_bytes(data)
    assert json.loads(run(tmp_path / "changed.tlog", "--json").output)["messages"] == whole - 1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_capture__bluetooth_packets(tmp_path, lang):
    path = tmp_path / "air.bin"
    path.write_bytes(b"\0\1" + legacy(BASIC) + legacy(LOCATION) + legacy(OPERATOR) + legacy(BASIC)[:-9])
    lines = run(path, lang=lang).output.splitlines()
    assert IDENTITY.serial in lines[0]
    assert "bluetooth" in lines[0]
    assert len(lines) == 5


def test_capture__hexadecimal(tmp_path):
    path = tmp_path / "air.txt"
    path.write_text(legacy(BASIC).hex(" ") + "\n")
    body = json.loads(run(path, "--json").output)
    assert body["heard"][0]["said"][0]["uas_id"] == IDENTITY.serial


@pytest.mark.parametrize("content", [b"", b"Dear pilot", bytes(1_000), b"\x89PNG\r\n\x1a\n", b"\0\6" + b"\xfd" * 30])
@pytest.mark.parametrize("name", ["file.bin", "file.tlog", "file"])
def test_another_file__refused_by_rule(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    if content == bytes(1_000) and name != "file.tlog":
        # A thousand zeros are forty messages of an aircraft that has no name.
        assert run(path).exit_code == 0
        return
    with pytest.raises(RuleViolation) as refused:
        run(path)
    assert {one.rule for one in refused.value.refusals} <= {"remote_id.none", "log.unreadable"}


def test_capture__larger_than_is_read__refused(tmp_path):
    path = tmp_path / "large.pcap"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(RuleViolation) as refused:
        run(path)
    assert refused.value.status == 413


def test_file_that_is_not_there__usage(tmp_path):
    assert run(tmp_path / "none").exit_code == 2
