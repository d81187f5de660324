"""Devices and the ground that is asked about, from a planner's own files: nothing is registered by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import shapely
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from geo.coverage.footprints import Device
from geo.intake.batch import Drafted
from geo.intake.drafts import Read, read_drafts
from geo.intake.layers import Layer
from geo.intake.report import Options
from geo.intake.words import DEVICE_WORDS, meanings
from geo.types import LonLat
from schemas.refusals import Kind, RuleViolation, invalid

_FIELDS = ("name", "device_type", "sector_azimuth_deg", "hfov_deg", "range_m", "mast_m", "target_m")
_DEVICES = Layer(frozenset({"Point"}), _FIELDS)
_AREAS = Layer(frozenset({"Polygon", "MultiPolygon"}), ("name",))
_FURTHEST_VIEW_M = 1_000_000
_HIGHEST_M = 10_000


@dataclass(frozen=True)
class Named:
    """A device of a file: its view, what it is called there, its type, and whether its row says how high it stands."""

    view: Device
    name: str
    device_type: str
    says_mast: bool = True


def read_devices(path: Path, options: Options, *, range_m: float | None = None) -> Read[Device]:
    """The devices in a file of points (CSV, GeoJSON, GeoPackage, shapefile); all round where no direction is given.

    `range_m` stands for ranges that the file does not say. Raises RuleViolation where the file as a whole cannot
    be taken; what is wrong with single rows stands in the report.
    """
    read = read_named(path, options, range_m=range_m)
    return Read(**vars(read) | {"drafts": {number: one.view for number, one in read.drafts.items()}})


def read_named(path: Path, options: Options, *, range_m: float | None = None) -> Read[Named]:
    """The same with the names and types of the devices; one without a type is a camera."""
    kinds = meanings(DEVICE_WORDS)

    def device(row: Drafted) -> Named | None:
        cells = row.cells
        azimuth, width = cells.number("sector_azimuth_deg", 0, 360), cells.number("hfov_deg", 0.1, 360)
        reach = cells.number("range_m", 0.1, _FURTHEST_VIEW_M)
        mast, target = cells.number("mast_m", 0, _HIGHEST_M), cells.number("target_m", 0, _HIGHEST_M)
        name, kind = cells.text("name") or "", cells.word("device_type", kinds, default="video")
        if reach is None and range_m is None:
            cells.text("range_m", required=True)
        if azimuth is not None and width is None:
            cells.text("hfov_deg", required=True)
        if azimuth is None and width is not None and width < 360:
            cells.text("sector_azimuth_deg", required=True)
        if cells.refusals or not isinstance(row.geom, Point):
            return None
        heights = {"mast_m": mast, "target_m": target}
        told = {what: height for what, height in heights.items() if height is not None}
        view = Device(LonLat(row.geom.x, row.geom.y), reach or range_m or 0.0, azimuth, width, **told)
        return Named(view, name, kind or "video", mast is not None)

    return read_drafts(path, _DEVICES, options, "coverage.devices", device)


def read_area(path: Path, options: Options, *, otherwise: str | None = None) -> BaseGeometry:
    """All polygons of a file as one area of EPSG:4326; raises RuleViolation with what is wrong with any of them.

    `otherwise` is the coordinate system of a file that declares none, where `options` name none either.
    """

    def part(row: Drafted) -> BaseGeometry | None:
        return None if row.cells.refusals else row.geom

    try:
        read = read_drafts(path, _AREAS, options, "coverage.areas", part)
    except RuleViolation as error:
        if not otherwise or all(refusal.text != "layer.crs_missing" for refusal in error.refusals):
            raise
        read = read_drafts(path, _AREAS, replace(options, crs=otherwise), "coverage.areas", part)
    faults = [refusal for row in read.rows for refusal in row.refusals]
    if faults:
        raise RuleViolation(Kind.INVALID, faults)
    if not read.drafts:
        raise invalid("coverage.no_ground", "coverage.no_ground")
    return shapely.union_all(list(read.drafts.values()))
