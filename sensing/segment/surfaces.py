"""What the ground is made of, by colour alone: soil, grey and white, blue, brick; in one date."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensing import features, kernels
from sensing.bands import Role
from sensing.features import Floats, brightness, excess_green
from sensing.kernels import Ints, compiled
from sensing.mask import Mask
from sensing.segment.looks import WATER, Numbers, View


class Colours(NamedTuple):
    """What parts surfaces by colour: the numbers of a detector and the yardsticks of the scene."""

    soil_warmth: float
    soil_green: float
    brick: float
    brick_warmth: float
    neutral: float
    blue: float
    neutral_light: float
    light: float
    green_cut: float


# One bit for each surface.
_SOIL, _GREY, _BLUE, _BRICK = 1, 2, 4, 8


def _surfaces(view: View, numbers: Numbers) -> NDArray[np.uint8]:
    """Which surfaces every pixel may be, by colour; computed once for one set of numbers."""
    after, light = view.after, view.survey.light
    colours = Colours(
        soil_warmth=numbers["soil_warmth"],
        soil_green=numbers["soil_green"],
        brick=numbers["brick"],
        brick_warmth=numbers["brick_warmth"],
        neutral=numbers["neutral"],
        blue=numbers["blue"],
        neutral_light=numbers["neutral_light"] * light,
        light=light,
        green_cut=view.survey.green_cut,
    )

    def make() -> NDArray[np.uint8]:
        red, green, blue = features.visible(after)
        nir = features.row(after[Role.NIR]) if Role.NIR in after.bands else red[:0]
        return _told_apart(red, green, blue, nir, colours).reshape(after.valid.shape)

    return after.once(f"surfaces {colours}", make)


def _any_of(view: View, numbers: Numbers, bits: int) -> Mask:
    found: Mask = (_surfaces(view, numbers) & np.uint8(bits)) != 0
    return found


@compiled
def _told_apart(red: Ints, green: Ints, blue: Ints, nir: Ints, colours: Colours) -> NDArray[np.uint8]:
    out = np.empty(red.size, np.uint8)
    for i in range(red.size):
        r, g, b = red[i], green[i], blue[i]
        light = (r + g + b) // 3
        warm, green_excess = kernels.contrast(r, b), kernels.excess_green(r, g, b)
        bits = 0
        bare = nir.size == 0 or kernels.contrast(nir[i], r) < colours.green_cut
        if bare and warm > colours.soil_warmth and colours.brick < green_excess < colours.soil_green:
            bits |= _SOIL
        if light > colours.neutral_light and kernels.saturation(r, g, b) < colours.neutral:
            bits |= _GREY
        if warm < colours.blue and light > colours.light:
            bits |= _BLUE
        if green_excess < colours.brick and warm > colours.brick_warmth:
            bits |= _BRICK
        out[i] = bits
    return out


def soil(view: View, numbers: Numbers) -> Mask:
    """Bare mineral ground: no plants, warm in colour, less yellow than straw, and no brick."""
    return _any_of(view, numbers, _SOIL)


def above(plane: Ints, level: float) -> Mask:
    """Where whole numbers are greater than a level; compared as whole numbers, which is the same."""
    found: Mask = plane > np.int32(math.floor(level))
    return found


def bright_soil(view: View, numbers: Numbers, gain: float) -> Mask:
    """Soil that is brighter than ordinary bare soil of this scene: subsoil, sand, fresh rock."""
    bright = above(brightness(view.after), gain * view.survey.soil_light)
    return bright & soil(view, numbers)


def grey(view: View, numbers: Numbers) -> Mask:
    """Bright surfaces without colour: concrete, metal, plastic, pale rock."""
    return _any_of(view, numbers, _GREY)


def blue(view: View, numbers: Numbers) -> Mask:
    """Blue sheet roofs; water is darker."""
    return _any_of(view, numbers, _BLUE)


def made(view: View, numbers: Numbers) -> Mask:
    """Colours that ground does not have: grey or white, blue, brick (red of tiles, rust, paint)."""
    return _any_of(view, numbers, _GREY | _BLUE | _BRICK)


def roofs(view: View, numbers: Numbers) -> Mask:
    """What may stand high enough to cast a shade: made colours, and anything pale without plants."""
    pale = above(brightness(view.after), numbers["pale"] * view.survey.light)
    pale &= excess_green(view.after) < numbers["soil_green"]
    return pale | made(view, numbers)


def away_from_water(view: View, planes: Mapping[Role, Ints], *, alike: bool) -> Floats:
    """How far planes over water are from what is usual in their body of water, in deviations; 0 beside water.

    A body that is too small to say what is usual in it is compared with all others where these are `alike`, and with
    nothing else.
    """
    away = np.zeros(view.valid.shape)
    bodies = view.layers[WATER]
    for number in np.unique(bodies[bodies > 0]).tolist():
        water = view.survey.water(number) if alike else view.survey.waters.get(number)
        if water is not None:
            here = bodies == number
            away[here] = water.distance({role: plane[here].astype(np.float64) for role, plane in planes.items()})
    return away
