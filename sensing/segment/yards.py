"""Ground that people levelled: fields that became hard ground, and soil that lies open on a building site."""

from __future__ import annotations

import numpy as np

from sensing.bands import Role
from sensing.features import brightness, excess_green, greenness, saturation, wetness
from sensing.mask import Mask
from sensing.segment import surfaces
from sensing.segment.areas import elongation, rectangularity, solidity
from sensing.segment.examine import evidence, middle, outline, scored, share, smoothed, to_half
from sensing.segment.looks import FARMLAND, SITES, Closer, Find, Numbers, Planes, View
from sensing.segment.pair import earlier
from sensing.words import say


def converted(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Ground that had plants or tilth and now is hard: pale without colour, or a roof; dry, and nothing grows."""
    now = view.after
    dead, surely_dead = (greenness(now) < numbers[name] for name in ("ndvi", "sure_ndvi"))
    hard = dead & (wetness(now) < numbers["wet"]) & (saturation(now) < numbers["saturation"])
    hard &= brightness(now) > numbers["light"] * view.survey.light
    painted = surfaces.blue(view, numbers)
    member = here & (hard | painted) & _soft(view, numbers)
    return Planes(member, member & (surely_dead | painted))


def _soft(view: View, numbers: Numbers) -> Mask:
    """Where the earlier date shows plants, or soil in its colour."""
    before = earlier(view)
    soft: Mask = (greenness(before) > numbers["grown_ndvi"]) | (saturation(before) > numbers["tilth_saturation"])
    return soft


def land_conversion(closer: Closer, numbers: Numbers) -> Find | None:
    """A field that became a yard or a building: hard ground in a straight-sided shape."""
    view = closer.view
    mask = smoothed(to_half(closer), view.px(numbers["smooth_m"]))
    rim = outline(mask)
    if rim is None or view.before is None:
        return None
    now = greenness(view.after)
    measures = {
        "ndvi": middle(now, mask),
        "green_loss": middle(greenness(view.before) - now, mask),
        "saturation": middle(saturation(view.after), mask),
        "light": middle(brightness(view.after).astype(np.float64), mask) / max(view.survey.light, 1.0),
        "blue_share": share(surfaces.blue(view, numbers), mask),
        "farmland": share(view.within(FARMLAND), mask),
        "rectangularity": rectangularity(rim),
        "solidity": solidity(rim),
        "elongation": elongation(rim),
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
    }
    # A blue roof is hard whatever its colour, and reflects near infrared as a thin crop does.
    blue_roof = measures["blue_share"] > 0.5
    counted = {name: value for name, value in measures.items() if not (blue_roof and name in ("ndvi", "saturation"))}
    measures["evidence"] = evidence(counted, numbers["evidence"]) + (numbers["blue_roof"] if blue_roof else 0.0)
    if measures["evidence"] <= numbers["least_evidence"] or measures["elongation"] > numbers["max_elongation"]:
        return None
    words = (
        say("seen.hardened", loss=measures["green_loss"], ndvi=measures["ndvi"]),
        say("seen.farmland", share=measures["farmland"]),
        say("seen.straight", share=measures["rectangularity"]),
    )
    return Find("land_conversion", mask, scored(measures["evidence"], 0.0, len(numbers["evidence"])), measures, words)


def uncovered(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Soil without net, plants or paving on it."""
    bare = here & surfaces.soil(view, numbers)
    return Planes(bare, bare & (excess_green(view.after) < numbers["sure_green"]))


def bare_soil(closer: Closer, numbers: Numbers) -> Find | None:
    """Soil that lies open, and is no track across the site."""
    view = closer.view
    mask = smoothed(closer.mask, view.px(numbers["smooth_m"]))
    rim = outline(mask)
    if rim is None:
        return None
    measures = {
        "soil_share": share(surfaces.soil(view, numbers), mask),
        "light_over_soil": middle(brightness(view.after).astype(np.float64), mask) / max(view.survey.soil_light, 1.0),
        "site_share": share(view.within(SITES), mask),
        "solidity": solidity(rim),
        "elongation": elongation(rim),
    }
    if Role.NIR in view.after.bands:
        measures["ndvi"] = middle(greenness(view.after), mask)
    narrow = measures["elongation"] > numbers["max_elongation"]
    if narrow or measures["soil_share"] < numbers["soil_share"]:
        return None
    words = (say("seen.soil", share=measures["soil_share"]), say("seen.open_soil", share=measures["site_share"]))
    return Find("bare_soil", mask, scored(measures["soil_share"], numbers["soil_share"], 1.0), measures, words)
