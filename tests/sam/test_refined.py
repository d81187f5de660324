"""SAM's outlines beside those of the engine: shared crops, candidates at edges, too large, too small, hidden."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely
from scipy import ndimage

from sensing.bands import Role
from sensing.context import Context
from sensing.coverage import Tally
from sensing.picture import open_picture
from sensing.segment.embeddings import Embeddings
from sensing.segment.model import Candidate, Job, Segmentation
from sensing.segment.refined import Refined, refine
from sensing.segment.sam import Redrawn, Sam
from sensing.words import say
from tests.sam.models import ALONE
from tests.unit.sensing.ground import Ground
from tests.unit.sensing.pictures import noise, write_tif

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytestmark = pytest.mark.sam
RGB = (Role.RED, Role.GREEN, Role.BLUE)


def candidate(left: float, top: float, right: float, bottom: float) -> Candidate:
    square = Ground().to_map(shapely.box(left, top, right, bottom))
    return Candidate("excavation", square, 90_000.0, 0.8, {}, (say("seen.soil", share=0.9),))


class _Found:
    """An engine that finds what it is told."""

    name = "spectral"
    version = "1"
    parameters_sha256 = "1" * 64

    def __init__(self, candidates, path):
        self._candidates, self._path = tuple(candidates), path

    def segment(self, job, progress):
        progress(1.0)
        tally = Tally()
        return Segmentation(
            self._candidates, {}, self._path, "0" * 64, self._path, tally, self.parameters_sha256, 1, {}
        )


@pytest.fixture
def sam(tiny_model, tmp_path):
    return Sam.of_model(tiny_model, **ALONE, cache=Embeddings(tmp_path))


@pytest.fixture
def picture(tmp_path):
    with open_picture(write_tif(tmp_path / "a.tif", noise(3, 1100, 1200, high=3000)), RGB) as opened:
        yield opened


def grown_by_two(_embedding, mask, valid):
    return Redrawn(ndimage.binary_dilation(mask, iterations=2) & valid, 0.9)


@pytest.fixture
def counted(sam, monkeypatch):
    """How often each was asked."""
    calls: Counter[str] = Counter()
    for name in ("encode", "redraw"):
        real = getattr(sam, name)

        def spy(*given, _name=name, _real=real):
            calls[_name] += 1
            return _real(*given)

        monkeypatch.setattr(sam, name, spy)
    return calls


def test_refined__sam_agrees__outline_beside_the_pixel_one(sam, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(sam, "redraw", grown_by_two)
    before = candidate(40, 40, 70, 70)
    told = []
    job = Job(picture, None, Context([]), None, tmp_path)
    found = Refined(_Found([before], tmp_path), sam).segment(job, told.append)
    (after,) = found.candidates
    assert after.geom == before.geom
    assert after.alternative.contains(before.geom.buffer(-1e-5))
    assert after.alternative.area > 1.1 * before.geom.area
    assert "SAM agrees" in after.trace[-1].render("en")
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_refined__parameters__change_with_the_checkpoint_and_the_engine(sam, real_size_model, tmp_path):
    other = Sam.of_model(real_size_model, **ALONE)
    inner = _Found([], tmp_path)
    hashes = {Refined(inner, one).parameters_sha256 for one in (sam, other)}
    assert len(hashes) == 2
    assert all(len(one) == 64 for one in hashes)


def test_refine__neighbours__one_encode_for_all_of_a_crop(sam, picture, counted):
    many = [candidate(x, y, x + 40, y + 40) for x in range(20, 420, 100) for y in range(20, 420, 100)]
    refine(sam, picture, many, lambda _: None)
    assert counted == {"encode": 1, "redraw": 16}
    refine(sam, picture, many, lambda _: None)
    assert counted == {"encode": 1, "redraw": 32}


def test_refine__twice_and_from_the_cache__same_outlines_bit_for_bit(sam, tiny_model, picture, monkeypatch):
    # A random model means nothing in particular; whatever it means, it means it again.
    monkeypatch.setattr("sensing.segment.sam.same_thing", lambda mask, _: bool(mask.any()))
    many = [candidate(100, 100, 180, 160), candidate(300, 320, 360, 380)]
    runs = [refine(one, picture, many, lambda _: None) for one in (sam, sam, Sam.of_model(tiny_model, **ALONE))]
    outlines = [[shapely.to_wkb(one.alternative) for one in run] for run in runs]
    assert outlines[0] == outlines[1] == outlines[2]


def test_refine__sam_means_something_else__candidate_as_it_was(sam, picture, monkeypatch):
    monkeypatch.setattr(sam, "redraw", lambda *_: None)
    before = candidate(40, 40, 70, 70)
    assert refine(sam, picture, [before], lambda _: None) == (before,)


@pytest.mark.parametrize(
    "place",
    [(0, 0, 30, 30), (1170, 1070, 1200, 1100), (-20, 500, 25, 540), (1180, -15, 1230, 20), (600, 600, 601, 601)],
)
def test_refine__at_an_edge_or_a_single_pixel__inside_the_scene(sam, picture, monkeypatch, place):
    asked = []

    def look(embedding, mask, valid):
        asked.append(int(mask.sum()))
        return grown_by_two(embedding, mask, valid)

    monkeypatch.setattr(sam, "redraw", look)
    (after,) = refine(sam, picture, [candidate(*place)], lambda _: None)
    inside = shapely.box(*place).intersection(shapely.box(0, 0, 1200, 1100))
    assert asked == [round(inside.area)]
    shown = Ground().to_map(shapely.box(0, 0, 1200, 1100))
    assert after.alternative.difference(shown.buffer(1e-5)).is_empty


def test_refine__larger_than_a_crop__shown_smaller(sam, picture, monkeypatch):
    seen = []

    def look(embedding, mask, valid):
        seen.append(mask.shape)

    monkeypatch.setattr(sam, "redraw", look)
    refine(sam, picture, [candidate(10, 10, 1190, 1090)], lambda _: None)
    assert seen == [(1100, 1200)]


def test_refine__too_large_for_any_crop_or_beside_the_picture__candidate_as_it_was(sam, tmp_path, counted):
    path = write_tif(tmp_path / "wide.tif", noise(3, 8, 4500))
    many = [candidate(5, 1, 4400, 7), candidate(9000, 9000, 9050, 9050)]
    with open_picture(path, RGB) as wide:
        assert refine(sam, wide, many, lambda _: None) == tuple(many)
    assert not counted


def test_refine__all_hidden__candidate_as_it_was_and_nothing_encoded(sam, tmp_path, counted):
    path = write_tif(tmp_path / "hidden.tif", noise(3, 90, 90), mask=np.zeros((90, 90), np.uint8))
    before = candidate(20, 20, 50, 50)
    with open_picture(path, RGB) as hidden:
        assert refine(sam, hidden, [before], lambda _: None) == (before,)
    assert not counted


def test_refine__partly_hidden__no_hidden_pixel_in_the_outline(sam, tmp_path, monkeypatch):
    monkeypatch.setattr(sam, "redraw", grown_by_two)
    mask = np.full((90, 90), 255, np.uint8)
    mask[:, 40:] = 0
    path = write_tif(tmp_path / "partly.tif", noise(3, 90, 90), mask=mask)
    with open_picture(path, RGB) as partly:
        (after,) = refine(sam, partly, [candidate(20, 20, 60, 50)], lambda _: None)
    hidden = Ground().to_map(shapely.box(41, 0, 90, 90))
    assert after.alternative.intersection(hidden).area == 0


def test_refined__colours_unknown__as_the_engine_found_it(sam, tmp_path, counted):
    path = write_tif(tmp_path / "grey.tif", noise(1, 90, 90))
    before = candidate(20, 20, 50, 50)
    with open_picture(path, (Role.OTHER,)) as grey:
        job = Job(grey, None, Context([]), None, tmp_path)
        found = Refined(_Found([before], tmp_path), sam).segment(job, lambda _: None)
    assert found.candidates == (before,)
    assert not counted
