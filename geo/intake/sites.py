"""The sites of a siting plan from a file: read strictly and told row by row, as layers are; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from shapely.geometry import Point, mapping

from geo.commands.siting import NewSite
from geo.commands.words import PLATFORMS
from geo.intake.batch import Drafted
from geo.intake.drafts import Read, read_drafts
from geo.intake.layers import Layer
from geo.intake.report import Options
from geo.intake.words import DEVICE_WORDS, meanings
from schemas.refusals import Refusal, refuse

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
_POINTS = Layer(frozenset({"Point"}), _FIELDS)
_TYPES = meanings(DEVICE_WORDS)


def read_sites(path: Path, options: Options) -> Read[NewSite]:
    """The sites in a file of points (CSV, GeoJSON, GeoPackage, shapefile), in EPSG:4326.

    Raises RuleViolation where the file as a whole cannot be taken.
    """
    return read_drafts(path, _POINTS, options, "siting.sites", _site)


def in_rows(read: Read[NewSite], refusals: Iterable[Refusal]) -> tuple[Read[NewSite], list[Refusal]]:
    """The report with what the rules say of single sites in their rows, and what is left to say of the whole."""
    told: dict[int, tuple[Refusal, ...]] = {}
    left = []
    for refusal in refusals:
        place, named = refusal.place, refusal.params.get("site")
        # Rows that say the same of the same place are refused for the same.
        said = [n for n, site in read.drafts.items() if mapping(site.place) == place and site.place_text == named]
        told |= {number: (*told.get(number, ()), refusal) for number in said}
        if not said:
            left.append(refusal)
    return read.with_outcomes({number: (refusals, ()) for number, refusals in told.items()}), left


def _site(row: Drafted) -> NewSite | None:
    """The site of a row; None where there are faults, all of which stand in its cells."""
    cells, geom = row.cells, row.geom
    purpose_en, purpose_zh = cells.in_both("purpose")
    place_text = cells.text("place_text", required=True)
    device_type = cells.word("device_type", _TYPES)
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
