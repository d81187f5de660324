"""The door for engines: a pixel gets the same bytes in any window, a find is ranked by the model of its kind."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.windows import Window

from sensing.bands import Role
from sensing.learn.fit import train
from sensing.learn.objects import Decisions, Find, describe, fit_objects
from sensing.learn.ranking import rank
from sensing.learn.sampling import Ground
from sensing.learn.use import paint
from sensing.picture import open_picture
from tests.unit.sensing.ground import Ground as Made
from tests.unit.sensing.ground import blob
from tests.unit.sensing.test_learn_pixel import samples

ROLES = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
IN_LAKES = ((40, 40), (150, 50), (250, 60), (330, 300), (60, 300), (200, 200))
IN_FIELDS = ((90, 110), (340, 140), (200, 340), (50, 180), (330, 40), (270, 270))
LAKES = [blob(place, 12, number) for number, place in enumerate(IN_LAKES)]
FIELDS = [blob(place, 12, 20 + number) for number, place in enumerate(IN_FIELDS)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    made = Made(seed=8)
    for lake in LAKES:
        made.paint(lake, "water")
    path = made.satellite(tmp_path_factory.mktemp("use") / "a.tif")
    with open_picture(path, ROLES) as picture:
        yield made, Ground(picture)


@pytest.mark.parametrize("size", [64, 100, 257, 512])
@pytest.mark.parametrize("halo", [3, 8])
def test_paint__windows_of_any_size__the_same_bytes(seen, size, halo):
    _, ground = seen
    model, picture = train(samples(spread=900.0)), ground.picture
    grid = picture.grid
    whole = paint(model, picture.tile(Window(0, 0, grid.width, grid.height), 3))
    made = [np.zeros((grid.height, grid.width), np.uint8) for _ in whole]
    for top in range(0, grid.height, size):
        for left in range(0, grid.width, size):
            window = Window(left, top, min(size, grid.width - left), min(size, grid.height - top))
            for plane, part in zip(made, paint(model, picture.tile(window, halo), halo), strict=True):
                plane[window.toslices()] = part
    assert [plane.tobytes() for plane in made] == [plane.tobytes() for plane in whole]


def test_paint__void__is_nothing_without_confidence(seen):
    _, ground = seen
    tile = ground.picture.tile(Window(0, 0, 50, 40), 3)
    tile.valid[:] = False
    labels, confidence = paint(train(samples()), tile)
    assert not labels.any()
    assert not confidence.any()


def test_rank__finds_of_a_kind_that_officers_decided__by_what_they_said(seen):
    made, ground = seen
    finds = [Find("pond", made.to_map(shape), 0.5) for shape in (*LAKES, *FIELDS)]
    accepted = np.array([True] * len(LAKES) + [False] * len(FIELDS))
    names = ("red", "nir", "ndwi", "texture_far")
    described = describe(ground, finds, names, ("pond",))
    number = np.arange(len(finds))
    model = fit_objects(Decisions(names, ("pond",), described, accepted, number, number * 0, ("A1",))).model
    other = Find("building", made.to_map(FIELDS[0]), 0.2)
    scores, needed = rank(model, ground, [finds[0], finds[-1], other])
    assert scores[0] > 0.6 > 0.4 > scores[1]
    assert scores[2] == 0.2
    assert (scores >= needed).tolist() == [True, False, True]
    assert needed[2] == 0
    assert rank(model, ground, [])[0].size == 0
