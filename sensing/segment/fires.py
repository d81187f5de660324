"""Burning while it burns, on one date: heat in the shortwave infrared, flames in a camera's colours, smoke that drifts.

Heat. What burns shines at 2.2 micrometres as the sun never makes the ground shine, and less at 1.6, where soil and
roofs are about as bright as at 2.2: the bounds are those of HOTMAP (Murphy et al., Remote Sensing of Environment 177,
2016), with the candidates around them bounded as in Hu, Ban and Nascetti (International Journal of Applied Earth
Observation and Geoinformation 101, 2021), who too ask for more at 2.2 micrometres than in all shorter bands.

Flames. In pictures of a camera they are red above all, more than green, more than blue, and the brighter the less pure
(Chen, Wu and Chiou, ICIP 2004; Celik and Demirel, Fire Safety Journal 44, 2009). Paint, tiles and earth are so too, all
over: flames differ within a step, and something smokes beside them.

Smoke. It adds blue light to ground that has about half as much blue as red wherever it is clear (the haze optimised
transform: Zhang, Guindon and Cihlar, Remote Sensing of Environment 82, 2002), lets near infrared pass, begins at a
point, thins out along the wind, and has no edge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sensing import features
from sensing.bands import Role
from sensing.features import Floats, inside, local_deviation, near, warmth
from sensing.kernels import Ints, compiled
from sensing.mask import Mask
from sensing.picture import Tile
from sensing.segment import surfaces
from sensing.segment.areas import elongation, rectangularity, ring
from sensing.segment.examine import closed, evidence, middle, outline, scored, share, smoothed
from sensing.segment.litter import grain, jumping
from sensing.segment.looks import Closer, Find, Numbers, Planes, View
from sensing.words import say

_LINK_PX = 1
_WHOLE_PX = 2
# What is around an area, without its own soft rim; as far as its window reaches.
_AROUND_PX = (3, 11)
# A plume is compared end to end by so much of it at either end.
_END_PERCENT = 20
_STRONG_PERCENT = 95


# -- heat ------------------------------------------------------------------------------------------


class Hot(NamedTuple):
    """From where on ground is hot: 2.2 over 1.6 micrometres and over near infrared, and in itself (ten-thousandths).

    `blinded` is what 1.6 micrometres show, over near infrared and in itself, where 2.2 are full to the brim.
    """

    ratio: float
    least: float
    blinded_ratio: float
    blinded: float
    warm_ratio: float
    warm_rise: float


def hot(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Ground that shines at 2.2 micrometres; of stored numbers, whatever the tones of another date."""
    cut = Hot(*(numbers[name] for name in Hot._fields))
    nir, short, long = (features.row(view.raw[role]) for role in (Role.NIR, Role.SWIR1, Role.SWIR2))
    told = _heated(nir, short, long, cut).reshape(here.shape)
    return Planes(here & (told > 0), here & (told > 1))


@compiled
def _heated(nir: Ints, short: Ints, long: Ints, cut: Hot) -> NDArray[np.uint8]:
    """0 for cool ground, 1 for what may be hot, 2 for what surely is."""
    out = np.zeros(long.size, np.uint8)
    for i in range(long.size):
        n, s, w = max(float(nir[i]), 1.0), max(float(short[i]), 1.0), float(long[i])
        burns = w >= cut.ratio * s and w >= cut.ratio * n and w >= cut.least
        if burns or (s >= cut.blinded_ratio * n and s >= cut.blinded):
            out[i] = 2
        elif w >= cut.warm_ratio * s and w - n >= cut.warm_rise:
            out[i] = 1
    return out


def hot_spot(closer: Closer, numbers: Numbers) -> Find | None:
    """Pixels that burn somewhere in them: how much of them does, their size does not tell."""
    view, mask = closer.view, closer.mask
    strong = {role: float(np.percentile(view.raw[role][mask], 90)) for role in (Role.NIR, Role.SWIR1, Role.SWIR2)}
    over = strong[Role.SWIR2] / max(strong[Role.SWIR1], 1.0)
    around = ring(mask, *_AROUND_PX) & view.valid
    usual = middle(view.raw[Role.SWIR2].astype(np.float64), around)
    measures = {
        "swir2": strong[Role.SWIR2] / 10_000,
        "swir2_over_swir1": over,
        "swir2_over_nir": strong[Role.SWIR2] / max(strong[Role.NIR], 1.0),
        "swir2_over_around": strong[Role.SWIR2] / max(usual, 1.0),
    }
    words = (
        say("seen.hot", times=over, around=measures["swir2_over_around"]),
        say("seen.hot_cells", count=int(mask.sum()), gsd_m=view.gsd_m),
    )
    return Find("open_flame", mask, scored(over, 1.0, 2.5 * numbers["ratio"]), measures, words)


