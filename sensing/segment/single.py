"""What one date in plain colour shows from the air: pixels that look like one thing and not like its doubles."""

from __future__ import annotations

import numpy as np

from sensing.features import Floats, brightness, excess_green, inside, majority, near, saturation, warmth
from sensing.mask import Mask
from sensing.segment import surfaces
from sensing.segment.looks import WATER, Numbers, Planes, View


def dug(view: View, numbers: Numbers) -> Planes:
    """Bare ground brighter than ordinary soil, the grey within it, and the shaded slopes around it."""
    land = ~view.within(WATER) & view.valid
    sure = land & surfaces.bright_soil(view, numbers, numbers["sure_soil_gain"])
    soil = land & surfaces.soil(view, numbers)
    pale = land & (surfaces.bright_soil(view, numbers, numbers["soil_gain"]) | surfaces.grey(view, numbers))
    return Planes(pale | _slopes(view, soil & ~pale, sure, numbers), sure)


def _slopes(view: View, dim: Mask, sure: Mask, numbers: Numbers) -> Mask:
    """Dim soil close to bright soil, unless all the ground around is such soil: then it is the field."""
    reach = view.px(numbers["slope_m"])
    field = majority(dim, view.px(numbers["field_m"]))
    return dim & near(sure, reach) & ~field


def built(view: View, numbers: Numbers) -> Planes:
    """Surfaces of colours that ground does not have: grey or white, blue, brick."""
    made = surfaces.made(view, numbers) & ~view.within(WATER) & view.valid
    return Planes(made, made)


def burnt(view: View, numbers: Numbers) -> Planes:
    """Dark ground without colour, neither blue as open shade nor green as shade on plants: char."""
    light, plain, warm = brightness(view.after), saturation(view.after), warmth(view.after)
    low, high = numbers["warmth"]
    colour = (warm > low) & (warm < high) & (excess_green(view.after) < numbers["green"])
    land = ~view.within(WATER) & view.valid & colour
    member = land & (light < numbers["light"] * view.survey.light) & (plain < numbers["neutral"])
    sure = member & (light < numbers["sure_light"] * view.survey.light) & (plain < numbers["sure_neutral"])
    return Planes(member, sure)


def water_colour(view: View) -> Floats:
    """How far each water pixel's colour is from that of its body of water, in deviations."""
    return surfaces.away_from_water(view, {role: plane.astype(np.float64) for role, plane in view.after.bands.items()})


def plume(view: View, numbers: Numbers) -> Planes:
    """Water of another colour than its body's, and no crown of a tree hanging over it."""
    away = water_colour(view)
    leaves = excess_green(view.after) > numbers["leaves"]
    here = view.within(WATER) & view.valid & ~leaves
    open_water = inside(here, view.px(numbers["bank_m"]))
    return Planes(here & (away > numbers["change"]), open_water & (away > numbers["sure_change"]))
