"""Patrol areas and deployment points from a file: all of them are drafted or none, and every row is told (GD-16.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.geometry import MultiPolygon, Point, Polygon
from sqlalchemy import select

from geo import commands
from geo.commands import NewArea, NewPoint
from geo.intake.batch import Drafted
from geo.intake.columns import Cells
from geo.intake.drafts import Read, read_drafts
from geo.intake.layers import POLYGONS, Layer
from geo.intake.report import Options
from schemas.refusals import invalid, refuse
from schemas.store.work import Work
from schemas.tables import Authority, DeploymentPoint, PatrolArea, SitingPlan, SupervisionItem

_TEXTS = ("code", "name", "name_en", "name_zh", "purpose", "purpose_en", "purpose_zh")
_HEIGHTS = ("alt_min_agl_m", "alt_max_agl_m")
Kind = type[PatrolArea] | type[DeploymentPoint]
Fields = Mapping[str, Any]
"""The fields of a `NewArea` or a `NewPoint` that a row says, by their names."""
LAYERS: Mapping[Kind, Layer] = {
    PatrolArea: Layer(POLYGONS, (*_TEXTS, *_HEIGHTS)),
    DeploymentPoint: Layer(frozenset({"Point"}), (*_TEXTS, "place_text")),
}
_TABLES_OF_POINTS = (".csv", ".txt", ".tsv")
_LONGEST_CODE = 40
# As at the planner's desk; what flies higher is no inspection.
_HIGHEST_M = 1_000


@dataclass(frozen=True)
class Common:
    """What holds for every row of a file."""

    authority: Authority
    item: SupervisionItem | None = None
    siting_plan: SitingPlan | None = None


def read_places(work: Work, path: Path, kind: Kind, options: Options) -> Read[Fields]:
    """The areas (polygons), or the points (CSV too), in a file, in EPSG:4326; nothing is written.

    A code that another one has, here or in a row before, is a fault of its row. Raises RuleViolation where the file
    as a whole cannot be taken.
    """
    if kind is PatrolArea and path.suffix.lower() in _TABLES_OF_POINTS:
        raise invalid("layer.format", "layer.csv_areas")
    rows = _Rows(set(work.session.scalars(select(kind.code))))
    return read_drafts(path, LAYERS[kind], options, "patrol.drafts", rows.area if kind is PatrolArea else rows.point)


def draft_places(work: Work, read: Read[Fields], common: Common) -> Read[Fields]:
    """Drafts what was read, and tells what became of every row; the caller commits where none was refused.

    The good rows are judged beside bad ones too, so that all that stands against a file is told at once.
    """
    new = [_new(fields, common) for fields in read.drafts.values()]
    outcomes = dict(zip(read.drafts, commands.draft_many(work, new), strict=True))
    is_whole = not read.refused and not any(outcome.refusals for outcome in outcomes.values())
    return read.with_outcomes(
        {
            number: (outcome.refusals, (outcome.subject.public_id,) if is_whole else ())
            for number, outcome in outcomes.items()
        }
    )


def _new(fields: Fields, common: Common) -> NewArea | NewPoint:
    told = {**fields, "authority": common.authority, "item": common.item, "siting_plan": common.siting_plan}
    return NewPoint(**told) if "place" in told else NewArea(**told)


class _Rows:
    """Makes the drafts of one file, in which every code stands once."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._seen: dict[str, int] = {}

    def area(self, row: Drafted) -> Fields | None:
        """A patrol area; None where there are faults, all of which stand in its cells."""
        fields, shape = self._told(row), _outline(row)
        low, high = (_height(row.cells, name) for name in _HEIGHTS)
        if low is not None and high is not None and low >= high:
            measured, required = f"{low:g} m", f"{high:g} m"
            row.cells.refusals.append(refuse("GD-16.2", "planner.heights", measured=measured, required=required))
        if not row.is_taken or shape is None:
            return None
        return fields | {"geom": shape, "alt_min_agl_m": low, "alt_max_agl_m": high}

    def point(self, row: Drafted) -> Fields | None:
        """A deployment point, likewise."""
        fields = self._told(row) | {"place_text": row.cells.text("place_text", required=True)}
        return fields | {"place": row.geom} if row.is_taken and isinstance(row.geom, Point) else None

    def _told(self, row: Drafted) -> dict[str, Any]:
        """What every place is told by: its code, name and purpose, in both languages."""
        fields: dict[str, Any] = {"code": self._code(row)}
        for name in ("name", "purpose"):
            fields |= dict(zip((f"{name}_en", f"{name}_zh"), row.cells.in_both(name), strict=True))
        return fields

    def _code(self, row: Drafted) -> str | None:
        code, refusals = row.cells.text("code", required=True), row.cells.refusals
        if code is None:
            return None
        if len(code) > _LONGEST_CODE:
            refusals.append(refuse("layer.field", "layer.text", field="code", required=_LONGEST_CODE))
        if code in self._taken:
            refusals.append(refuse("layer.duplicate", "layer.duplicate_code", measured=code[:_LONGEST_CODE]))
        if code in self._seen:
            first = self._seen[code]
            refusals.append(
                refuse("layer.duplicate", "layer.code_twice", measured=code[:_LONGEST_CODE], required=first)
            )
        self._seen.setdefault(code, row.number)
        return code


def _outline(row: Drafted) -> Polygon | None:
    """The one polygon of a row; geographic programs write it as a collection of one."""
    if not isinstance(row.geom, MultiPolygon):
        return row.geom if isinstance(row.geom, Polygon) else None
    parts = len(row.geom.geoms)
    if parts > 1:
        row.cells.refusals.append(refuse("geometry.type", "layer.several_outlines", measured=parts))
    return row.geom.geoms[0]


def _height(cells: Cells, field: str) -> float | None:
    return None if cells.text(field, required=True) is None else cells.number(field, 0, _HIGHEST_M)
