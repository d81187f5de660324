"""Touches the disk: what is known of every pixel before anything is looked for, drawn once on the scene's grid.

Outside the jurisdiction nobody means to look; privacy zones were burnt in; clouds, shadows and haze of either date
hide the ground. Codes are those of `sensing.coverage`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.io import DatasetReader
from rasterio.windows import Window

from sensing.cloud import Clouds, clouds, on_other, worse
from sensing.coregister import Fit
from sensing.coverage import Codes, Cover, visible
from sensing.grid import BLOCK
from sensing.jurisdiction import Bounds
from sensing.mask import ZoneBurner
from sensing.picture import Picture
from sensing.segment.model import Job
from sensing.segment.painting import paint
from sensing.words import Sentence

# A file of zeros takes no room: pixels hold the difference from what is usual.
USUAL = np.uint8(Cover.ANALYSED)


def draw(job: Job, fit: Fit | None, target: Path) -> tuple[bool, dict[str, Any]]:
    """Draw the raster, unless nothing is to be said; whether it was drawn, and in words how clouds were looked for.

    `fit` says how the earlier scene was moved, where it is used.
    """
    sky, told = _sky(job, fit)
    grid = job.after.grid
    zones = ZoneBurner(job.zones, CRS.from_wkt(grid.crs_wkt), grid.transform)
    bounds = Bounds(job.jurisdiction, grid) if job.jurisdiction is not None else None
    if not job.zones and bounds is None and not sky.any:
        return False, told

    clouded = sky.any

    def painter(window: Window) -> Codes | None:
        private, beyond = zones.burn(window), bounds.outside(window) if bounds is not None else None
        codes = sky.window(window) if clouded else np.full(private.shape, USUAL)
        codes[private] = Cover.PRIVACY
        if beyond is not None:
            codes[beyond] = Cover.OUTSIDE
        drawn: Codes = codes[None] ^ USUAL
        return drawn if drawn.any() else None

    for _ in paint(target, grid, 1, painter, tile_px=BLOCK):
        pass
    return True, told


def _sky(job: Job, fit: Fit | None) -> tuple[Clouds, dict[str, Any]]:
    """What hides either date, on squares of the later one's grid."""
    after = clouds(job.after, job.classes[0])
    told: dict[str, Any] = {"after": _told(after)}
    if job.before is None or fit is None or not fit.holds:
        return after, told
    before = clouds(job.before, job.classes[1])
    told["before"] = _told(before)
    if not before.any:
        return after, told
    factor = after.factor if after.codes is not None else before.factor
    moved = on_other(before, job.before.grid, job.after.grid, factor, fit.shift_px)
    both = moved if after.codes is None else worse(after.codes, moved)
    return Clouds(both, factor, after.how), told


def _told(found: Clouds) -> dict[str, Any]:
    return {"how": found.how.dump(), "percent": found.percent()}


class _Shown:
    """An open raster whose mask leaves out what is hidden."""

    def __init__(self, dataset: DatasetReader, said: DatasetReader) -> None:
        self._dataset, self._said = dataset, said

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._dataset, name)

    def dataset_mask(self, *, window: Window) -> NDArray[np.uint8]:
        codes = self._said.read(1, window=window) ^ USUAL
        return visible(self._dataset.dataset_mask(window=window) > 0, codes).view(np.uint8)


def without_hidden(picture: Picture, said: DatasetReader | None) -> Picture:
    """The picture without what is hidden: clouds are no yardstick."""
    return replace(picture, dataset=cast("DatasetReader", _Shown(picture.dataset, said))) if said else picture


def sentences(told: Mapping[str, Any] | None) -> list[Sentence]:
    """How clouds were looked for, in words; the same for both dates is said once."""
    found = [Sentence(one["how"]["key"], one["how"]["params"]) for one in (told or {}).values()]
    return [one for number, one in enumerate(found) if one not in found[:number]]
