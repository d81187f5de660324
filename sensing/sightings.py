"""Reads and writes the database: everything that a run saw, and what became of the finds of earlier dates."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from geoalchemy2.shape import from_shape, to_shape
from pyproj import CRS
from rasterio.features import rasterize
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session, aliased

from schemas.tables import SRID, CandidateRecord, Derivation, Derivative, Detection, Scene, SegmentationRun, Sighting
from sensing.bands import Role
from sensing.commands import Analysis
from sensing.coverage import Cover
from sensing.grid import WGS84, moved
from sensing.identity import Find, Look, Match, Relation, is_remedied, match, same_places, would_show
from sensing.segment.detectors import PAIR, way_of
from sensing.violations import Verdict
from sensing.words import Sentence, say

# What an officer called a false alarm was never there, so that it cannot be put right.
_NEVER_THERE = "false_alarm"
GONE_INTO_OTHERS = ("split", "merged", "withdrawn")


@dataclass(frozen=True)
class Remedied:
    """A find of an earlier date of whose place nothing is found any more, and how much of it was looked at again."""

    detection_id: uuid.UUID
    public_id: str
    analysed_share: float


@dataclass(frozen=True)
class Recognised:
    """What a run makes of the finds of earlier dates: which candidates are one with them, and which are gone.

    `matches` are by the position of the candidate among the run's verdicts; `again` are those that were remedied
    before and are found once more.
    """

    ids: Mapping[str, uuid.UUID] = field(default_factory=dict)
    matches: Mapping[int, Match] = field(default_factory=dict)
    again: frozenset[str] = frozenset()
    remedied: tuple[Remedied, ...] = ()

    def relation(self, position: int) -> Relation:
        """What the candidate at a position is to the finds of earlier dates."""
        pair = self.matches.get(position)
        return Relation.NEW if pair is None or pair.earlier in self.again else pair.relation

    def growth(self, position: int) -> float | None:
        """The area of the candidate at a position over the one of the date before, where it was there then."""
        pair = self.matches.get(position)
        return None if pair is None or pair.earlier in self.again else pair.figures.area_ratio


def recognise(session: Session, analysis: Analysis, coverage: Path) -> Recognised:
    """Match what a run saw with the finds of the dates before; `coverage` is the run's raster of what was looked at."""
    scene = session.get_one(Scene, analysis.derivative.scene_id)
    if analysis.pack is None or scene.captured_at is None or scene.footprint is None:
        return Recognised()
    rows = {row.public_id: row for row in session.scalars(_earlier(scene))}
    later = [Find(str(n), one.candidate.kind, one.candidate.geom) for n, one in enumerate(analysis.verdicts)]
    shapes = {name: to_shape(row.geom) for name, row in rows.items()}
    earlier = [Find(name, rows[name].kind, shape) for name, shape in shapes.items()]
    pairs = match(earlier, later, same_places(analysis.pack))
    gone = set(session.scalars(_already_remedied(rows.values())))
    matched = {pair.earlier for pair in pairs}
    left = [row for name, row in rows.items() if name not in matched and row.id not in gone]
    return Recognised(
        ids={name: row.id for name, row in rows.items()},
        matches={int(pair.later): pair for pair in pairs},
        again=frozenset(name for name, row in rows.items() if row.id in gone),
        remedied=tuple(_remedied(session, analysis, (scene, coverage), left)),
    )


def write_down(session: Session, run: SegmentationRun, analysis: Analysis, recognised: Recognised) -> None:
    """Keep every candidate of a run with its verdict, and the finds that are remedied, in the run's transaction."""
    session.add_all(_candidate(run, number, one) for number, one in enumerate(analysis.verdicts, start=1))
    for one in recognised.remedied:
        relation, share = Relation.REMEDIED.value, one.analysed_share
        session.add(Sighting(run_id=run.id, earlier_id=one.detection_id, relation=relation, analysed_share=share))


def write_sighting(
    session: Session, run: SegmentationRun, detection: Detection, *, recognised: Recognised, position: int
) -> Sighting:
    """Keep what a detection is to the finds of earlier dates, in the transaction that proposes it."""
    # The find itself is written first: nothing tells the session that one row leans on the other.
    session.flush()
    pair = recognised.matches.get(position)
    sighting = Sighting(run_id=run.id, detection_id=detection.id, relation=recognised.relation(position).value)
    if pair is not None:
        sighting.earlier_id = recognised.ids[pair.earlier]
        sighting.iou, sighting.area_ratio = pair.figures.iou, pair.figures.area_ratio
        sighting.earlier_share, sighting.later_share = pair.figures.first_share, pair.figures.second_share
    session.add(sighting)
    return sighting


