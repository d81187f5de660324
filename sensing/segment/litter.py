"""Tipped waste, on one date in plain colour: many small things of many colours, thrown together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensing import features, kernels
from sensing.features import brightness, excess_green, saturation, warmth
from sensing.kernels import Ints, compiled
from sensing.mask import Mask
from sensing.segment.areas import elongation, rectangularity, solidity
from sensing.segment.examine import evidence, outline, scored, share, smoothed
from sensing.segment.looks import Closer, Find, Numbers, Planes, View
from sensing.words import say

# A hue that less than this of an area has is chance.
_LEAST_OF_A_HUE = 0.03
# So far apart lie different things.
_THING_M = 2.0


def dumped(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Ground whose hue jumps nearly everywhere from one pixel to the next."""
    jumps = jumping(view, numbers)
    reach = view.px(numbers["crowd_m"])
    cell = (2 * reach + 1) ** 2
    member, sure = (here & kernels.crowded(jumps, reach, int(numbers[name] * cell)) for name in ("crowd", "sure_crowd"))
    return Planes(member, sure)


def jumping(view: View, numbers: Numbers) -> NDArray[np.uint8]:
    """Where the hue of a pixel is another one than that of the next pixel in its row, or in its column.

    Of pixels as they were stored: what is looked for is as fine as a camera's grain, which stands out in the dark.
    """
    planes = [np.ascontiguousarray(view.raw[role]) for role in features.VISIBLE]
    return _jumps(planes[0], planes[1], planes[2], numbers["jump"], int(3 * numbers["dark"] * view.survey.light))


@compiled
def _jumps(red: Ints, green: Ints, blue: Ints, least: float, dark: int) -> NDArray[np.uint8]:
    rows, width = red.shape
    out = np.zeros((rows, width), np.uint8)
    for y in range(rows - 1):
        for x in range(width - 1):
            warm, green_over = red[y, x] - blue[y, x], 2 * green[y, x] - red[y, x] - blue[y, x]
            beside, below = x + 1, y + 1
            along = abs(warm - red[y, beside] + blue[y, beside])
            along += abs(green_over - 2 * green[y, beside] + red[y, beside] + blue[y, beside])
            across = abs(warm - red[below, x] + blue[below, x])
            across += abs(green_over - 2 * green[below, x] + red[below, x] + blue[below, x])
            out[y, x] = max(along, across) > least * max(red[y, x] + green[y, x] + blue[y, x], dark)
    return out


def grain(view: View, mask: Mask) -> float:
    """How much hue changes from a pixel to the next one, over how much it changes across the size of things.

    A camera's noise changes as much from pixel to pixel as over any length; things are larger than a pixel.
    """
    red, green, blue = (view.raw[role].astype(np.int64) for role in features.VISIBLE)
    warm, green_over = red - blue, 2 * green - red - blue
    far = view.px(_THING_M)
    steps = [_steps(warm, mask, lag) + _steps(green_over, mask, lag) for lag in (1, far)]
    return steps[0] / steps[1] if steps[1] > 0 else 1.0


def _steps(plane: NDArray[np.int64], mask: Mask, lag: int) -> float:
    """The mean difference of a plane between pixels of a mask that lie `lag` apart in a row."""
    both = mask[:, lag:] & mask[:, :-lag]
    return float(np.abs(plane[:, lag:] - plane[:, :-lag])[both].mean()) if both.any() else 0.0


def hues(view: View, mask: Mask) -> dict[str, float]:
    """The share of an area in each of six colours that litter has."""
    light, plain = brightness(view.after), saturation(view.after)
    warm, green = warmth(view.after), excess_green(view.after)
    grey = plain < 0.12
    kinds = {
        "white": grey & (light > 1.3 * view.survey.light),
        "black": light < 0.6 * view.survey.light,
        "blue": ~grey & (warm < -0.05),
        "green": ~grey & (green > 0.06),
        "red": ~grey & (warm > 0.1) & (green < -0.04),
        "yellow": ~grey & (warm > 0.15) & (green > 0.0) & (green <= 0.06),
    }
    return {name: share(one, mask) for name, one in kinds.items()}


def solid_waste(closer: Closer, numbers: Numbers) -> Find | None:
    """A dump: no plain patches as roofs, crowns and awnings have, many hues, and no straight sides."""
    view = closer.view
    mask = smoothed(closer.mask, view.px(numbers["smooth_m"]))
    rim = outline(mask)
    if rim is None:
        return None
    jumps = jumping(view, numbers)
    calm = np.ascontiguousarray((jumps == 0) & view.valid)
    plain = kernels.crowded(calm.view(np.uint8), 1, 9)
    colours = hues(view, mask)
    measures = {
        "jumps": share(jumps > 0, mask),
        "plain_share": share(features.near(plain, 1), mask),
        "grain": grain(view, mask),
        "hues": float(sum(value > _LEAST_OF_A_HUE for value in colours.values())),
        "green_share": colours["green"],
        "blue_share": colours["blue"],
        "white_share": colours["white"],
        "rectangularity": rectangularity(rim),
        "solidity": solidity(rim),
        "elongation": elongation(rim),
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
    }
    measures["evidence"] = evidence(measures, numbers["evidence"])
    odd = measures["elongation"] > numbers["max_elongation"] or measures["grain"] > numbers["finest_grain"]
    if odd or measures["evidence"] <= numbers["least_evidence"]:
        return None
    words = (
        say("seen.jumble", share=measures["jumps"], hues=int(measures["hues"])),
        say("seen.no_patches", share=measures["plain_share"]),
    )
    return Find("solid_waste", mask, scored(measures["evidence"], 0.0, len(numbers["evidence"])), measures, words)
