"""Touches the disk: a finding made once more from exactly what was recorded, and compared with it bit for bit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import shapely
from geoalchemy2.shape import to_shape
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import RuleViolation, conflict, not_found
from schemas.rules import Rulebook
from schemas.tables import Derivative, Detection, PrivacyZone, Scene, SegmentationRun
from sensing.context import Context
from sensing.intake import Shelf
from sensing.jurisdiction import load
from sensing.learn.choosing import Models, of_run
from sensing.learn.store import files
from sensing.mask import Zone, zone_version
from sensing.picture import open_picture
from sensing.pipeline import Source, job_of, ranked_by, source_from
from sensing.quarantine import Progress
from sensing.runs import rasters
from sensing.scratch import private_directory
from sensing.segment.code import code_sha256
from sensing.segment.learned import Learned
from sensing.segment.model import Candidate, Segmentation, Segmenter
from sensing.violations import rules_sha256

_PREFIX = "reproducing-"
GONE = "–"
# What a copy that a later zone shut has become: what it showed was removed on purpose (GD-43).
MASKED_ANEW = "masked anew"


class What(StrEnum):
    """What a finding was made from, and what was made."""

    ORIGINAL = "original"
    COPY = "copy"
    ZONES = "zones"
    INPUTS = "inputs"
    ENGINE = "engine"
    PARAMETERS = "parameters"
    CODE = "code"
    MODELS = "models"
    RULES = "rules"
    STRETCH = "stretch"
    LABELS = "labels"
    POLYGON = "polygon"
    SCORE = "score"
    MACHINE = "machine"
    ALTERNATIVE = "alternative"


# SAM gives the same bits on the same machine; elsewhere it may not, and nobody can promise that.
_MACHINE = ("device", "machine", "threads", "torch", "encoder_version")
# How it was made, not what came out: told where it differs, and no difference by itself.
_TOLD = (What.CODE, What.MACHINE)
# Without these the engine would look at something else; another engine, or under other rules, may look all the same.
_NEEDED = (What.COPY, What.ZONES, What.INPUTS, What.MODELS)


@dataclass(frozen=True)
class Check:
    """One thing as it was recorded and as it is now; `now` is a dash where it is no more."""

    what: What
    recorded: str
    now: str

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return self.recorded == self.now


NO_MODEL = Check(What.MODELS, GONE, GONE)


@dataclass(frozen=True)
class Recorded:
    """A finding with everything that it was made from, as the database has it."""

    detection_id: str
    run_id: str
    polygon: BaseGeometry
    kind: str
    score: float
    alternative: BaseGeometry | None
    run: SegmentationRun
    after: Source
    before: Source | None
    zones_now: dict[str, str]
    masked_anew: frozenset[str]
    rules_now: str
    models: Models


@dataclass(frozen=True)
class Reproduced:
    """What was compared; the engine was not asked where what it would look at is not what it looked at."""

    detection_id: str
    run_id: str
    checks: tuple[Check, ...]
    polygon: BaseGeometry | None

    @property
    def same(self) -> bool:
        """Whether the finding was made again, and nothing differs; other code or another machine is no difference."""
        decisive = (check for check in self.checks if check.what not in _TOLD)
        return self.polygon is not None and all(check.same for check in decisive)

    @property
    def same_code(self) -> bool:
        """Whether the code of features and detectors is what it was then."""
        return all(check.same for check in self.checks if check.what is What.CODE)

    @property
    def same_machine(self) -> bool:
        """Whether SAM did its sums where and with what it did them then, or was not asked."""
        return all(check.same for check in self.checks if check.what is What.MACHINE)


def recorded(session: Session, rulebook: Rulebook, shelf: Shelf, detection_id: str) -> Recorded:
    """A finding with what it was made from: models are those of its day, withdrawn since or not.

    Raises RuleViolation 404 when there is no finding of that id.
    """
    found = session.scalars(select(Detection).where(Detection.public_id == detection_id)).one_or_none()
    if found is None:
        raise not_found("finding.unknown", measured=detection_id[:40])
    if found.exceedance_id is not None:
        raise conflict("detection.of_readings", measured=found.public_id)
    run = session.get_one(SegmentationRun, found.run_id)
    after = _source(session, session.get_one(Derivative, run.derivative_id))
    before = (
        _source(session, session.get_one(Derivative, run.before_derivative_id)) if run.before_derivative_id else None
    )
    copies = [one.derivative for one in (after, before) if one]
    return Recorded(
        detection_id=found.public_id,
        run_id=run.public_id,
        polygon=to_shape(found.geom),
        kind=found.kind,
        score=found.score,
        alternative=shape(found.context["alternative"]) if found.context.get("alternative") else None,
        run=run,
        after=after,
        before=before,
        zones_now={copy.public_id: _zones(session, copy) for copy in copies},
        masked_anew=frozenset(copy.public_id for copy in copies if _is_superseded(session, copy)),
        rules_now=_rules(rulebook, after.scene),
        models=of_run(session, shelf, run.pixel_model_id, run.object_model_id),
    )


def _source(session: Session, copy: Derivative) -> Source:
    return source_from(session, session.get_one(Scene, copy.scene_id), copy)


def _is_superseded(session: Session, copy: Derivative) -> bool:
    return session.scalar(select(Derivative.id).where(Derivative.supersedes_id == copy.id)) is not None


def _zones(session: Session, copy: Derivative) -> str:
    rows = session.scalars(select(PrivacyZone).where(PrivacyZone.public_id.in_(copy.zone_ids)))
    return zone_version([Zone(row.public_id, row.zone_version, to_shape(row.geom), row.buffer_m) for row in rows])


def _rules(rulebook: Rulebook, scene: Scene) -> str:
    """The rules that hold there and then, as the files of packs are now."""
    at: datetime | None = scene.captured_at
    if at is None or scene.footprint is None:
        return GONE
    try:
        return rules_sha256(rulebook.at_place(to_shape(scene.footprint), at))
    except RuleViolation:
        return GONE


def reproduce(about: Recorded, shelf: Shelf, engine: Segmenter, progress: Progress) -> Reproduced:
    """Verify every hash, look at the same pixels once more, and compare the labels and the outline bit for bit."""
    inputs = _inputs(about, shelf)
    checks = [*_files(about, shelf), *_models(about, shelf), *_house(about, engine, inputs)]
    if inputs is None or any(not check.same for check in checks if check.what in _NEEDED):
        return Reproduced(about.detection_id, about.run_id, tuple(checks), None)
    found = _look_again(about, shelf, engine, inputs, progress=progress)
    run = about.run
    checks += [
        Check(What.STRETCH, run.stretch_sha256 or GONE, found.stretch_sha256 or GONE),
        Check(What.LABELS, run.labels_sha256, found.labels_sha256),
    ]
    again = _same_or_closest(about, found)
    outline, score = (_bytes(again.geom), f"{again.score:.4f}") if again else (GONE, GONE)
    checks += [Check(What.POLYGON, _bytes(about.polygon), outline), Check(What.SCORE, f"{about.score:.4f}", score)]
    checks += _by_sam(about, found, again)
    return Reproduced(about.detection_id, about.run_id, tuple(checks), again.geom if again else None)


def _by_sam(about: Recorded, found: Segmentation, again: Candidate | None) -> Iterator[Check]:
    """SAM's outline, and the machine that drew it; nothing where it was not asked then."""
    then, now = about.run.refinement, found.refinement
    if then is None:
        return
    yield Check(What.MACHINE, *(_machine(one) if one else GONE for one in (then, now)))
    drawn = again.alternative if again else None
    yield Check(What.ALTERNATIVE, *(_bytes(one) if one is not None else GONE for one in (about.alternative, drawn)))


