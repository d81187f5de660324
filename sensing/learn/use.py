"""How pixels of a window are labelled by a pixel model; lean, because every worker on a scene loads it."""

from __future__ import annotations

import numpy as np

from sensing.learn import features
from sensing.learn.pixel import Bytes, PixelModel
from sensing.picture import Tile


def paint(model: PixelModel, tile: Tile, halo_px: int = features.HALO_PX) -> tuple[Bytes, Bytes]:
    """Labels and confidences (in two-hundredths) of a tile without its halo, height x width.

    Void pixels have label 0 (`none`) and confidence 0. A pixel gets the same bytes in any window.
    """
    made = features.stack(tile, model.features, halo_px)
    shape = made.shape[1:]
    labels, confidence = model.predict(made.reshape(len(made), -1))
    valid = tile.valid[halo_px : halo_px + shape[0], halo_px : halo_px + shape[1]]
    # Void is label 0 of every model.
    return np.multiply(labels.reshape(shape), valid), np.multiply(confidence.reshape(shape), valid)
