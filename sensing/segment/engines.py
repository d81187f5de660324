"""Which engine an installation runs: the default one, or the same with a SAM checkpoint behind it."""

from __future__ import annotations

from sensing.segment.model import Segmenter
from sensing.segment.refined import Refined
from sensing.segment.sam import Sam
from sensing.segment.spectral import Spectral


def engine(sam: Sam | None = None) -> Segmenter:
    """The default engine, with SAM's second opinion where there is a SAM."""
    return Refined(Spectral(), sam) if sam is not None else Spectral()
