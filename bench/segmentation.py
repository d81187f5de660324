"""The default engine over a whole scene, end to end, against one numpy pass over the same windows of the same file.

Ours reads, computes features, paints, follows outlines, examines every area and writes the labels, for all kinds.
The peer reads each window and computes one index: the least that any answer about the pixels costs. The target is
that of reliability.md 6, at most 30 times the peer.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from bench.measure import FEWEST_ROUNDS, Result, compare
from bench.raster import SIDE_PX, Layers, write_scene
from sensing.bands import Role
from sensing.context import Context, Place
from sensing.picture import open_picture
from sensing.segment.model import Job
from sensing.segment.spectral import Spectral

NAME = "segmentation of 4096 x 4096 x 4 uint16"
PEER = "one numpy pass over the same windows"
TARGET = round(1 / 30, 4)
TILE_PX = 1024
BANDS = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
# The scene is of one date; what only a change can show is not looked for.
NEEDS_A_PAIR = {"vegetation_loss"}


@dataclass(frozen=True)
class Seen:
    """How many pixels were looked at, and what came of it: candidates, or a mean index."""

    valid_px: int
    result: float


def rows(rounds: int) -> list[Result]:
    """One row; a scene takes long enough for the fewest rounds that the rule allows."""
    with tempfile.TemporaryDirectory() as directory:
        scene = Path(directory) / "scene.tif"
        layers = write_scene(scene)
        return [
            compare(
                NAME,
                PEER,
                lambda: _segmented(scene, _context(layers)),
                lambda: _passed(scene),
                # The peer finds nothing; what both can say is how many pixels they looked at. Ours must have found.
                same=lambda ours, peer: ours.valid_px == peer.valid_px == SIDE_PX**2 and ours.result > 0,
                target=TARGET,
                rounds=min(rounds, FEWEST_ROUNDS),
            )
        ]


def _context(layers: Layers) -> Context:
    return Context(
        [
            Place("water", "CF-1", "River", layers.water),
            Place("protected", "CF-2", "Protected zone", layers.protected),
        ]
    )


def _segmented(scene: Path, context: Context) -> Seen:
    workdir = Path(tempfile.mkdtemp(dir=scene.parent))
    try:
        with open_picture(scene, BANDS) as picture:
            job = Job(picture, None, context, None, workdir, tile_px=TILE_PX)
            found = Spectral().segment(job, lambda _share: None)
    finally:
        shutil.rmtree(workdir)
    if found.refused.keys() - NEEDS_A_PAIR:
        raise RuntimeError(f"the engine did not look for everything: {dict(found.refused)}")
    return Seen(found.analysed_px, len(found.candidates))


def _passed(scene: Path) -> Seen:
    valid_px, total = 0, 0.0
    with rasterio.open(scene) as source:
        for top in range(0, source.height, TILE_PX):
            for left in range(0, source.width, TILE_PX):
                pixels = source.read(window=Window(left, top, TILE_PX, TILE_PX)).astype(np.float32)
                red, nir = pixels[0], pixels[3]
                valid = (pixels != source.nodata).any(axis=0)
                index = (nir - red) / np.maximum(nir + red, 1)
                valid_px += int(valid.sum())
                total += float(index[valid].sum())
    return Seen(valid_px, total / max(valid_px, 1))
