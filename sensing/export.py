"""Findings handed on as GeoPackage or Shapefile: documented columns, nothing that a privacy zone hides, losses told."""

from __future__ import annotations

import csv
import uuid
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import shapely
from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from geo.measure import area_m2
from schemas.refusals import conflict
from schemas.tables import (
    SRID,
    Authority,
    Detection,
    Person,
    PrivacyZone,
    SegmentationRun,
    SupervisionItem,
)
from schemas.words import words
from sensing.derived import MADE_FROM, outline_of, outline_sha256
from sensing.export_alternatives import add_alternatives, alternative
from sensing.export_columns import COLUMNS, LONGEST_TEXT_BYTES
from sensing.mask import Zone, grown
from sensing.origin import origin_of
from sensing.shut import is_shut
from sensing.words import in_words, name

if TYPE_CHECKING:
    import geopandas
    import pandas  # type: ignore[import-untyped]

GEOPACKAGE, SHAPEFILE = "gpkg", "shp"
FORMATS = (GEOPACKAGE, SHAPEFILE)
# CGCS2000 lies on WGS 84 to within some centimetres; PROJ has no transformation between the two and moves nothing.
WGS84, CGCS2000 = 4326, 4490
GRIDS = (WGS84, CGCS2000)
MOST = 50_000
LAYER = "findings"
_LEFT_OUT = "left out: a privacy zone hides it", "未写出：被隐私区遮盖"
_CUT = "cut: a privacy zone hides a part", "已裁切：部分被隐私区遮盖"


@dataclass(frozen=True)
class Asked:
    """Which findings are asked for; `authorities` are those of whoever asks, and nothing of others is handed on."""

    authorities: Collection[uuid.UUID]
    since: datetime | None = None
    kind: str | None = None
    state: str | None = None


@dataclass(frozen=True)
class Loss:
    """What a file does not carry: of which finding (none where it is of all), in which column, and how."""

    finding: str
    column: str
    en: str
    zh: str


@dataclass(frozen=True)
class Export:
    """What was written: how many findings, and everything that the file does not carry."""

    findings: int
    losses: tuple[Loss, ...]


def found(session: Session, asked: Asked) -> list[Detection]:
    """The findings that are asked for, the oldest first. Raises RuleViolation 409 for more than a file may hold."""
    rows = _chosen(asked).order_by(Detection.formed_at, Detection.public_id).limit(MOST + 1)
    chosen = list(session.scalars(rows))
    if len(chosen) > MOST:
        raise conflict("finding.too_many", required=MOST)
    return chosen


def _chosen(asked: Asked) -> Select[Detection]:
    rows = select(Detection).where(Detection.authority_id.in_(asked.authorities))
    if asked.since is not None:
        rows = rows.where(Detection.formed_at >= asked.since)
    if asked.kind:
        rows = rows.where(Detection.kind == asked.kind)
    return rows.where(Detection.state == asked.state) if asked.state else rows


def export(session: Session, asked: Asked, out: Path, form: str, *, epsg: int, now: datetime) -> Export:
    """Write what is asked for to `out`: a GeoPackage, or a zip of a Shapefile with its columns and losses beside it.

    Outlines that SAM drew beside those of findings are a layer of their own.

    Raises RuleViolation 409 where there is nothing to write, or too much.
    """
    losses: list[Loss] = []
    records, shapes = [], []
    others: list[dict[str, Any]] = []
    chosen = found(session, asked)
    shut = set(session.scalars(_chosen(asked).with_only_columns(Detection.id).where(is_shut(now))))
    for row in chosen:
        outline = outline_of(session, row)
        shown = _shown(session, row, outline, now)
        if row.id in shut or shown.is_empty:
            losses.append(Loss(row.public_id, "geometry", *_LEFT_OUT))
            continue
        if shown is not outline:
            losses.append(Loss(row.public_id, "geometry", *_CUT))
        records.append(_record(session, row, shown, hidden=shown is not outline))
        shapes.append(_multi(shown))
        others += _alternatives(session, row, now, losses)
    if not records:
        raise conflict("finding.nothing_to_export")
    # Loaded when somebody takes findings along: it is large, and no page needs it.
    import geopandas

    frame = geopandas.GeoDataFrame(records, geometry=shapes, crs=WGS84)
    # Nothing moves: see above. A transformation that PROJ looked for itself could differ from machine to machine.
    frame = frame.set_crs(epsg, allow_override=True)
    _WRITERS[form](frame, out, losses)
    add_alternatives(others, out, is_geopackage=form == GEOPACKAGE, epsg=epsg)
    return Export(len(frame), tuple(losses))


