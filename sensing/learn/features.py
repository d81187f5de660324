"""What the pixel model looks at: levels, colour, indices and texture as whole numbers, the same for any window.

Sums over neighbourhoods are sums of whole numbers and exact. Every other step is one IEEE operation on one pixel,
rounded to a whole number, so neither the place of a pixel in its window nor the machine can change a byte.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from schemas.refusals import invalid
from sensing.bands import Role
from sensing.kernels import compiled
from sensing.mask import Mask
from sensing.picture import Ints, Tile

Singles = NDArray[np.float32]

# No feature is greater or less: the model's arithmetic counts on it to be exact.
LIMIT = 2047
# Around a window, so many pixels decide about its rim.
HALO_PX = 3
_NEAR, _FAR = 1, HALO_PX
# Ten-thousandths of reflectance in one step of a level; the brightest level is a reflectance of 0.82.
_LEVEL, _LEVEL_BITS = 4, 2
_SHARE = 1000.0
# Below a hundredth of full scale in sum, the sensor's own noise would decide.
_DARKEST = 100.0

_VISIBLE = (Role.RED, Role.GREEN, Role.BLUE)
_COLOUR = (
    "red",
    "green",
    "blue",
    "brightness",
    "saturation",
    "warmth",
    "green_red",
    "excess_green",
    "texture_near",
    "texture_far",
    "stands_out",
    "unevenness",
    "excess_mean",
    "excess_texture",
)
_NEEDS: tuple[tuple[Role, tuple[str, ...]], ...] = (
    (Role.NIR, ("nir", "ndvi", "ndwi")),
    (Role.SWIR1, ("mndwi",)),
    (Role.SWIR2, ("nbr",)),
)


def names(roles: Collection[Role]) -> tuple[str, ...]:
    """The features that bands of these roles allow, in their order: 14 to 19.

    Raises RuleViolation `model.bands` where red, green and blue are not among the bands.
    """
    if not set(_VISIBLE) <= set(roles):
        raise invalid("model.bands", measured=", ".join(sorted(roles)) or "—", required="red, green, blue")
    held = {*roles, *_VISIBLE}
    more = (found for role, found in _NEEDS if role in held and (role is Role.NIR or Role.NIR in held))
    return (*_COLOUR, *(name for found in more for name in found))


def stack(tile: Tile, wanted: Sequence[str], halo_px: int = HALO_PX) -> Singles:
    """The wanted features of a tile without its halo: features x height x width, whole numbers in [-2047, 2047].

    Void pixels are zero and count in no neighbourhood. The halo must be at least `HALO_PX` wide.
    """
    if halo_px < HALO_PX:
        raise ValueError(f"a halo of {HALO_PX} pixels is needed")
    seen = _Seen(tile)
    high, wide = (size - 2 * halo_px for size in tile.valid.shape)
    inner = (slice(halo_px, halo_px + high), slice(halo_px, halo_px + wide))
    out = np.empty((len(wanted), high, wide), dtype=np.float32)
    for plane, name in zip(out, wanted, strict=True):
        if name in _LEVELS:
            level(np.ascontiguousarray(tile.bands[_LEVELS[name]]), np.ascontiguousarray(tile.valid), halo_px, plane)
            continue
        np.multiply(_FEATURES[name](seen)[inner], tile.valid[inner], out=plane, casting="same_kind")
    return out


def box_sums(plane: Ints, radius: int) -> Ints:
    """The sum over a square of 2 * radius + 1 pixels around each pixel; beyond the rim there are zeros.

    Sums must stay below 2^31; so short ones cost a fraction of `sensing.features.box_sum`.
    """
    side = 2 * radius + 1
    return _runs(_runs(np.pad(plane, radius), side).T, side).T


def _runs(plane: Ints, side: int) -> Ints:
    """Sums of `side` rows, each found by adding sums of one, two, four ... rows."""
    rows = plane.shape[0] - side + 1
    total, start, size, part = np.zeros((rows, plane.shape[1]), np.int32), 0, 1, plane
    while size <= side:
        if side & size:
            total += part[start : start + rows]
            start += size
        part = part[:-size] + part[size:]
        size *= 2
    return total


class _Seen:
    """What several features are made of, worked out once for a tile."""

    def __init__(self, tile: Tile) -> None:
        self.valid: Mask = tile.valid
        self._tile = tile

    @cached_property
    def bands(self) -> Mapping[Role, Ints]:
        return {role: np.where(self.valid, np.maximum(plane, 0), 0) for role, plane in self._tile.bands.items()}

    @cached_property
    def brightness(self) -> Ints:
        red, green, blue = (self.bands[role] for role in _VISIBLE)
        mean: Ints = np.minimum((red + green + blue) // 3 >> _LEVEL_BITS, LIMIT)
        return mean

    @cached_property
    def excess(self) -> Ints:
        red, green, blue = (self.bands[role].astype(np.float32) for role in _VISIBLE)
        whole: Ints = _parts(2 * green - red - blue, red + green + blue).astype(np.int32)
        return whole

    @cached_property
    def counts(self) -> Mapping[int, Singles]:
        return {radius: self._count(radius) for radius in (_NEAR, _FAR)}

    def _count(self, radius: int) -> Singles:
        return np.maximum(box_sums(self.valid.astype(np.int32), radius), 1).astype(np.float32)

    @cached_property
    def near(self) -> tuple[Singles, Singles]:
        return self._spread(self.brightness * self.valid, _NEAR)

    @cached_property
    def far(self) -> tuple[Singles, Singles]:
        return self._spread(self.brightness * self.valid, _FAR)

    @cached_property
    def green_far(self) -> tuple[Singles, Singles]:
        return self._spread(self.excess, _FAR)

    def _spread(self, plane: Ints, radius: int) -> tuple[Singles, Singles]:
        """Mean and standard deviation over the valid pixels of a square, rounded."""
        count = self.counts[radius]
        total = box_sums(plane, radius)
        squares = box_sums(plane * plane, radius)
        # 49 * 49 * 2047^2 is beyond 32 bits and exact in a double.
        varied = count.astype(np.float64) * squares - np.square(total, dtype=np.float64)
        deviation: Singles = np.rint(np.sqrt(np.maximum(varied, 0.0)) / count).astype(np.float32)
        mean: Singles = np.rint(total / count).astype(np.float32)
        return mean, deviation

    def share(self, one: Role, other: Role) -> Singles:
        """The normalised difference of two bands in thousandths."""
        a, b = (self.bands[role].astype(np.float32) for role in (one, other))
        return _parts(a - b, a + b)


@compiled
def level(plane: Ints, valid: Mask, halo_px: int, out: Singles) -> None:
    """Write one band in steps of four ten-thousandths, as whole numbers up to the limit; zero where it is void."""
    high, wide = out.shape
    for row in range(high):
        values, counts = plane[row + halo_px, halo_px : halo_px + wide], valid[row + halo_px, halo_px : halo_px + wide]
        for column in range(wide):
            # Dividing by a power of two is a shift, at a tenth of the price.
            steps = min(max(values[column], 0) >> _LEVEL_BITS, LIMIT)
            out[row, column] = np.float32(steps if counts[column] else 0)


def _parts(part: Singles, whole: Singles) -> Singles:
    """A share in thousandths, rounded; where the whole is dark, smaller than it is."""
    share: Singles = np.rint(part * np.float32(_SHARE) / np.maximum(whole, np.float32(_DARKEST)))
    return share


def _saturation(seen: _Seen) -> Singles:
    planes = np.stack([seen.bands[role] for role in _VISIBLE]).astype(np.float32)
    high = planes.max(axis=0)
    return _parts(high - planes.min(axis=0), high)


def _unevenness(seen: _Seen) -> Singles:
    mean, deviation = seen.far
    share = _parts(deviation, np.maximum(mean, np.float32(_DARKEST / _LEVEL)))
    return np.minimum(share, np.float32(LIMIT))


_LEVELS: Mapping[str, Role] = {role.value: role for role in (*_VISIBLE, Role.NIR)}
_FEATURES: Mapping[str, Callable[[_Seen], NDArray[np.generic]]] = {
    "brightness": lambda seen: seen.brightness,
    "saturation": _saturation,
    "warmth": lambda seen: seen.share(Role.RED, Role.BLUE),
    "green_red": lambda seen: seen.share(Role.GREEN, Role.RED),
    "excess_green": lambda seen: seen.excess,
    "texture_near": lambda seen: seen.near[1],
    "texture_far": lambda seen: seen.far[1],
    "stands_out": lambda seen: seen.brightness - seen.far[0],
    "unevenness": _unevenness,
    "excess_mean": lambda seen: seen.green_far[0],
    "excess_texture": lambda seen: seen.green_far[1],
    "ndvi": lambda seen: seen.share(Role.NIR, Role.RED),
    "ndwi": lambda seen: seen.share(Role.GREEN, Role.NIR),
    "mndwi": lambda seen: seen.share(Role.GREEN, Role.SWIR1),
    "nbr": lambda seen: seen.share(Role.NIR, Role.SWIR2),
}
