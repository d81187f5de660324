"""Touches the disk: what somebody hands in is taken in with what this installation adds; loads no engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from flights.ground import TERRAIN_FILE
from flights.link.recorder import sha256_of
from geo.terrain import Terrain
from schemas.actors import SYSTEM, Actor
from schemas.machine import label
from schemas.refusals import conflict
from schemas.store.work import Work
from schemas.tables import Flight, FlightFrame
from sensing.intake import Shelf, Told
from sensing.quarantine import Progress
from sensing.taking_in import Ingested, ingest_scene
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


@contextmanager
def _terrain(services: Services) -> Iterator[Terrain | None]:
    path = services.data_dir / TERRAIN_FILE
    if not path.is_file():
        yield None
        return
    with Terrain.open(path) as terrain:
        yield terrain
