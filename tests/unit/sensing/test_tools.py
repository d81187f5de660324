"""Bands, features, outlines, evaluation, the store and the layers: small pieces, exact answers."""

from __future__ import annotations

import os
import stat
from datetime import date

import numpy as np
import pytest
import shapely
from scipy import ndimage

from geo.measure import area_m2
from schemas.refusals import RuleViolation
from sensing.bands import Role, roles_of
from sensing.context import Context, Place
from sensing.evaluate import Outline, evaluate, iou
from sensing.features import box_sum, contrast, local_deviation, local_mean, majority
from sensing.header import HeaderReport
from sensing.originals import ContentStore

RGB = (Role.RED, Role.GREEN, Role.BLUE)


def header(bands: int, colours: tuple[str, ...] = ()) -> HeaderReport:
    usual = {"driver": "GTiff", "width": 5, "height": 5, "file_bytes": 1, "isolation": "drivers only"}
    return HeaderReport.model_validate(usual | {"bands": bands, "colours": colours})


@pytest.mark.parametrize(
    ("bands", "colours", "roles"),
    [
        (3, (), RGB),
        (3, ("red", "green", "blue"), RGB),
        (3, ("blue", "green", "red"), tuple(reversed(RGB))),
        (4, ("gray", "undefined", "undefined", "undefined"), (*RGB, Role.NIR)),
        (4, ("red", "green", "blue", "alpha"), RGB),
        (4, ("red", "green", "blue", "undefined"), (*RGB, Role.NIR)),
        (1, ("gray",), (Role.OTHER,)),
        (7, (), (Role.OTHER,) * 7),
    ],
)
def test_roles__by_colour_then_by_number(bands, colours, roles):
    assert roles_of(header(bands, colours)) == roles


def test_roles__sentinel_2__bands_where_the_mission_puts_them():
    twelve, thirteen = roles_of(header(12)), roles_of(header(13))
    assert [twelve.index(role) for role in (Role.BLUE, Role.GREEN, Role.RED, Role.NIR)] == [1, 2, 3, 7]
    assert (twelve[10], twelve[11]) == (thirteen[11], thirteen[12]) == (Role.SWIR1, Role.SWIR2)


def test_roles__chosen__go_first_and_must_fit():
    assert roles_of(header(3), ["swir1", "nir", "red"]) == (Role.SWIR1, Role.NIR, Role.RED)
    assert roles_of(header(3), ["other", "other", "red"]) == (Role.OTHER, Role.OTHER, Role.RED)
    for wrong in (["red"], ["red", "green", "violet"], ["red", "red", "other"]):
        with pytest.raises(RuleViolation) as caught:
            roles_of(header(3), wrong)
        assert caught.value.refusals[0].rule == "scene.bands"


def test_box_sum__is_the_plain_sum():
    plane = np.random.default_rng(1).integers(-50, 50, (13, 17))
    plain = ndimage.generic_filter(plane.astype(float), np.sum, size=5, mode="constant")
    assert np.array_equal(box_sum(plane, 2), plain)


def test_local_mean_and_deviation__void_pixels_do_not_count():
    plane = np.array([[10, 1000, 20]], np.int32)
    valid = np.array([[True, False, True]])
    assert local_mean(plane, valid, 1).tolist() == [[10.0, 15.0, 20.0]]
    assert local_deviation(plane, valid, 1).tolist() == [[0.0, 5.0, 0.0]]


def test_majority__lone_pixels_go_and_small_gaps_close():
    mask = np.zeros((9, 9), bool)
    mask[2:8, 2:8] = True
    mask[4, 4] = False
    mask[0, 0] = True
    cleaned = majority(mask, 1)
    assert cleaned[4, 4]
    assert not cleaned[0, 0]


def test_contrast__darkness__is_nothing():
    assert contrast(np.array([3], np.int32), np.array([1], np.int32)).tolist() == [0.0]
    assert contrast(np.array([3000], np.int32), np.array([1000], np.int32)).tolist() == [0.5]


SQUARE = shapely.box(113.0, 23.0, 113.01, 23.01)


def moved(east_deg: float) -> shapely.Polygon:
    return shapely.transform(SQUARE, lambda c: np.add(c, (east_deg, 0)))


def test_iou__half_moved__one_third():
    assert iou(SQUARE, moved(0.005)) == pytest.approx(1 / 3, abs=1e-3)
    assert iou(SQUARE, moved(0.05)) == 0.0
    assert iou(SQUARE, SQUARE) == pytest.approx(1.0)


