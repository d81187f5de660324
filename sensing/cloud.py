"""Touches the disk: where clouds, their shadows and haze keep a scene from being looked at; from its own pixels.

Clouds are large, so they are looked for in a picture of some forty metres per pixel, all of it at once and in whole
numbers: neither the size of a window nor who does the work changes anything. Every yardstick is of the whole scene.
A provider's own classes go before ours. Snow without a short-wave band, salt and roofs of a hundred metres and more
are taken for cloud, which costs ground to look at and invents nothing; even haze all over a scene is not seen at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS as RasterCRS
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window
from scipy import fft

from sensing.bands import Role
from sensing.classified import Classified, says
from sensing.coverage import Codes, Cover
from sensing.grid import BLOCK, Grid
from sensing.mask import Mask
from sensing.picture import UNIT, Ints, Picture
from sensing.words import Sentence, say

Planes = dict[Role, Ints]

_COARSE_M = 60.0
# Whoever sees finer than this flies below the clouds.
FINEST_M = 1.5
_VISIBLE = (Role.RED, Role.GREEN, Role.BLUE)
_FEWEST_PIXELS = 50

# In ten-thousandths. What is clear has as much blue as half its red, whatever it is: plants, soil, water, asphalt;
# the air adds the same to all of a scene, and clouds add much more (the haze optimised transform).
_CLEAR_RANGE = (-500, 1200)
_CLEAR_PERCENT = 10
_CLOUD_BLUE, _CLOUD_LIGHT, _RIM_BLUE = 1000, 2200, 500
# Pictures that were brightened for the eye end at white; there a cloud is what is nearly white.
_SHOWN_LIGHT, _SHOWN_RIM = 7600, 6600
_WHITE_PERCENT = 16
_LEAST_SWIR = 1200
# A cloud holds a square of this size; roofs and quarries seldom do.
_CORE_M, _RIM_M, _MARGIN_M = 140.0, 240.0, 80.0
_HAZE_BLUE, _PLANTS_NDVI_PERCENT, _HAZE_M = 220, 25, 500.0
_HAZE_SHARE_PERCENT, _PLANTS_SHARE_PERCENT = 70, 25
# Shade leaves a share of the near infrared; a shadow lies no farther from its cloud than this.
_DARK_PERCENT, _FURTHEST_SHADOW_M = 60, 6000.0
_MATCH_PERCENT, _MATCH_TIMES = 45, 2
# A cloud that is higher throws its shadow farther in the same direction; in quarters of the usual way.
_HEIGHTS = (2, 3, 4, 5, 6)
_RANK = (Cover.NODATA, Cover.HAZE, Cover.SHADOW, Cover.CLOUD)


@dataclass(frozen=True)
class Clouds:
    """What hides a scene: codes (`Cover`, ANALYSED where it is clear) of squares of `factor` pixels, and how so.

    `codes` is None where nobody looked.
    """

    codes: Codes | None
    factor: int
    how: Sentence

    def window(self, window: Window) -> Codes:
        """The codes of the pixels of a window; the same for any way of parting a scene into windows."""
        shape = (int(window.height), int(window.width))
        if self.codes is None:
            return np.full(shape, Cover.ANALYSED, np.uint8)
        rows = (np.arange(shape[0]) + int(window.row_off)) // self.factor
        columns = (np.arange(shape[1]) + int(window.col_off)) // self.factor
        return self.codes[np.ix_(rows, columns)]

    @property
    def any(self) -> bool:
        """Whether anything is hidden."""
        return self.codes is not None and bool((self.codes != Cover.ANALYSED).any())

    def percent(self) -> dict[str, float]:
        """How much of the squares each code is, in per cent."""
        if self.codes is None:
            return {}
        return {code.name.lower(): round(100 * float((self.codes == code).mean()), 3) for code in _RANK}


def clouds(picture: Picture, classes: Classified | None = None) -> Clouds:
    """Look for what hides the ground in a masked scene; `classes` is where the provider says so itself."""
    if classes is not None:
        factor = _factor(picture)
        return Clouds(_by_classes(picture, classes, factor), factor, say("cloud.classes"))
    if picture.gsd_m < FINEST_M:
        return Clouds(None, 1, say("cloud.below", finest_m=FINEST_M))
    if not picture.colour_known:
        return Clouds(None, 1, say("cloud.colours"))
    factor = _factor(picture)
    planes, valid = _coarse(picture, factor)
    if int(valid.sum()) < _FEWEST_PIXELS:
        return Clouds(None, 1, say("cloud.few"))
    codes = judged(planes, valid, picture.gsd_m * factor, shown=picture.shown)
    if Role.NIR not in planes:
        return Clouds(codes, factor, say("cloud.by_colour"))
    return Clouds(codes, factor, say("cloud.by_shown" if picture.shown else "cloud.by_nir"))


def judged(planes: Planes, valid: Mask, pixel_m: float, *, shown: bool) -> Codes:
    """The codes of a coarse picture; `shown` says that it was brightened for the eye and holds no reflectance."""
    cloud = _cloud(planes, valid, pixel_m, shown=shown)
    codes = np.full(valid.shape, Cover.ANALYSED, np.uint8)
    if not shown:
        codes[_haze(planes, valid & ~cloud, pixel_m)] = Cover.HAZE
    codes[_shadow(planes, valid, cloud, pixel_m)] = Cover.SHADOW
    codes[cloud] = Cover.CLOUD
    return codes


def on_other(found: Clouds, grid: Grid, other: Grid, factor: int, shift_px: tuple[float, float]) -> Codes:
    """What hides an earlier scene, on squares of the later one's grid; moved as that scene is moved."""
    target = np.full((-(-other.height // factor), -(-other.width // factor)), Cover.ANALYSED, np.uint8)
    if found.codes is None:
        return target
    reproject(
        found.codes,
        target,
        src_transform=grid.transform @ Affine.scale(found.factor),
        src_crs=RasterCRS.from_wkt(grid.crs_wkt),
        dst_transform=other.transform @ Affine.translation(-shift_px[0], -shift_px[1]) @ Affine.scale(factor),
        dst_crs=RasterCRS.from_wkt(other.crs_wkt),
        resampling=Resampling.nearest,
        init_dest_nodata=False,
    )
    return target


def worse(one: Codes, other: Codes) -> Codes:
    """Of two planes of codes, whatever hides more at each place."""
    out = one.copy()
    for code in _RANK:
        out[(one == code) | (other == code)] = code
    return out


# -- the coarse picture ---------------------------------------------------------------------------


def _factor(picture: Picture) -> int:
    """Whole pixels per square, a power of two as overviews have it."""
    factor = 1
    while picture.gsd_m * factor * 2 <= _COARSE_M:
        factor *= 2
    return factor


def _coarse(picture: Picture, factor: int) -> tuple[Planes, Mask]:
    """The means of what is valid in squares of pixels, in ten-thousandths; from an overview where there is one."""
    factors = [1, *picture.dataset.overviews(1)]
    if factor in factors:
        options: dict[str, Any] = {"overview_level": factors.index(factor) - 1} if factor > 1 else {}
        with rasterio.open(picture.path, driver="GTiff", sharing=False, **options) as dataset:
            return _scaled(picture, dataset.read(), dataset.dataset_mask() > 0)
    sums = [_squares(picture, window, factor) for window in _strips(picture.grid, factor)]
    planes = {role: np.concatenate([strip[role] for strip, _ in sums]) for role in sums[0][0]}
    return planes, np.concatenate([valid for _, valid in sums])


def _scaled(picture: Picture, raw: NDArray[Any], valid: Mask) -> tuple[Planes, Mask]:
    planes: Planes = {
        role: np.rint(np.nan_to_num(raw[number].astype(np.float64)) * (UNIT / picture.full_scale)).astype(np.int32)
        for number, role in enumerate(picture.roles)
        if role is not Role.OTHER
    }
    return planes, valid


def _strips(grid: Grid, factor: int) -> Iterator[Window]:
    high = BLOCK * max(1, factor // BLOCK)
    for top in range(0, grid.height, high):
        yield Window(0, top, grid.width, min(high, grid.height - top))


def _squares(picture: Picture, window: Window, factor: int) -> tuple[Planes, Mask]:
    """Whole-number means over the valid pixels of squares."""
    tile = picture.tile(window)
    count = _summed(tile.valid.astype(np.int64), factor)
    planes = {
        role: (_summed(np.where(tile.valid, plane, 0).astype(np.int64), factor) // np.maximum(count, 1)).astype(
            np.int32
        )
        for role, plane in tile.bands.items()
    }
    return planes, count > 0


def _summed(plane: NDArray[np.int64], factor: int) -> NDArray[np.int64]:
    rows = np.add.reduceat(plane, np.arange(0, plane.shape[0], factor), axis=0)
    total: NDArray[np.int64] = np.add.reduceat(rows, np.arange(0, plane.shape[1], factor), axis=1)
    return total


def _by_classes(picture: Picture, of: Classified, factor: int) -> Codes:
    """The provider's own classes; a square is hidden where any of its pixels is. Classes have no mean: no overviews."""
    strips = []
    with rasterio.open(picture.path, driver="GTiff", sharing=False) as dataset:
        for window in _strips(picture.grid, factor):
            classes = dataset.read(of.band, window=window)
            codes = np.full(_summed(np.zeros(classes.shape, np.int64), factor).shape, Cover.ANALYSED, np.uint8)
            for code in _RANK:
                here = says(classes, of.role, code)
                codes[_summed(here.astype(np.int64), factor) > 0] = code
            strips.append(codes)
    return np.concatenate(strips)


# -- what a cloud, its shadow and haze look like ---------------------------------------------------


def _blueness(planes: Planes) -> Ints:
    """How much more blue than half its red there is."""
    return planes[Role.BLUE] - planes[Role.RED] // 2


def _light(planes: Planes) -> Ints:
    return (planes[Role.RED] + planes[Role.GREEN] + planes[Role.BLUE]) // 3


def _cloud(planes: Planes, valid: Mask, pixel_m: float, *, shown: bool) -> Mask:
    """Bright, white squares of ground with what is nearly so around them, and a margin."""
    light = _light(planes)
    high = np.maximum.reduce([planes[role] for role in _VISIBLE])
    low = np.minimum.reduce([planes[role] for role in _VISIBLE])
    white = valid & ((high - low) * 100 <= _WHITE_PERCENT * high)
    if Role.NIR in planes:
        nir, red = planes[Role.NIR], planes[Role.RED]
        # Neither plants nor water, which shine in one of both alone.
        white &= (10 * nir >= 6 * red) & (10 * nir <= 16 * red)
    if Role.SWIR1 in planes:
        # Snow and ice swallow the short waves of infrared.
        white &= planes[Role.SWIR1] >= _LEAST_SWIR
    if shown:
        core, rim = white & (light >= _SHOWN_LIGHT), white & (light >= _SHOWN_RIM)
    else:
        above = _blueness(planes) - _clear(planes, valid)
        core = white & (above >= _CLOUD_BLUE) & (light >= _CLOUD_LIGHT)
        rim = valid & (above >= _RIM_BLUE)
    half = max(1, round(_CORE_M / pixel_m / 2))
    sure = _spread(_filled(core, half), half)
    return _spread(sure | (rim & _spread(sure, max(1, round(_RIM_M / pixel_m)))), max(1, round(_MARGIN_M / pixel_m)))


def _clear(planes: Planes, valid: Mask) -> int:
    """The blueness of what is clear in this scene, within what the air can make of it."""
    value = int(np.percentile(_blueness(planes)[valid], _CLEAR_PERCENT, method="lower"))
    return min(max(value, _CLEAR_RANGE[0]), _CLEAR_RANGE[1])


def _haze(planes: Planes, valid: Mask, pixel_m: float) -> Mask:
    """Where most plants around are bluer than the clearest plants of the scene: plants have no blue of their own."""
    if Role.NIR not in planes:
        return np.zeros(valid.shape, np.bool_)
    nir, red = planes[Role.NIR], planes[Role.RED]
    plants = valid & ((nir - red) * 100 >= _PLANTS_NDVI_PERCENT * (nir + red))
    if int(plants.sum()) < _FEWEST_PIXELS:
        return plants & False
    blue = _blueness(planes)
    clear = int(np.percentile(blue[plants], _CLEAR_PERCENT, method="lower"))
    half = max(2, round(_HAZE_M / pixel_m / 2))
    around, growing = _sum(valid, half), _sum(plants, half)
    hazy = _sum(plants & (blue - clear >= _HAZE_BLUE), half)
    enough = (growing * 100 >= _PLANTS_SHARE_PERCENT * around) & (growing > 0)
    found: Mask = valid & enough & (hazy * 100 >= _HAZE_SHARE_PERCENT * growing)
    return found


def _shadow(planes: Planes, valid: Mask, cloud: Mask, pixel_m: float) -> Mask:
    """What is dark where the clouds' shadows fall: the direction is that in which most clouds have something dark."""
    none = np.zeros(valid.shape, np.bool_)
    clear = valid & ~cloud
    # Without near infrared, water is as dark as shade is.
    if Role.NIR not in planes or not cloud.any() or int(clear.sum()) < _FEWEST_PIXELS:
        return none
    nir = planes[Role.NIR]
    usual = int(np.percentile(nir[clear], 50, method="lower"))
    dark = clear & (nir * 100 < _DARK_PERCENT * usual) & (planes[Role.GREEN] <= nir)
    # Thin rims and the margin throw no shadow of their own.
    thick = _filled(cloud, max(1, round(_MARGIN_M / pixel_m)) + 1)
    way = _way(thick, dark, clear, max(2, round(_FURTHEST_SHADOW_M / pixel_m)))
    if way is None:
        return none
    under = none.copy()
    for quarters in _HEIGHTS:
        under |= _moved(cloud, way[0] * quarters // 4, way[1] * quarters // 4)
    return _spread(_spread(under, 1) & dark, 1) & ~cloud


def _way(cloud: Mask, dark: Mask, clear: Mask, reach: int) -> tuple[int, int] | None:
    """The step (rows, columns) from clouds to what is dark; None where no step meets clearly more of it than others."""
    hits, possible = _counted(cloud, dark, reach), _counted(cloud, clear, reach)
    least = max(1, int(cloud.sum()) // 8)
    shares = np.where(possible >= least, hits * 100 // np.maximum(possible, 1), 0)
    middle = slice(reach - 1, reach + 2)
    shares[middle, middle] = 0
    row, column = np.unravel_index(int(np.argmax(shares)), shares.shape)
    usual = 100 * int(dark.sum()) // max(int(clear.sum()), 1)
    if shares[row, column] < max(_MATCH_PERCENT, _MATCH_TIMES * usual):
        return None
    return int(row) - reach, int(column) - reach


def _counted(one: Mask, other: Mask, reach: int) -> NDArray[np.int64]:
    """On how many pixels two masks meet, for every step of the first by at most `reach`; whole numbers again."""
    shape = [fft.next_fast_len(length + reach, real=True) for length in one.shape]
    spectrum = np.conj(fft.rfft2(one.astype(np.float64), shape)) * fft.rfft2(other.astype(np.float64), shape)
    counts = np.rint(fft.irfft2(spectrum, shape)).astype(np.int64)
    steps = np.arange(-reach, reach + 1)
    near: NDArray[np.int64] = counts[np.ix_(steps % shape[0], steps % shape[1])]
    return near


# -- squares of pixels ------------------------------------------------------------------------------


def _sum(mask: Mask, half: int) -> NDArray[np.int64]:
    """How many pixels of a mask lie in the square around each pixel; beyond the rim there are none."""
    padded = np.pad(mask.astype(np.int64), ((half + 1, half), (half + 1, half)))
    total = padded.cumsum(0).cumsum(1)
    side = 2 * half + 1
    square: NDArray[np.int64] = (
        total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    )
    return square


def _spread(mask: Mask, half: int) -> Mask:
    spread: Mask = _sum(mask, half) > 0
    return spread


def _filled(mask: Mask, half: int) -> Mask:
    """The middles of squares that a mask fills; what lies beyond the rim of a picture counts as filled."""
    return ~_spread(~mask, half)


def _moved(mask: Mask, rows: int, columns: int) -> Mask:
    out = np.zeros_like(mask)
    high, wide = mask.shape
    to_rows, to_columns = slice(max(rows, 0), high + min(rows, 0)), slice(max(columns, 0), wide + min(columns, 0))
    from_rows, from_columns = slice(max(-rows, 0), high - max(rows, 0)), slice(max(-columns, 0), wide - max(columns, 0))
    if to_rows.stop > to_rows.start and to_columns.stop > to_columns.start:
        out[to_rows, to_columns] = mask[from_rows, from_columns]
    return out
