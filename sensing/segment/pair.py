"""What two dates with a near-infrared band show: pixels that turned from one thing into another."""

from __future__ import annotations

import numpy as np

from sensing.bands import Role
from sensing.features import Floats, brightness, greenness, inside, majority, near, saturation, wetness
from sensing.mask import Mask
from sensing.picture import Tile
from sensing.segment import surfaces
from sensing.segment.looks import Numbers, Planes, View

# A sensor's own noise: no scene varies less, in ten-thousandths.
_LEAST_SPREAD = 40.0


def earlier(view: View) -> Tile:
    """The earlier tile of a pair, in the tone of the later one."""
    if view.before is None:
        raise ValueError("this way of looking needs two dates")
    return view.before


def risen(view: View, here: Mask, numbers: Numbers) -> Mask:
    """Where the ground became clearly brighter than it was."""
    now, then = brightness(view.after), brightness(earlier(view))
    spread = max((view.survey.change or {}).get("light", 0.0), _LEAST_SPREAD)
    found: Mask = now - then > numbers["light_spreads"] * spread
    found &= (now > numbers["light_gain"] * then) & here
    return found


def dug(view: View, here: Mask, numbers: Numbers) -> Planes:
    """New bare ground, brighter than ordinary soil, with the grey within it."""
    new = risen(view, here, numbers)
    pale = surfaces.bright_soil(view, numbers, numbers["soil_gain"]) | surfaces.grey(view, numbers)
    sure = new & surfaces.bright_soil(view, numbers, numbers["sure_soil_gain"])
    return Planes(new & pale, sure)


def built(view: View, here: Mask, numbers: Numbers) -> Planes:
    """New surfaces of colours that ground does not have: grey or white, blue, brick."""
    made = risen(view, here, numbers) & surfaces.made(view, numbers)
    return Planes(made, made)


def burnt(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Ground that lost its near infrared and is dark without colour, and is no water: char.

    Shade takes light too, but leaves the colours of what it falls on.
    """
    before = earlier(view)
    then = np.maximum(before[Role.NIR], 100)
    kept = view.after[Role.NIR] / then
    spread = max((view.survey.change or {}).get("nir", 0.0), _LEAST_SPREAD)
    fallen = then - view.after[Role.NIR] > 3 * spread
    dark = brightness(view.after) < view.survey.light
    dry = (wetness(view.after) < numbers["wet"]) & (wetness(before) < numbers["wet"])
    plain = saturation(view.after)
    dull = fallen & dark & dry & here
    member = dull & (kept < numbers["nir_kept"]) & (plain < numbers["neutral"])
    lost = greenness(before) - greenness(view.after) > numbers["green_loss"]
    sure = member & lost & (kept < numbers["sure_nir_kept"]) & (plain < numbers["sure_neutral"])
    # Half-burnt rims and islands between the ashes are dull too, but on their own they could be anything.
    rim = dull & (kept < numbers["rim_nir_kept"]) & (plain < numbers["rim_neutral"])
    return Planes(member | (rim & near(majority(member, 1), numbers["rim_px"])), sure)


def cleared(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Ground that lost its plants and lies dry: what stands under water may grow again."""
    now, loss = greenness(view.after), greenness(earlier(view)) - greenness(view.after)
    member = here & (wetness(view.after) < numbers["wet"]) & (now < view.survey.green_cut)
    member &= loss > numbers["green_loss"]
    return Planes(member, member & (loss > numbers["sure_green_loss"]))


def water_change(view: View) -> Floats:
    """How far each water pixel's change is from what its body of water did as a whole, in deviations."""
    before = earlier(view)
    roles = [role for role in view.after.bands if role in before.bands]
    return surfaces.away_from_water(view, {role: view.after[role] - before[role] for role in roles}, alike=True)


def plume(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Water that changed its colour while the rest of its body did not."""
    away = water_change(view)
    # Leaves on both dates are a planted pond or a crown over the bank, whose changes are none of the water's.
    leaves = (greenness(view.after) > numbers["leaves"]) & (greenness(earlier(view)) > numbers["leaves"])
    here = here & ~leaves
    # Pixels on a bank are part land, whose changes are none of the water's.
    open_water = inside(here, view.px(numbers["bank_m"]))
    return Planes(here & (away > numbers["change"]), open_water & (away > numbers["sure_change"]))
