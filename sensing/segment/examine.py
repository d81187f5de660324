"""A closer look at one connected area: is it the thing that its pixels suggest, and where does it end?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from affine import Affine
from rasterio.features import shapes
from scipy import ndimage
from shapely.geometry import shape

from sensing.bands import Role
from sensing.features import Floats, brightness, excess_green, greenness, local_deviation, local_mean, warmth, wetness
from sensing.mask import Mask
from sensing.segment import surfaces
from sensing.segment.areas import elongation, rectangularity, ring, solidity
from sensing.segment.looks import FARMLAND, PROTECTED, WATER, Closer, Find, Numbers, View
from sensing.words import say

# How far an edge may be drawn from where the painted area ends.
_EDGE_PX = 2
_TEXTURE_PX = 3
# Land this far from water is its bank.
_BANK_PX = (2, 5)
_FEWEST_BANK_PX = 12
_SHADED_BANK_PERCENT = 25
# Less water than this share of a strip on one side of it does not make it a bridge.
_SIDE = 0.5
_CROSS = ndimage.generate_binary_structure(2, 1)


def largest(mask: Mask) -> Mask:
    """The largest four-connected part of a mask."""
    parts, count = ndimage.label(mask, _CROSS)
    if count <= 1:
        return mask
    sizes = np.bincount(parts.ravel())[1:]
    part: Mask = parts == int(sizes.argmax()) + 1
    return part


def smoothed(mask: Mask, radius: int) -> Mask:
    """A mask with gaps closed, holes filled and thin arms cut off; its largest part."""
    wide = 2 * radius + 1
    opened = ndimage.binary_opening(_filled(np.pad(mask, wide), radius), _disc(radius))
    return largest(opened[wide:-wide, wide:-wide])


def closed(mask: Mask, radius: int) -> Mask:
    """A mask with gaps closed and holes filled, thin as it may be; its largest part."""
    wide = 2 * radius + 1
    return largest(_filled(np.pad(mask, wide), radius)[wide:-wide, wide:-wide])


def _filled(mask: Mask, radius: int) -> Mask:
    filled: Mask = ndimage.binary_fill_holes(ndimage.binary_closing(mask, _disc(radius)))
    return filled


def _disc(radius: int) -> Mask:
    row, column = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc: Mask = row * row + column * column <= radius * radius
    return disc


def outline(mask: Mask, simplify_px: float = 0.0) -> shapely.Polygon | None:
    """The outline of a mask's largest part in its own pixels; None where the mask is empty."""
    found = [shape(geometry) for geometry, _ in shapes(mask.astype(np.uint8), mask=mask, connectivity=4)]
    polygons = [polygon for polygon in found if isinstance(polygon, shapely.Polygon)]
    if not polygons:
        return None
    largest_one = max(polygons, key=lambda one: one.area)
    smooth = largest_one.simplify(simplify_px)
    return smooth if isinstance(smooth, shapely.Polygon) and not smooth.is_empty else largest_one


def share(part: Mask, whole: Mask) -> float:
    """How much of a mask another one covers."""
    count = int(whole.sum())
    return int((part & whole).sum()) / count if count else 0.0


def middle(plane: Floats, where: Mask) -> float:
    """The median over a mask; 0 where it is empty."""
    return float(np.median(plane[where])) if where.any() else 0.0


def unevenness(view: View, where: Mask) -> float:
    """How much brightness varies inside a mask, away from its rim: the range of its middle 80 % over its median."""
    calm = local_mean(brightness(view.after), view.valid, 1)
    inner = next((m for m in (ndimage.binary_erosion(where, iterations=n) for n in (2, 1)) if m.any()), where)
    low, centre, high = np.percentile(calm[inner], (10, 50, 90))
    return float((high - low) / max(centre, 1.0))


def to_half(closer: Closer) -> Mask:
    """A bright area, drawn where brightness falls to half way between itself and its surroundings.

    That is where a blurred edge really is. Only pixels next to the area are taken or left.
    """
    light = brightness(closer.view.after)
    around = middle(light.astype(np.float64), ring(closer.mask, _EDGE_PX, 3 * _EDGE_PX) & closer.view.valid)
    inside = middle(light.astype(np.float64), closer.mask)
    if inside <= around:
        return closer.mask
    near = ndimage.binary_dilation(closer.mask, iterations=_EDGE_PX)
    brighter = near & closer.view.valid & (light > (inside + around) / 2)
    return largest(closer.mask | brighter)


