"""Touches the disk: from stored masked copies to verdicts; reads the database, writes nothing to it."""

from __future__ import annotations

import hashlib
import math
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import rfc8785
import shapely
from geoalchemy2.shape import to_shape
from pyproj import CRS
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import RuleViolation, conflict, not_found
from schemas.rules import Rulebook, RulePack
from schemas.tables import Derivative, PrivacyZone, Scene
from sensing.bands import CLASSIFIED, Role
from sensing.classified import Classified, classified
from sensing.commands import Analysis
from sensing.context import Context
from sensing.copies import is_current, refuse_overdue
from sensing.grid import WGS84, Grid, moved
from sensing.intake import Shelf
from sensing.jurisdiction import Jurisdiction, dump, shares
from sensing.learn.choosing import NO_MODELS, Models
from sensing.learn.ranking import ranked
from sensing.mask import Zone, grown
from sensing.picture import Picture, open_picture
from sensing.places import context_near, jurisdictions_of
from sensing.proposing import changes
from sensing.quarantine import Progress
from sensing.runs import cog, rasters, workplace
from sensing.segment.code import code_sha256
from sensing.segment.detectors import KINDS
from sensing.segment.executors import Hands, Serial
from sensing.segment.learned import Learned
from sensing.segment.manifest import Forgetful, Memory
from sensing.segment.model import Candidate, Job, Segmentation, Segmenter
from sensing.segment.scenery import recall
from sensing.violations import NO_RULES, Seen, Verdict, judge, rules_sha256, shows_alone, unjudged
from sensing.words import say

_INPUTS = "inputs.json"
# Raised whenever the same inputs would make other files of bands.
_FORMAT = 3


@dataclass(frozen=True)
class Source:
    """A scene with the masked copy that is to be looked at, and the privacy zones as they were burnt into it."""

    scene: Scene
    derivative: Derivative
    zones: tuple[BaseGeometry, ...] = ()
    jurisdictions: tuple[Jurisdiction, ...] = ()

    @property
    def roles(self) -> tuple[Role, ...]:
        """What its bands measure; a provider's classes measure nothing."""
        named = (Role(name) for name in self.derivative.band_roles)
        return tuple(Role.OTHER if role in CLASSIFIED else role for role in named)

    @property
    def classified(self) -> Classified | None:
        """Where the provider's own classes are, if there are any."""
        return classified(self.derivative.band_roles)


def source_of(session: Session, scene_id: str, at: datetime | None = None) -> Source:
    """The masked copy of a scene; by the database's clock unless an instant is told.

    Raises RuleViolation GD-36.1 for a quarantined scene, GD-43 while the copy shows what a privacy zone hides.
    """
    scene = session.scalars(select(Scene).where(Scene.public_id == scene_id)).one_or_none()
    if scene is None:
        raise not_found("scene.unknown", measured=scene_id)
    if scene.quarantine:
        raise conflict("GD-36.1", "detection.quarantined", measured=", ".join(scene.quarantine))
    derivative = session.scalars(select(Derivative).where(Derivative.scene_id == scene.id, is_current())).one()
    refuse_overdue(session, [derivative], at)
    return source_from(session, scene, derivative)


def source_from(session: Session, scene: Scene, derivative: Derivative) -> Source:
    """A scene with one of its masked copies and the zones of that copy; nothing is asked of it."""
    # A zone never changes its shape: another shape is another zone.
    burnt = select(PrivacyZone).where(PrivacyZone.public_id.in_(derivative.zone_ids)).order_by(PrivacyZone.public_id)
    zones = [Zone(row.public_id, row.zone_version, to_shape(row.geom), row.buffer_m) for row in session.scalars(burnt)]
    shapes = tuple(grown(zone, scene.position_error_m or 0.0) for zone in zones)
    return Source(scene, derivative, shapes, tuple(jurisdictions_of(session, scene)))


@dataclass(frozen=True)
class Bench:
    """What an analysis works with: the stored files, the rules, an engine, the present instant, and who does the work.

    `memory` keeps which bands are done, so that an analysis that was cut off is taken up where it stopped; `models`
    are approved ones, chosen for this scene.
    """

    shelf: Shelf
    rulebook: Rulebook
    engine: Segmenter
    now: datetime
    hands: Hands = field(default_factory=Serial)
    memory: Memory = field(default_factory=Forgetful)
    models: Models = NO_MODELS


