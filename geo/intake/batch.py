"""What the rows of one file share while they are built into records."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from shapely.geometry import Point

from geo.intake.coordinates import Placement
from schemas.ids import new_id
from schemas.store.work import Work
from schemas.tables import Authority, Origin, SupervisionItem


@dataclass
class KnownDevice:
    """A device that stands in the register, or in a row before: its place (EPSG:4326), and who has it by now."""

    id: uuid.UUID
    public_id: str
    place: Point
    users: set[uuid.UUID]


@dataclass
class Intake:
    """What the rows of one file share while they are built; `stray` are the rows where no rules apply."""

    work: Work
    batch_id: uuid.UUID
    way: Placement
    authority: Authority | None = None
    item: SupervisionItem | None = None
    codes: set[str] | None = None
    items: dict[str, SupervisionItem] = field(default_factory=dict)
    stray: list[int] = field(default_factory=list)
    authorities: dict[str, Authority] = field(default_factory=dict)
    known: dict[str, KnownDevice] = field(default_factory=dict)


def recorded(intake: Intake) -> dict[str, object]:
    """The columns that say where a record came from."""
    return {"id": new_id(), "origin": Origin.LEGACY.value, "import_id": intake.batch_id}