def excavation(closer: Closer, numbers: Numbers) -> Find | None:
    """Dug ground: soil for the most part, in one piece, not a road."""
    view = closer.view
    mask = smoothed(to_half(closer), view.px(numbers["smooth_m"]))
    rim = outline(mask)
    if rim is None:
        return None
    light = brightness(view.after).astype(np.float64)
    measures = {
        "soil_share": share(surfaces.soil(view, numbers), mask),
        "light_over_soil": middle(light, mask) / max(view.survey.soil_light, 1.0),
        "warmth": middle(warmth(view.after), mask),
        "elongation": elongation(rim),
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
        "unevenness": unevenness(view, mask),
        "rectangularity": rectangularity(rim),
        "farmland": share(view.within(FARMLAND), mask),
    }
    if Role.NIR in view.after.bands:
        measures["ndvi"] = middle(greenness(view.after), mask)
    if measures["soil_share"] < numbers["soil_share"] or measures["elongation"] > numbers["max_elongation"]:
        return None
    measures["evidence"] = evidence(measures, numbers["evidence"])
    if measures["evidence"] <= numbers["least_evidence"]:
        return None
    words = (
        say("seen.bare", times=measures["light_over_soil"]),
        say("seen.soil", share=measures["soil_share"]),
        say("seen.uneven", share=measures["unevenness"]),
    )
    return Find("excavation", mask, scored(measures["evidence"], 0.0, len(numbers["evidence"])), measures, words)


def texture(view: View, mask: Mask) -> float:
    """The median roughness within a few pixels, over the median brightness."""
    light = brightness(view.after)
    rough = local_deviation(light, view.valid, _TEXTURE_PX)
    return middle(rough, mask) / max(middle(light.astype(np.float64), mask), 1.0)


def evidence(measures: Mapping[str, float], numbers: Mapping[str, Sequence[float]]) -> float:
    """How far measures speak for a thing: each from -1 to 1, by how far it lies from where it speaks for neither.

    `numbers` gives for each measure that value and the distance (its sign is the direction) that settles it.
    """
    known = {name: measures[name] for name in numbers if name in measures}
    return float(sum(np.clip((value - numbers[name][0]) / numbers[name][1], -1, 1) for name, value in known.items()))


def building(closer: Closer, numbers: Numbers) -> Find | None:
    """A building: a made colour in a compact, straight-sided shape."""
    view = closer.view
    mask = smoothed(to_half(closer), view.px(numbers["smooth_m"]))
    rim = outline(mask)
    if rim is None:
        return None
    measures = {
        "rectangularity": rectangularity(rim),
        "solidity": solidity(rim),
        "elongation": elongation(rim),
        "light": middle(brightness(view.after).astype(np.float64), mask) / max(view.survey.light, 1.0),
        "blue_share": share(surfaces.blue(view, numbers), mask),
        "soil_share": share(surfaces.soil(view, numbers), mask),
        "protected": share(view.within(PROTECTED), mask),
    }
    shaped = measures["rectangularity"] > numbers["rectangular"] and measures["solidity"] > numbers["solid"]
    if not shaped or measures["elongation"] > numbers["max_elongation"]:
        return None
    words = (
        say("seen.made", times=measures["light"]),
        say("seen.straight", share=measures["rectangularity"]),
    )
    return Find("building", mask, scored(measures["rectangularity"] + measures["solidity"], 1.2, 1.9), measures, words)


def burn_scar(closer: Closer, numbers: Numbers) -> Find | None:
    """Char: dark, colourless, ragged; not the shade of a building beside it."""
    view = closer.view
    mask = smoothed(closer.mask, view.px(numbers["smooth_m"]))
    rim = outline(mask)
    if rim is None:
        return None
    measures = {
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
        "solidity": solidity(rim),
        "elongation": elongation(rim),
        "texture": texture(view, mask),
        "green_share": share(excess_green(view.after) > numbers["green"], mask),
        "built_contact": share(surfaces.roofs(view, numbers), ring(mask, 0, view.px(numbers["contact_m"]))),
        "light": middle(brightness(view.after).astype(np.float64), mask) / max(view.survey.light, 1.0),
    }
    if view.before is not None and Role.NIR in view.after.bands:
        measures["green_loss"] = middle(greenness(view.before) - greenness(view.after), mask)
        measures["wetness"] = middle(wetness(view.after), mask)
        if measures["wetness"] > numbers["wet_middle"]:
            return None
    even = measures["texture"] < numbers["shade_texture"]
    shade = measures["built_contact"] > numbers["shade_contact_even" if even else "shade_contact"]
    # Under shade the plants are still there, and NDVI shows them; ashes are surely ashes only here and there.
    measures["evidence"] = evidence(measures, numbers["evidence"])
    weak = measures["evidence"] <= numbers["least_evidence"]
    if shade or weak or measures["elongation"] > numbers["max_elongation"]:
        return None
    words = (
        say("seen.char", times=measures["light"]),
        say("seen.no_shade", share=measures["built_contact"]),
    )
    return Find("burn_scar", mask, scored(measures["evidence"], 0.0, len(numbers["evidence"])), measures, words)