def surroundings(session: Session, source: Source) -> Context:
    """What the law's layers say about the ground that a scene shows."""
    return context_near(session, _shown(source.scene))


def analyse(bench: Bench, context: Context, after: Source, before: Source | None, progress: Progress) -> Analysis:
    """Segment a scene and judge what was found by the rules in force there when it was taken.

    Where no rule pack applies, candidates are found and none is a lead. Raises RuleViolation `scene.jurisdiction`
    for ground of nobody here, `scene.pair` when the two scenes do not show the same ground or the earlier one is
    not earlier.
    """
    started = time.monotonic()
    if not after.jurisdictions:
        raise conflict("scene.jurisdiction", measured=after.scene.public_id)
    if before is not None:
        _check_pair(after.scene, before.scene)
    pack, on = _rules(bench, after.scene)
    asked = learned(bench.models, pack, after)
    inputs = _inputs(bench, context, (after, before), (on, asked))
    key = hashlib.sha256(inputs).hexdigest()
    copies = [one.derivative.sha256 for one in (after, before) if one]
    with workplace(bench.shelf.root, key, copies) as folder, ExitStack() as stack:
        later = stack.enter_context(_picture(bench.shelf, after))
        earlier = stack.enter_context(_picture(bench.shelf, before)) if before else None
        job = job_of((after, before), (later, earlier), context, on, folder)
        job = replace(job, key=key, hands=bench.hands, memory=bench.memory, learned=asked)
        found = bench.engine.segment(job, progress)
        found = replace(found, candidates=ranked_by(bench.models, later, found.candidates))
        if pack is not None:
            detected = {*KINDS, *(asked.kinds if asked else ())}
            found = replace(found, refused=unjudged(pack, _seen(later, earlier, found), detected))
        found = replace(found, candidates=tuple(_windowed(one, later.grid) for one in found.candidates))
        (folder / _INPUTS).write_bytes(inputs)
        rasters(bench.shelf.root).put(folder / _INPUTS)
        setting = recall(folder, key) if before is not None else None
        changed = changes(setting, (found.coverage, found.labels), folder) if setting is not None else None
        looked = shares(found.coverage, after.jurisdictions)
        kept = {name: _stored(bench, path) for name, path in (("labels", found.labels), ("coverage", found.coverage))}
    return Analysis(
        derivative=after.derivative,
        before=before.derivative if before else None,
        engine=bench.engine.name,
        engine_version=bench.engine.version,
        segmentation=found,
        verdicts=tuple(_verdicts(found, pack, context, on)),
        rules_sha256=rules_sha256(pack) if pack else NO_RULES,
        runtime_s=time.monotonic() - started,
        coverage=_coverage(found),
        manifest_sha256=key,
        labels_file_sha256=kept["labels"],
        coverage_sha256=kept["coverage"],
        jurisdictions=looked,
        features_sha256=code_sha256(),
        pack=pack,
        models=bench.models,
        changes=tuple(changed) if changed is not None else None,
    )


def learned(models: Models, pack: RulePack | None, after: Source) -> Learned | None:
    """What the pixel model of a run is asked for: the kinds that it knows and that the engine or the law speaks of.

    What the law sees in such a scene by comparing two dates alone, the model must find changed as well.
    """
    used = models.pixel
    if used is None:
        return None
    catalogue = pack.violation_catalogue if pack else ()
    spoken = {*KINDS, *(kind for entry in catalogue for kind in entry.kinds)}
    kinds = tuple(kind for kind in used.classes if kind in spoken)
    roles, gsd_m = frozenset(after.roles), after.scene.gsd_m or 0.0
    alone = {kind for entry in catalogue if shows_alone(entry, roles, gsd_m) for kind in entry.kinds}
    return Learned(used.public_id, used.sha256, used.path, kinds, tuple(kind for kind in kinds if kind not in alone))


