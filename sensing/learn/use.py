"""How pixels of a window are labelled by a pixel model; lean, because every worker on a scene loads it."""

from __future__ import annotations

import numpy as np

from sensing.learn import features
from sensing.learn.pixel import Bytes, PixelModel
from sensing.picture import Tile

# So many rows at a time, whose features stay in the cache until they are decided on.
_ROWS = 64


def paint(model: PixelModel, tile: Tile, halo_px: int = features.HALO_PX) -> tuple[Bytes, Bytes]:
    """Labels and confidences (in two-hundredths) of a tile without its halo, height x width.

    Void pixels have label 0 (`none`) and confidence 0. A pixel gets the same bytes in any window.
    """
    high, wide = (size - 2 * halo_px for size in tile.valid.shape)
    labels, confidence = np.zeros((high, wide), np.uint8), np.zeros((high, wide), np.uint8)
    for top in range(0, high, _ROWS):
        here = slice(top, min(top + _ROWS, high))
        around = slice(here.start, here.stop + 2 * halo_px)
        strip = Tile(tile.window, {role: plane[around] for role, plane in tile.bands.items()}, tile.valid[around])
        made = features.stack(strip, model.features, halo_px)
        said = model.predict(made.reshape(len(made), -1))
        valid = tile.valid[here.start + halo_px : here.stop + halo_px, halo_px : halo_px + wide]
        for plane, values in zip((labels, confidence), said, strict=True):
            # Void is label 0 of every model.
            np.multiply(values.reshape(valid.shape), valid, out=plane[here])
    return labels, confidence
