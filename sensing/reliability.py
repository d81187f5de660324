"""Whether scores mean what they say: of things scored 0.8, are eight in ten right? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Scores between `low` and `high`: how many, how sure on average, and the share that was right."""

    low: float
    high: float
    count: int
    score: float
    right: float


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram; `ece` is the mean distance of score and share of right, weighted by count."""

    bins: tuple[Bin, ...]
    ece: float
    count: int

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        bins = [{name: round(value, 4) for name, value in vars(one).items()} for one in self.bins]
        return {"count": self.count, "ece": round(self.ece, 4), "bins": bins}


def reliability(
    scores: Sequence[float] | NDArray[np.float64],
    right: Sequence[bool] | NDArray[np.bool_],
    *,
    low: float = 0.0,
    bins: int = BINS,
) -> Reliability | None:
    """The diagram of scores in [low, 1], in bins of equal width; empty bins are left out. None without a score."""
    given = np.asarray(scores, dtype=np.float64)
    hit = np.asarray(right, dtype=np.bool_)
    if not given.size:
        return None
    edges = np.linspace(low, 1.0, bins + 1)
    # A score on an edge belongs to the bin above it, a score of one to the last.
    place = np.clip(np.searchsorted(edges, given, side="right") - 1, 0, bins - 1)
    found = [_bin(edges, number, given[place == number], hit[place == number]) for number in np.unique(place)]
    ece = sum(abs(one.score - one.right) * one.count for one in found) / given.size
    return Reliability(tuple(found), float(ece), int(given.size))


def _bin(edges: NDArray[np.float64], number: int, scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> Bin:
    low, high = float(edges[number]), float(edges[number + 1])
    return Bin(low, high, int(scores.size), float(scores.mean()), float(hit.mean()))


def interval(hits: int, count: int) -> tuple[float, float]:
    """The share hits / count with 95 % certainty, lowest and highest (Wilson's score interval); (0, 1) for no count."""
    if count == 0:
        return (0.0, 1.0)
    z = 1.959964
    share = hits / count
    middle = share + z * z / (2 * count)
    reach = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    # Rounding may put an end a last digit on the wrong side of the share itself.
    low, high = float((middle - reach) / scale), float((middle + reach) / scale)
    return (max(0.0, min(low, share)), min(1.0, max(high, share)))
