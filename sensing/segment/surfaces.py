"""What the ground is made of, by colour alone: soil, grey and white, blue, brick; in one date."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sensing import features
from sensing.bands import Role
from sensing.features import Floats, brightness, excess_green, greenness, saturation, warmth
from sensing.mask import Mask
from sensing.picture import Tile
from sensing.segment.looks import WATER, Numbers, View


def smooth(tile: Tile, radius: int) -> Tile:
    """A tile without grain: the mean over valid neighbours, in whole numbers."""
    bands = {role: features.smooth(plane, tile.valid, radius) for role, plane in tile.bands.items()}
    return Tile(tile.window, bands, tile.valid)


def soil(view: View, numbers: Numbers) -> Mask:
    """Bare mineral ground: no plants, warm in colour, less yellow than straw, and no brick."""
    green = excess_green(view.after)
    found: Mask = (warmth(view.after) > numbers["soil_warmth"]) & (green < numbers["soil_green"])
    found &= green > numbers["brick"]
    if Role.NIR in view.after.bands:
        found &= greenness(view.after) < view.survey.green_cut
    return found


def bright_soil(view: View, numbers: Numbers, gain: float) -> Mask:
    """Soil that is brighter than ordinary bare soil of this scene: subsoil, sand, fresh rock."""
    bright: Mask = brightness(view.after) > gain * view.survey.soil_light
    return bright & soil(view, numbers)


def grey(view: View, numbers: Numbers) -> Mask:
    """Bright surfaces without colour: concrete, metal, plastic, pale rock."""
    found: Mask = saturation(view.after) < numbers["neutral"]
    found &= brightness(view.after) > numbers["neutral_light"] * view.survey.light
    return found


def blue(view: View, numbers: Numbers) -> Mask:
    """Blue sheet roofs; water is darker."""
    found: Mask = warmth(view.after) < numbers["blue"]
    found &= brightness(view.after) > view.survey.light
    return found


def brick(view: View, numbers: Numbers) -> Mask:
    """Red that soils do not have: tiles, rust, paint."""
    found: Mask = excess_green(view.after) < numbers["brick"]
    found &= warmth(view.after) > numbers["brick_warmth"]
    return found


def made(view: View, numbers: Numbers) -> Mask:
    """Colours that ground does not have: grey or white, blue, brick."""
    return grey(view, numbers) | blue(view, numbers) | brick(view, numbers)


def roofs(view: View, numbers: Numbers) -> Mask:
    """What may stand high enough to cast a shade: made colours, and anything pale without plants."""
    pale: Mask = brightness(view.after) > numbers["pale"] * view.survey.light
    pale &= excess_green(view.after) < numbers["soil_green"]
    return pale | made(view, numbers)


def away_from_water(view: View, planes: Mapping[Role, Floats]) -> Floats:
    """How far planes over water are from what is usual in their body of water, in deviations; 0 beside water."""
    away = np.zeros(view.valid.shape)
    bodies = view.layers[WATER]
    for number in np.unique(bodies[bodies > 0]).tolist():
        water = view.survey.water(number)
        if water is not None:
            here = bodies == number
            away[here] = water.distance({role: plane[here] for role, plane in planes.items()})
    return away
