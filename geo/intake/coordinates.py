"""The coordinate system of a layer file, and the way from there to WGS 84.

CGCS2000 and WGS 84 differ by centimetres to decimetres and are treated as equal (requirements.md 5.1). The
offset systems of Chinese web maps, GCJ-02 and BD-09, are refused by name: they lie 100 to 700 m off and no
exact way back exists. Any other datum needs a transformation that is known; a guess is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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

# Names in which people say that numbers are GCJ-02 or BD-09. Initials that bureaus use for other things must not
# count (GCJSDW is the builder of a project), nor the house of a company whose map is offset (百度大厦).
_COORDINATE = r"(?:lng|lon|lat|coord)"
_MAPS_EN, _MAPS_ZH = r"(?:baidu|amap|autonavi|tencent)(?:map)?", r"(?:高德|百度|腾讯|火星)(?:地图)?"
_OFFSET = re.compile(
    rf"gcj[-_ ]?0?2|gcj[-_ ]?{_COORDINATE}|(?<![a-z])gcj(?![a-z])"
    rf"|(?<![a-z])bd[-_ ]?09|(?<![a-z])bd[-_]?{_COORDINATE}|(?<![a-z])bd[-_][xy](?![a-z])|mars[-_ ]?{_COORDINATE}"
    rf"|(?<![a-z]){_MAPS_EN}(?:[-_ ]?{_COORDINATE}|[-_ ]?[xy](?![a-z])|(?![a-z]|[-_ ][a-z]))"
    rf"|{_MAPS_ZH}(?:[-_ ]?(?:坐标|经度|纬度|经纬|poi|[xy](?![a-z]))|(?=[-_ .\d]|\Z))",
    re.IGNORECASE,
)
# Columns that say of each row which system its numbers are in.
_SYSTEM_COLUMN = re.compile(
    r"(?:空间|大地|地理)?坐标(?:系|类型|基准|基准面|系统|系类型|系名称)|crs|srs|datum"
    r"|(?:coord|coordinate|geo)s?[-_ ]?(?:sys|system|type|ref)",
    re.IGNORECASE,
)
_EPSG = re.compile(r"(?:EPSG:)?(\d{4,6})", re.IGNORECASE)
_NAMED = {"cgcs2000": CGCS2000_EPSG, "wgs84": WGS84_EPSG, "crs84": WGS84_EPSG}
# Data of one zone of a grid reaches into the next ones; no further than this is anything still meant.
_BEYOND_DEG = 6.0
_WKT_START = re.compile(r"\s*[A-Z0-9_]+\s*\[")
_LONGEST_WKT = 32_768


@dataclass(frozen=True)
class Placement:
    """How the coordinates of a file become WGS 84.

    `accuracy_m` is what the transformation promises, None where it does not say; 0.0 means no change of datum.
    `area` is where the system is meant to be used (west, south, east, north in degrees), None where it does not say.
    """

    name: str
    is_geographic: bool
    accuracy_m: float | None
    transformer: Transformer
    area: tuple[float, float, float, float] | None = None

    def place(self, geoms: Sequence[BaseGeometry | None]) -> NDArray[np.object_]:
        """The geometries in EPSG:4326, without heights; positions that cannot be placed become infinite."""

        def moved(xy: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.column_stack(self.transformer.transform(xy[:, 0], xy[:, 1]))

        made: NDArray[np.object_] = shapely.transform(np.array(geoms, dtype=object), moved)
        return made

    def refuse_misplaced(self, written: BaseGeometry, placed: BaseGeometry, path: str) -> None:
        """Raise RuleViolation where the numbers of a shape are sound, but not those of the system they are said to be.

        Far outside the area for which the system is made lie numbers of another grid, or degrees taken for metres.
        """
        numbers = shapely.get_coordinates(written)
        off_earth = self.is_geographic and (np.abs(numbers) > (180, 90)).any()
        if not len(numbers) or not np.isfinite(numbers).all() or off_earth or self._holds(placed):
            return  # a shape of unsound numbers is refused for what they are
        x, y = numbers[0]
        raise invalid("geometry.crs", "layer.outside_area", path=path, measured=f"{x:.6f}, {y:.6f}", system=self.name)

    def _holds(self, placed: BaseGeometry) -> bool:
        """Whether a shape in EPSG:4326 lies where the system is used, or at least not far from there."""
        west, south, east, north = placed.bounds
        if not np.isfinite(placed.bounds).all():
            return False
        if self.area is None or self.area[0] > self.area[2]:
            return True
        low_lon, low_lat, high_lon, high_lat = self.area
        beyond = max(low_lon - east, west - high_lon, low_lat - north, south - high_lat)
        return beyond <= _BEYOND_DEG


def refuse_offset(names: Iterable[str]) -> None:
    """Raise RuleViolation where a name says that coordinates are GCJ-02 or BD-09."""
    for name in names:
        found = _OFFSET.search(name)
        if found:
            raise invalid("geometry.crs", "layer.offset", measured=found.group(), where=name[:60])


def refuse_offset_cells(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Raise RuleViolation where a column of coordinate systems says of any row that it is GCJ-02 or BD-09."""
    telling = [column for column in columns if _SYSTEM_COLUMN.fullmatch(column.strip())]
    if not telling:
        return
    said = dict.fromkeys((column, str(row.get(column) or "").strip()) for row in rows for column in telling)
    for column, cell in said:
        if found := _OFFSET.search(cell):
            raise invalid("geometry.crs", "layer.offset", measured=found.group(), where=f"{column}: {cell}"[:60])


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
    area = crs.area_of_use.bounds if crs.area_of_use else None
    return Placement(name, crs.is_geographic, accuracy_m if accuracy_m >= 0 else None, change, area)


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
