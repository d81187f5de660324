"""The sites of a siting plan from a file: read strictly and told row by row, as layers are; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from geo.commands.siting import NewSite
from geo.commands.words import PLATFORMS
from geo.intake.columns import Cells, match
from geo.intake.coordinates import Placement, placement, refuse_offset
from geo.intake.importer import Options, RowOutcome, read_table, refuse_shape
from geo.intake.layers import Layer
from geo.intake.table import Row
from geo.intake.words import DEVICE_WORDS, meanings
from schemas.limits import limit
from schemas.refusals import RuleViolation, invalid, refuse, too_large

_FIELDS = (
    "device_type",
    "platform",
    "purpose",
    "purpose_en",
    "purpose_zh",
    "place_text",
    "place_type",
    "indoor",
    "sector_azimuth_deg",
    "hfov_deg",
    "range_m",
)
_FURTHEST_VIEW_M = 1_000_000
_VIEW = ("sector_azimuth_deg", "hfov_deg", "range_m")
# A file of sites is read like a layer of points, and makes no rows of one.
_POINTS = Layer(frozenset({"Point"}), _FIELDS, lambda _cells, _geom, _intake: [])


@dataclass(frozen=True)
class SitesRead:
    """What a file says: the sites of its good rows in their order, and what is wrong with every other one."""

    sites: tuple[NewSite, ...]
    rows: tuple[RowOutcome, ...]
    format: str
    crs: str
    encoding: str
    columns: Mapping[str, str]

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return sum(bool(row.refusals) for row in self.rows)


def read_sites(path: Path, options: Options) -> SitesRead:
    """The sites in a file of points (CSV, GeoJSON, GeoPackage, shapefile), in EPSG:4326.

    Raises RuleViolation where the file as a whole cannot be taken.
    """
    table = read_table(path, _POINTS, options)
    if not table.rows:
        raise invalid("layer.empty")
    if len(table.rows) > limit("siting.sites"):
        raise too_large("layer.rows", measured=len(table.rows), required=limit("siting.sites"))
    refuse_offset(table.names)
    way = placement(table.crs, options.crs)
    columns = match(table.columns, _FIELDS, table.kept)
    sites, outcomes = [], []
    for row in table.rows:
        cells = Cells(row.values, columns)
        site = _site(cells, _placed(row, way, cells))
        outcomes.append(RowOutcome(row.number, tuple(cells.refusals)))
        if site is not None:
            sites.append(site)
    return SitesRead(tuple(sites), tuple(outcomes), table.format, way.name, table.encoding, columns)


def _placed(row: Row, way: Placement, cells: Cells) -> BaseGeometry | None:
    cells.refusals.extend(row.refusals)
    if row.geom is None:
        return None
    try:
        geom: BaseGeometry = way.place([row.geom])[0]
        way.refuse_misplaced(row.geom, geom, f"#{row.number}")
        refuse_shape(geom, _POINTS.allow, f"#{row.number}")
    except RuleViolation as error:
        cells.refusals.extend(error.refusals)
        return None
    return geom


def _site(cells: Cells, geom: BaseGeometry | None) -> NewSite | None:
    """The site of a row; None where there are faults, all of which stand in `cells`."""
    purpose = cells.text("purpose")
    purpose_en, purpose_zh = cells.text("purpose_en") or purpose, cells.text("purpose_zh") or purpose
    if not (purpose_en and purpose_zh):
        cells.text("purpose", required=True)
    place_text = cells.text("place_text", required=True)
    device_type = cells.word("device_type", meanings(DEVICE_WORDS))
    platform = cells.word("platform", {word: word for word in PLATFORMS}, default="fixed")
    place_type, indoor = cells.text("place_type") or "open_air", cells.flag("indoor")
    view = (
        cells.number("sector_azimuth_deg", 0, 360),
        cells.number("hfov_deg", 0.1, 360),
        cells.number("range_m", 0.1, _FURTHEST_VIEW_M),
    )
    if 0 < view.count(None) < len(view):
        missing = ", ".join(name for name, value in zip(_VIEW, view, strict=True) if value is None)
        cells.refusals.append(refuse("layer.field", "layer.field_missing", field=missing, required=" / ".join(_VIEW)))
    if cells.refusals or not isinstance(geom, Point):
        return None
    return NewSite(
        place=geom,
        place_text=place_text or "",
        device_type=device_type or "",
        purpose_en=purpose_en or "",
        purpose_zh=purpose_zh or "",
        platform=platform or "",
        place_type=place_type,
        indoor=indoor,
        sector_azimuth_deg=view[0],
        hfov_deg=view[1],
        range_m=view[2],
    )
