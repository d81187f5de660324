"""How the earlier of two scenes lies on the later one: the shift to a tenth of a pixel, and what remains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from affine import Affine
from rasterio.windows import Window
from scipy import ndimage

from sensing.bands import Role
from sensing.coregister import MOST_RESIDUAL_PX, Fit, coregister, still
from sensing.grid import Grid
from sensing.picture import Tile
from tests.unit.sensing.ground import Ground, rectangle

RGBN = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)


@dataclass
class Planes:
    """A scene that lies in memory."""

    planes: list[np.ndarray]
    valid: np.ndarray
    roles: tuple[Role, ...] = RGBN

    @property
    def grid(self) -> Grid:
        return Grid("", Affine.identity(), self.valid.shape[1], self.valid.shape[0])

    def tile(self, window: Window, halo: int = 0) -> Tile:
        at = np.s_[window.row_off : window.row_off + window.height, window.col_off : window.col_off + window.width]
        bands = {role: np.rint(plane[at]).astype(np.int32) for role, plane in zip(self.roles, self.planes, strict=True)}
        return Tile(window, bands, self.valid[at])


def scene(planes, *, valid=None, seed=1, noise=30.0, roles=RGBN) -> Planes:
    rng = np.random.default_rng(seed)
    usable = np.ones(planes[0].shape, bool) if valid is None else valid
    return Planes([plane + rng.normal(0, noise, plane.shape) for plane in planes], usable, roles)


@pytest.fixture(scope="module")
def ground():
    made = Ground(seed=3)
    for number in range(8):
        made.paint(rectangle((50 + 45 * number, 60 + 35 * number), (30, 18), 15 * number), "soil")
    return list(made.reflectance(noise=0) * 10_000)


def earlier(planes, moved, *, gain=0.85, offset=150.0):
    """The ground as it was seen before: darker, hazier, and off by (columns, rows)."""
    return [gain * ndimage.shift(plane, (-moved[1], -moved[0]), order=3, mode="nearest") + offset for plane in planes]


@pytest.mark.parametrize("moved", [(0.0, 0.0), (3.4, -2.6), (-0.26, 0.68), (0.5, 0.5), (-4.3, 4.8)])
def test_shift__known_move__found_to_a_tenth_of_a_pixel(ground, moved):
    fit = coregister(scene(earlier(ground, moved), seed=2), scene(ground))
    assert fit.shift_px == pytest.approx(moved, abs=0.1)
    assert fit.holds
    assert fit.residual_px < 0.2


def test_shift__a_quarter_of_the_ground_changed__found(ground):
    changed = [plane.copy() for plane in ground]
    rng = np.random.default_rng(7)
    for plane in changed:
        plane[:190, :210] = ndimage.zoom(rng.uniform(300, 3500, (19, 21)), 10, order=0)
    fit = coregister(scene(earlier(ground, (3.4, -2.6))), scene(changed, seed=2))
    assert fit.shift_px == pytest.approx((3.4, -2.6), abs=0.1)
    assert fit.agreeing < fit.windows


def test_shift__one_colour_in_common__enough(ground):
    one, other = (Role.GREEN,), (Role.GREEN, Role.NIR)
    before = scene(earlier(ground, (1.3, 0.4))[1:2], roles=one)
    fit = coregister(before, scene([ground[1], ground[3]], seed=2, roles=other))
    assert fit.shift_px == pytest.approx((1.3, 0.4), abs=0.1)


def test_shift__edges_of_bands_against_each_other__do_not_cancel(ground):
    """Where plants end, near infrared falls and red rises, as nearly everywhere in the country."""
    roles = (Role.RED, Role.NIR)
    planes = [4000 - ground[3], ground[3]]
    fit = coregister(scene(earlier(planes, (1.3, 0.4)), roles=roles), scene(planes, seed=2, roles=roles))
    assert fit.shift_px == pytest.approx((1.3, 0.4), abs=0.1)
    assert fit.residual_px < 0.2


def test_shift__holes_in_both__no_edges_of_holes(ground):
    """What is masked lies at the same place in neither date, and must not pass for an edge that did not move."""
    valid = np.ones(ground[0].shape, bool)
    valid[100:160, 100:200] = valid[250:300, 300:360] = False
    hidden = [np.where(valid, plane, 0) for plane in ground]
    fit = coregister(scene(earlier(ground, (2.2, -1.7))), scene(hidden, valid=valid, seed=2))
    assert fit.shift_px == pytest.approx((2.2, -1.7), abs=0.1)


def test_residual__scene_that_is_stretched__is_told_or_refused(ground):
    stretched = [ndimage.affine_transform(plane, np.diag([1.012, 1.012]), order=1, mode="nearest") for plane in ground]
    fit = coregister(scene(stretched), scene(ground, seed=2))
    assert not fit.holds


def test_unclear__nothing_in_common__nothing_compared():
    one, other = (
        [ndimage.zoom(np.random.default_rng(seed + n).uniform(300, 3000, (30, 30)), 10, order=0) for n in range(4)]
        for seed in (1, 9)
    )
    fit = coregister(scene(one), scene(other))
    assert (fit.residual_px, fit.holds) == (None, False)


@pytest.mark.parametrize("size", [(300, 300), (40, 300), (1, 1)])
def test_unclear__flat_or_tiny__nothing_compared(size):
    flat = [np.full(size, 500.0)] * 4
    assert coregister(scene(flat, noise=0), scene(flat, noise=0)) == Fit()


def test_unclear__mostly_void__nothing_compared(ground):
    valid = np.zeros(ground[0].shape, bool)
    valid[:40] = True
    assert not coregister(scene(ground), scene(ground, valid=valid)).holds


def test_same_scenes__same_fit_to_the_last_bit(ground):
    fits = {str(coregister(scene(earlier(ground, (0.7, 0.2))), scene(ground, seed=2)).dump()) for _ in range(2)}
    assert len(fits) == 1


@pytest.mark.parametrize(
    ("fit", "key"),
    [
        (Fit((0.3, -0.1), 0.2, 16, 15), "fit.holds"),
        (Fit((0.3, -0.1), MOST_RESIDUAL_PX + 0.1, 16, 15), "fit.apart"),
        (Fit((0.0, 0.0), None, 16, 3), "fit.unclear"),
    ],
)
def test_words__each_outcome_has_its_sentence(fit, key):
    sentence = fit.in_words(5.0)
    assert sentence.key == key
    assert all(sentence.render(lang) for lang in ("en", "zh"))
    assert Fit.load(fit.dump()) == fit


def test_still__less_than_a_tenth_of_a_pixel__is_not_moved():
    assert still(Fit((0.05, 0.05), 0.1, 9, 9))
    assert not still(Fit((0.3, 0.0), 0.1, 9, 9))
