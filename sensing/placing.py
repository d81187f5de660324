"""Where an image lies when somebody says it, and what is kept of one of which nobody does."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from schemas.refusals import Refusal, RuleViolation, conflict, invalid
from sensing.grid import crs_name
from sensing.header import HeaderReport, is_usable_crs
from sensing.quarantine import Arrival

UNKNOWN = "unknown"
# Rules for which an image waits in quarantine until its place is known.
PLACE_RULES = frozenset(
    {"raster.crs", "raster.transform", "raster.rpc", "raster.datum", "raster.position", "frame.pose"}
)
# Those of their reasons that leave a place unknown; a transform that makes no sense, say, is refused instead.
_UNKNOWN_PLACE = frozenset(
    {
        *("raster.unplaced", "raster.half_placed", "raster.crs_unusable", "raster.datum"),
        *("raster.gcps", "raster.gcps_in_line", "raster.gcp_error"),
        *("raster.rpc_only", "raster.rpc_uncovered", "raster.rpc_numbers"),
    }
)
_CODE = re.compile(r"[A-Za-z]{1,10}:\d{1,7}")
WORLD_FILE_BYTES, _NUMBERS = 1024, 6
# Two transforms are one if no corner of the image moves by a hundredth of a pixel.
_SAME_PIXEL = 0.01


@dataclass(frozen=True)
class StatedPlace:
    """A place as whoever hands an image in states it: CRS, transform where the file has none, error, and from where."""

    crs: str
    transform: Affine | None
    error_m: float
    source: str

    @classmethod
    def of(cls, crs: str, world_file: bytes | None, *, error_m: float, source: str) -> Self:
        """From the code of a CRS and the text of a world file. Raises RuleViolation where either says nothing."""
        try:
            known = CRS.from_user_input(crs) if _CODE.fullmatch(crs) else None
        except CRSError:
            known = None
        if known is None or not is_usable_crs(known.to_wkt()):
            raise invalid("raster.crs", "raster.crs_code", measured=crs[:60])
        return cls(crs.upper(), _read_world_file(world_file) if world_file is not None else None, error_m, source)

    @property
    def crs_wkt(self) -> str:
        """The CRS as WKT."""
        return str(CRS.from_user_input(self.crs).to_wkt())

    def _is(self, own: CRS) -> bool:
        return crs_name(own.to_wkt()) == self.crs or bool(
            own.equals(CRS.from_wkt(self.crs_wkt), ignore_axis_order=True)
        )

    def dump(self) -> dict[str, Any]:
        """What was said, as plain JSON."""
        return {"crs": self.crs, "transform": list(self.transform)[:6] if self.transform else None}

    def applied(self, report: HeaderReport) -> HeaderReport:
        """The header of an image as if it said the same itself.

        Raises RuleViolation where it says otherwise, or where no transform is known from anybody.
        """
        for own in (report.crs_wkt, report.gcp_crs_wkt):
            if own and is_usable_crs(own) and not self._is(CRS.from_wkt(own)):
                said = crs_name(own)
                raise conflict("raster.contradicted", "raster.crs_contradicted", measured=self.crs, required=said)
        if report.transform and self.transform and not _alike(Affine(*report.transform), self.transform, report):
            own_numbers, said = ("; ".join(f"{n:g}" for n in one) for one in (report.transform, self.transform[:6]))
            raise conflict("raster.contradicted", "raster.transform_contradicted", measured=said, required=own_numbers)
        transform = self.transform or (Affine(*report.transform) if report.transform else None)
        if transform:
            return report.model_copy(update={"crs_wkt": self.crs_wkt, "transform": tuple(transform)[:6]})
        if report.gcps:
            return report.model_copy(update={"gcp_crs_wkt": self.crs_wkt})
        raise invalid("raster.transform", "raster.stated_half", measured=self.crs)


def _read_world_file(text: bytes) -> Affine:
    """The transform of a world file: six numbers, of which the last two place the middle of the first pixel."""
    try:
        numbers = [float(word) for word in text[:WORLD_FILE_BYTES].decode("ascii").split()]
    except ValueError:
        numbers = []
    if len(text) > WORLD_FILE_BYTES or len(numbers) != _NUMBERS or not all(map(math.isfinite, numbers)):
        raise invalid("raster.world_file", "raster.world_file")
    a, d, b, e, x, y = numbers
    return Affine(a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)


def _alike(own: Affine, said: Affine, report: HeaderReport) -> bool:
    """Whether two transforms put every corner of an image in one place; one that cannot be turned round is its own."""
    corners = ((0, 0), (report.width, 0), (0, report.height), (report.width, report.height))
    if not all(map(math.isfinite, own)) or own.is_degenerate:
        return own == said
    return all(math.dist(~own @ (said @ corner), corner) <= _SAME_PIXEL for corner in corners)


@dataclass(frozen=True)
class Unplaced:
    """An image that is kept as it came because nobody knows where it lies, and why.

    `sensor` is who took it, where something says it, else `UNKNOWN`.
    """

    arrivals: tuple[Arrival, ...]
    report: HeaderReport
    sha256: str
    name: str
    sensor: str
    captured_at: datetime | None
    held: tuple[Refusal, ...]


def leaves_place_unknown(refused: RuleViolation, report: HeaderReport) -> bool:
    """Whether an image is refused for nothing but that nobody knows where it lies."""
    known = _UNKNOWN_PLACE | ({"frame.pose"} if report.photo is not None and report.photo.lon is None else frozenset())
    return all(refusal.text in known for refusal in refused.refusals)
