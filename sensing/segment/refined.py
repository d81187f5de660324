"""The default engine with a second opinion: SAM draws each candidate's outline anew, beside the pixel outline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import rfc8785
import shapely
from affine import Affine
from pyproj import CRS
from rasterio.features import rasterize

from sensing.grid import WGS84, moved
from sensing.picture import Picture
from sensing.segment.crops import Box, Crop, Shown, assign, stretch_of
from sensing.segment.embeddings import Embedding
from sensing.segment.examine import outline, to_ground
from sensing.segment.model import Candidate, Job, Progress, Segmentation, Segmenter
from sensing.segment.sam import Sam, guards
from sensing.words import say

_SIMPLIFY_PX = 0.8
_SEGMENTING_SHARE = 0.3


class Refined:
    """Candidates of another engine, each with SAM's outline as an alternative (implements `Segmenter`)."""

    version = "2"

    def __init__(self, inner: Segmenter, sam: Sam) -> None:
        self._inner = inner
        self._sam = sam
        self.name = f"{inner.name}+sam"

    @property
    def parameters_sha256(self) -> str:
        """Those of the inner engine and of SAM; implements `Segmenter.parameters_sha256`."""
        own: list[Any] = [self._inner.parameters_sha256, self._sam.sha256, dict(guards())]
        return hashlib.sha256(rfc8785.dumps(own)).hexdigest()

    def segment(self, job: Job, progress: Progress) -> Segmentation:
        """As the inner engine, with `alternative` outlines where SAM means the same thing."""
        found = self._inner.segment(job, lambda share: progress(share * _SEGMENTING_SHARE))
        found = replace(found, parameters_sha256=self.parameters_sha256)
        if not job.after.colour_known or not found.candidates:
            return found
        redrawn = refine(self._sam, job.after, found.candidates, lambda share: progress(_later(share)))
        return replace(found, candidates=redrawn, refinement=self._sam.about())


def _later(share: float) -> float:
    return _SEGMENTING_SHARE + (1 - _SEGMENTING_SHARE) * share


def refine(sam: Sam, picture: Picture, candidates: Sequence[Candidate], progress: Progress) -> tuple[Candidate, ...]:
    """Candidates in their order, those with an alternative that SAM means the same thing in.

    Each crop is encoded once, whoever lies in it; no more than one is in memory at a time.
    """
    crs = CRS.from_wkt(picture.grid.crs_wkt)
    shapes = [moved(one.geom, WGS84, crs) for one in candidates]
    boxes = [_box(shape, picture) for shape in shapes]
    placed = [number for number, box in enumerate(boxes) if box is not None]
    redrawn, stretch, done = list(candidates), stretch_of(picture), 0
    for crop, numbers in assign([box for box in boxes if box is not None], (picture.grid.height, picture.grid.width)):
        looked = sam.embedding(picture, crop, stretch)
        for number in (placed[one] for one in numbers):
            if looked is not None:
                redrawn[number] = _redrawn(sam, picture, crop, looked, (candidates[number], shapes[number]))
        done += len(numbers)
        progress(done / len(candidates))
    progress(1.0)
    return tuple(redrawn)


def _redrawn(
    sam: Sam, picture: Picture, crop: Crop, looked: tuple[Embedding, Shown], of: tuple[Candidate, shapely.Polygon]
) -> Candidate:
    (embedding, shown), (candidate, shape) = looked, of
    valid = shown.valid
    place = picture.grid.transform @ Affine.translation(crop.left, crop.top)
    mask = rasterize([shape], out_shape=(crop.height, crop.width), transform=place, dtype="uint8") > 0
    mask &= valid
    answer = sam.redraw(embedding, mask, valid) if mask.any() else None
    rim = outline(answer.mask, _SIMPLIFY_PX) if answer else None
    if answer is None or rim is None:
        return candidate
    words = (*candidate.trace, say("seen.sam", iou=answer.predicted_iou))
    crs = CRS.from_wkt(picture.grid.crs_wkt)
    return replace(candidate, alternative=moved(to_ground(rim, place), crs, WGS84), trace=words)


def _box(shape: shapely.Polygon, picture: Picture) -> Box | None:
    """The pixels that a shape lies in; None beside the picture."""
    back = ~picture.grid.transform
    corners = np.array([back @ (x, y) for x, y in shapely.get_coordinates(shape)])
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (picture.grid.width, picture.grid.height)).astype(int)
    return Box(int(left), int(top), int(right), int(bottom)) if left < right and top < bottom else None