def _alternatives(session: Session, row: Detection, now: datetime, losses: list[Loss]) -> Iterator[dict[str, Any]]:
    """The outline that SAM drew of a finding, where it did; privacy zones hide it like any other."""
    drawn = row.context.get("alternative")
    if not drawn:
        return
    outline = shapely.geometry.shape(drawn)
    shown = _shown(session, row, outline, now)
    if shown is not outline:
        losses.append(Loss(row.public_id, "alternative", *(_LEFT_OUT if shown.is_empty else _CUT)))
    if not shown.is_empty:
        yield alternative(row, session.get_one(SegmentationRun, row.run_id), _multi(shown))


def _shown(session: Session, row: Detection, outline: BaseGeometry, now: datetime) -> BaseGeometry:
    """What of an outline may be shown: an officer or SAM may have drawn into what the image hides."""
    in_force = PrivacyZone.valid_from <= now, or_(PrivacyZone.valid_to.is_(None), PrivacyZone.valid_to > now)
    near = func.ST_DWithin(PrivacyZone.geom, from_shape(outline, srid=SRID), _REACH_DEG)
    zones = session.scalars(select(PrivacyZone).where(*in_force, near))
    hidden = [grown(Zone(one.public_id, one.zone_version, to_shape(one.geom), one.buffer_m), 0.0) for one in zones]
    hiding = [zone for zone in hidden if shapely.intersects(zone, outline)]
    return shapely.difference(outline, shapely.union_all(hiding)) if hiding else outline


# The widest margin of a zone, 1,000 m, in degrees of longitude anywhere up to 75 degrees of latitude.
_REACH_DEG = 0.036


def _multi(shape: BaseGeometry) -> MultiPolygon:
    polygons = [one for one in getattr(shape, "geoms", [shape]) if one.geom_type == "Polygon"]
    return MultiPolygon(polygons)


def _record(session: Session, row: Detection, shown: BaseGeometry, *, hidden: bool) -> dict[str, Any]:
    """The values of a finding, by column."""
    item = session.get(SupervisionItem, row.item_id) if row.item_id else None
    decider = session.get(Person, row.decided_by) if row.decided_by else None
    trace = [in_words(line) for line in row.rule_trace]
    outline = outline_of(session, row)
    drawn = not shapely.equals(outline, to_shape(row.geom))
    by_officer = drawn or MADE_FROM in row.provenance
    state = words()["state"][row.state]
    return {
        "finding": row.public_id,
        "kind": row.kind,
        "kind_en": name(row.kind, "en"),
        "kind_zh": name(row.kind, "zh"),
        "violation": row.context.get("violation"),
        "state": row.state,
        "state_en": state["en"],
        "state_zh": state["zh"],
        "authority": session.get_one(Authority, row.authority_id).code,
        "item": item.code if item else None,
        "score": row.score,
        "risk": row.risk,
        "due": row.due,
        "area_m2": round(area_m2(shown), 1),
        "outline": "officer" if by_officer else "engine",
        "made_from": _made_from(row),
        "outline_sha256": outline_sha256(outline),
        "hidden": int(hidden),
        "formed_at": row.formed_at.astimezone(UTC),
        "decided_at": row.decided_at.astimezone(UTC) if row.decided_at else None,
        "decided_by": decider.code if decider else None,
        "reason": row.reason,
        "permits": ", ".join(filter(None, (one.get("number") for one in row.context.get("permits", [])))) or None,
        **_source(session, row),
        "trace_en": "\n".join(line["en"] for line in trace),
        "trace_zh": "\n".join(line["zh"] for line in trace),
    }


def _made_from(row: Detection) -> str | None:
    """Which findings an officer cut or joined it from, and which of the two; None for one that an engine saw."""
    facts = row.provenance.get(MADE_FROM)
    return f"{facts['how']} {', '.join(one['id'] for one in facts['from'])}" if facts else None


# What readings of a device know nothing of.
_OF_IMAGES = (
    *("scene", "position_error_m", "before_scene", "residual_px", "window", "bands", "scene_sha256", "copy_sha256"),
    *("zone_hash", "before_copy_sha256", "stretch_sha256", "features_sha256"),
    *("pixel_model_sha256", "object_model_sha256"),
)


