"""Which band of an image measures what."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from schemas.refusals import invalid
from sensing.header import HeaderReport


class Role(StrEnum):
    """What a band measures; `other` is kept but no rule uses it.

    `scl` is Sentinel-2's own scene classification, `qa_pixel` the pixel quality of Landsat (Collection 2).
    """

    BLUE = "blue"
    GREEN = "green"
    RED = "red"
    RED_EDGE = "red_edge"
    NIR = "nir"
    SWIR1 = "swir1"
    SWIR2 = "swir2"
    CLASSES = "scl"
    QUALITY = "qa_pixel"
    OTHER = "other"


# What the provider says of its pixels measures nothing.
CLASSIFIED = frozenset({Role.CLASSES, Role.QUALITY})
_RGB = (Role.RED, Role.GREEN, Role.BLUE)
# Sentinel-2 in the order of its bands: B1 B2 B3 B4 B5 B6 B7 B8 B8A B9 (B10) B11 B12.
_SENTINEL_2_VISIBLE = (Role.OTHER, Role.BLUE, Role.GREEN, Role.RED)
_SENTINEL_2_INFRARED = (Role.RED_EDGE, Role.OTHER, Role.OTHER, Role.NIR, Role.OTHER, Role.OTHER)
_BY_COUNT: dict[int, tuple[Role, ...]] = {
    3: _RGB,
    4: (*_RGB, Role.NIR),
    12: (*_SENTINEL_2_VISIBLE, *_SENTINEL_2_INFRARED, Role.SWIR1, Role.SWIR2),
    13: (*_SENTINEL_2_VISIBLE, *_SENTINEL_2_INFRARED, Role.OTHER, Role.SWIR1, Role.SWIR2),
}
_COLOURS = {"red": Role.RED, "green": Role.GREEN, "blue": Role.BLUE}


def roles_of(report: HeaderReport, chosen: Sequence[str] = (), product: Sequence[Role] = ()) -> tuple[Role, ...]:
    """The role of each data band (alpha left out): as chosen, else as the file colours them, else as its product has
    them, else by their number.

    Bands whose role nothing tells are `other`. Raises RuleViolation `scene.bands` when `chosen` does not fit.
    """
    if report.palette:
        report = report.model_copy(update={"bands": report.own_bands, "colours": ()})
    bands = report.data_bands
    if chosen:
        measured = [role for role in chosen if role != Role.OTHER]
        fits = len(chosen) == len(bands) and set(chosen) <= {role.value for role in Role}
        if not fits or len(set(measured)) < len(measured):
            raise invalid("scene.bands", "scene.bands", measured=",".join(chosen), required=len(bands))
        return tuple(Role(name) for name in chosen)
    by_count = tuple(product) or _BY_COUNT.get(len(bands), (Role.OTHER,) * len(bands))
    coloured = [_COLOURS.get(report.colours[band - 1]) for band in bands if band <= len(report.colours)]
    if set(_RGB) <= set(coloured):
        return tuple(colour or usual for colour, usual in zip(coloured, _unclaimed(by_count), strict=True))
    return by_count


def is_order_known(report: HeaderReport, product: Sequence[Role]) -> bool:
    """Whether something tells the order of the bands of an image as its satellite delivers it: satellites differ."""
    few = len(_RGB) > len(report.data_bands)
    return few or bool(product) or {role.value for role in _RGB} <= set(report.colours)


def _unclaimed(by_count: tuple[Role, ...]) -> tuple[Role, ...]:
    """The usual roles with the visible ones blanked, since the file itself says where those are."""
    return tuple(Role.OTHER if role in _RGB else role for role in by_count)
