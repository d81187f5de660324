"""Scenes from file to findings: the steps that the command, the demo and later the pages share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flights.ground import TERRAIN_FILE
from geo.terrain import Terrain
from schemas.actors import SYSTEM, Actor
from schemas.refusals import Refusal, RuleViolation
from schemas.tables import SegmentationRun
from sensing.commands import Ingested, ingest_scene, propose, record_run, same_finding
from sensing.intake import Shelf, Told
from sensing.pipeline import Bench, analyse, source_of, surroundings
from sensing.quarantine import Progress
from sensing.segment.engines import engine
from sensing.violations import Verdict
from web.wiring import Services


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
    """Takes one scene in: a georeferenced image, or the photos of a flight. Raises RuleViolation with the reasons."""
    with _terrain(services) as terrain, services.work(actor) as work:
        about = replace(told or Told(), terrain=terrain)
        taken = ingest_scene(work, shelf_of(services), files, told=about, flight_id=flight_id, progress=progress)
        if not taken.known:
            work.commit()
    return taken


@dataclass(frozen=True)
class Segmented:
    """One pass over a scene: the run, the detections proposed, every verdict, and the leads that were refused.

    `known` are detections of earlier passes over the scene that this pass found again; they are not proposed twice.
    """

    run: SegmentationRun
    detections: tuple[str, ...]
    known: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    refusals: tuple[Refusal, ...]


def segment(
    services: Services, scene: str, *, before: str | None = None, progress: Progress = lambda _: None
) -> Segmented:
    """Segments a scene, judges what was found by the law in force there, and proposes the leads as detections.

    A lead that may not become a detection is told with its reasons; it does not take the others along.
    """
    settings = services.settings
    chosen = engine(settings.sam_checkpoint, settings.sam_checkpoint_sha256)
    bench = Bench(shelf_of(services), services.rulebook, chosen, services.clock.now())
    with services.session() as session:
        later = source_of(session, scene)
        earlier = source_of(session, before) if before else None
        context = surroundings(session, later)
    # No transaction stays open while the engine works: that would delay the sealing of the ledger.
    analysis = analyse(bench, context, later, earlier, progress)
    with services.work() as work:
        run = record_run(work, analysis)
        work.commit()
    proposed: list[str] = []
    known: list[str] = []
    refusals: list[Refusal] = []
    leads = (verdict for verdict in analysis.verdicts if verdict.is_lead)
    for ordinal, verdict in enumerate(leads, 1):
        try:
            with services.work() as work:
                again = same_finding(work, later.scene.id, verdict.candidate)
                if again is not None:
                    known.append(again.public_id)
                    continue
                proposed.append(propose(work, run, verdict, ordinal).public_id)
                work.commit()
        except RuleViolation as refused:
            refusals += refused.refusals
    return Segmented(run, tuple(proposed), tuple(known), analysis.verdicts, tuple(refusals))


@contextmanager
def _terrain(services: Services) -> Iterator[Terrain | None]:
    path = services.data_dir / TERRAIN_FILE
    if not path.is_file():
        yield None
        return
    with Terrain.open(path) as terrain:
        yield terrain
