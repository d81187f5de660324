"""The tint that a camera gives to everything it shows, and how it is taken off."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sensing.change import Toning
from sensing.features import VISIBLE, Floats
from sensing.picture import UNIT, Tile

_FEWEST_PIXELS = 200
# The brightest hundredth of a scene, and the brightest tenth, which is ordinary bright ground for the most part.
_BRIGHT_PERCENTS = (99, 90)
_FEWEST_BRIGHT = 100
# A channel at its upper end no longer tells a colour.
_CLIPPED = 0.98 * UNIT
# In logarithms of one channel over another: the strongest tint that is believed; the red over blue of a tint that is
# believed whatever else there is to see; how much warmer than a tinted grey ordinary ground must be.
_MOST_TINT = 0.2
_SLIGHT_TINT = 0.12
_COOLER = 0.1
_BINS, _RANGE, _BLUR_BINS = 120, (-0.6, 0.6), 1.5
_SAME_COLOUR = 0.03


def white_balance(sample: Tile) -> Toning | None:
    """What makes the brightest surfaces of a scene grey; None where nothing says that they are grey in truth.

    Metal, concrete and plastic are the brightest things on the ground and have no colour of their own, so the colour
    that most of them share is the camera's. Bare soil is coloured too, and may be the brightest thing there is: a
    strong colour counts as a tint only where ordinary bright ground is clearly warmer still, which no tint changes.
    """
    planes = np.stack([sample[role] for role in VISIBLE]).astype(np.float64)
    light = planes.mean(axis=0)
    usable = (planes.min(axis=0) > 0) & (planes.max(axis=0) < _CLIPPED)
    if usable.sum() < _FEWEST_PIXELS:
        return None
    brightest, ground = (
        _usual_colour(planes[:, usable & (light > np.percentile(light, percent))]) for percent in _BRIGHT_PERCENTS
    )
    if brightest is None or ground is None or np.abs(brightest).max() > _MOST_TINT:
        return None
    if _warmth(brightest) > _SLIGHT_TINT and _warmth(ground) - _warmth(brightest) < _COOLER:
        return None
    gain = np.exp(-np.array([brightest[0], 0.0, brightest[1]]))
    gains = {role: float(one) for role, one in zip(VISIBLE, gain / gain.mean(), strict=True)}
    others = {role: 1.0 for role in sample.bands if role not in VISIBLE}
    return Toning(gains | others, dict.fromkeys(sample.bands, 0.0))


def _usual_colour(planes: Floats) -> Floats | None:
    """The colour that most pixels share: logarithms of red and of blue over green; None for too few pixels."""
    if planes.shape[1] < _FEWEST_BRIGHT:
        return None
    colours = np.log(planes[[0, 2]] / planes[1])
    counts, reds, blues = np.histogram2d(colours[0], colours[1], bins=_BINS, range=(_RANGE, _RANGE))
    crowded = ndimage.gaussian_filter(counts, _BLUR_BINS)
    red, blue = np.unravel_index(int(crowded.argmax()), crowded.shape)
    peak = np.array([reds[red : red + 2].mean(), blues[blue : blue + 2].mean()])
    near = np.abs(colours - peak[:, None]).max(axis=0) < _SAME_COLOUR
    return np.median(colours[:, near], axis=1) if near.any() else None


def _warmth(colour: Floats) -> float:
    """The logarithm of red over blue."""
    return float(colour[0] - colour[1])
