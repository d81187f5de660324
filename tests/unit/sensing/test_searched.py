"""Where kinds are looked for is said in one place, and no detector paints anywhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from sensing.bands import Role
from sensing.picture import Tile
from sensing.segment.detectors import KINDS, PAIR, SEARCHED, SINGLE, Detector, Facts, choose
from sensing.segment.looks import LAYERS, View
from sensing.segment.spectral import Parameters
from sensing.segment.survey import Survey, Water

SIZE = 96
ROLES = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR, Role.SWIR1, Role.SWIR2)


def a_view(seed: int, *, pair: bool) -> View:
    """Noise on random layers, under yardsticks that call much of it something."""
    rng = np.random.default_rng(seed)

    def tile() -> Tile:
        coarse = rng.integers(50, 9_000, (len(ROLES), SIZE // 8, SIZE // 8)).repeat(8, 1).repeat(8, 2)
        bands = {
            role: coarse[n].astype(np.int32) + rng.integers(0, 60, (SIZE, SIZE), np.int32)
            for n, role in enumerate(ROLES)
        }
        return Tile(Window(0, 0, SIZE, SIZE), bands, rng.random((SIZE, SIZE)) < 0.97)

    layers = {name: (rng.random((SIZE // 16, SIZE // 16)) < 0.5).repeat(16, 0).repeat(16, 1) for name in LAYERS}
    colours = ROLES if pair else ROLES[:3]
    water = Water(
        colours, (1000.0,) * len(colours), tuple(tuple(row) for row in (np.eye(len(colours)) / 500**2).tolist())
    )
    survey = Survey(
        9_216, 0.3, 3_000.0, 3_000.0, 1.0, 0.0, 400.0, {0: water, 1: water}, change={"light": 50.0, "nir": 50.0}
    )
    before = tile() if pair else None
    return View(
        tile(), before, {name: one.astype(np.uint8) for name, one in layers.items()}, survey, 1.0 if not pair else 10.0
    )


def detectors(*, pair: bool, near: bool) -> list[Detector]:
    facts = Facts(
        roles=frozenset(ROLES),
        way=PAIR if pair else SINGLE,
        gsd_m=0.5 if near else 10.0,
        layers=frozenset(LAYERS),
        survey=a_view(1, pair=pair).survey,
        shown=near,
    )
    return choose(facts, Parameters.load().values)[0]


@pytest.mark.parametrize(("pair", "near"), [(True, False), (False, True), (False, False)])
def test_every_detector__paints_within_the_ground_that_is_said_of_its_kind(pair, near):
    seen = set()
    for seed in (1, 2, 3):
        view = a_view(seed, pair=pair)
        for detector in detectors(pair=pair, near=near):
            here = view.ground(detector.searched)
            assert detector.searched == SEARCHED[detector.kind]
            planes = detector.paint(view, here, detector.numbers)
            assert not (planes.member & ~here).any(), detector.kind
            assert not (planes.sure & ~here).any(), detector.kind
            seen |= {detector.kind} if planes.member.any() else set()
    assert seen, "nothing was painted at all, so that nothing was tried"


def test_ground_of_a_kind__is_what_all_dates_show_within_its_layer_and_without_the_others():
    view = a_view(4, pair=True)
    for searched in SEARCHED.values():
        expected = view.valid.copy()
        if searched.within:
            expected &= view.layers[searched.within] > 0
        for layer in searched.without:
            expected &= view.layers[layer] == 0
        assert np.array_equal(view.ground(searched), expected)


def test_every_kind__has_its_ground():
    assert set(SEARCHED) == set(KINDS)


def test_paint_functions__name_no_layer_of_ground():
    """Whoever paints is given the ground: a layer named there would be a second truth."""
    folder = Path(__file__).parents[3] / "sensing" / "segment"
    for name in ("pair", "single", "litter"):
        assert ".within(" not in (folder / f"{name}.py").read_text(encoding="utf-8"), name
