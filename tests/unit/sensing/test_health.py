"""What a snapshot tells of the device that took it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from schemas.refusals import RuleViolation
from sensing.sensors.health import Fault, Look, alike, faults_of, look, read_snapshot, thresholds
from tests.snapshots import SIZE, blurred, bomb, jpeg, scene

NOW = datetime(2025, 7, 2, 2, tzinfo=UTC)


def at(minutes):
    return NOW - timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def first():
    return look(scene())


@pytest.mark.parametrize("light", [1.0, 0.6, 0.3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_scene__by_day_and_at_dusk__nothing_wrong(seed, light):
    assert faults_of(look(scene(seed, noise=1, light=light)), NOW, [], look(scene(seed))) == []


def test_LX_16__lens_covered_or_no_light__black(first):
    assert faults_of(look(scene(light=0.02, noise=2)), NOW, [], first) == [Fault.BLACK]


@pytest.mark.parametrize("radius", [6, 10, 20])
def test_LX_16__out_of_focus__blurred(first, radius):
    assert faults_of(look(blurred(scene(noise=1), radius)), NOW, [], first) == [Fault.BLURRED]


def test_LX_16__one_even_colour__blurred(first):
    assert faults_of(look(np.full((SIZE[1], SIZE[0]), 128, np.uint8)), NOW, [], first) == [Fault.BLURRED]


def test_LX_16__looks_elsewhere__moved(first):
    assert faults_of(look(scene(seed=7)), NOW, [], first) == [Fault.MOVED]
    assert faults_of(look(np.roll(scene(noise=1), 80, axis=1)), NOW, [], first) == [Fault.MOVED]


def test_LX_16__shaken_by_the_wind__not_moved(first):
    assert faults_of(look(np.roll(scene(noise=1), (1, 2), axis=(0, 1))), NOW, [], first) == []


def test_LX_16__same_picture_again_and_again__frozen(first):
    same = look(scene(noise=5))
    before = [(at(5), same), (at(12), same)]
    assert faults_of(same, NOW, before, first) == [Fault.FROZEN]


@pytest.mark.parametrize("before", [[(5, 5)], [(5, 5), (9, 5)], [(5, 5), (12, 6), (20, 5)], [(5, 6), (12, 5), (20, 5)]])
def test_LX_16__same_for_a_short_while_or_with_another_between__not_frozen(first, before):
    seen = [(at(minutes), look(scene(noise=noise))) for minutes, noise in before]
    assert faults_of(look(scene(noise=5)), NOW, seen, first) == []


def test_look__kept_and_read_again__same(first):
    assert Look.load(first.dump()) == first
    assert alike(first, first) == pytest.approx(1.0)


def test_thresholds__hold_what_the_tests_lean_on():
    assert thresholds().frozen_frames == 3
    assert thresholds().frozen_min == 10


def test_snapshot__jpeg__read_as_grey():
    grey = read_snapshot(jpeg(scene()))
    assert grey.shape == (SIZE[1], SIZE[0])
    assert faults_of(look(grey), NOW, [], look(scene())) == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 415),
        (b"<html>", 415),
        (b"GIF89a" + b"\0" * 50, 415),
        (jpeg(scene())[:2000], 422),
        (jpeg(np.zeros((8, 8), np.uint8)), 422),
        (bomb(), 413),
    ],
)
def test_snapshot__of_another_kind_broken_or_too_large__refused(data, status):
    with pytest.raises(RuleViolation) as refused:
        read_snapshot(data)
    assert refused.value.status == status
