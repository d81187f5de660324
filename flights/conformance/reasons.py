"""What can speak against a fix."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from flights.conformance.fixes import Bools

Flags = NDArray[np.uint8]


class Reason(IntFlag):
    """What speaks against a fix; several may at once. The names, in small letters, are what is told."""

    CROSS_TRACK = 1
    HEIGHT = 2
    AREA = 4
    LEG = 8
    DIRECTION = 16
    EARLY = 32
    LATE = 64

    def words(self) -> tuple[str, ...]:
        """The reasons as they are told and stored."""
        return tuple(str(one.name).lower() for one in type(self) if one in self)

    def where(self, which: Bools) -> Flags:
        """The reason as flags where something is so."""
        return which.astype(np.uint8) * np.uint8(self)
