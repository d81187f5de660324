"""Loops over pixels, compiled to machine code: the same arithmetic as numpy, without its passes over memory."""

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
