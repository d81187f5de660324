"""An approved pixel model as one more way of looking: the same bytes for any window, band and hands, and told once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from schemas.refusals import RuleViolation
from sensing.learn.fit import Samples, train
from sensing.learn.sampling import Ground, areas_of
from sensing.picture import open_picture
from sensing.segment.executors import DASK, PROCESSES, SERIAL, THREADS, hands
from sensing.segment.learned import CONFIDENCE, Learned, ways
from tests import banded
from tests.banded import PIT, exactly, look, write_pair
from tests.unit.sensing.ground import blob, rectangle

# Across a border of bands and of windows; no detector of the engine knows such a thing, the model does.
HEAP, ROOF = blob((508, 300), 18, 7), rectangle((420, 1024), (16, 12))
FIELDS = [blob(place, 20, number) for number, place in enumerate([(100, 100), (500, 900), (150, 1000), (560, 80)])]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def learned(pair, tmp_path_factory):
    """A model that knows diggings and heaps from this scene."""
    lessons = [("excavation", PIT), ("tyre_heap", HEAP), *(("none", field) for field in FIELDS)]
    lessons.append(("none", rectangle((300, 716), (30, 14))))
    shapes = [pair.ground.to_map(shape) for _, shape in lessons]
    classes = ("excavation", "none", "tyre_heap")
    with open_picture(pair.after, banded.RGBN) as picture:
        ground = Ground(picture)
        names = ("red", "green", "blue", "nir", "ndvi", "brightness", "texture_near")
        places = [ground.pixels(shape) for shape in shapes]
        features = np.concatenate([ground.features(one, names) for one in places], axis=1)
    number = np.repeat(np.arange(len(lessons)), [one.count for one in places])
    kinds = np.array([classes.index(name) for name, _ in lessons])
    area = areas_of(shapes, 150.0)
    model = train(Samples(names, classes, features, kinds[number], number, area[number], number * 0, ("A1",)))
    path = tmp_path_factory.mktemp("model") / "a.npz"
    path.write_bytes(model.to_bytes())
    return Learned("MV-1", model.sha256, path, ("excavation", "tyre_heap"))


@pytest.fixture(scope="module")
def found(pair, learned, tmp_path_factory):
    return look(pair, tmp_path_factory.mktemp("found") / "a", band_px=512, learned=learned)


def of_model(found):
    return [one for one in found.candidates if CONFIDENCE in one.measures]


def test_model__proposes_what_no_detector_knows__with_words(pair, found):
    (heap,) = [one for one in found.candidates if one.kind == "tyre_heap"]
    truth = pair.ground.to_map(HEAP)
    assert shapely.intersection(heap.geom, truth).area > 0.7 * shapely.union(heap.geom, truth).area
    assert heap.score == pytest.approx(heap.measures[CONFIDENCE], abs=0.02)
    assert "MV-1" in heap.trace[0].render("en")
    assert "像元模型" in heap.trace[0].render("zh")
    assert "tyre_heap" not in found.refused


def test_model_and_engine__see_the_same_thing__told_once_as_the_engine_drew_it(pair, found, tmp_path):
    alone = look(pair, tmp_path / "a", band_px=512)
    (theirs,) = [one for one in alone.candidates if one.kind == "excavation"]
    (both,) = [one for one in found.candidates if one.kind == "excavation" and one.geom.intersects(theirs.geom)]
    assert both.geom.equals(theirs.geom)
    assert (both.score, both.trace[:-1]) == (theirs.score, theirs.trace)
    assert both.trace[-1].key == "seen.learned"
    assert both.measures == {**theirs.measures, CONFIDENCE: both.measures[CONFIDENCE]}
    assert not of_model(alone)


@pytest.mark.parametrize(
    ("tile_px", "band_px", "engine"),
    [(768, 1024, SERIAL), (512, 512, PROCESSES), (2048, 2048, THREADS), (1024, 512, DASK)],
)
def test_model__any_window_band_and_hands__the_same_bytes(pair, learned, found, tmp_path, tile_px, band_px, engine):
    with hands(engine, workers=2) as crew:
        again = look(pair, tmp_path / "a", tile_px=tile_px, band_px=band_px, learned=learned, hands=crew)
    assert exactly(again) == exactly(found)


def test_model__of_one_date_alone__proposes_as_well(pair, learned, tmp_path):
    found = look(pair, tmp_path / "a", single=True, band_px=2048, learned=learned)
    assert {one.kind for one in of_model(found)} >= {"tyre_heap"}


def test_model__file_that_was_changed__stops_the_work(learned, tmp_path):
    data = learned.path.read_bytes()
    other = tmp_path / "b.npz"
    other.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(RuleViolation) as caught:
        ways(replace(learned, path=other), banded.RGBN, 10.0, pair=True)
    assert caught.value.refusals[0].rule == "model.corrupt"


def test_model__scene_without_its_bands__is_not_asked(learned):
    assert ways(learned, banded.RGBN[:3], 10.0, pair=True) == []
    assert [way.kind for way in ways(learned, banded.RGBN, 10.0, pair=True)] == ["excavation", "tyre_heap"]


def test_model__what_shows_in_a_change_alone__only_where_it_was_not_so_before(pair, learned, tmp_path):
    asked = replace(learned, changed=("tyre_heap",))
    assert [way.kind for way in ways(asked, banded.RGBN, 10.0, pair=False)] == ["excavation"]
    new = look(pair, tmp_path / "new", band_px=2048, learned=asked)
    assert any(one.kind == "tyre_heap" and one.geom.intersects(pair.ground.to_map(HEAP)) for one in new.candidates)
    same = look(pair._replace(before=pair.after), tmp_path / "same", band_px=2048, learned=asked)
    assert not any(one.kind == "tyre_heap" for one in same.candidates)
