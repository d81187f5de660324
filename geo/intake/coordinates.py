"""The coordinate system of a layer file, and the way from there to WGS 84.

CGCS2000 and WGS 84 differ by centimetres to decimetres and are treated as equal (requirements.md 5.1). The
offset systems of Chinese web maps, GCJ-02 and BD-09, are refused by name: they lie 100 to 700 m off and no
exact way back exists. Any other datum needs a transformation that is known; a guess is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from geo.crs import WGS84_EPSG
from schemas.refusals import invalid

CGCS2000_EPSG = 4490

_OFFSET = re.compile(
    r"gcj|\bbd[-_ ]?09|\bbd_?(?:lng|lon|lat|x|y)\b|mars[-_ ]?(?:lng|lon|lat|coord)"
    r"|火星|高德|百度|腾讯|baidu|amap|autonavi|tencent",
    re.IGNORECASE,
)
_EPSG = re.compile(r"(?:EPSG:)?(\d{4,6})", re.IGNORECASE)
_NAMED = {"cgcs2000": CGCS2000_EPSG, "wgs84": WGS84_EPSG, "crs84": WGS84_EPSG}
_WKT_START = re.compile(r"\s*[A-Z0-9_]+\s*\[")
_LONGEST_WKT = 32_768


@dataclass(frozen=True)
class Placement:
    """How the coordinates of a file become WGS 84.

    `accuracy_m` is what the transformation promises, None where it does not say; 0.0 means no change of datum.
    """

    name: str
    is_geographic: bool
    accuracy_m: float | None
    transformer: Transformer

    def place(self, geoms: Sequence[BaseGeometry | None]) -> NDArray[np.object_]:
        """The geometries in EPSG:4326, without heights; positions that cannot be placed become infinite."""

        def moved(xy: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.column_stack(self.transformer.transform(xy[:, 0], xy[:, 1]))

        made: NDArray[np.object_] = shapely.transform(np.array(geoms, dtype=object), moved)
        return made


def refuse_offset(names: Iterable[str]) -> None:
    """Raise RuleViolation where a name says that coordinates are GCJ-02 or BD-09."""
    for name in names:
        found = _OFFSET.search(name)
        if found:
            raise invalid("geometry.crs", "layer.offset", measured=found.group(), where=name[:60])


def placement(declared: str | None, wanted: str | None) -> Placement:
    """The way from the system that was named on the command line, or else declared by the file, to WGS 84.

    Raises RuleViolation 422 where there is none, it is not known, or no sound way leads to WGS 84.
    """
    named = wanted or declared
    if not named:
        raise invalid("geometry.crs", "layer.crs_missing")
    refuse_offset([named])
    crs = _read(named)
    if not (crs.is_geographic or crs.is_projected):
        raise invalid("geometry.crs", "layer.crs_unusable", measured=crs.name)
    crs = crs.to_2d()
    same_datum = _is_cgcs2000(crs)
    try:
        change = Transformer.from_crs(crs, WGS84_EPSG, always_xy=True, allow_ballpark=same_datum)
    except ProjError as error:
        raise invalid("geometry.crs", "layer.crs_no_way", measured=crs.name) from error
    accuracy_m = 0.0 if same_datum else change.accuracy
    code = crs.to_epsg()
    name = f"EPSG:{code} {crs.name}" if code else crs.name
    return Placement(name, crs.is_geographic, accuracy_m if accuracy_m >= 0 else None, change)


def _read(named: str) -> CRS:
    """A coordinate system from a code or a WKT; nothing that PROJ would look up in a file or on the network."""
    epsg = _EPSG.fullmatch(named.strip())
    try:
        if epsg:
            return CRS.from_epsg(int(epsg.group(1)))
        if named.strip().lower() in _NAMED:
            return CRS.from_epsg(_NAMED[named.strip().lower()])
        if _WKT_START.match(named) and len(named) <= _LONGEST_WKT:
            return CRS.from_wkt(named)
    except CRSError as error:
        raise invalid("geometry.crs", "layer.crs_unknown", measured=named[:60]) from error
    raise invalid("geometry.crs", "layer.crs_unknown", measured=named[:60])


def _is_cgcs2000(crs: CRS) -> bool:
    base = crs.geodetic_crs
    if base is None:
        return False
    datum = base.datum.name if base.datum else ""
    return base.to_epsg() == CGCS2000_EPSG or "China 2000" in datum.replace("_", " ")
