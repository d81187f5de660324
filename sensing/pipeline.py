"""Touches the disk: from stored masked copies to verdicts; reads the database, writes nothing to it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import date, datetime

from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import RuleViolation, conflict, not_found
from schemas.rules import Rulebook, RulePack
from schemas.tables import Derivative, Scene
from sensing.bands import Role
from sensing.commands import Analysis
from sensing.context import Context
from sensing.intake import Shelf
from sensing.picture import Picture, open_picture
from sensing.places import context_near
from sensing.quarantine import Progress
from sensing.scratch import private_directory
from sensing.segment.model import Candidate, Job, Segmentation, Segmenter
from sensing.violations import Verdict, judge, rules_sha256
from sensing.words import say

_NO_RULES = "0" * 64


@dataclass(frozen=True)
class Source:
    """A scene with the masked copy that is to be looked at."""

    scene: Scene
    derivative: Derivative

    @property
    def roles(self) -> tuple[Role, ...]:
        """What its bands measure."""
        return tuple(Role(name) for name in self.derivative.band_roles)


def source_of(session: Session, scene_id: str) -> Source:
    """The newest masked copy of a scene. Raises RuleViolation GD-36.1 for a quarantined scene."""
    scene = session.scalars(select(Scene).where(Scene.public_id == scene_id)).one_or_none()
    if scene is None:
        raise not_found("scene.unknown", measured=scene_id)
    if scene.quarantine:
        raise conflict("GD-36.1", "detection.quarantined", measured=", ".join(scene.quarantine))
    newest = select(Derivative).where(Derivative.scene_id == scene.id).order_by(Derivative.recorded_at.desc())
    return Source(scene, session.scalars(newest.limit(1)).one())


@dataclass(frozen=True)
class Bench:
    """What an analysis works with: the stored files, the rules, an engine, and the present instant."""

    shelf: Shelf
    rulebook: Rulebook
    engine: Segmenter
    now: datetime


def surroundings(session: Session, source: Source) -> Context:
    """What the law's layers say about the ground that a scene shows."""
    return context_near(session, _shown(source.scene))


def analyse(bench: Bench, context: Context, after: Source, before: Source | None, progress: Progress) -> Analysis:
    """Segment a scene and judge what was found by the rules in force there when it was taken.

    Where no rule pack applies, candidates are found and none is a lead. Raises RuleViolation `scene.pair`
    when the two scenes do not show the same ground or the earlier one is not earlier.
    """
    started = time.monotonic()
    if before is not None:
        _check_pair(after.scene, before.scene)
    pack, on = _rules(bench, after.scene)
    with private_directory(bench.shelf.root, "analysis-") as workdir, ExitStack() as stack:
        later = stack.enter_context(_picture(bench.shelf, after))
        earlier = stack.enter_context(_picture(bench.shelf, before)) if before else None
        found = bench.engine.segment(Job(later, earlier, context, on, workdir), progress)
    return Analysis(
        derivative=after.derivative,
        before=before.derivative if before else None,
        engine=bench.engine.name,
        engine_version=bench.engine.version,
        segmentation=found,
        verdicts=tuple(_verdicts(found.candidates, pack, context, on)),
        rules_sha256=rules_sha256(pack) if pack else _NO_RULES,
        runtime_s=time.monotonic() - started,
        coverage=_coverage(after, found),
    )


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


def _verdicts(candidates: Sequence[Candidate], pack: RulePack | None, context: Context, on: date) -> list[Verdict]:
    if pack is not None:
        return judge(candidates, pack, context, on)
    sentence = say("law.no_pack", day=on.isoformat())
    return [Verdict(one, None, False, (*one.trace, sentence)) for one in candidates]


def _coverage(after: Source, found: Segmentation) -> dict[str, float]:
    """How much ground was looked at, hidden by zones, and void; square kilometres. And how the pair fitted."""
    pixel_km2 = (after.scene.gsd_m or 0.0) ** 2 / 1e6
    whole = after.derivative.width * after.derivative.height * pixel_km2
    looked, hidden = found.analysed_px * found.pixel_m**2 / 1e6, after.derivative.masked_pixels * pixel_km2
    return {
        "analysed": round(looked, 6),
        "private": round(hidden, 6),
        "void": round(max(whole - looked - hidden, 0.0), 6),
        "shift_columns_px": round(found.shift_px[0], 3),
        "shift_rows_px": round(found.shift_px[1], 3),
    }


def _shown(scene: Scene) -> BaseGeometry:
    if scene.footprint is None:
        raise conflict("raster.crs", "raster.unplaced")
    return to_shape(scene.footprint)


def _check_pair(after: Scene, before: Scene) -> None:
    same_ground = _shown(after).intersects(_shown(before))
    late = after.captured_at and before.captured_at and before.captured_at >= after.captured_at
    if after.id == before.id or not same_ground or late:
        raise conflict("scene.pair", "scene.pair", measured=before.public_id, required=after.public_id)
