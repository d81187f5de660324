"""The door through which an engine uses models: pixels of a window labelled, finds ranked. Models come from `store`.

A run that used one names it in its row (`pixel_model_id`, `object_model_id`); the database takes approved ones alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensing.learn import features
from sensing.learn.objects import Find, Floats, ObjectModel, describe, kept
from sensing.learn.pixel import NONE, Bytes, PixelModel
from sensing.learn.sampling import Ground
from sensing.picture import Tile


def paint(model: PixelModel, tile: Tile, halo_px: int = features.HALO_PX) -> tuple[Bytes, Bytes]:
    """Labels and confidences (in two-hundredths) of a tile without its halo, height x width.

    Void pixels have label 0 (`none`) and confidence 0. A pixel gets the same bytes in any window.
    """
    made = features.stack(tile, model.features, halo_px)
    shape = made.shape[1:]
    labels, confidence = model.predict(made.reshape(len(made), -1))
    valid = tile.valid[halo_px : halo_px + shape[0], halo_px : halo_px + shape[1]]
    void = np.uint8(model.classes.index(NONE))
    return np.where(valid, labels.reshape(shape), void), np.where(valid, confidence.reshape(shape), np.uint8(0))


def rank(model: ObjectModel, ground: Ground, finds: Sequence[Find]) -> tuple[Floats, NDArray[np.bool_]]:
    """The calibrated score of each find, and whether it stays; a find of a kind that is not known stays as it is."""
    known = np.array([find.kind in model.kinds for find in finds], dtype=np.bool_)
    scores = np.array([find.score for find in finds], dtype=np.float64)
    chosen = [find for find in finds if find.kind in model.kinds]
    if chosen:
        scores[known] = model.scores(describe(ground, chosen, model.features, model.kinds))
    return scores, ~known | kept(scores, [find.geom for find in finds], model.thresholds)