def _earlier(scene: Scene) -> Select[Detection]:
    """The newest find of every thing that was seen in the footprint of a scene before it was taken."""
    followed = exists().where(Sighting.earlier_id == Detection.id, Sighting.detection_id.is_not(None))
    return (
        select(Detection)
        .join(Scene, Scene.id == Detection.scene_id)
        .where(
            Scene.captured_at < scene.captured_at,
            func.ST_Intersects(Detection.geom, scene.footprint),
            # What was cut or joined goes on as what came of it.
            Detection.state.not_in(GONE_INTO_OTHERS),
            ~followed,
        )
        .order_by(Detection.public_id)
    )


def _already_remedied(rows: Iterable[Detection]) -> Select[uuid.UUID | None]:
    ids = [row.id for row in rows]
    gone = select(Sighting.earlier_id).where(Sighting.earlier_id.in_(ids))
    return gone.where(Sighting.relation == Relation.REMEDIED.value)


def _remedied(
    session: Session, analysis: Analysis, about: tuple[Scene, Path], left: Sequence[Detection]
) -> list[Remedied]:
    scene, coverage = about
    now = _look(session, scene, analysis.derivative, analysis.before)
    found = []
    for row in left:
        if row.state == _NEVER_THERE:
            continue
        share = analysed_share(coverage, to_shape(row.geom))
        judged = row.kind not in analysis.segmentation.refused
        if is_remedied(share, judged=judged, shown=would_show(now, _look_of(session, row))):
            found.append(Remedied(row.id, row.public_id, share))
    return found


def _look_of(session: Session, detection: Detection) -> Look:
    run = session.get_one(SegmentationRun, detection.run_id)
    before = session.get(Derivative, run.before_derivative_id) if run.before_derivative_id else None
    scene, copy = session.get_one(Scene, detection.scene_id), session.get_one(Derivative, run.derivative_id)
    return _look(session, scene, copy, before)


def _look(session: Session, scene: Scene, copy: Derivative, before: Derivative | None) -> Look:
    """How a copy was looked at; an earlier one without the bands for change had nothing to say."""
    if scene.captured_at is None:
        raise ValueError("a scene whose time is unknown is neither earlier nor later than another")
    compared = before is not None and way_of(_roles(copy), _roles(before)) == PAIR
    earlier = session.get_one(Scene, before.scene_id).captured_at if compared and before else None
    # A look for change from an unknown date on shows nothing that surely came after it.
    return Look(scene.captured_at, (earlier or scene.captured_at) if compared else None)


def _roles(copy: Derivative) -> list[Role]:
    return [Role(name) for name in copy.band_roles]


def analysed_share(coverage: Path, shape: BaseGeometry) -> float:
    """How much of a shape (EPSG:4326) was looked at, by the pixels that it touches; none lies beyond the raster."""
    with rasterio.open(coverage) as raster:
        placed = moved(shape, WGS84, CRS.from_wkt(raster.crs.to_wkt()))
        back = ~raster.transform
        corners = np.array([back @ (x, y) for x, y in shapely.get_coordinates(placed)])
        left, top = np.floor(corners.min(axis=0)).astype(int)
        right, bottom = np.ceil(corners.max(axis=0)).astype(int)
        window = Window(int(left), int(top), max(int(right - left), 1), max(int(bottom - top), 1))
        place = raster.transform @ Affine.translation(window.col_off, window.row_off)
        touched = rasterize(
            [placed], out_shape=(window.height, window.width), transform=place, all_touched=True, dtype=np.uint8
        )
        inside = Window(0, 0, raster.width, raster.height)
        codes = np.full(touched.shape, Cover.OUTSIDE, np.uint8)
        if rasterio.windows.intersect(window, inside):
            common = window.intersection(inside)
            row, column = int(common.row_off - window.row_off), int(common.col_off - window.col_off)
            codes[row : row + int(common.height), column : column + int(common.width)] = raster.read(1, window=common)
    pixels = codes[touched > 0]
    return float(np.count_nonzero(pixels == Cover.ANALYSED) / pixels.size) if pixels.size else 0.0


