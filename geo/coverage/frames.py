"""How some ground is seen, as GeoDataFrames: of an answered study, or of a planner's own files. For notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo import shapes
from geo.coverage.answers import coverage_of
from geo.coverage.footprints import Device
from geo.coverage.reading import read_area, read_devices
from geo.coverage.wanted import zones_on
from geo.intake.report import Options
from schemas.refusals import Kind, RuleViolation, conflict, not_found
from schemas.store.jobs import DONE
from schemas.tables import CoverageStudy, StudyDevice

if TYPE_CHECKING:
    import geopandas as gpd

NAMES: Mapping[str, Mapping[str, str]] = {
    "map": {"en": "What is seen, and what nobody sees", "zh": "有覆盖与无覆盖的范围"},
    "ground": {"en": "Ground that was asked about", "zh": "分析范围"},
    "seen": {"en": "Seen", "zh": "有覆盖"},
    "gaps": {"en": "Seen by nobody", "zh": "无覆盖"},
    "devices": {"en": "Devices", "zh": "设备"},
}
_PIECES = text(
    "SELECT kind, times, area_m2, ST_AsEWKB(geom) FROM core.study_shape WHERE study_id = :study"
    " ORDER BY kind, times, ordinal"
)


@dataclass(frozen=True)
class SeenGround:
    """Frames of EPSG:4326: the ground; `seen` with how many views (`times`, or more); `gaps` with `area_m2`; devices.

    Areas are square metres of an equal-area projection. Pieces of one shape may lie side by side; `dissolve` joins.
    """

    ground: gpd.GeoDataFrame
    seen: gpd.GeoDataFrame
    gaps: gpd.GeoDataFrame
    devices: gpd.GeoDataFrame


def of_study(session: Session, name: str) -> SeenGround:
    """The answer to a study by its public id, with the devices that are its own.

    Raises RuleViolation 404 where there is no such study, and 409 where it has no answer yet. A notebook reads as who
    holds the database: it asks for no permission, and shows no secret device.
    """
    study = session.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one_or_none()
    if study is None:
        raise not_found("coverage.study_unknown", "coverage.study_unknown", measured=name[:40])
    if study.stage != DONE:
        raise conflict("coverage.not_done", "coverage.not_done", measured=name)
    rows = session.execute(_PIECES, {"study": study.id}).all()
    pieces = shapes.from_database([row[3] for row in rows])
    is_gap = np.array([row[0] == "gap" for row in rows], dtype=bool)
    areas = np.array([row[2] for row in rows], dtype=np.float64)
    times = [row[1] for row in rows if row[0] == "seen"]
    own = [row for row in study.devices if not row.gone and not (row.device and row.device.secret)]
    return SeenGround(
        ground=_frame({"title": [study.title]}, [to_shape(study.ground)]),
        seen=_frame({"times": times, "area_m2": areas[~is_gap]}, pieces[~is_gap]),
        gaps=_frame({"area_m2": areas[is_gap]}, pieces[is_gap]),
        devices=_frame({"label": [_label(row) for row in own]}, [to_shape(row.geom) for row in own]),
    )


def of_files(
    devices: Path, ground: Path, *, range_m: float | None = None, crs: str | None = None, session: Session | None = None
) -> SeenGround:
    """How the devices of one file see the ground of another (CSV, GeoJSON, GeoPackage, shapefile); see `reading`.

    `range_m` stands for ranges that the file does not say, `crs` for a system that it does not name; with a `session`
    the privacy zones of that installation are taken off the ground. Raises RuleViolation with every fault of every row.
    """
    read = read_devices(devices, Options(layer="devices", crs=crs), range_m=range_m)
    if faults := [refusal for row in read.rows for refusal in row.refusals]:
        raise RuleViolation(Kind.INVALID, faults)
    area = read_area(ground, Options(layer="ground", crs=crs))
    found = list(read.drafts.values())
    seen = coverage_of(found, area, zones_on(session, area) if session else None)
    return SeenGround(
        ground=_frame({"title": [ground.stem]}, [area]),
        seen=_frame({"times": [1, 2], "area_m2": seen.seen_m2[:2]}, [seen.seen, seen.twice]),
        gaps=_frame({"area_m2": seen.gaps_m2}, seen.gaps),
        devices=_frame({"label": [str(n) for n in range(1, len(found) + 1)]}, _places(found)),
    )


def _places(devices: Sequence[Device]) -> list[BaseGeometry]:
    return [shapely.Point(one.at) for one in devices]


def _label(row: StudyDevice) -> str:
    return row.label or (row.device.name if row.device else row.changes or str(row.ordinal))


def _frame(columns: Mapping[str, object], geometry: Sequence[BaseGeometry] | np.ndarray) -> gpd.GeoDataFrame:
    # Large, and no page needs it.
    import geopandas as gpd

    found = list(geometry)
    kept = [n for n, shape in enumerate(found) if not shape.is_empty]
    values = {name: [list(column)[n] for n in kept] for name, column in columns.items()}  # type: ignore[call-overload]
    return gpd.GeoDataFrame(values, geometry=[found[n] for n in kept], crs="EPSG:4326")
