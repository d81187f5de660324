"""What a snapshot tells of the device that took it."""

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from schemas.refusals import RuleViolation
from sensing.sensors.health import Fault, Look, alike, faults_of, look, read_snapshot, thresholds
from tests.snapshots import SIZE, blurred, bomb, jpeg, night, scene, taken

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


SIZES, NOISES = [(960, 540), (1920, 1080), (352, 288)], [0, 2, 5, 10]


def told(grey, first, **how):
    return faults_of(look(read_snapshot(taken(grey, **how))), NOW, [], first)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("size", SIZES)
def test_LX_16__blurred_as_a_camera_sends_it__blurred_and_never_moved(first, size, noise):
    for radius in (4, 8, 9, 16):
        assert told(scene(), first, size=size, noise=noise, blur=radius) == [Fault.BLURRED], radius


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("size", SIZES)
def test_LX_16__sharp_as_a_camera_sends_it__nothing_wrong(first, size, noise):
    for light in (1.0, 0.3):
        assert told(scene(light=light), first, size=size, noise=noise) == [], light


@pytest.mark.parametrize("noise", NOISES)
def test_LX_16__a_little_out_of_focus__never_moved(first, noise):
    for radius in (1, 2, 3):
        assert Fault.MOVED not in told(scene(), first, noise=noise, blur=radius), radius


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("level", [60, 128, 250])
def test_LX_16__lens_covered_or_one_even_colour__covered(first, size, noise, level):
    assert told(np.full((SIZE[1], SIZE[0]), level, np.uint8), first, size=size, noise=noise) == [Fault.COVERED]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("size", SIZES)
def test_LX_16__fog_that_grows_lighter_upwards__blurred(first, size, noise):
    fog = np.repeat(np.linspace(40, 220, SIZE[1])[:, None], SIZE[0], axis=1).astype(np.uint8)
    assert told(fog, first, size=size, noise=noise) == [Fault.BLURRED]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("size", SIZES)
def test_LX_16__street_at_night__neither_black_nor_covered_nor_blurred(size, noise):
    by_night = look(read_snapshot(taken(night(), size=size)))
    assert told(night(), by_night, size=size, noise=noise) == []


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("size", SIZES)
def test_LX_16__no_light_at_all__black(first, size, noise):
    assert told(np.full((SIZE[1], SIZE[0]), 3, np.uint8), first, size=size, noise=noise) == [Fault.BLACK]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("size", SIZES)
def test_LX_16__turned_by_an_eighth_as_a_camera_sends_it__moved(first, size, noise):
    assert told(np.roll(scene(), 80, axis=1), first, size=size, noise=noise) == [Fault.MOVED]


@given(arrays(np.uint8, st.tuples(st.integers(32, 90), st.integers(32, 90))))
def test_look__whatever_is_in_the_picture__finite_numbers_that_are_kept(grey):
    seen = look(grey)
    assert all(math.isfinite(one) for one in (seen.mean, seen.high, seen.contrast, seen.edge, seen.blur_px))
    assert Look.load(json.loads(json.dumps(seen.dump()))) == seen


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
