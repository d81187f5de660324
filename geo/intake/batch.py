"""What the rows of one file share while they are built into records."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from geo.intake.columns import Cells
from geo.intake.coordinates import Placement
from schemas.ids import new_id, public_id
from schemas.refusals import Refusal
from schemas.store.copying import Row, among, kind_of
from schemas.store.work import Work
from schemas.tables import Authority, Base, Origin, SupervisionItem
from schemas.words import Coded


@dataclass
class KnownDevice:
    """A device that stands in the register, or in a row before: its place (EPSG:4326), and who has it by now.

    `row` is the number of the row that registers it, None where the register has it already; of a secret one nothing is
    told to others.
    """

    id: uuid.UUID
    public_id: str
    name: str
    device_type: str
    platform: str
    place: Point
    users: set[uuid.UUID]
    row: int | None = None
    is_secret: bool = False

    @property
    def told(self) -> str:
        """Which one it is, for whoever brings the file: an id that is drawn for a row may never be written."""
        return self.public_id if self.row is None else Coded("subject", ["row"], f" {self.row}")


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
    taken: dict[type[Base], set[str]] = field(default_factory=dict)


@dataclass
class Drafted:
    """A row on its way into the register: its cells, where it lies (EPSG:4326), and the records that it makes.

    What stands against it is in `cells.refusals`; a row with refusals makes no records. `notes` are what whoever brings
    the file should know though the row is taken, `merged_into` the device that another row or the register had before.
    """

    number: int
    cells: Cells
    geom: BaseGeometry | None
    records: list[Row] = field(default_factory=list)
    notes: list[Refusal] = field(default_factory=list)
    merged_into: KnownDevice | None = None

    @property
    def is_taken(self) -> bool:
        """Whether nothing stands against it."""
        return not self.cells.refusals


def distinct(intake: Intake, records: Iterable[Row]) -> None:
    """Gives another public id to every record whose id somebody has already; among many that happens."""
    by_kind: dict[type[Base], list[Any]] = {}
    for record in records:
        if hasattr(record, "public_id"):
            by_kind.setdefault(kind_of(record), []).append(record)
    for kind, some in by_kind.items():
        taken = intake.taken.setdefault(kind, set())
        column = kind.public_id  # type: ignore[attr-defined]
        known = select(column).where(among(column, [record.public_id for record in some]))
        stored = set(intake.work.session.scalars(known))
        for record in some:
            name = record.public_id
            while name in taken or name in stored:
                name = record.public_id = public_id(name.partition("-")[0])
            taken.add(name)


def recorded(intake: Intake) -> dict[str, object]:
    """The columns that say where a record came from."""
    return {"id": new_id(), "origin": Origin.LEGACY.value, "import_id": intake.batch_id}
