"""What a provider itself says of every pixel of its scenes: which of its numbers mean that the ground is hidden. Pure.

Snow hides the ground as a cloud does, and counts as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensing.bands import Role
from sensing.coverage import Cover
from sensing.mask import Mask


class Classified(NamedTuple):
    """The band (from 1) of a scene that holds its provider's own classes, and whose they are."""

    band: int
    role: Role


# Sentinel-2, scene classification: shadow, cloud of medium and high probability, thin cirrus, snow.
_NUMBERS: Mapping[Cover, tuple[int, ...]] = {
    Cover.SHADOW: (3,),
    Cover.CLOUD: (8, 9, 11),
    Cover.HAZE: (10,),
}
# Landsat Collection 2, pixel quality: one bit each for fill, dilated cloud, cirrus, cloud, shadow, snow. The bits above
# say how sure each of them is, and that one is set where it is sure enough.
_BITS: Mapping[Cover, int] = {
    Cover.NODATA: 1 << 0,
    Cover.CLOUD: 1 << 1 | 1 << 3 | 1 << 5,
    Cover.HAZE: 1 << 2,
    Cover.SHADOW: 1 << 4,
}


def classified(names: list[str]) -> Classified | None:
    """Which band holds the provider's own classes, by the roles of all bands; None where there is none."""
    known = ((names.index(role) + 1, role) for role in (Role.CLASSES, Role.QUALITY) if role in names)
    return next((Classified(band, role) for band, role in known), None)


def says(classes: NDArray[Any], role: Role, cover: Cover) -> Mask:
    """Where the provider says that the ground is covered so."""
    # Some files hold all of their bands as floats, and have no other number for nothing than NaN.
    whole = np.nan_to_num(classes, nan=0.0).astype(np.int64)
    if role is Role.QUALITY:
        found: Mask = (whole & _BITS.get(cover, 0)) != 0
        return found
    return np.isin(whole, _NUMBERS.get(cover, ()))
