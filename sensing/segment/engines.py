"""Which engine an installation runs: the default one, or the same with a SAM checkpoint behind it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sensing.segment.embeddings import MOST_BYTES, Embeddings
from sensing.segment.model import Segmenter
from sensing.segment.refined import Refined
from sensing.segment.sam import Choice, Sam, load_sam
from sensing.segment.spectral import Spectral


def engine(sam: Sam | None = None) -> Segmenter:
    """The default engine, with SAM's second opinion where there is a SAM."""
    return Refined(Spectral(), sam) if sam is not None else Spectral()


@lru_cache(maxsize=1)
def sam_of(choice: Choice, root: Path, most_bytes: int = MOST_BYTES) -> Sam:
    """The SAM that an operator has chosen, with its embeddings below `root`; a process loads it once.

    Raises RuleViolation `segment.checkpoint` with the reason where it cannot be used.
    """
    return load_sam(choice, Embeddings(root, most_bytes))
