"""How a ratio is taken: ours and the peer alternate on the same work, and their outputs must agree."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

ROUNDS = 9
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


def seconds(call: Callable[[], object]) -> tuple[float, object]:
    """Wall time of one call and what it returned; the collector is kept out of the way."""
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        value = call()
        return time.perf_counter() - started, value
    finally:
        gc.enable()


def compare(  # noqa: PLR0913 - a row is what it is
    name: str,
    peer_name: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    same: Callable[[object, object], bool],
    target: float,
    rounds: int = ROUNDS,
) -> Result:
    """Alternates ours and the peer, asserts that both say the same, and takes the median of the ratios.

    The spread is the interquartile range of the per-round ratios over their median; above 15 % the
    row says `not measured` instead of a figure that the next run would contradict.
    """
    _, warm_ours = seconds(ours)
    _, warm_peer = seconds(peer)
    if not same(warm_ours, warm_peer):
        return Result(name, peer_name, None, None, "s", None, None, target, "not measured", "outputs differ")
    pairs = []
    for turn in range(rounds):
        first, second = (ours, peer) if turn % 2 == 0 else (peer, ours)
        one, two = seconds(first)[0], seconds(second)[0]
        pairs.append((one, two) if turn % 2 == 0 else (two, one))
    ratios = [theirs / mine for mine, theirs in pairs]
    ratio = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4)
    spread = (high - low) / ratio
    met: bool | str = ratio >= target if spread <= WIDEST_SPREAD else "not measured"
    return Result(
        name,
        peer_name,
        round(statistics.median(p[0] for p in pairs), 6),
        round(statistics.median(p[1] for p in pairs), 6),
        "s",
        round(ratio, 3),
        round(spread, 3),
        target,
        met,
    )


def not_measured(name: str, peer_name: str, target: float, why: str) -> Result:
    """The row of a peer that could not run here; it is never `met`."""
    return Result(name, peer_name, None, None, "s", None, None, target, "not measured", why)
