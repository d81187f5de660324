"""Touches the disk: from stored masked copies to verdicts; reads the database, writes nothing to it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from geoalchemy2.shape import to_shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import RuleViolation, conflict
from schemas.rules import Rulebook
from schemas.store.work import find
from schemas.tables import Derivative, Scene
from sensing.bands import Role
from sensing.commands import Analysis
from sensing.context import Context
from sensing.intake import Shelf
from sensing.picture import open_picture
from sensing.places import context_near
from sensing.quarantine import Progress
from sensing.segment.model import Candidate, Job, Segmenter
from sensing.violations import Verdict, judge, rules_sha256

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
    scene = find(session, Scene, scene_id)  # type: ignore[type-var]
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
    return context_near(session, to_shape(source.scene.footprint))


def analyse(
    bench: Bench, context: Context, after: Source, before: Source | None, progress: Progress
) -> Analysis:
    """Segment a scene and judge what was found by the rules in force there when it was taken.

    Where no rule pack applies, candidates are found and none is a lead. Raises RuleViolation `scene.pair`
    when the two scenes do not show the same ground or the earlier one is not earlier.
    """
    started = time.monotonic()
    if before is not None:
        _check_pair(after.scene, before.scene)
    with _workdir(bench.shelf) as workdir, ExitStack() as stack:
        later = stack.enter_context(open_picture(bench.shelf.derivatives.get(after.derivative.sha256), after.roles))
        earlier = before and stack.enter_context(
            open_picture(bench.shelf.derivatives.get(before.derivative.sha256), before.roles)
        )
        found = bench.engine.segment(Job(later, earlier, context, _date(bench, after.scene), workdir), progress)
    verdicts, rules = _verdicts(bench, after.scene, found.candidates, context)
    return Analysis(
        derivative=after.derivative,
        before=before.derivative if before else None,
        engine=bench.engine.name,
        engine_version=bench.engine.version,
        segmentation=found,
        verdicts=tuple(verdicts),
        rules_sha256=rules,
        runtime_s=time.monotonic() - started,
    )


def _date(bench: Bench, scene: Scene) -> date | None:
    """The legal date on which a scene was taken, or None where no rules are in force."""
    at = scene.captured_at or bench.now
    try:
        return bench.rulebook.at_place(to_shape(scene.footprint), at).local_date(at)
    except RuleViolation:
        return None


def _verdicts(
    bench: Bench, scene: Scene, candidates: Iterable[Candidate], context: Context
) -> tuple[list[Verdict], str]:
    at = scene.captured_at or bench.now
    try:
        pack = bench.rulebook.at_place(to_shape(scene.footprint), at)
    except RuleViolation as none:
        reason = none.refusals[0].message()
        return [Verdict(c, None, False, (*c.trace, reason)) for c in candidates], _NO_RULES
    return judge(candidates, pack, context, pack.local_date(at)), rules_sha256(pack)


def _check_pair(after: Scene, before: Scene) -> None:
    same_ground = to_shape(after.footprint).intersects(to_shape(before.footprint))
    in_order = None in (after.captured_at, before.captured_at) or before.captured_at < after.captured_at
    if after.id == before.id or not same_ground or not in_order:
        raise conflict("scene.pair", "scene.pair", measured=before.public_id, required=after.public_id)


@contextmanager
def _workdir(shelf: Shelf) -> Iterator[Path]:
    shelf.root.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="analysis-", dir=shelf.root))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
