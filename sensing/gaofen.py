"""Products of the Gaofen satellites: what their names and the metadata beside them say of bands, time and clouds.

The order of the bands is the operator's: blue, green, red, near infrared; the file itself does not say it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import IO

from sensing.bands import Role
from sensing.sentinel import Member, parsed, percent_of, text_of

# Gaofen-3 is a radar and Gaofen-5 has hundreds of bands: neither is read here.
_NAME = re.compile(r"^(GF[12467][B-D]?)_([A-Z]+)\d*_.*_(L\d[A-Z])\d+(?:[-_].*)?$", re.IGNORECASE)
_COLOURS = (Role.BLUE, Role.GREEN, Role.RED, Role.NIR)
# Gaofen-4 has its panchromatic band first; the wide camera of Gaofen-6 two red edges, purple and yellow at the end.
_BY_BANDS = {
    4: _COLOURS,
    5: (Role.OTHER, *_COLOURS),
    8: (*_COLOURS, Role.RED_EDGE, Role.OTHER, Role.OTHER, Role.OTHER),
}
# Times without a zone are those of the ground segment.
_BEIJING = timezone(timedelta(hours=8))
# A frame is taken within seconds; whatever ends later is another time.
_LONGEST = timedelta(minutes=10)


@dataclass(frozen=True)
class Named:
    """What the name of a product says: satellite, camera and level."""

    platform: str
    camera: str
    level: str

    def roles(self, bands: int) -> tuple[Role, ...]:
        """What its bands measure, by their number; empty where the operator says nothing of so many."""
        return _BY_BANDS.get(bands, ())


@dataclass(frozen=True)
class Described:
    """What the metadata of a product say: from when to when it was taken, and the share of clouds."""

    captured_at: datetime | None
    captured_until: datetime | None
    cloud_percent: float | None


def named(stem: str) -> Named | None:
    """A product of Gaofen by the name of its image without the extension."""
    found = _NAME.match(stem)
    return Named(found[1].upper(), found[2].upper(), found[3].upper()) if found else None


def describe(open_file: Callable[[], IO[bytes]], name: str, size_bytes: int) -> Described:
    """What the metadata say. Raises RuleViolation `product.xml` or `xml.*` for what is none."""
    root = parsed(Member(name, size_bytes, open_file), name)
    start, end = (_time(text_of(root, tag)) for tag in ("StartTime", "EndTime"))
    start = start or _time(text_of(root, "CenterTime"))
    whole = start is not None and end is not None and timedelta(0) <= end - start <= _LONGEST
    return Described(start, end if whole else start, percent_of(root, "CloudPercent"))


def is_side_file(name: str, image_stem: str) -> bool:
    """Whether a file beside a product's image is its metadata or its quick look, by its name."""
    stem = image_stem.lower()
    return named(stem) is not None and name.lower() in (f"{stem}.xml", f"{stem}.jpg", f"{stem}_thumb.jpg")


def _time(said: str | None) -> datetime | None:
    """A time as it says, in Beijing time where it names no zone."""
    try:
        found = datetime.fromisoformat(said or "")
        return (found if found.tzinfo else found.replace(tzinfo=_BEIJING)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