# -- flames ----------------------------------------------------------------------------------------


class Flaming(NamedTuple):
    """From where on a camera's colour is that of flames: red (ten-thousandths), and red against blue."""

    red: float
    sure_red: float
    warm: float
    sure_warm: float


def flaming(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Pixels that are bright and red above all, as the camera stored them."""
    cut = Flaming(*(numbers[name] for name in Flaming._fields))
    told = _flames(*features.visible(view.raw), cut).reshape(here.shape)
    return Planes(here & (told > 0), here & (told > 1))


@compiled
def _flames(red: Ints, green: Ints, blue: Ints, cut: Flaming) -> NDArray[np.uint8]:
    """0 for other colours, 1 for what may be flames, 2 for what has their colour surely."""
    out = np.zeros(red.size, np.uint8)
    for i in range(red.size):
        r, g, b = float(red[i]), float(green[i]), float(blue[i])
        if r < cut.red or not r >= g > b or r - b < cut.warm * (r + b):
            continue
        out[i] = 2 if r >= cut.sure_red and r - b >= cut.sure_warm * (r + b) else 1
    return out


def flames(closer: Closer, numbers: Numbers) -> Find | None:
    """Flames: many tones from yellow to red, no straight sides, and smoke beside them."""
    view = closer.view
    mask = closed(closer.mask, _LINK_PX)
    rim = outline(mask)
    if rim is None:
        return None
    colour = warmth(view.raw)
    low, high = np.percentile(colour[mask], (5, 95))
    beside = ring(mask, 1, view.px(numbers["beside_m"])) & view.valid
    red, blue = view.after[Role.RED], view.after[Role.BLUE]
    hazy: Mask = (_veil(view) > _cut(view, numbers["smoke_spreads"])) & (blue <= numbers["bluest"] * red)
    hazy &= red <= numbers["brightest"] * view.survey.light
    measures = {
        "tones": float(high - low),
        "rectangularity": rectangularity(rim),
        # Rags and stones are as blue here and there; smoke is so all over.
        "smoke_share": share(near(inside(hazy & view.valid, _WHOLE_PX), _WHOLE_PX), beside),
        "jumble": share(jumping(view, numbers) > 0, beside),
        "grain": grain(view, beside),
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
    }
    measures["evidence"] = evidence(measures, numbers["evidence"])
    # A camera's grain jumps too, in the dark, and no less from pixel to pixel than over the size of things.
    littered = measures["jumble"] > numbers["most_jumble"] and measures["grain"] < numbers["finest_grain"]
    if (
        littered
        or measures["smoke_share"] < numbers["least_smoke"]
        or measures["evidence"] <= numbers["least_evidence"]
    ):
        return None
    words = (
        say("seen.flames", tones=measures["tones"]),
        say("seen.smokes", share=measures["smoke_share"]),
    )
    return Find("open_flame", mask, scored(measures["evidence"], 0.0, len(numbers["evidence"])), measures, words)


# -- smoke -----------------------------------------------------------------------------------------


def drifting(view: View, here: Mask, numbers: Numbers) -> Planes:
    """Ground with more blue light over it than clear ground of this scene has."""
    red, _, blue = features.visible(view.raw)
    # In the tones of the scene without making a tile of them, which nobody else may need here.
    of_red, red_lift = view.survey.tones.line(Role.RED)
    of_blue, blue_lift = view.survey.tones.line(Role.BLUE)
    bright = (numbers["brightest"] * view.survey.light - red_lift) / of_red
    # Blue over red of stored numbers; what lifts either is small beside what hangs over the ground.
    bluest = numbers["bluest"] * of_red / of_blue
    weights = Weights(*(np.float32(one) for one in (2.0 * of_blue, of_red, bright, bluest)))
    lift = 2.0 * blue_lift - red_lift
    least, sure = (np.float32(_cut(view, numbers[name]) - lift) for name in ("spreads", "sure_spreads"))
    told = _veiled(red, blue, weights, (least, sure)).reshape(here.shape)
    if not told.any():
        nowhere = np.zeros(here.shape, np.bool_)
        return Planes(nowhere, nowhere)
    return Planes(here & (told > 0), here & (told > 1))


class Weights(NamedTuple):
    """What blue adds to a veil and red takes from it; how bright red, and how much bluer than it, no smoke is."""

    blue: np.float32
    red: np.float32
    brightest: np.float32
    bluest: np.float32


@compiled
def _veiled(red: Ints, blue: Ints, weights: Weights, cuts: tuple[np.float32, np.float32]) -> NDArray[np.uint8]:
    least, sure = cuts
    out = np.empty(red.size, np.uint8)
    for i in range(red.size):
        r, b = np.float32(red[i]), np.float32(blue[i])
        veil = weights.blue * b - weights.red * r
        smoky = r <= weights.brightest and b <= weights.bluest * r
        out[i] = np.uint8(smoky and veil >= least) + np.uint8(smoky and veil >= sure)
    return out


def _veil(view: View) -> Ints:
    """Twice the blue light less the red: what hangs over the ground adds to it, whatever the ground is."""
    return _veil_of(view.after)


def _veil_of(tile: Tile) -> Ints:
    veil: Ints = 2 * tile[Role.BLUE] - tile[Role.RED]
    return veil


def _cut(view: View, spreads: float) -> float:
    return view.survey.clear + spreads * view.survey.clear_spread


def smoke_plume(closer: Closer, numbers: Numbers) -> Find | None:
    """Smoke: a soft trail that is thickest at one end, on ground where no building stands, and bluer than cloud."""
    view = closer.view
    around = ring(closer.mask, *_AROUND_PX) & view.valid
    level: Floats = _veil(view).astype(np.float64)
    level = level - middle(level, around)
    strong = float(np.percentile(level[closer.mask], _STRONG_PERCENT))
    mask = smoothed(closer.mask & (level > numbers["edge"] * strong), view.px(numbers["smooth_m"]))
    rim = outline(mask)
    if rim is None or strong <= 0:
        return None
    head, fall = _ends(mask, level)
    beside_head = ring(head, 0, view.px(numbers["beside_m"])) & ~ndimage.binary_dilation(mask, iterations=2)
    measures = {
        "veil": strong / max(view.survey.clear_spread, 1.0),
        "softness": share(level < numbers["soft"] * strong, mask),
        "grain": middle(local_deviation(_veil(view), view.valid, 1), mask) / strong,
        "decline": fall / strong,
        "elongation": elongation(rim),
        "red_rise": _rise(view, Role.RED, mask, around),
        "built_share": share(surfaces.roofs(view, numbers), beside_head & view.valid),
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
    }
    if Role.NIR in view.after.bands:
        measures["nir_rise"] = _rise(view, Role.NIR, mask, around)
    measures["evidence"] = evidence(measures, numbers["evidence"])
    if view.before is not None:
        measures["veil_gain"] = middle((_veil(view) - _veil_of(view.before)).astype(np.float64), mask) / strong
    solid = measures["built_share"] > numbers["most_built"] or measures["grain"] > numbers["most_grain"]
    stood = measures.get("veil_gain", 1.0) < numbers["least_gain"]
    if solid or stood or measures["evidence"] <= numbers["least_evidence"]:
        return None
    words = (
        say("seen.smoke", times=measures["veil"], share=measures["softness"]),
        say("seen.trail", long=measures["elongation"], share=measures["decline"]),
        say("seen.no_stack", share=measures["built_share"]),
    )
    return Find("smoke_plume", mask, scored(measures["evidence"], 0.0, len(numbers["evidence"])), measures, words)


def _rise(view: View, role: Role, mask: Mask, around: Mask) -> float:
    """How much brighter one band is than around, for each step that blue is brighter."""
    plane, blue = (view.after[one].astype(np.float64) for one in (role, Role.BLUE))
    risen = middle(blue, mask) - middle(blue, around)
    return (middle(plane, mask) - middle(plane, around)) / max(risen, 1.0)


def _ends(mask: Mask, level: Floats) -> tuple[Mask, float]:
    """The thicker end of an area along its longest extent, and how much thicker it is than the other one."""
    rows, columns = np.nonzero(mask)
    y, x = rows - rows.mean(), columns - columns.mean()
    angle = 0.5 * np.arctan2(2.0 * (x * y).sum(), (x * x).sum() - (y * y).sum())
    along = np.zeros(mask.shape)
    along[mask] = x * np.cos(angle) + y * np.sin(angle)
    low, high = np.percentile(along[mask], (_END_PERCENT, 100 - _END_PERCENT))
    first, last = mask & (along <= low), mask & (along >= high)
    fall = middle(level, first) - middle(level, last)
    return (first if fall >= 0 else last), abs(fall)