def ranked_by(models: Models, picture: Picture, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Candidates as the object model of a run ranks them, in their order."""
    ranker = models.ranker()
    if ranker is None or models.object is None:
        return candidates
    return ranked(ranker, models.object.public_id, picture, candidates)


def job_of(
    sources: tuple[Source, Source | None],
    pictures: tuple[Picture, Picture | None],
    context: Context,
    on: date,
    folder: Path,
) -> Job:
    """What an engine is asked about a scene, perhaps with an earlier one; who does the work is left open."""
    (after, before), (later, earlier) = sources, pictures
    return Job(
        later,
        earlier,
        context,
        on,
        folder,
        zones=after.zones,
        jurisdiction=[one.geom for one in after.jurisdictions],
        classes=(after.classified, before.classified if before else None),
    )


def _inputs(
    bench: Bench,
    context: Context,
    sources: tuple[Source, Source | None],
    wish: tuple[date, Learned | None],
) -> bytes:
    """Everything that decides what an engine sees, as canonical JSON: files, zones, layers, engine, numbers, models.

    It is kept with the run under its SHA-256, so that the run can be made again when the layers are others.
    """
    on, wanted = wish
    seen: list[Any] = [
        [one.scene.sha256, one.derivative.sha256, one.derivative.zone_hash, one.derivative.band_roles]
        for one in sources
        if one is not None
    ]
    engine: list[Any] = [bench.engine.name, bench.engine.version, bench.engine.parameters_sha256, code_sha256()]
    plain: dict[str, Any] = {"format": _FORMAT, "scenes": seen, "engine": engine, "layers": context.dump()}
    plain |= {"on": on.isoformat(), "jurisdictions": dump(sources[0].jurisdictions) if sources[0] else []}
    ranker = bench.models.object
    asked = {"kinds": list(wanted.kinds), "changed": list(wanted.changed)} if wanted else {}
    plain["models"] = {
        "pixel": {"sha256": wanted.sha256} | asked if wanted else None,
        "object": {"sha256": ranker.sha256} if ranker else None,
    }
    return rfc8785.dumps(plain)


def _stored(bench: Bench, raster: Path) -> str:
    return rasters(bench.shelf.root).put(cog(raster, raster.with_suffix(".cog.tif")))


def _picture(shelf: Shelf, source: Source) -> AbstractContextManager[Picture]:
    return open_picture(shelf.derivatives.get(source.derivative.sha256), source.roles)


def _rules(bench: Bench, scene: Scene) -> tuple[RulePack | None, date]:
    """The rule pack in force where and when a scene was taken, and its local date there."""
    at = scene.captured_at or bench.now
    try:
        pack = bench.rulebook.at_place(_shown(scene), at)
    except RuleViolation:
        return None, at.date()
    return pack, pack.local_date(at)


def _windowed(one: Candidate, grid: Grid) -> Candidate:
    """A candidate with the window of the masked copy that holds it."""
    placed = moved(one.geom, WGS84, CRS.from_wkt(grid.crs_wkt))
    corners = [~grid.transform @ (x, y) for x, y in shapely.get_coordinates(placed)]
    columns, rows = zip(*corners, strict=True)
    left, top = max(math.floor(min(columns)), 0), max(math.floor(min(rows)), 0)
    right, bottom = min(math.ceil(max(columns)), grid.width), min(math.ceil(max(rows)), grid.height)
    return replace(one, window=(left, top, right - left, bottom - top))


def _seen(later: Picture, earlier: Picture | None, found: Segmentation) -> Seen:
    return Seen(frozenset(later.roles), frozenset(earlier.roles) if earlier else None, later.gsd_m, found.refused)


def _verdicts(found: Segmentation, pack: RulePack | None, context: Context, on: date) -> list[Verdict]:
    if pack is not None:
        return judge(found.candidates, pack, context, on, found.refused)
    sentence = say("law.no_pack", day=on.isoformat())
    return [Verdict(one, None, False, (*one.trace, sentence)) for one in found.candidates]


def _coverage(found: Segmentation) -> dict[str, float]:
    """How much ground was looked at and what became of the rest, in square kilometres; and how the pair fitted."""
    columns_px, rows_px = found.shift_px
    return found.tally.km2() | {"shift_columns_px": round(columns_px, 3), "shift_rows_px": round(rows_px, 3)}


def _shown(scene: Scene) -> BaseGeometry:
    if scene.footprint is None:
        raise conflict("raster.crs", "raster.unplaced")
    return to_shape(scene.footprint)


def _check_pair(after: Scene, before: Scene) -> None:
    same_ground = _shown(after).intersects(_shown(before))
    late = after.captured_at and before.captured_at and before.captured_at >= after.captured_at
    if after.id == before.id or not same_ground or late:
        raise conflict("scene.pair", "scene.pair", measured=before.public_id, required=after.public_id)