def _machine(refinement: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {refinement[name]}" for name in _MACHINE if refinement.get(name) is not None)


def _inputs(about: Recorded, shelf: Shelf) -> dict[str, Any] | None:
    """The document of everything that decided what the engine saw, where it still is what its name says."""
    key = about.run.manifest_sha256
    if key is None or not rasters(shelf.root).path(key).is_file() or not rasters(shelf.root).verify(key):
        return None
    document: dict[str, Any] = json.loads(rasters(shelf.root).get(key).read_bytes())
    return document


def _files(about: Recorded, shelf: Shelf) -> Iterator[Check]:
    for source in (about.after, about.before):
        if source is None:
            continue
        for sha256 in [file["sha256"] for file in source.scene.header.get("files", [])] or [source.scene.sha256]:
            yield Check(What.ORIGINAL, sha256, _kept(shelf.originals, sha256))
        copy = source.derivative
        kept = _kept(shelf.derivatives, copy.sha256)
        removed = kept == GONE and copy.public_id in about.masked_anew
        yield Check(What.COPY, copy.sha256, MASKED_ANEW if removed else kept)
        yield Check(What.ZONES, copy.zone_hash, about.zones_now[copy.public_id])


def _models(about: Recorded, shelf: Shelf) -> Iterator[Check]:
    """The files of the models that were applied; a dash says that there was none."""
    for model in (about.models.pixel, about.models.object):
        yield Check(What.MODELS, model.sha256, _kept(files(shelf), model.sha256)) if model else NO_MODEL


def _kept(store: Any, sha256: str) -> str:  # noqa: ANN401 - a ContentStore of either kind
    """The hash of a stored file: its name where it is whole, else what became of it."""
    if not store.path(sha256).is_file():
        return GONE
    return sha256 if store.verify(sha256) else "changed"


def _house(about: Recorded, engine: Segmenter, inputs: dict[str, Any] | None) -> Iterator[Check]:
    run = about.run
    yield Check(What.INPUTS, run.manifest_sha256 or GONE, (run.manifest_sha256 or GONE) if inputs else GONE + GONE)
    yield Check(What.ENGINE, f"{run.engine} {run.engine_version}", f"{engine.name} {engine.version}")
    yield Check(What.PARAMETERS, run.parameters_sha256, engine.parameters_sha256)
    yield Check(What.CODE, run.features_sha256 or GONE, code_sha256())
    yield Check(What.RULES, run.rules_sha256, about.rules_now)


def _look_again(
    about: Recorded, shelf: Shelf, engine: Segmenter, inputs: dict[str, Any], *, progress: Progress
) -> Segmentation:
    context, on = Context.load(inputs["layers"]), date.fromisoformat(inputs["on"])
    with private_directory(shelf.root, _PREFIX) as folder, ExitStack() as stack:
        after, before = (
            stack.enter_context(open_picture(shelf.derivatives.get(one.derivative.sha256), one.roles)) if one else None
            for one in (about.after, about.before)
        )
        if after is None:
            raise ValueError("a run has looked at something")
        # Whose ground it is may have changed since.
        then = replace(about.after, jurisdictions=tuple(load(inputs["jurisdictions"])))
        job = job_of((then, about.before), (after, before), context, on, folder)
        found = engine.segment(replace(job, learned=_learned(about.models, inputs)), progress)
        return replace(found, candidates=ranked_by(about.models, after, found.candidates))


def _learned(models: Models, inputs: dict[str, Any]) -> Learned | None:
    """What the pixel model was asked for then; runs from before there were models asked for nothing."""
    used, asked = models.pixel, inputs.get("models", {}).get("pixel")
    if used is None or asked is None:
        return None
    return Learned(used.public_id, used.sha256, used.path, tuple(asked["kinds"]), tuple(asked["changed"]))


def _same_or_closest(about: Recorded, found: Segmentation) -> Candidate | None:
    """The candidate whose outline is the recorded one bit for bit, else the one of its kind that overlaps it most."""
    wanted = _bytes(about.polygon)
    alike = [one for one in found.candidates if one.kind == about.kind]
    exact = next((one for one in alike if _bytes(one.geom) == wanted), None)
    if exact is not None or not alike:
        return exact
    closest = max(alike, key=lambda one: shapely.intersection(one.geom, about.polygon).area)
    return closest if shapely.intersects(closest.geom, about.polygon) else None


def _bytes(outline: BaseGeometry) -> str:
    """An outline as the hexadecimal form of every bit of it."""
    return str(shapely.to_wkb(outline, hex=True, include_srid=False))
