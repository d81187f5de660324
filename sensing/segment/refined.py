"""The default engine with a second opinion: SAM draws each candidate's outline anew, beside the pixel outline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.features import rasterize
from rasterio.windows import Window

from sensing.bands import Role
from sensing.grid import WGS84, moved
from sensing.picture import Picture
from sensing.segment.examine import outline, to_ground
from sensing.segment.model import Candidate, Job, Progress, Segmentation, Segmenter
from sensing.segment.sam import Sam
from sensing.words import say

_RGB = (Role.RED, Role.GREEN, Role.BLUE)
# SAM sees 1024 pixels a side; a candidate and its surroundings fill about half of that.
_CROP_PX = 1024
_SURROUNDINGS = 0.5
_SIMPLIFY_PX = 0.8
_SEGMENTING_SHARE = 0.3


class Refined:
    """Candidates of another engine, each with SAM's outline as an alternative (implements `Segmenter`)."""

    version = "1"

    def __init__(self, inner: Segmenter, sam: Sam) -> None:
        self._inner = inner
        self._sam = sam
        self.name = f"{inner.name}+sam"

    @property
    def parameters_sha256(self) -> str:
        """Those of the inner engine and of the checkpoint; implements `Segmenter.parameters_sha256`."""
        return f"{self._inner.parameters_sha256}+{self._sam.checkpoint_sha256}"

    def segment(self, job: Job, progress: Progress) -> Segmentation:
        """As the inner engine, with `alternative` outlines where SAM means the same thing."""
        found = self._inner.segment(job, lambda share: progress(share * _SEGMENTING_SHARE))
        if not job.after.colour_known:
            return found
        levels = _levels(job.after)
        redrawn = []
        for number, candidate in enumerate(found.candidates, start=1):
            redrawn.append(self._redrawn(job.after, candidate, levels))
            progress(_SEGMENTING_SHARE + (1 - _SEGMENTING_SHARE) * number / len(found.candidates))
        return replace(found, candidates=tuple(redrawn), parameters_sha256=self.parameters_sha256)

    def _redrawn(self, picture: Picture, candidate: Candidate, levels: tuple[float, float]) -> Candidate:
        crs = CRS.from_wkt(picture.grid.crs_wkt)
        shape = moved(candidate.geom, WGS84, crs)
        window = _window(shape, picture)
        if window is None:
            return candidate
        place = picture.grid.transform @ Affine.translation(window.col_off, window.row_off)
        mask = rasterize([shape], out_shape=(int(window.height), int(window.width)), transform=place) > 0
        answer = self._sam.redraw(_crop(picture, window, levels), mask) if mask.any() else None
        rim = outline(answer.mask, _SIMPLIFY_PX) if answer else None
        if answer is None or rim is None:
            return candidate
        words = (*candidate.trace, say("seen.sam", iou=answer.predicted_iou))
        return replace(candidate, alternative=moved(to_ground(rim, place), crs, WGS84), trace=words)


def _levels(picture: Picture) -> tuple[float, float]:
    """The values shown black and white, one pair for the whole scene."""
    sample = picture.sample().after
    light = np.concatenate([sample[role] for role in _RGB]) if sample.valid.any() else np.array([0, 1])
    low, high = np.percentile(light, (2, 98))
    return float(low), float(max(high, low + 1))


def _window(shape: shapely.Polygon, picture: Picture) -> Window | None:
    """The window of a candidate with its surroundings; None where it is too large for one look."""
    back = ~picture.grid.transform
    corners = np.array([back @ (x, y) for x, y in shapely.box(*shape.bounds).exterior.coords])
    low, high = corners.min(axis=0), corners.max(axis=0)
    pad = _SURROUNDINGS * (high - low).max() + 8
    left, top = np.maximum(np.floor(low - pad), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + pad), (picture.grid.width, picture.grid.height)).astype(int)
    fits = 0 < right - left <= _CROP_PX and 0 < bottom - top <= _CROP_PX
    return Window(int(left), int(top), int(right - left), int(bottom - top)) if fits else None


def _crop(picture: Picture, window: Window, levels: tuple[float, float]) -> NDArray[np.uint8]:
    """HWC RGB bytes; what privacy zones hide becomes the mean of the crop, so that no edge is drawn around it."""
    tile = picture.tile(window)
    low, high = levels
    planes = np.stack([tile[role] for role in _RGB], axis=-1).astype(np.float64)
    pixels = np.clip((planes - low) / (high - low) * 255, 0, 255)
    if tile.valid.any():
        pixels[~tile.valid] = pixels[tile.valid].mean(axis=0)
    crop: NDArray[np.uint8] = pixels.astype(np.uint8)
    return crop
