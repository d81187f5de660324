"""A pit that was dug between two dates, for tests of what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.store.engine import Database
from sensing.intake import Told
from tests.conftest import Start
from tests.unit.sensing.ground import Ground, blob
from web import scenes

PIT = blob((60, 60), 12, 3)


def ground(*, dug: bool) -> Ground:
    made = Ground(seed=4, width=160, height=150)
    if dug:
        made.paint(PIT, "pit")
    return made


def ingest_pair(services: object, folder: Path) -> tuple[str, str]:
    """The public ids of the earlier and the later scene."""
    ids = []
    for number, dug in enumerate((False, True)):
        path = ground(dug=dug).satellite(folder / f"{number}.tif", seed=number + 2)
        told = Told(captured_at=datetime(2025, 6, 1 + 20 * number, 3, tzinfo=UTC))
        ids.append(scenes.ingest(services, [path], told=told).scene.public_id)  # type: ignore[arg-type]
    return ids[0], ids[1]


@dataclass(frozen=True)
class Dug(Start):
    """An installation that holds both scenes of the pit, and what was found when the later one was segmented."""

    before: str = ""
    after: str = ""
    detection: str = ""


def add_item(database: Database) -> None:
    """The supervision item under which excavations fall."""
    engine = database.admin_engine()
    with Session(engine) as session:
        basis = session.scalars(select(t.LegalBasis)).first()
        session.add(
            t.SupervisionItem(
                public_id="SI-EXC",
                code="illegal_excavation",
                name_en="Excavation",
                name_zh="采挖",
                legal_basis_id=basis.id,
            )
        )
        session.commit()
    engine.dispose()
