"""How a ratio is taken: ours and the peer alternate on the same work, and their outputs must agree."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TypeVar

T = TypeVar("T")

ROUNDS = 9
FEWEST_ROUNDS = 5
WIDEST_SPREAD = 0.15


@dataclass(frozen=True)
class Result:
    """One row of the bench; `ratio` is how many times faster than the peer we are."""

    name: str
    peer_name: str
    ours: float | None
    peer: float | None
    unit: str
    ratio: float | None
    spread: float | None
    target: float
    met: bool | str
    note: str = ""

    def as_dict(self) -> dict[str, object]:
        """The row as one JSON object."""
        return asdict(self)


def seconds(call: Callable[[], T]) -> tuple[float, T]:
    """Wall time of one call and what it returned."""
    started = time.perf_counter()
    value = call()
    return time.perf_counter() - started, value


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keeps the garbage collector out of the way; what was left before is collected first."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def compare(  # noqa: PLR0913 - a row is what it is
    name: str,
    peer_name: str,
    ours: Callable[[], T],
    peer: Callable[[], T],
    *,
    same: Callable[[T, T], bool],
    target: float,
    rounds: int = ROUNDS,
    pieces: int = 1,
    prepare: Callable[[], object] | None = None,
    is_slow: bool = False,
) -> Result:
    """Alternates ours and the peer, asserts each time that both say the same, and takes the median ratio.

    A round is `pieces` calls of each, turn by turn, so that what disturbs a busy machine for a moment falls on
    both; its ratio is that of the sums. The spread is the interquartile range of the rounds' ratios over their
    median; above 15 % the row says `not measured` instead of a figure that the next run would contradict. The
    first round warms up and does not count, unless the peer `is_slow`: then a call warms ours up, and the peer's first
    minute, of which loading its program is no part worth mentioning, counts. What `prepare` does before each piece is
    on nobody's clock.
    """
    if is_slow:
        ours()
    pairs = []
    for turn in range(rounds if is_slow else rounds + 1):
        mine = theirs = 0.0
        with _no_collector():
            for piece in range(pieces):
                if prepare is not None:
                    prepare()
                if (turn + piece) % 2 == 0:
                    (spent, said), (peer_spent, peer_said) = seconds(ours), seconds(peer)
                else:
                    (peer_spent, peer_said), (spent, said) = seconds(peer), seconds(ours)
                if not same(said, peer_said):
                    return not_measured(name, peer_name, target, "outputs differ")
                mine, theirs = mine + spent, theirs + peer_spent
        pairs.append((mine / pieces, theirs / pieces))
    counted = pairs if is_slow else pairs[1:]
    ratio, spread = middle([theirs / mine for mine, theirs in counted])
    return Result(
        name,
        peer_name,
        round(statistics.median(mine for mine, _ in counted), 6),
        round(statistics.median(theirs for _, theirs in counted), 6),
        "s",
        round(ratio, 4),
        round(spread, 4),
        target,
        ratio >= target if spread <= WIDEST_SPREAD else "not measured",
        "" if spread <= WIDEST_SPREAD else f"spread above {WIDEST_SPREAD:.0%}",
    )


def limited(name: str, peer_name: str, ours: float, peer: float, target: float = 1.0, *, unit: str = "MB") -> Result:
    """The row of a quantity that is not time and does not vary: the peer's, or a limit, over ours."""
    ratio = peer / ours
    return Result(name, peer_name, round(ours, 3), round(peer, 3), unit, round(ratio, 4), 0.0, target, ratio >= target)


def middle(ratios: Sequence[float]) -> tuple[float, float]:
    """The median, and the interquartile range over it."""
    ratio = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4)
    return ratio, (high - low) / ratio


def not_measured(name: str, peer_name: str, target: float, why: str) -> Result:
    """The row of a peer that could not run here; it is never `met`."""
    return Result(name, peer_name, None, None, "s", None, None, target, "not measured", why)
