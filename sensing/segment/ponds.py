"""Water that is something else than water should be, on one date: blooms of algae, and black water."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sensing import features
from sensing.bands import Role
from sensing.features import Floats, brightness, contrast, excess_green, greenness, inside, majority, near, saturation
from sensing.kernels import Ints, compiled
from sensing.mask import Mask
from sensing.segment.areas import elongation
from sensing.segment.examine import bank, evidence, largest, middle, outline, scored, share, smoothed
from sensing.segment.looks import WATER, Closer, Find, Numbers, Planes, View
from sensing.words import say

# A body of water of which an area holds less than this share is its neighbour.
_OWN = 0.1
_NARROWEST_PX = 3.0


def between(view: View) -> Mask:
    """Where one body of water touches the next one on the grid, on both sides: what is found ends there."""
    bodies, out = view.layers[WATER], np.zeros(view.valid.shape, np.bool_)
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        touching = (bodies[here] != bodies[there]) & (bodies[here] > 0) & (bodies[there] > 0)
        out[here] |= touching
        out[there] |= touching
    return out


def bloom(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Water that is green as plants are, in near infrared too; surely so only where no bank mixes in."""
    here = here & ~between(view)
    growing = greenness(view.after)
    bright = view.after[Role.NIR] > numbers["nir"] * view.survey.light
    member = here & bright & (growing > numbers["ndvi"]) & (excess_green(view.after) > numbers["green"])
    member = here & majority(member, int(numbers["calm_px"]))
    return Planes(member, member & (growing > numbers["sure_ndvi"]) & inside(here, view.px(numbers["bank_m"])))


class Foul(NamedTuple):
    """What parts black water from clean deep water, which is dark too: it is dark in all colours alike.

    Colours of water darker than `dark` are noise for the most part, and count as those of water that is so bright.
    """

    light: float
    sure_light: float
    dark: float
    saturation: float
    green: float


