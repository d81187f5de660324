"""What one date in plain colour shows from the air: pixels that look like one thing and not like its doubles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensing import kernels
from sensing.features import Floats, brightness, excess_green, inside, local_deviation, majority, near, visible
from sensing.kernels import Ints, compiled
from sensing.mask import Mask
from sensing.segment import surfaces
from sensing.segment.looks import Numbers, Planes, View


def dug(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Bare ground brighter than ordinary soil, the grey within it, and the shaded slopes around it."""
    sure = here & surfaces.bright_soil(view, numbers, numbers["sure_soil_gain"])
    soil = here & surfaces.soil(view, numbers)
    pale = here & (surfaces.bright_soil(view, numbers, numbers["soil_gain"]) | surfaces.grey(view, numbers))
    return Planes(pale | _slopes(view, soil & ~pale, sure, numbers), sure)


def _slopes(view: View, dim: Mask, sure: Mask, numbers: Numbers) -> Mask:
    """Dim soil close to bright soil, unless all the ground around is such soil: then it is the field."""
    if not sure.any():
        return sure
    reach = view.px(numbers["slope_m"])
    field = majority(dim, view.px(numbers["field_m"]))
    return dim & near(sure, reach) & ~field


def built(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Surfaces of colours that ground does not have: grey or white, blue, brick."""
    made = here & surfaces.made(view, numbers)
    return Planes(made, made)


def burnt(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Dark ground without colour, neither blue as open shade nor green as shade on plants: char."""
    light, (low, high) = view.survey.light, numbers["warmth"]
    cut = Char(
        light=numbers["light"] * light,
        sure_light=numbers["sure_light"] * light,
        neutral=numbers["neutral"],
        sure_neutral=numbers["sure_neutral"],
        green=numbers["green"],
        coolest=low,
        warmest=high,
    )
    red, green, blue = visible(view.after)
    told = _charred(red, green, blue, cut).reshape(view.valid.shape)
    return Planes(here & (told > 0), here & (told > 1))


class Char(NamedTuple):
    """What parts char from what is dark otherwise."""

    light: float
    sure_light: float
    neutral: float
    sure_neutral: float
    green: float
    coolest: float
    warmest: float


@compiled
def _charred(red: Ints, green: Ints, blue: Ints, cut: Char) -> NDArray[np.uint8]:
    """0 for what is no char, 1 for what may be, 2 for what surely is."""
    out = np.zeros(red.size, np.uint8)
    for i in range(red.size):
        r, g, b = red[i], green[i], blue[i]
        light = (r + g + b) // 3
        if not light < cut.light:
            continue
        plain, warm = kernels.saturation(r, g, b), kernels.contrast(r, b)
        if plain < cut.neutral and cut.coolest < warm < cut.warmest and kernels.excess_green(r, g, b) < cut.green:
            out[i] = 2 if light < cut.sure_light and plain < cut.sure_neutral else 1
    return out


def water_colour(view: View) -> Floats:
    """How far each water pixel's colour is from that of its body of water, in deviations; ponds differ by nature."""
    return surfaces.away_from_water(view, view.after.bands, alike=False)


def _leaves(view: View, here: Mask, numbers: Numbers) -> Mask:
    """Crowns that hang over water: green, and rough with their own shade; a green discharge is smooth."""
    green: Mask = here & (excess_green(view.after) > numbers["leaves"])
    if not green.any():
        return green
    light = brightness(view.after)
    rough: Mask = local_deviation(light, view.valid, 1) > numbers["leaves_rough"] * light
    return green & rough


def plume(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Water of another colour than its body's, and no crown of a tree hanging over it."""
    away = water_colour(view)
    here = here & ~_leaves(view, here, numbers)
    open_water = inside(here, view.px(numbers["bank_m"]))
    return Planes(here & (away > numbers["change"]), open_water & (away > numbers["sure_change"]))