def _candidate(run: SegmentationRun, ordinal: int, verdict: Verdict) -> CandidateRecord:
    seen = verdict.candidate
    return CandidateRecord(
        run_id=run.id,
        ordinal=ordinal,
        kind=seen.kind,
        score=float(seen.score),
        area_m2=float(seen.area_m2),
        geom=from_shape(seen.geom, srid=SRID),
        # What is not finite was not measured.
        measures={name: float(value) for name, value in seen.measures.items() if math.isfinite(value)},
        seen=[sentence.dump() for sentence in seen.trace],
        verdict=[sentence.dump() for sentence in verdict.trace],
        is_lead=verdict.is_lead,
        violation=verdict.violation.code if verdict.violation else None,
    )


@dataclass(frozen=True)
class Moment:
    """One date in the life of a find: what it was then, and how it overlapped the date before."""

    public_id: str | None
    relation: Relation
    taken: datetime | None
    area_m2: float | None
    iou: float | None
    area_ratio: float | None
    authority_id: uuid.UUID
    made_from: tuple[str, ...] = ()
    cut: bool = False

    def said(self) -> Sentence:
        """What it was, as a sentence."""
        if self.made_from:
            made = "history.cut" if self.cut else "history.joined"
            return say(made, sources=", ".join(self.made_from), area_m2=self.area_m2 or 0.0)
        if self.relation is Relation.REMEDIED or self.area_m2 is None:
            return say("history.remedied")
        if self.relation is Relation.NEW:
            return say("history.new" if self.iou is None else "history.again", area_m2=self.area_m2)
        ratio, iou = self.area_ratio or 1.0, self.iou or 0.0
        if self.relation is Relation.GROWN:
            return say("history.grown", area_m2=self.area_m2, ratio=ratio, iou=iou)
        return say("history.persists", area_m2=self.area_m2, iou=iou)


def history(session: Session, detection: Detection) -> list[Moment]:
    """All dates of the thing that a detection is of, the oldest first; a part goes on where its whole was cut."""
    way = [detection]
    while (earlier := _before(session, way[-1])) is not None and earlier not in way:
        way.append(earlier)
    way.reverse()
    while (later := _after(session, way[-1])) is not None and later not in way:
        way.append(later)
    return [moment for one in way for moment in (_moment(session, one), *_gone(session, one))]


def _before(session: Session, detection: Detection) -> Detection | None:
    """The find of the date before, or the largest one that a part or a whole was made from."""
    link = _link(session, detection)
    if link is not None:
        return session.get(Detection, link.earlier_id) if link.earlier_id else None
    return next(iter(_sources(session, detection)), None)


def _after(session: Session, detection: Detection) -> Detection | None:
    following = select(Detection).join(Sighting, Sighting.detection_id == Detection.id)
    later = following.where(Sighting.earlier_id == detection.id).order_by(Sighting.recorded_at)
    return session.scalars(later.limit(1)).one_or_none()


def _link(session: Session, detection: Detection) -> Sighting | None:
    return session.scalars(select(Sighting).where(Sighting.detection_id == detection.id)).one_or_none()


def _sources(session: Session, detection: Detection) -> list[Detection]:
    """What an officer made a find from, the largest first; nothing where an engine found it."""
    made_from = select(Detection).join(Derivation, Derivation.source_id == Detection.id)
    rows = made_from.where(Derivation.detection_id == detection.id)
    return list(session.scalars(rows.order_by(Detection.area_m2.desc(), Detection.public_id)))


def _moment(session: Session, detection: Detection) -> Moment:
    link, sources = _link(session, detection), _sources(session, detection)
    return Moment(
        detection.public_id,
        Relation(link.relation) if link else Relation.NEW,
        session.get_one(Scene, detection.scene_id).captured_at,
        detection.area_m2,
        link.iou if link else None,
        link.area_ratio if link else None,
        detection.authority_id,
        made_from=tuple(one.public_id for one in sources),
        cut=len(sources) == 1,
    )


def _gone(session: Session, detection: Detection) -> list[Moment]:
    """The dates at which nothing was found of it any more, by the time of the image."""
    run, copy = aliased(SegmentationRun), aliased(Derivative)
    times = session.scalars(
        select(Scene.captured_at)
        .join(copy, copy.scene_id == Scene.id)
        .join(run, run.derivative_id == copy.id)
        .join(Sighting, Sighting.run_id == run.id)
        .where(Sighting.earlier_id == detection.id, Sighting.relation == Relation.REMEDIED.value)
        .order_by(Scene.captured_at)
    )
    owner = detection.authority_id
    return [Moment(None, Relation.REMEDIED, taken, None, None, None, owner) for taken in times]
