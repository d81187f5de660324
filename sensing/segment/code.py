"""Touches the disk: which code looks at pixels, as a hash; the same files give the same finds."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_SENSING = Path(__file__).parent.parent
# Everything between a masked copy and an outline: tones, shifts, clouds, features, detectors, connected areas.
DECIDING = (
    *("bands.py", "change.py", "classified.py", "cloud.py", "context.py", "coregister.py", "coverage.py"),
    *("features.py", "grid.py", "jurisdiction.py", "kernels.py", "mad.py", "mask.py", "picture.py", "tint.py"),
    *("learn/deciding.py", "learn/features.py", "learn/objects.py", "learn/pixel.py", "learn/ranking.py"),
    *("learn/sampling.py", "learn/use.py"),
)


@cache
def code_sha256() -> str:
    """SHA-256 of the source of features and detectors, file by file with their names."""
    files = [_SENSING / name for name in DECIDING] + sorted((_SENSING / "segment").glob("*.py"))
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
