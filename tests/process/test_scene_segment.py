"""The command that segments a scene: killed, stopped, failed in part, and taken up again where it stopped."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime

import pytest
import rasterio

from schemas import tables as t
from sensing.coverage import Cover
from sensing.intake import Told
from sensing.runs import rasters
from tests import banded
from tests.banded import BANDS, write_pair
from tests.conftest import Start, opened
from tests.process.segmenting import SLOW_BAND, segmenting
from web import scenes

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture(scope="module")
def taken_in(server, world_template, tmp_path_factory):
    """An installation with two scenes of three bands, and the ids of the earlier and the later one."""
    folder = tmp_path_factory.mktemp("taken_in")
    start, made, ids = Start(server.clone(world_template), folder / "data"), write_pair(folder), []
    start.files.mkdir()
    with opened(server, start) as services:
        for number, path in enumerate((made.before, made.after)):
            told = Told(captured_at=datetime(2025, 6, 1 + 20 * number, 3, tzinfo=UTC))
            ids.append(scenes.ingest(services, [path], told=told).scene.public_id)
    yield start, (ids[0], ids[1])
    server.drop(start.database)


@pytest.fixture
def beginning(taken_in):
    return taken_in[0]


@pytest.fixture
def pair(taken_in):
    return taken_in[1]


def states(admin) -> dict[int, tuple[str, datetime]]:
    rows = admin.execute("SELECT number, state, recorded_at FROM core.segmentation_band").fetchall()
    admin.rollback()
    return {number: (state, at) for number, state, at in rows}


def until(condition, within_s: float = 120.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def codes_of(services, sha256: str):
    with rasterio.open(rasters(services.data_dir).get(sha256)) as coverage:
        assert coverage.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        return coverage.read(1)


@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_kill_9__no_finished_band_is_done_twice_and_the_outcome_is_the_same(services, pair, admin, tmp_path, engine):
    command = (pair[1], "--before", pair[0], "--engine", engine, "--workers", "2", "--json")
    with segmenting(services, *command, until=tmp_path / "never") as led:
        until(lambda: len(states(admin)) == BANDS - 1)
        led.process.send_signal(signal.SIGKILL)
        led.process.wait(60)
    before = states(admin)
    assert SLOW_BAND not in before
    with segmenting(services, *command) as led:
        assert led.end() == 0, led.said
    resumed = json.loads("".join(led.said))
    after = states(admin)
    assert {number: after[number] for number in before} == before
    assert after[SLOW_BAND][0] == "done"
    assert (resumed["bands"], resumed["bands_failed"]) == (BANDS, 0)
    # Nothing is left of the work, and a pass from the beginning gives the same rasters and the same findings.
    assert list((services.data_dir / "running").iterdir()) == []
    whole = scenes.segment(services, pair[1], before=pair[0])
    assert (whole.run.coverage_sha256, whole.run.labels_file_sha256) == (
        resumed["coverage_sha256"],
        resumed["labels_file_sha256"],
    )
    assert set(whole.known) == set(resumed["detections"])


def test_ctrl_c__says_how_to_go_on_and_keeps_what_is_done(services, pair, admin, tmp_path):
    with segmenting(services, pair[1], "--before", pair[0], "--engine", "serial", until=tmp_path / "never") as led:
        until(lambda: len(states(admin)) == BANDS - 1 and (tmp_path / "waits").exists())
        led.process.send_signal(signal.SIGINT)
        assert led.end() == 130
    assert "stopped; the bands that are done are kept" in "".join(led.said)
    assert len(states(admin)) == BANDS - 1
    assert "Traceback" not in "".join(led.said)


def test_failed_band__told_stored_and_tried_again(services, pair, admin, session):
    command = (pair[1], "--before", pair[0], "--engine", "serial")
    with segmenting(services, *command, spoilt=True) as led:
        assert led.end() == 4, led.said
    said = "".join(led.said)
    assert "1 of 3 bands failed" in said
    assert "were not: the work on them failed" in said
    run = session.query(t.SegmentationRun).one()
    assert (run.bands, run.bands_failed) == (BANDS, 1)
    assert run.coverage["failed"] > 1
    codes = codes_of(services, run.coverage_sha256)
    assert (codes[banded.rows_of(SLOW_BAND)] == Cover.FAILED).all()
    assert set(codes[banded.rows_of(0)].ravel().tolist()) == {Cover.ANALYSED, Cover.PRIVACY}
    first = states(admin)
    assert first[SLOW_BAND][0] == "failed"
    with segmenting(services, *command, "--json") as led:
        assert led.end() == 0, led.said
    again = json.loads("".join(led.said))
    assert again["bands_failed"] == 0
    assert again["coverage"]["failed"] == 0
    second = states(admin)
    assert second[SLOW_BAND][0] == "done"
    assert {number: second[number] for number in (0, 1)} == {number: first[number] for number in (0, 1)}


def test_two_at_once__the_second_is_told(services, pair, admin, tmp_path):
    command = (pair[1], "--before", pair[0], "--engine", "serial")
    gate = tmp_path / "gate"
    with segmenting(services, *command, until=gate) as first:
        until(lambda: len(states(admin)) == BANDS - 1)
        with segmenting(services, *command) as second:
            assert second.end() == 1
        assert "Another process is looking at the same scene" in "".join(second.said)
        gate.touch()
        assert first.end() == 0, first.said


def test_no_finding__is_said_of_the_ground_that_was_looked_at(services, pair):
    with segmenting(services, pair[0], "--engine", "serial") as led:
        assert led.end() == 0, led.said
    said = "".join(led.said)
    assert "km² were looked at" in said or "nothing was looked at" in said
    assert "no finding of" in said or "nothing was looked at, so this says nothing about the ground" in said
