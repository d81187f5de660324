"""What a bureau's elevation model must be: one band of metres above the sea whose place is known. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict
from pyproj import CRS

from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from sensing.georeference import locate
from sensing.grid import Grid
from sensing.header import HeaderReport, judge

UNKNOWN = "unknown"
_METRES = frozenset({"", "m", "metre", "metres", "meter", "meters", "米"})
_NAME_LENGTH = 80


class Vertical(BaseModel):
    """What a file says its heights are measured from, in which unit, and whether that is a sea level."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    unit: str
    from_sea_level_up: bool


class Heights(BaseModel):
    """What the cells of an elevation model hold, scale and offset applied; infinities where no cell is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    known: int
    lowest_m: float
    highest_m: float
    unit: str
    vertical: Vertical | None

    @property
    def datum(self) -> str:
        """The vertical datum by its name; `unknown` where the file names none."""
        return self.vertical.name if self.vertical else UNKNOWN


def vertical_of(crs_wkt: str) -> Vertical | None:
    """The vertical part of a CRS; a geographic CRS with three axes measures from the ellipsoid."""
    crs = CRS.from_wkt(crs_wkt)
    part = next((sub for sub in crs.sub_crs_list if sub.is_vertical), None)
    if part is None and len(crs.axis_info) < 3:
        return None
    told = part or crs
    axis = told.axis_info[-1]
    name = "".join(letter for letter in told.name if letter.isprintable())[:_NAME_LENGTH]
    from_the_sea = part is not None and "ellipsoid" not in name.lower()
    return Vertical(
        name=name or UNKNOWN,
        unit=axis.unit_name[:_NAME_LENGTH],
        from_sea_level_up=from_the_sea and axis.direction == "up",
    )


def place(report: HeaderReport, name: str) -> Grid:
    """The grid of an elevation model, its CRS without the vertical part.

    Raises RuleViolation with every reason for which the header alone shows that it is none, or none that we read.
    """
    judge(report)
    found = list(_misfits(report, name))
    grid = None
    if report.crs_wkt and report.has_affine:
        try:
            grid = locate(report).grid
        except RuleViolation as nowhere:
            found += nowhere.refusals
    if found or grid is None:
        raise RuleViolation(Kind.INVALID, found)
    return grid


def _misfits(report: HeaderReport, name: str) -> Iterator[Refusal]:
    if report.bands != 1:
        yield refuse("raster.bands", "terrain.bands", name=name, measured=report.bands, required=1)
    if not report.has_affine:
        yield refuse("raster.crs", "terrain.unplaced", name=name)


def judge_heights(heights: Heights, name: str) -> None:
    """Raise RuleViolation with every reason for which these are no heights of the ground above the sea."""
    found = list(_odd_units(heights, name)) + list(_odd_values(heights, name))
    if found:
        raise RuleViolation(Kind.INVALID, found)


def _odd_units(heights: Heights, name: str) -> Iterator[Refusal]:
    units = {heights.unit, heights.vertical.unit if heights.vertical else ""}
    foreign = sorted(unit for unit in units if unit.strip().lower() not in _METRES)
    if foreign:
        yield refuse("terrain.unit", "terrain.unit", name=name, measured=", ".join(foreign), required="m")
    if heights.vertical and not heights.vertical.from_sea_level_up:
        yield refuse("terrain.datum", "terrain.datum", name=name, measured=heights.vertical.name)


def _odd_values(heights: Heights, name: str) -> Iterator[Refusal]:
    lowest_m, highest_m = limit("terrain.lowest"), limit("terrain.highest")
    if not heights.known:
        yield refuse("terrain.empty", "terrain.empty", name=name)
    elif heights.lowest_m < lowest_m or heights.highest_m > highest_m:
        yield refuse(
            "terrain.range",
            "terrain.range",
            name=name,
            measured=f"{heights.lowest_m:g} … {heights.highest_m:g} m",
            required=f"{lowest_m} … {highest_m} m",
        )
