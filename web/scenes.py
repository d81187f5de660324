"""Scenes from file to findings: the steps that the command, the demo and later the pages share.

How they are taken in stands in `web.intake`, which needs no engine.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from schemas.actors import SYSTEM, Actor
from schemas.refusals import Refusal, RuleViolation
from schemas.tables import SegmentationRun
from sensing.band_memory import BandMemory
from sensing.commands import Analysis, propose, record_run, same_finding
from sensing.identity import Relation, same_places
from sensing.learn.choosing import NO_MODELS, Models, newest
from sensing.pipeline import Bench, analyse, source_of, surroundings
from sensing.proposals import proposals, write_changes
from sensing.quarantine import Progress
from sensing.remask import House, Overdue, Remasked, find_overdue
from sensing.remask import remask as mask_again
from sensing.runs import clear, rasters
from sensing.segment.engines import engine
from sensing.segment.executors import Hands, Serial
from sensing.sightings import Recognised, recognise, write_down, write_sighting
from sensing.violations import Verdict, judged_kinds
from web.intake import ingest as ingest
from web.intake import shelf_of as shelf_of
from web.sam import sam_for
from web.wiring import Services

_LARGE_PX = 4096 * 4096


@dataclass(frozen=True)
class Segmented:
    """One pass over a scene: the run, the detections proposed, every verdict, and the leads that were refused.

    `known` are detections of earlier passes over the scene that this pass found again; they are not proposed twice.
    `relations` says what each new detection is to the ones of earlier dates, `remedied` are those that are gone,
    `judged` are the kinds that could have become a finding, `changes` how many places people are asked about.
    """

    run: SegmentationRun
    detections: tuple[str, ...]
    known: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    refusals: tuple[Refusal, ...]
    relations: Mapping[str, Relation] = field(default_factory=dict)
    remedied: tuple[str, ...] = ()
    models: Models = NO_MODELS
    judged: tuple[str, ...] = ()
    changes: int = 0


def is_large(services: Services, scene: str) -> bool:
    """Whether a scene is worth more than one pair of hands: starting them costs as much as a few bands."""
    with services.session() as session:
        copy = source_of(session, scene, services.clock.now()).derivative
    return copy.width * copy.height > _LARGE_PX


def segment(
    services: Services,
    scene: str,
    *,
    before: str | None = None,
    hands: Hands | None = None,
    with_models: bool = True,
    progress: Progress = lambda _: None,
) -> Segmented:
    """Segments a scene, judges what was found by the law in force there, and proposes the leads as detections.

    A lead that may not become a detection is told with its reasons; it does not take the others along. What was cut
    off is taken up where it stopped, and bands that failed are tried again when the same scene is segmented again.
    The newest approved models that fit are applied, unless the settings or `with_models` say otherwise.
    """
    settings = services.settings
    chosen = engine(sam_for(services))
    with services.session() as session:
        at = services.clock.now()
        later = source_of(session, scene, at)
        earlier = source_of(session, before, at) if before else None
        context = surroundings(session, later)
        shelf, wanted = shelf_of(services), with_models and settings.learned_models
        models = newest(session, shelf, later.scene, tuple(later.derivative.band_roles)) if wanted else NO_MODELS
    memory = BandMemory(services.housekeeping, later.derivative.id)
    bench = Bench(shelf, services.rulebook, chosen, services.clock.now(), hands or Serial(), memory, models)
    # No transaction stays open while the engine works: that would delay the sealing of the ledger.
    analysis = analyse(bench, context, later, earlier, progress)
    coverage = rasters(shelf.root).get(analysis.coverage_sha256)
    with services.work() as work:
        run = record_run(work, analysis)
        recognised = recognise(work.session, analysis, coverage)
        write_down(work.session, run, analysis, recognised)
        write_changes(work.session, run, analysis)
        work.commit()
    if not run.bands_failed:
        clear(shelf.root, analysis.manifest_sha256)
    proposed = _propose(services, later.scene.id, run, analysis, recognised)
    gone = tuple(one.public_id for one in recognised.remedied)
    judged = judged_kinds(analysis.pack, analysis.segmentation.refused)
    with services.session() as session:
        asked = len(proposals(session, later.scene, services.clock.now(), is_open=True))
    return Segmented(
        run,
        tuple(proposed.relations),
        tuple(proposed.known),
        analysis.verdicts,
        tuple(proposed.refusals),
        proposed.relations,
        gone,
        models,
        judged,
        asked,
    )


@dataclass
class _Proposed:
    """What became of the leads of a pass; new detections stand in the order of their leads."""

    relations: dict[str, Relation] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def _propose(
    services: Services, scene_id: uuid.UUID, run: SegmentationRun, analysis: Analysis, recognised: Recognised
) -> _Proposed:
    """Proposes each lead in a transaction of its own: one that is refused does not take the others along."""
    told = _Proposed()
    places = same_places(analysis.pack) if analysis.pack is not None else {}
    leads = ((position, verdict) for position, verdict in enumerate(analysis.verdicts) if verdict.is_lead)
    for ordinal, (position, verdict) in enumerate(leads, 1):
        try:
            with services.work() as work:
                again = same_finding(work, scene_id, verdict.candidate, places.get(verdict.candidate.kind))
                if again is not None:
                    told.known.append(again.public_id)
                    continue
                detection = propose(work, run, verdict, ordinal, growth=recognised.growth(position))
                write_sighting(work.session, run, detection, recognised=recognised, position=position)
                work.commit()
                told.relations[detection.public_id] = recognised.relation(position)
        except RuleViolation as refused:
            told.refusals += refused.refusals
    return told


def overdue(services: Services) -> list[Overdue]:
    """The masked copies that show what a privacy zone of a later day hides; nobody may look at them."""
    with services.session() as session:
        return find_overdue(session, services.clock.now())


def remask(services: Services, *, actor: Actor = SYSTEM, progress: Progress = lambda _: None) -> Iterator[Remasked]:
    """Masks anew every copy that is overdue, one after the other, and removes what it was made from."""
    house = House(shelf_of(services), services.session, lambda: services.work(actor), services.clock.now)
    return mask_again(house, progress)
