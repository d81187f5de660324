"""The raw record: whole on disk every second, never in the way of the line, readable after a crash."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link import recorder as module
from flights.link.recorder import Recorder, stamps_of
from schemas.clock import FixedClock

AT = datetime(2025, 7, 2, 2, 0, 0, 250_000, tzinfo=UTC)


def frames(count):
    codec = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    for n in range(count):
        yield mavlink.MAVLink_system_time_message(n, n).pack(codec)


def read(path):
    log = mavutil.mavlink_connection(str(path))
    try:
        found = []
        while (message := log.recv_msg()) is not None:
            found.append(message.time_boot_ms)
        return found
    finally:
        log.close()


def test_tlog__stamps__microseconds_big_endian(tmp_path):
    recorder = Recorder(tmp_path / "a.tlog", FixedClock(AT))
    (frame,) = frames(1)
    recorder.write(frame)
    recorder.close()
    data = (tmp_path / "a.tlog").read_bytes()
    assert data == struct.pack(">Q", int(AT.timestamp() * 1e6)) + frame
    assert list(stamps_of(tmp_path / "a.tlog")) == [int(AT.timestamp() * 1e6)]


def test_tlog__sync__all_that_was_taken_is_on_disk(tmp_path):
    recorder = Recorder(tmp_path / "a.tlog", FixedClock(AT))
    for frame in frames(5):
        recorder.write(frame)
    assert recorder.sync()
    assert read(recorder.path) == [0, 1, 2, 3, 4]
    digest = recorder.close()
    assert digest == recorder.close() == hashlib.sha256(recorder.path.read_bytes()).hexdigest()


def test_tlog__by_itself__on_disk_within_a_second(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SYNC_EVERY_S", 0.05)
    recorder = Recorder(tmp_path / "a.tlog", FixedClock(AT))
    for frame in frames(3):
        recorder.write(frame)
    deadline = time.monotonic() + 30
    while not recorder.path.stat().st_size and time.monotonic() < deadline:
        time.sleep(0.01)
    assert read(recorder.path) == [0, 1, 2]
    recorder.close()


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 20])
def test_tlog__torn_last_record__the_rest_is_read(tmp_path, cut):
    recorder = Recorder(tmp_path / "a.tlog", FixedClock(AT))
    for frame in frames(3):
        recorder.write(frame)
    recorder.close()
    data = recorder.path.read_bytes()
    recorder.path.write_bytes(data[:-cut])
    assert len(list(stamps_of(recorder.path))) == 2
    assert read(recorder.path) == [0, 1]


def test_tlog__disk_that_hangs__never_holds_the_line(tmp_path, monkeypatch):
    """The thread that sends the heartbeat writes frames; a disk that takes minutes must not stop it."""
    hangs, free = threading.Event(), threading.Event()

    def hanging(_fd):
        hangs.set()
        assert free.wait(120)

    recorder = Recorder(tmp_path / "a.tlog", FixedClock(AT))
    monkeypatch.setattr(module.os, "fsync", hanging)
    given = list(frames(200))
    recorder.write(given[0])
    threading.Thread(target=recorder.sync, daemon=True).start()
    assert hangs.wait(60)
    started = time.monotonic()
    for frame in given[1:]:
        recorder.write(frame)
    assert time.monotonic() - started < 5
    free.set()
    recorder.close()
    assert read(recorder.path) == list(range(200))


def test_tlog__full_disk__whole_records_only_and_all_of_them_later(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path / "a.tlog", FixedClock(AT))
    given = list(frames(4))
    recorder.write(given[0])
    assert recorder.sync()
    write = os.write

    def full(fd, data):
        write(fd, bytes(data)[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    recorder.write(given[1])
    assert not recorder.sync()
    assert recorder.fault == "No space left on device"
    recorder.write(given[2])
    assert not recorder.sync()
    monkeypatch.setattr(module.os, "write", write)
    recorder.write(given[3])
    assert recorder.sync()
    assert recorder.fault is None
    recorder.close()
    assert read(recorder.path) == [0, 1, 2, 3]
    assert recorder.lost_frames == 0


def test_tlog__disk_away_for_long__memory_is_bounded_and_the_loss_counted(tmp_path, monkeypatch):
    given = list(frames(10))
    recorder = Recorder(tmp_path / "a.tlog", FixedClock(AT))
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 3 * (len(given[0]) + 8))
    for frame in given:
        recorder.write(frame)
    recorder.close()
    assert recorder.lost_frames == 10 - len(read(recorder.path)) > 0


def test_tlog__file_that_is_there__never_written_over(tmp_path):
    (tmp_path / "a.tlog").write_bytes(b"evidence")
    with pytest.raises(FileExistsError):
        Recorder(tmp_path / "a.tlog", FixedClock(AT))


CRASHING = """
import sys, time
from pathlib import Path
from flights.link.recorder import Recorder
from schemas.clock import SystemClock
from tests.process.test_recorder import frames
recorder = Recorder(Path(sys.argv[1]), SystemClock())
for frame in frames(100_000):
    recorder.write(frame)
    print(flush=True)
    time.sleep(0.002)
"""


def test_P3__kill_9__at_most_the_last_second_is_lost(tmp_path):
    path = tmp_path / "a.tlog"
    with subprocess.Popen([sys.executable, "-c", CRASHING, str(path)], stdout=subprocess.PIPE) as process:
        for _ in range(700):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        killed_at = time.time()
    stamps = list(stamps_of(path))
    assert killed_at - stamps[-1] / 1e6 <= module.SYNC_EVERY_S + 5
    assert read(path) == list(range(len(stamps)))