def test_evaluate__hit_miss_false_alarm_and_silent_one():
    truth = [Outline("excavation", SQUARE), Outline("building", moved(0.1))]
    silent = [Outline("excavation", moved(0.2), "quarry with permit")]
    found = [
        Outline("excavation", moved(0.001)),
        Outline("excavation", moved(0.2)),
        Outline("burn_scar", moved(0.3)),
    ]
    outcome = evaluate(found, truth, silent)
    assert outcome.median_iou() == {"excavation": pytest.approx(0.818, abs=0.01), "building": 0.0}
    assert [miss.kind for miss in outcome.misses] == ["building"]
    assert [(one.kind, quiet.reason) for one, quiet in outcome.hits] == [("excavation", "quarry with permit")]
    assert [alarm.kind for alarm in outcome.false_alarms] == ["burn_scar"]


def test_evaluate__right_place_wrong_kind__is_a_miss_and_a_false_alarm():
    outcome = evaluate([Outline("building", SQUARE)], [Outline("excavation", SQUARE)], [])
    assert len(outcome.misses) == len(outcome.false_alarms) == 1


def test_store__same_bytes_twice__one_read_only_file(tmp_path):
    store, source = ContentStore(tmp_path / "store"), tmp_path / "a"
    source.write_bytes(b"original")
    sha256 = store.put(source)
    assert store.put(source) == sha256
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert files == [store.get(sha256)]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o440
    assert store.verify(sha256)


def test_store__changed_file__verification_says_so(tmp_path):
    store, source = ContentStore(tmp_path / "store"), tmp_path / "a"
    source.write_bytes(b"original")
    sha256 = store.put(source)
    store.get(sha256).chmod(0o640)
    store.get(sha256).write_bytes(b"0riginal")
    assert not store.verify(sha256)


def test_store__missing__refused(tmp_path):
    with pytest.raises(RuleViolation) as caught:
        ContentStore(tmp_path).get("ab" * 32)
    assert caught.value.refusals[0].rule == "GD-20.2"


def test_store__copy_breaks_off__nothing_visible(tmp_path, monkeypatch):
    store, source = ContentStore(tmp_path / "store"), tmp_path / "a"
    source.write_bytes(b"original")

    def broken(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="no space"):
        store.put(source)
    assert list((tmp_path / "store").rglob("*")) == []


def place(layer: str, geom: shapely.Polygon, **more: object) -> Place:
    return Place(layer, f"CF-{layer}", layer, geom, **more)


def test_context__overlap__share_of_the_shape():
    context = Context([place("permits", moved(0.005)), place("water", moved(5.0))])
    (overlap,) = context.overlaps("permits", SQUARE)
    assert overlap.share == pytest.approx(0.5, abs=1e-3)
    assert context.covered("water", SQUARE) == 0.0
    assert context.has("water")
    assert not context.has("farmland")


def test_context__two_places_over_one_another__count_once():
    context = Context([place("protected", moved(0.005)), place("protected", moved(0.005))])
    assert context.covered("protected", SQUARE) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("on", "share"), [(date(2025, 1, 1), 1.0), (date(2025, 12, 31), 1.0), (date(2026, 1, 1), 0.0)])
def test_context__permit_that_has_ended__does_not_count(on, share):
    permit = place("permits", SQUARE, valid_from=date(2025, 1, 1), valid_to=date(2025, 12, 31))
    assert Context([permit]).covered("permits", SQUARE, on) == pytest.approx(share)


def test_area__of_an_outline_in_degrees__is_in_square_metres():
    assert area_m2(SQUARE) == pytest.approx(1_134_600, rel=0.01)


def test_scratch__left_by_a_killed_process__swept_after_an_hour_and_not_before(tmp_path):
    from sensing.scratch import private_directory

    old, young = tmp_path / "guest-old", tmp_path / "guest-young"
    for left in (old, young):
        left.mkdir()
        (left / "data").write_bytes(b"x")
    hour = 3600
    os.utime(old, (old.stat().st_atime, old.stat().st_mtime - hour - 60))
    with private_directory(tmp_path, "guest-") as fresh:
        assert not old.exists()
        assert young.exists()
        assert stat.S_IMODE(fresh.stat().st_mode) == 0o700
    assert not fresh.exists()


def test_store__torn_arrival__swept_by_a_later_one(tmp_path):
    store, source, torn = ContentStore(tmp_path / "store"), tmp_path / "a", tmp_path / "store" / "arriving-torn"
    source.write_bytes(b"original")
    torn.parent.mkdir()
    torn.write_bytes(b"orig")
    os.utime(torn, (0, torn.stat().st_mtime - 7200))
    store.put(source)
    assert not torn.exists()
