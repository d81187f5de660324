"""Pure: how much two dates differ where bands of both are compared in all their mixtures (IR-MAD).

A score that ranks places of one pair of scenes, whatever the tones of the dates are; it decides nothing. Method: A. A.
Nielsen, The regularized iteratively reweighted MAD method for change detection in multi- and hyperspectral data, IEEE
Transactions on Image Processing 16 (2), 2007.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, eigh
from scipy.special import gammaincc

from sensing.bands import Role

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

_FEWEST_PIXELS = 200
_MOST_PIXELS = 50_000
_ROUNDS, _SETTLED = 30, 1e-3
# A sensor's own noise, in ten-thousandths: without it, bands that hardly vary would weigh most.
_NOISE = 20.0
# So many parts of the scene are told apart by how much they changed.
_PARTS = 200


@dataclass(frozen=True)
class Alteration:
    """The mixtures of bands in which two dates are least alike, and how much of a scene changed how much.

    A mixture is `later` weights of the bands of `roles` less `earlier` ones, about their `middles`; `spreads` are the
    standard deviations of mixtures where nothing changed. `steps` rise: the score below which so many of the scene's
    pixels lie, in equal parts.
    """

    roles: tuple[Role, ...]
    later: tuple[tuple[float, ...], ...]
    earlier: tuple[tuple[float, ...], ...]
    middles: tuple[tuple[float, ...], tuple[float, ...]]
    spreads: tuple[float, ...]
    steps: tuple[float, ...]

    def dump(self) -> dict[str, Any]:
        """As plain JSON; floats keep every digit."""
        return {**vars(self), "roles": [role.value for role in self.roles]}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        parts: dict[str, Any] = {name: tuple(tuple(row) for row in plain[name]) for name in ("later", "earlier")}
        parts |= {name: tuple(plain[name]) for name in ("spreads", "steps")}
        middles = tuple(plain["middles"][0]), tuple(plain["middles"][1])
        return cls(roles=tuple(Role(name) for name in plain["roles"]), middles=middles, **parts)

    def score(self, before: Mapping[Role, Ints], after: Mapping[Role, Ints]) -> Floats:
        """The sum of squared mixtures, each in its spread; about the number of bands where nothing changed."""
        total = np.zeros(after[self.roles[0]].shape)
        for later, earlier, spread in zip(self.later, self.earlier, self.spreads, strict=True):
            mixed = np.zeros(total.shape)
            # Sums one by one: a matrix product may round differently for another window.
            for n, role in enumerate(self.roles):
                mixed += later[n] * (after[role] - self.middles[0][n]) - earlier[n] * (
                    before[role] - self.middles[1][n]
                )
            total += np.square(mixed / spread)
        return total

    def rank(self, scores: Floats) -> Floats:
        """How much of the scene changed less, 0 to 1."""
        below: Floats = np.searchsorted(self.steps, scores, side="left") / len(self.steps)
        return below


def alteration(before: Mapping[Role, Floats], after: Mapping[Role, Floats]) -> Alteration | None:
    """Fit the mixtures on the same pixels of both dates; None where there are too few, or bands that say nothing.

    Pixels weigh as much as it is likely that nothing changed there, until the correlations settle.
    """
    roles = tuple(role for role in after if role in before)
    if not roles or after[roles[0]].size < _FEWEST_PIXELS:
        return None
    step = -(-after[roles[0]].size // _MOST_PIXELS)
    later, earlier = (np.stack([date[role][::step] for role in roles]) for date in (after, before))
    weights, last = np.ones(later.shape[1]), np.zeros(len(roles))
    try:
        for _ in range(_ROUNDS):
            fitted = _fitted(roles, later, earlier, weights)
            one, correlations = fitted
            scores = one.score(dict(zip(roles, earlier, strict=True)), dict(zip(roles, later, strict=True)))
            weights = gammaincc(len(roles) / 2, scores / 2)
            if np.abs(correlations - last).max() < _SETTLED or weights.sum() < _FEWEST_PIXELS:
                break
            last = correlations
    except LinAlgError:
        return None
    steps = np.quantile(scores, np.arange(1, _PARTS + 1) / _PARTS)
    return Alteration(**{**vars(one), "steps": tuple(steps.tolist())})


def _fitted(roles: tuple[Role, ...], later: Floats, earlier: Floats, weights: Floats) -> tuple[Alteration, Floats]:
    """Canonical correlation of weighted pixels (Nielsen, equations 1 to 5), and the correlations."""
    total = weights.sum()
    middles = [(date * weights).sum(axis=1) / total for date in (later, earlier)]
    x, y = (date - middle[:, None] for date, middle in zip((later, earlier), middles, strict=True))
    noise = np.eye(len(roles)) * _NOISE**2
    xx, yy, xy = (x * weights) @ x.T / total + noise, (y * weights) @ y.T / total + noise, (x * weights) @ y.T / total
    squares, a = eigh(xy @ np.linalg.solve(yy, xy.T), xx)
    correlations = np.sqrt(np.clip(squares, 0.0, 1.0))
    b = np.linalg.solve(yy, xy.T @ a)
    # Mixtures of both dates have one size and one sign, so that what did not change takes itself away.
    b /= np.maximum(np.sqrt(np.einsum("in,ij,jn->n", b, yy, b)), 1e-12)
    spreads = np.sqrt(np.maximum(2.0 * (1.0 - correlations), 1e-6))
    rows = {name: tuple(tuple(row) for row in table.T.tolist()) for name, table in (("later", a), ("earlier", b))}
    return (
        Alteration(
            roles=roles,
            **rows,
            middles=(tuple(middles[0].tolist()), tuple(middles[1].tolist())),
            spreads=tuple(spreads.tolist()),
            steps=(),
        ),
        correlations,
    )
