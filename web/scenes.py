"""Scenes from file to findings: the steps that the command, the demo and later the pages share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import select

from flights.ground import TERRAIN_FILE
from flights.link.recorder import sha256_of
from geo.terrain import Terrain
from schemas.actors import SYSTEM, Actor
from schemas.machine import label
from schemas.refusals import Refusal, RuleViolation, conflict
from schemas.store.work import Work
from schemas.tables import Flight, FlightFrame, SegmentationRun
from sensing.band_memory import BandMemory
from sensing.commands import Ingested, ingest_scene, propose, record_run, same_finding
from sensing.identity import Relation
from sensing.intake import Shelf, Told
from sensing.learn.choosing import NO_MODELS, Models, newest
from sensing.pipeline import Bench, analyse, source_of, surroundings
from sensing.quarantine import Progress
from sensing.remask import House, Overdue, Remasked, find_overdue
from sensing.remask import remask as mask_again
from sensing.runs import clear, rasters
from sensing.segment.engines import engine
from sensing.segment.executors import Hands, Serial
from sensing.sightings import recognise, write_down, write_sighting
from sensing.violations import Verdict
from web.wiring import Services

_LARGE_PX = 4096 * 4096


def shelf_of(services: Services) -> Shelf:
    """Where this installation keeps originals and masked copies."""
    return Shelf(services.data_dir)


def ingest(
    services: Services,
    files: Sequence[Path],
    *,
    flight_id: str | None = None,
    told: Told | None = None,
    actor: Actor = SYSTEM,
    progress: Progress = lambda _: None,
) -> Ingested:
    """Takes one scene in: a georeferenced image, or the photos of a flight. Raises RuleViolation with the reasons.

    Photos of the flight that are quarantined are left out; 409 where nothing else is left.
    """
    with _terrain(services) as terrain, services.work(actor) as work:
        about = replace(told or Told(), terrain=terrain, most_pixels=services.settings.scene_pixels)
        usable = _usable(work, files, flight_id) if flight_id else files
        taken = ingest_scene(work, shelf_of(services), usable, told=about, flight_id=flight_id, progress=progress)
        if not taken.known:
            work.commit()
    return taken


def _usable(work: Work, files: Sequence[Path], flight_id: str) -> Sequence[Path]:
    """The files without the photos of the flight that saw a privacy zone, left the area or have no place."""
    flight = work.get(Flight, flight_id)
    frames = select(FlightFrame.sha256).where(FlightFrame.flight_id == flight.id, FlightFrame.quarantined)
    held = set(work.session.scalars(frames))
    usable = [file for file in files if not held or sha256_of(file) not in held]
    if not usable and files:
        raise conflict("frames.quarantined", subject=label(flight), measured=len(files))
    return usable


@dataclass(frozen=True)
class Segmented:
    """One pass over a scene: the run, the detections proposed, every verdict, and the leads that were refused.

    `known` are detections of earlier passes over the scene that this pass found again; they are not proposed twice.
    `relations` says what each new detection is to the ones of earlier dates, `remedied` are those that are gone.
    """

    run: SegmentationRun
    detections: tuple[str, ...]
    known: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    refusals: tuple[Refusal, ...]
    relations: Mapping[str, Relation] = field(default_factory=dict)
    remedied: tuple[str, ...] = ()
    models: Models = NO_MODELS


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
    chosen = engine(settings.sam_checkpoint, settings.sam_checkpoint_sha256)
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
        work.commit()
    if not run.bands_failed:
        clear(shelf.root, analysis.manifest_sha256)
    proposed: list[str] = []
    relations: dict[str, Relation] = {}
    known: list[str] = []
    refusals: list[Refusal] = []
    leads = ((position, verdict) for position, verdict in enumerate(analysis.verdicts) if verdict.is_lead)
    for ordinal, (position, verdict) in enumerate(leads, 1):
        try:
            with services.work() as work:
                again = same_finding(work, later.scene.id, verdict.candidate)
                if again is not None:
                    known.append(again.public_id)
                    continue
                detection = propose(work, run, verdict, ordinal)
                write_sighting(work.session, run, detection, recognised=recognised, position=position)
                work.commit()
                proposed.append(detection.public_id)
                relations[detection.public_id] = recognised.relation(position)
        except RuleViolation as refused:
            refusals += refused.refusals
    gone = tuple(one.public_id for one in recognised.remedied)
    told = (analysis.verdicts, tuple(refusals), relations, gone, models)
    return Segmented(run, tuple(proposed), tuple(known), *told)


def overdue(services: Services) -> list[Overdue]:
    """The masked copies that show what a privacy zone of a later day hides; nobody may look at them."""
    with services.session() as session:
        return find_overdue(session, services.clock.now())


def remask(services: Services, *, actor: Actor = SYSTEM, progress: Progress = lambda _: None) -> Iterator[Remasked]:
    """Masks anew every copy that is overdue, one after the other, and removes what it was made from."""
    house = House(shelf_of(services), services.session, lambda: services.work(actor), services.clock.now)
    return mask_again(house, progress)


@contextmanager
def _terrain(services: Services) -> Iterator[Terrain | None]:
    path = services.data_dir / TERRAIN_FILE
    if not path.is_file():
        yield None
        return
    with Terrain.open(path) as terrain:
        yield terrain
