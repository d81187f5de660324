"""Places of strong change: the same for any cut, none where nobody looked, none that the engine explained."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
import shapely

from sensing import proposing
from sensing.coverage import Cover
from sensing.picture import open_picture
from sensing.segment.model import Job
from sensing.segment.scenery import recall
from sensing.segment.spectral import Spectral
from tests.banded import RGBN
from tests.unit.sensing.ground import DAY, Ground, blob

FIELD, PIT = blob((120, 150), 22, 5), blob((240, 90), 16, 3)


class Seen(NamedTuple):
    setting: dict
    coverage: Path
    labels: Path
    folder: Path
    ground: Ground


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> Seen:
    """A pit was dug and a field was harvested; the engine looked at both dates."""
    folder = tmp_path_factory.mktemp("seen")
    before, after = (Ground(width=320, height=240, seed=6) for _ in range(2))
    after.paint(FIELD, "stubble")
    after.paint(PIT, "pit")
    paths = before.satellite(folder / "0.tif", seed=4), after.satellite(folder / "1.tif", seed=3)
    with open_picture(paths[1], RGBN) as later, open_picture(paths[0], RGBN) as earlier:
        job = Job(later, earlier, after.context, DAY, folder, key="k")
        found = Spectral().segment(job, lambda _: None)
    return Seen(recall(folder, "k"), found.coverage, found.labels, folder, after)


def asked(seen: Seen, coverage: Path | None = None, labels: Path | None = None) -> list[proposing.Change]:
    return proposing.changes(seen.setting, (coverage or seen.coverage, labels or seen.labels), seen.folder)


def changed_copy(path: Path, to: Path, how) -> Path:
    with rasterio.open(path) as source:
        plane, profile = source.read(1), source.profile
    how(plane)
    with rasterio.open(to, "w", **profile) as target:
        target.write(plane, 1)
    return to


def covered(found: list[proposing.Change], place: shapely.Polygon) -> float:
    return shapely.union_all([one.geom for one in found]).intersection(place).area / place.area


def test_changes__harvested_field__asked_about__and_the_pit_is_explained(seen):
    found = asked(seen)
    assert covered(found, seen.ground.to_map(FIELD)) > 0.8
    assert covered(found, seen.ground.to_map(PIT)) < 0.05
    assert all(one.times > 8 and one.pixels >= 12 and one.geom.is_valid for one in found)


@pytest.mark.parametrize(("high", "wide"), [(16, 48), (80, 320), (240, 17)])
def test_changes__any_cut__the_same_bits(seen, monkeypatch, high, wide):
    usual = asked(seen)
    monkeypatch.setattr(proposing, "BLOCK", high)
    monkeypatch.setattr(proposing, "_WIDE_PX", wide)
    again = asked(seen)
    assert [shapely.to_wkb(one.geom) for one in again] == [shapely.to_wkb(one.geom) for one in usual]
    assert [(one.pixels, one.times) for one in again] == [(one.pixels, one.times) for one in usual]


@pytest.mark.parametrize("code", [one for one in Cover if one is not Cover.ANALYSED])
def test_changes__ground_that_was_not_looked_at__is_never_asked_about(seen, tmp_path, code):
    inside = seen.ground.mask(FIELD.buffer(4))

    def hide(plane: np.ndarray) -> None:
        plane[inside] = code

    coverage = changed_copy(seen.coverage, tmp_path / "coverage.tif", hide)
    assert covered(asked(seen, coverage=coverage), seen.ground.to_map(FIELD)) == 0


def test_changes__label_of_any_kind__explains_its_ground(seen, tmp_path):
    inside = seen.ground.mask(FIELD)

    def explain(plane: np.ndarray) -> None:
        plane[inside] = 200

    labels = changed_copy(seen.labels, tmp_path / "labels.tif", explain)
    assert covered(asked(seen, labels=labels), seen.ground.to_map(FIELD)) == 0


def test_changes__one_date__none_and_not_an_empty_answer(seen, tmp_path):
    with open_picture(seen.folder / "1.tif", RGBN) as later:
        found = Spectral().segment(Job(later, None, seen.ground.context, DAY, tmp_path, key="k"), lambda _: None)
    assert proposing.changes(recall(tmp_path, "k"), (found.coverage, found.labels), tmp_path) is None


def test_change__weight__large_and_clear_first():
    def weight(pixels: int, times: float) -> float:
        return proposing.Change(shapely.box(0, 0, 1, 1), 1.0, pixels, times).weight

    assert weight(100, 16) > weight(100, 9) > weight(50, 9)
    assert weight(10, 1.0) == 0