def vegetation_loss(closer: Closer, numbers: Numbers) -> Find | None:
    """Cleared ground; what took the plants' place is another detector's business."""
    view = closer.view
    mask = smoothed(closer.mask, view.px(numbers["smooth_m"]))
    if view.before is None or not mask.any():
        return None
    loss = greenness(view.before) - greenness(view.after)
    measures = {"green_loss": middle(loss, mask), "ndvi": middle(greenness(view.after), mask)}
    words = (say("seen.cleared", loss=measures["green_loss"], ndvi=measures["ndvi"]),)
    return Find("vegetation_loss", mask, scored(measures["green_loss"], 0.1, 0.7), measures, words)


def _calmed(plane: Floats, where: Mask) -> Floats:
    """A plane without grain: the mean over the neighbours that lie inside a mask."""
    weight = where.astype(np.float64)
    total = ndimage.uniform_filter(plane * weight, 3, mode="constant")
    calm: Floats = np.where(where, total / np.maximum(ndimage.uniform_filter(weight, 3, mode="constant"), 1e-9), 0.0)
    return calm


def bank(closer: Closer, mask: Mask) -> Mask | None:
    """The land beside an area of water, which lies in the shade when the water does; None far from any bank."""
    view = closer.view
    from_water = ndimage.distance_transform_edt(~view.within(WATER))
    near = ndimage.distance_transform_edt(~mask) <= _BANK_PX[1] + 1
    beside: Mask = near & (from_water >= _BANK_PX[0]) & (from_water <= _BANK_PX[1]) & view.valid
    return beside if beside.sum() >= _FEWEST_BANK_PX else None


def _bank_kept(closer: Closer, mask: Mask, shaded: float) -> float | None:
    """What share of its earlier light the bank beside water has, where a quarter of it has less.

    The rim of a shade seldom is that of the water which it falls on, so that some of its bank lies in the sun.

    None where nothing tells, and for water that kept more than `shaded` of its own light: no shade falls on that.
    """
    before, beside = closer.view.before, bank(closer, mask)
    if before is None or beside is None:
        return None
    kept = brightness(closer.view.after) / np.maximum(brightness(before).astype(np.float64), 1.0)
    return float(np.percentile(kept[beside], _SHADED_BANK_PERCENT)) if middle(kept, mask) < shaded else None


def _is_bridge(closer: Closer, mask: Mask, short: float) -> bool:
    """Whether a strip parts its water and goes on along it for less than it is wide, as no discharge does."""
    water = closer.view.within(WATER)
    wide = 2.0 * float(ndimage.distance_transform_edt(np.pad(water, 1))[1:-1, 1:-1][mask].max())
    if mask.sum() >= short * wide**2:
        return False
    parts, _ = ndimage.label(water & ~ndimage.binary_dilation(mask, iterations=1), _CROSS)
    sizes = np.bincount(parts.ravel())[1:]
    return int((sizes > _SIDE * mask.sum()).sum()) > 1


def _veiled(closer: Closer, mask: Mask, spreads: float) -> bool:
    """Whether the bank beside lies under haze or smoke too, which give water another colour."""
    view, beside = closer.view, bank(closer, mask)
    if beside is None:
        return False
    veil = 2 * view.after[Role.BLUE].astype(np.float64) - view.after[Role.RED]
    return middle(veil, beside) > view.survey.clear + spreads * view.survey.clear_spread


def plume(closer: Closer, away: Floats, numbers: Numbers) -> Find | None:
    """Discoloured water, drawn where its change falls to half of what it is at its strongest; no shade."""
    away = _calmed(away, closer.view.within(WATER))
    strong = float(np.percentile(away[closer.mask], 90))
    half = closer.mask & (away > max(numbers["change"], numbers["edge"] * strong))
    mask = smoothed(half, closer.view.px(numbers["smooth_m"]))
    if not mask.any():
        return None
    if _is_bridge(closer, mask, numbers["bridge"]) or _veiled(closer, mask, numbers["veiled"]):
        return None
    measures = {"change": strong, "warmth": middle(warmth(closer.view.after), mask)}
    bank_kept = _bank_kept(closer, mask, numbers["shaded"])
    if bank_kept is not None:
        measures["bank_kept"] = bank_kept
        if bank_kept < numbers["least_bank_kept"]:
            return None
    words = (say("seen.plume", times=strong),)
    return Find(
        "discoloured_water", mask, scored(strong, numbers["change"], 3 * numbers["sure_change"]), measures, words
    )


def scored(value: float, low: float, high: float) -> float:
    """How sure, in [0.3, 0.99]: linear between two values of the number that decides."""
    return float(np.clip(0.3 + 0.69 * (value - low) / (high - low), 0.3, 0.99))


def to_ground(rim: shapely.Polygon, place: Affine) -> shapely.Polygon:
    """A polygon in pixels on the grid of its window."""
    a, b, c, d, e, f = tuple(place)[:6]
    return shapely.affinity.affine_transform(rim, [a, b, d, e, c, f])
