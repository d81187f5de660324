"""How long something takes by itself: the clock on the wall tells what else the machine has to do."""

from __future__ import annotations

import time
from collections.abc import Callable

# An interpreter that has much to remember sweeps its memory now and then, and whoever works meanwhile waits for it.
TRIES = 3


def processor_s(act: Callable[[], object], tries: int = TRIES) -> float:
    """Seconds of a processor that `act` took in the quickest of its tries."""
    taken_s = []
    for _ in range(tries):
        began = time.thread_time()
        act()
        taken_s.append(time.thread_time() - began)
    return min(taken_s)