def black(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Water that is dark without colour; surely so only where no bank mixes in."""
    here = here & ~between(view)
    light = view.survey.light
    cut = Foul(
        light=numbers["light"] * light,
        sure_light=numbers["sure_light"] * light,
        dark=numbers["dark"] * light,
        saturation=numbers["saturation"],
        green=numbers["green_over_red"],
    )
    told = _fouled(*features.visible(view.after), features.row(here.view(np.uint8)), cut).reshape(here.shape)
    # Settled here and not by the frame, which would fill the narrow bank between two ponds.
    member = here & majority(told > 0, int(numbers["calm_px"]))
    return Planes(member, member & (told > 1) & inside(here, view.px(numbers["bank_m"])))


@compiled
def _fouled(red: Ints, green: Ints, blue: Ints, here: NDArray[np.uint8], cut: Foul) -> NDArray[np.uint8]:
    """0 for other water, 1 for what may be black, 2 for what surely is."""
    out = np.zeros(red.size, np.uint8)
    for i in range(red.size):
        if not here[i]:
            continue
        r, g, b = red[i], green[i], blue[i]
        light, high = (r + g + b) // 3, max(r, g, b)
        plain = high - min(r, g, b) < cut.saturation * max(float(high), cut.dark)
        if light < cut.light and plain and g - r < cut.green * max(float(g) + r, 2 * cut.dark):
            out[i] = 2 if light < cut.sure_light else 1
    return out


def _own_body(closer: Closer, mask: Mask) -> Mask:
    """The body of water that an area belongs to; a neighbour of which it holds next to nothing is another one."""
    bodies = closer.view.layers[WATER]
    own: Mask = np.isin(bodies, np.flatnonzero(np.bincount(bodies[mask]) > _OWN * mask.sum())) & (bodies > 0)
    return own


def _to_bank(closer: Closer, mask: Mask) -> Mask:
    """An area of water with the pixels on the bank beside it, which are part land and look like neither."""
    if not mask.any():
        return mask
    body = _own_body(closer, mask)
    rim = body & ~inside(body, 1) & closer.view.valid
    return largest(mask | (rim & near(mask, 1)))


def open_share(closer: Closer, mask: Mask) -> float:
    """How much of what lies around an area, half as far as it is wide, is its own body of water: a plume floats."""
    wide = max(_NARROWEST_PX, float(ndimage.distance_transform_edt(np.pad(mask, 1)).max()))
    far = ndimage.distance_transform_edt(~mask)
    return share(_own_body(closer, mask), (far > 1) & (far <= wide) & closer.view.valid)


def _bank(closer: Closer, mask: Mask) -> dict[str, float]:
    """How bright the bank beside an area of water is, over the scene and over before; nothing far from any bank."""
    beside, view = bank(closer, mask), closer.view
    if beside is None:
        return {}
    now = brightness(view.after).astype(np.float64)
    measures = {"bank_light": middle(now, beside) / max(view.survey.light, 1.0)}
    if view.before is not None:
        measures["bank_kept"] = middle(now / np.maximum(brightness(view.before), 1), beside)
    return measures


def _lit(measures: Mapping[str, float], numbers: Numbers) -> bool:
    """Whether the bank lies in the sun: it is bright, or as bright as before, for some are dark in the sun too."""
    if "bank_light" not in measures:
        return False
    kept = "bank_kept" in measures and measures["bank_kept"] >= numbers["least_bank_kept"]
    return bool(kept or measures["bank_light"] >= numbers["least_bank_light"])


def black_water(closer: Closer, numbers: Numbers) -> Find | None:
    """Black water: it fills its bed, and the bank beside it lies in the sun."""
    view = closer.view
    mask = _to_bank(closer, smoothed(closer.mask, view.px(numbers["smooth_m"])) & view.within(WATER))
    rim = outline(mask)
    if rim is None:
        return None
    measures = {
        "light": middle(brightness(view.after).astype(np.float64), mask) / max(view.survey.light, 1.0),
        "green_over_red": middle(contrast(view.after[Role.GREEN], view.after[Role.RED]), mask),
        "saturation": middle(saturation(view.after), mask),
        "open_share": open_share(closer, mask),
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
        "elongation": elongation(rim),
        **_bank(closer, mask),
    }
    if view.before is not None:
        now, then = brightness(view.after).astype(np.float64), brightness(view.before).astype(np.float64)
        measures["light_kept"] = middle(now / np.maximum(then, 1.0), mask)
    if not _lit(measures, numbers) or measures["open_share"] > numbers["most_open"]:
        return None
    measures["evidence"] = evidence(measures, numbers["evidence"])
    if measures["evidence"] <= numbers["least_evidence"]:
        return None
    words = (
        say("seen.black", times=measures["light"], share=measures["saturation"]),
        say("seen.fills", share=1 - measures["open_share"]),
        say("seen.lit_bank", times=measures["bank_light"]),
    )
    return Find("black_water", mask, scored(measures["evidence"], 0.0, len(numbers["evidence"])), measures, words)


def algal_bloom(closer: Closer, numbers: Numbers) -> Find | None:
    """A bloom: streaks of green in open water, and not a cover of leaves that was there before."""
    view = closer.view
    mask = _to_bank(closer, smoothed(closer.mask, view.px(numbers["smooth_m"])) & view.within(WATER))
    if outline(mask) is None:
        return None
    growing: Floats = greenness(view.after)
    low, high = np.percentile(growing[mask], (10, 90))
    measures = {
        "ndvi": middle(growing, mask),
        "streaks": float(high - low),
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
    }
    if view.before is not None:
        measures["green_gain"] = middle(growing - greenness(view.before), mask)
    measures["evidence"] = evidence(measures, numbers["evidence"])
    # Round any pond the bank's own green mixes in; of a bloom, open water is green.
    if measures["sure_share"] < numbers["least_sure_share"] or measures["evidence"] <= numbers["least_evidence"]:
        return None
    words = [say("seen.bloom", ndvi=measures["ndvi"], streaks=measures["streaks"])]
    if "green_gain" in measures:
        words.append(say("seen.bloomed", gain=measures["green_gain"]))
    score = scored(measures["evidence"], 0.0, len(numbers["evidence"]))
    return Find("algal_bloom", mask, score, measures, tuple(words))
