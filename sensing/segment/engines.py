"""Which engine an installation runs: the default one, or the same with a SAM checkpoint behind it."""

from __future__ import annotations

from pathlib import Path

from schemas.refusals import invalid
from sensing.segment.model import Segmenter
from sensing.segment.refined import Refined
from sensing.segment.sam import Sam
from sensing.segment.spectral import Spectral


def engine(checkpoint: Path | None = None, checkpoint_sha256: str | None = None) -> Segmenter:
    """The engine for these settings.

    Raises RuleViolation `segment.checkpoint` when a checkpoint has no pinned hash or is not what the hash says.
    """
    if checkpoint is None:
        return Spectral()
    if not checkpoint_sha256:
        raise invalid("segment.checkpoint", "segment.checkpoint_pin", name=checkpoint.name)
    return Refined(Spectral(), Sam.load(checkpoint, checkpoint_sha256))
