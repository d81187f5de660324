"""Loops in machine code: two floors say how they are made, and must mean the same."""

from __future__ import annotations

import inspect

import geo.compiled
import sensing.kernels


def test_compiled__said_on_two_floors__in_the_same_words() -> None:
    assert inspect.getsource(geo.compiled.compiled) == inspect.getsource(sensing.kernels.compiled)