def _source(session: Session, row: Detection) -> dict[str, Any]:
    """Where a finding comes from: its image and engine, or the readings of a device, of which no image tells."""
    if row.exceedance is not None:
        chain = row.provenance
        return {
            **dict.fromkeys(_OF_IMAGES),
            "sensor": chain["device"],
            "captured_at": row.exceedance.window_from.astimezone(UTC),
            "engine": chain["limit"],
            "parameters_sha256": chain["readings_sha256"],
            "rules_sha256": chain["rules_sha256"],
        }
    found = origin_of(session, row)
    run, scene, copy = found.run, found.scene, found.copy
    before_scene, before_copy = found.before or (None, None)
    return {
        "scene": scene.public_id,
        "sensor": scene.sensor,
        "captured_at": scene.captured_at.astimezone(UTC) if scene.captured_at else None,
        "position_error_m": scene.position_error_m,
        "before_scene": before_scene.public_id if before_scene else None,
        "residual_px": found.fit.residual_px if found.fit else None,
        "window": ", ".join(map(str, found.window)) if found.window else None,
        "bands": ", ".join(copy.band_roles),
        "scene_sha256": scene.sha256,
        "copy_sha256": copy.sha256,
        "zone_hash": copy.zone_hash,
        "before_copy_sha256": before_copy.sha256 if before_copy else None,
        "engine": f"{run.engine} {run.engine_version}",
        "parameters_sha256": run.parameters_sha256,
        "stretch_sha256": run.stretch_sha256,
        "features_sha256": run.features_sha256,
        "pixel_model_sha256": found.models.get("pixel"),
        "object_model_sha256": found.models.get("object"),
        "rules_sha256": run.rules_sha256,
    }


def _geopackage(frame: geopandas.GeoDataFrame, out: Path, losses: list[Loss]) -> None:
    """One file: the findings, and tables that document the columns and what was left out."""
    import pandas
    import pyogrio

    frame = frame.copy()
    for column in ("formed_at", "decided_at", "captured_at"):
        frame[column] = pandas.to_datetime(frame[column], utc=True)
    frame["due"] = pandas.to_datetime(frame["due"]).dt.date
    frame.to_file(out, layer=LAYER, driver="GPKG", engine="pyogrio")
    meanings = [(one.name, one.en, one.zh) for one in COLUMNS]
    columns = pandas.DataFrame(meanings, columns=["name", "meaning_en", "meaning_zh"])
    pyogrio.write_dataframe(columns, out, layer="columns", driver="GPKG")
    if losses:
        pyogrio.write_dataframe(_table(losses), out, layer="losses", driver="GPKG")


def _shapefile(frame: geopandas.GeoDataFrame, out: Path, losses: list[Loss]) -> None:
    """A zip of the parts, in UTF-8, with the long names of the columns and the losses as tables beside them."""
    losses += [
        Loss("", one.name, f"named {one.short}", f"字段名为 {one.short}") for one in COLUMNS if one.short != one.name
    ]
    frame = frame.rename(columns={one.name: one.short for one in COLUMNS})
    for one in COLUMNS:
        kept = [_dbase(value) for value in frame[one.short]]
        losses += _cut(frame["finding"], frame[one.short], kept, one.name)
        frame[one.short] = kept
    with TemporaryDirectory(prefix="skywarden-") as scratch:
        folder = Path(scratch)
        frame.to_file(folder / f"{LAYER}.shp", driver="ESRI Shapefile", engine="pyogrio", encoding="UTF-8")
        _csv(folder / "columns.csv", [("name", "short_name", "meaning_en", "meaning_zh")], COLUMNS)
        _csv(folder / "losses.csv", [("finding", "column", "en", "zh")], losses)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(folder.iterdir()):
                archive.write(part, part.name)


def _dbase(value: object) -> object:
    """A value as dBase can hold it: times as ISO 8601 texts, texts cut between characters."""
    import pandas

    if isinstance(value, datetime):
        return None if pandas.isna(value) else f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value.encode()[:LONGEST_TEXT_BYTES].decode(errors="ignore")
    return None if value is None or pandas.isna(value) else value


def _cut(ids: Sequence[str], values: Sequence[object], kept: Sequence[object], column: str) -> Iterator[Loss]:
    for number, value, short in zip(ids, values, kept, strict=True):
        if isinstance(value, str) and isinstance(short, str) and len(short) < len(value):
            lost = len(value) - len(short)
            yield Loss(number, column, f"the last {lost} characters are cut", f"末尾 {lost} 个字符被截断")


def _csv(path: Path, head: list[tuple[str, ...]], rows: Sequence[Any]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle).writerows([*head, *(tuple(vars(row).values()) for row in rows)])


def _table(losses: Sequence[Loss]) -> pandas.DataFrame:
    import pandas

    return pandas.DataFrame([vars(one) for one in losses])


_WRITERS: Mapping[str, Callable[[geopandas.GeoDataFrame, Path, list[Loss]], None]] = {
    GEOPACKAGE: _geopackage,
    SHAPEFILE: _shapefile,
}
