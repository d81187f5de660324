"""The two commands as people type them: the simulator as a process of its own, the flight over its socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.clock import ScaledClock
from schemas.refusals import RuleViolation
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import free_port
from web.cli.main import skywarden

ROOT = Path(__file__).resolve().parents[2]
SPEED = 150


@contextlib.contextmanager
def simulator_process(*options: str):
    """`skywarden simulator` in a process; its URL, once it says that it listens."""
    url = f"tcp:127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "web.cli", "simulator", "--listen", url, "--home", "113.2545,23.1250,12"]
    process = subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline().startswith(f"simulated ArduCopter on {url}")
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert errors == ""


@pytest.fixture
def invoke(monkeypatch):
    """Runs a command on given services: the group would make its own."""

    def call(house, *arguments):
        monkeypatch.setattr("web.cli.common.build", lambda: house)
        return CliRunner().invoke(skywarden, arguments)

    return call


def test_simulator__sigterm__ends_cleanly():
    with simulator_process() as (_, process):
        time.sleep(0.1)
        assert process.poll() is None


@pytest.mark.parametrize(
    ("option", "value"),
    [("--speed-up", "0"), ("--loss", "2"), ("--image", "big"), ("--wind", "x"), ("--frames", "/tmp/x")],
)
def test_simulator__bad_option__refused(invoke, option, value):
    result = invoke(None, "simulator", "--home", "113,23", option, value)
    assert isinstance(result.exception, RuleViolation)


def test_simulator__port_taken__said_in_a_line(invoke):
    with simulator_process() as (url, _):
        result = invoke(None, "simulator", "--listen", url, "--home", "113,23")
    assert result.exit_code == 1
    assert "Address already in use" in result.output


def test_flight__from_clearance_to_the_public_log(invoke, house, filed, under_clock, ortho, tmp_path):
    clock = ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED)
    living, frames = under_clock(clock), tmp_path / "frames"
    assert "is cleared" in invoke(living, "flight", "clear", filed, "--as", "H1").output
    options = ("--ortho", str(ortho), "--frames", str(frames), "--image", "280x210", "--speed-up", str(SPEED))
    with simulator_process(*options, "--start-time", clock.now().isoformat()) as (url, _):
        flown = invoke(
            living, "flight", "fly", filed, "--vehicle", url, "--frames", str(frames), "--as", "F1", "--json"
        )
    assert flown.exit_code == 0, flown.output
    body = json.loads(flown.stdout)
    assert body["outcome"] == "landed"
    assert body["within"] is True
    assert body["handed_in"] == body["pictures"] > 40
    assert "read back as sent" in flown.stderr
    shown = json.loads(invoke(living, "flight", "show", filed, "--json").stdout)
    assert shown["state"] == "ingested"
    assert shown["deviation_lateral_m"] == pytest.approx(body["lateral_m"], abs=0.1)
    assert shown["stayed_inside"] is True
    assert "is closed" in invoke(living, "flight", "close", filed, "--as", "F1").output
    assert filed in invoke(living, "flight", "list", "--state", "closed").output


def test_flight__not_cleared__refused_with_the_rule(invoke, house, filed):
    result = invoke(house, "flight", "fly", filed, "--vehicle", "tcp:127.0.0.1:9", "--as", "F1")
    assert isinstance(result.exception, RuleViolation)
    assert result.exception.refusals[0].rule == "state.machine"


def test_flight__ctrl_c__brings_it_back(invoke, cleared, under_clock, monkeypatch):
    clock = ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED)
    pressed = []

    def press_once_in_the_air(step, _facts):
        if step == "position" and not pressed:
            pressed.append(step)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("web.cli.flight._tell", press_once_in_the_air)
    # Whoever starts the tests in the background has Ctrl-C ignored; what was there before must be back after.
    before = signal.getsignal(signal.SIGINT)
    with simulator_process("--speed-up", str(SPEED), "--start-time", clock.now().isoformat()) as (url, _):
        result = invoke(under_clock(clock), "flight", "fly", cleared, "--vehicle", url, "--as", "F1")
    assert "aborted (operator)" in result.output
    assert signal.getsignal(signal.SIGINT) is before
