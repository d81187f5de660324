"""Devices and the ground that is asked about, from a planner's own files: nothing is registered by it."""

from __future__ import annotations

from pathlib import Path

import shapely
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from geo.coverage.footprints import Device
from geo.intake.batch import Drafted
from geo.intake.drafts import Read, read_drafts
from geo.intake.layers import Layer
from geo.intake.report import Options
from geo.types import LonLat
from schemas.refusals import Kind, RuleViolation, invalid

_DEVICES = Layer(frozenset({"Point"}), ("name", "sector_azimuth_deg", "hfov_deg", "range_m"))
_AREAS = Layer(frozenset({"Polygon", "MultiPolygon"}), ("name",))
_FURTHEST_VIEW_M = 1_000_000


def read_devices(path: Path, options: Options, *, range_m: float | None = None) -> Read[Device]:
    """The devices in a file of points (CSV, GeoJSON, GeoPackage, shapefile); all round where no direction is given.

    `range_m` stands for ranges that the file does not say. Raises RuleViolation where the file as a whole cannot
    be taken; what is wrong with single rows stands in the report.
    """

    def device(row: Drafted) -> Device | None:
        cells = row.cells
        azimuth, width = cells.number("sector_azimuth_deg", 0, 360), cells.number("hfov_deg", 0.1, 360)
        reach = cells.number("range_m", 0.1, _FURTHEST_VIEW_M)
        if reach is None and range_m is None:
            cells.text("range_m", required=True)
        if azimuth is not None and width is None:
            cells.text("hfov_deg", required=True)
        if azimuth is None and width is not None and width < 360:
            cells.text("sector_azimuth_deg", required=True)
        if cells.refusals or not isinstance(row.geom, Point):
            return None
        return Device(LonLat(row.geom.x, row.geom.y), reach or range_m or 0.0, azimuth, width)

    return read_drafts(path, _DEVICES, options, "coverage.devices", device)


def read_area(path: Path, options: Options) -> BaseGeometry:
    """All polygons of a file as one area of EPSG:4326; raises RuleViolation with what is wrong with any of them."""

    def part(row: Drafted) -> BaseGeometry | None:
        return None if row.cells.refusals else row.geom

    read = read_drafts(path, _AREAS, options, "coverage.areas", part)
    faults = [refusal for row in read.rows for refusal in row.refusals]
    if faults:
        raise RuleViolation(Kind.INVALID, faults)
    if not read.drafts:
        raise invalid("coverage.no_ground", "coverage.no_ground")
    return shapely.union_all(list(read.drafts.values()))
