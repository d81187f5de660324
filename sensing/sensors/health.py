"""Pure: what a snapshot looks like in a few numbers, and what is wrong with the device that took it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from schemas.limits import limit
from schemas.refusals import RuleViolation, invalid, too_large, unsupported

Grey = NDArray[np.uint8]
_FORMATS = ("JPEG", "PNG")
_SHARP, _EDGES = (480, 270), (32, 18)


class Fault(StrEnum):
    """What can be wrong with a device."""

    OFFLINE = "offline"
    BLACK = "black"
    BLURRED = "blurred"
    FROZEN = "frozen"
    MOVED = "moved"


@dataclass(frozen=True)
class Thresholds:
    """When a device counts as faulty (sensing/rules/health.yaml)."""

    offline_min: int
    black_mean: float
    black_high: float
    blurred_below: float
    frozen_frames: int
    frozen_min: int
    moved_below: float


@cache
def thresholds() -> Thresholds:
    """The thresholds of the house."""
    text = resources.files("sensing").joinpath("rules", "health.yaml").read_text(encoding="utf-8")
    return Thresholds(**yaml.safe_load(text))


@dataclass(frozen=True)
class Look:
    """A snapshot in numbers: levels of 255, sharpness, a hash of its pixels, and where its edges are (32 by 18)."""

    mean: float
    high: float
    sharpness: float
    pixels_sha256: str
    edges: tuple[int, ...]

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"edges": list(self.edges)}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        return cls(**dict(plain) | {"edges": tuple(plain["edges"])})


_REFUSED: Mapping[str, Callable[..., RuleViolation]] = {
    "snapshot.pixels": too_large,
    "snapshot.format": unsupported,
    "snapshot.broken": invalid,
}


def refusal(rule: str, measured: str | float | None, required: str | float | None) -> RuleViolation:
    """What `read_snapshot` raises, made again of its parts on the other side of a wall."""
    return _REFUSED[rule](rule, measured=measured, required=required)


def read_snapshot(data: bytes) -> Grey:
    """The grey levels of a JPEG or PNG, HW uint8; for the quarantine child, which alone opens what strangers send.

    Raises RuleViolation 413, 415 or 422 for anything else.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > limit("frame.pixels"):
                raise too_large("snapshot.pixels", measured=image.width * image.height, required=limit("frame.pixels"))
            image.draft("L", (image.width // 2, image.height // 2) if image.width > 2 * _SHARP[0] else image.size)
            grey = np.asarray(image.convert("L"))
    except RuleViolation:
        raise
    except UnidentifiedImageError:
        raise unsupported("snapshot.format", required="JPEG, PNG") from None
    except Image.DecompressionBombError:
        raise too_large("snapshot.pixels", measured="…", required=limit("frame.pixels")) from None
    except (OSError, ValueError, SyntaxError, OverflowError):
        raise invalid("snapshot.broken") from None
    if min(grey.shape) < _EDGES[0]:
        raise invalid("snapshot.broken")
    return grey


def look(grey: Grey) -> Look:
    """What a frame (HW uint8) looks like."""
    levels = grey.astype(np.float64)
    return Look(
        mean=round(float(levels.mean()), 2),
        high=round(float(np.percentile(grey, 95)), 2),
        sharpness=round(_sharpness(grey), 5),
        pixels_sha256=hashlib.sha256(np.ascontiguousarray(grey).tobytes()).hexdigest(),
        edges=_edges(grey),
    )


def _shrunk(grey: Grey, size: tuple[int, int]) -> NDArray[np.float64]:
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX), dtype=np.float64)


def _sharpness(grey: Grey) -> float:
    """The variance of the Laplacian over that of the picture: high where neighbours differ, at one size for all."""
    a = _shrunk(grey, _SHARP)
    laplacian = 4 * a[1:-1, 1:-1] - a[:-2, 1:-1] - a[2:, 1:-1] - a[1:-1, :-2] - a[1:-1, 2:]
    return float(laplacian.var() / max(float(a.var()), 1.0))


def _edges(grey: Grey) -> tuple[int, ...]:
    """How strong edges are in each cell, 0 to 255 of the strongest."""
    across, down = np.gradient(_shrunk(grey, (3 * _EDGES[0], 3 * _EDGES[1])))
    strength = np.hypot(across, down).reshape(_EDGES[1], 3, _EDGES[0], 3).mean(axis=(1, 3))
    strongest = float(strength.max())
    scaled = strength * (255 / strongest) if strongest > 0 else strength
    return tuple(int(value) for value in np.rint(scaled).ravel())


def alike(one: Look, other: Look) -> float:
    """How much edges lie in the same places, -1 to 1; 0 where one of the two has none."""
    a, b = (np.asarray(side.edges, dtype=np.float64) for side in (one, other))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0


def faults_of(now: Look, at: datetime, before: Sequence[tuple[datetime, Look]], first: Look | None) -> list[Fault]:
    """What is wrong with what a device shows.

    `before` are its earlier snapshots, the newest first; `first` the one since it was taken into use, if that showed
    something. What is black or blurred says nothing of where it looks.
    """
    told, limits = [], thresholds()
    if now.mean < limits.black_mean and now.high < limits.black_high:
        told.append(Fault.BLACK)
    elif now.sharpness < limits.blurred_below:
        told.append(Fault.BLURRED)
    if _frozen(now, at, before):
        told.append(Fault.FROZEN)
    if not told and first is not None and alike(now, first) < limits.moved_below:
        told.append(Fault.MOVED)
    return told


def _frozen(now: Look, at: datetime, before: Sequence[tuple[datetime, Look]]) -> bool:
    """A sensor has noise: two pictures that it took differ, however little happens."""
    limits, same = thresholds(), []
    for earlier, seen in before:
        if seen.pixels_sha256 != now.pixels_sha256:
            break
        same.append(earlier)
    return len(same) + 1 >= limits.frozen_frames and at - same[-1] >= timedelta(minutes=limits.frozen_min)
