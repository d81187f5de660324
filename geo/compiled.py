"""Loops in machine code: what numpy cannot say in whole arrays.

`compiled` is said again in `sensing.kernels`, whose text is part of the hash of every find (sensing.segment.code): that
one may not be moved here, and this floor may not ask the one above it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A function that is compiled when it is first called; kept on disk where there is a place to keep it.

    No arithmetic is reordered or fused, so results have the bits that the written order gives.
    """
    try:
        made: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # a read-only installation without a home
        made = njit(nogil=True, error_model="numpy")(function)
    return made


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A small function that becomes part of each compiled function that calls it: a call hands over every array."""
    made: Callable[P, R] = njit(nogil=True, error_model="numpy", inline="always")(function)
    return made
