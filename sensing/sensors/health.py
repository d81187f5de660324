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
from scipy import ndimage

from schemas.limits import limit
from schemas.refusals import RuleViolation, invalid, too_large, unsupported

Grey = NDArray[np.uint8]
_FORMATS = ("JPEG", "PNG")
_WORKED, _TOLD_WIDTH, _CELLS = (480, 270), 960, (32, 18)
# Two smoothings, in pixels of the worked size; how much an edge loses from one to the other says how wide it is.
_FINE, _COARSE = 1.5, 3.0
# The strongest edges are those of one pixel in two hundred; of pure noise that level is so many times the deviation.
_STRONGEST, _OF_NOISE, _MEDIAN_OF_NOISE = 99.5, 3.26, 1.18
_NO_EDGES_PX = 99.0


class Fault(StrEnum):
    """What can be wrong with a device."""

    OFFLINE = "offline"
    BLACK = "black"
    COVERED = "covered"
    BLURRED = "blurred"
    FROZEN = "frozen"
    MOVED = "moved"


@dataclass(frozen=True)
class Thresholds:
    """When a device counts as faulty (sensing/rules/health.yaml)."""

    offline_min: int
    black_mean: float
    black_high: float
    noise: float
    flat_contrast: float
    least_edge: float
    blurred_px: float
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
    """A snapshot in numbers, all told without the noise of its sensor.

    `mean`, `high` (of one pixel in two hundred) and `contrast` (between large parts) are levels of 255, `edge` is the
    slope of the strongest edges in levels per pixel of a picture 480 wide, `blur_px` how far they are smeared
    (deviation in pixels of a picture 960 wide), `edges` where they are (32 by 18).
    """

    mean: float
    high: float
    contrast: float
    edge: float
    blur_px: float
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
            image.draft("L", (image.width // 2, image.height // 2) if image.width > 2 * _WORKED[0] else image.size)
            grey = np.asarray(image.convert("L"))
    except RuleViolation:
        raise
    except UnidentifiedImageError:
        raise unsupported("snapshot.format", required="JPEG, PNG") from None
    except Image.DecompressionBombError:
        raise too_large("snapshot.pixels", measured="…", required=limit("frame.pixels")) from None
    except (OSError, ValueError, SyntaxError, OverflowError):
        raise invalid("snapshot.broken") from None
    if min(grey.shape) < _CELLS[0]:
        raise invalid("snapshot.broken")
    return grey


def look(grey: Grey) -> Look:
    """What a frame (HW uint8) looks like."""
    worked = _resized(grey, _WORKED)
    calm = ndimage.gaussian_filter(worked, _FINE)
    noise = thresholds().noise * float(np.sqrt(worked.size / grey.size))
    fine = _strongest(calm, noise, _FINE)
    coarse = _strongest(ndimage.gaussian_filter(worked, _COARSE), noise, _COARSE)
    return Look(
        mean=round(float(worked.mean()), 2),
        high=round(float(np.percentile(calm, _STRONGEST)), 2),
        contrast=round(float(_resized(grey, _CELLS).std()), 2),
        edge=round(fine, 2),
        blur_px=round(_smear(fine, coarse) * _TOLD_WIDTH / _WORKED[0], 2),
        pixels_sha256=hashlib.sha256(np.ascontiguousarray(grey).tobytes()).hexdigest(),
        edges=_edges(calm),
    )


def _resized(grey: Grey, size: tuple[int, int]) -> NDArray[np.float64]:
    is_smaller = grey.shape[1] >= size[0] and grey.shape[0] >= size[1]
    how = Image.Resampling.BOX if is_smaller else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(grey).resize(size, how), dtype=np.float64)


def _slopes(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    down, across = np.gradient(levels)
    slopes: NDArray[np.float64] = np.hypot(across, down)
    return slopes


def _strongest(smoothed: NDArray[np.float64], noise: float, deviation: float) -> float:
    """The slope of the strongest edges, less what noise adds to it.

    How much noise there is, is told by the slopes of most pixels; but no more than a sensor has (`noise`, the deviation
    of its levels at the worked size), for a meadow has slopes everywhere too. The smoothing leaves a known share of it.
    """
    slopes = _slopes(smoothed)
    most = noise / (np.sqrt(8 * np.pi) * deviation**2)
    each = min(float(np.median(slopes)) / _MEDIAN_OF_NOISE, most)
    strongest = float(np.percentile(slopes, _STRONGEST))
    return float(np.sqrt(max(strongest**2 - (_OF_NOISE * each) ** 2, 0.0)))


def _smear(fine: float, coarse: float) -> float:
    """How far edges are smeared, as the deviation in pixels of the worked size.

    The slope of a smeared step goes with one over the deviation of all its smoothings together, whose squares add up;
    so two slopes of the same edges tell what was there before either.
    """
    ratio = (fine / coarse) ** 2 if coarse > 0 else 0.0
    if ratio <= 1:
        return _NO_EDGES_PX
    return float(np.sqrt(max((_COARSE**2 - ratio * _FINE**2) / (ratio - 1), 0.0)))


def _edges(calm: NDArray[np.float64]) -> tuple[int, ...]:
    """How strong edges are in each cell, 0 to 255 of the strongest."""
    wide, high = _CELLS
    strength = _slopes(calm).reshape(high, calm.shape[0] // high, wide, calm.shape[1] // wide).mean(axis=(1, 3))
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
    something. What is black, covered or blurred says nothing of where it looks.
    """
    told, limits = [], thresholds()
    if now.mean < limits.black_mean and now.high < limits.black_high:
        told.append(Fault.BLACK)
    elif now.edge < limits.least_edge and now.contrast < limits.flat_contrast:
        told.append(Fault.COVERED)
    elif now.edge < limits.least_edge or now.blur_px > limits.blurred_px:
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
