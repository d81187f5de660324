"""Loads a made district into the database as an import: asserted, not witnessed. Reads files, writes rows.

Everything has the origin `sample`, in one transaction with one ledger event: a district is loaded whole or not at
all. What the generator may not know (missions, password hashing) comes as arguments.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path

from geoalchemy2.shape import to_shape
from sqlalchemy.orm import Session

from sample_data.assets import CompileRoute, devices, overlays, patrols
from sample_data.make import MANIFEST, NOTICE
from sample_data.registers import KEY, Account, maps, registers, zones
from sample_data.registry_desk import registry_desk
from sample_data.writer import Writer
from schemas import tables as t
from schemas.actors import HOST
from schemas.store.work import WorkFactory

__all__ = ["Account", "CompileRoute", "is_loaded", "load"]


def is_loaded(session: Session) -> bool:
    """Whether this database holds the sample data already."""
    return session.get(t.Installation, KEY) is not None


def load(
    directory: Path,
    works: WorkFactory,
    *,
    compile_route: CompileRoute,
    hash_password: Callable[[str], str],
    terrain: Path,
) -> list[Account]:
    """Loads the district in `directory`; gives back the accounts with their passwords, once.

    `terrain` is where the installation keeps its elevation model. A database that holds the sample already is
    left as it is and gives no accounts.
    """
    data = json.loads((directory / "district.json").read_text(encoding="utf-8"))
    manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    today = date.fromisoformat(data["today"])
    with works(HOST) as work:
        if is_loaded(work.session):
            return []
        terrain.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(directory / "dem.tif", terrain)
        writer = Writer(work)
        accounts = registers(writer, data, hash_password)
        maps(writer, directory)
        zones(writer, data)
        overlays(writer, [overlay.id for overlay in work.rulebook.overlays])
        devices(writer, data, today)
        patrols(writer, data, compile_route)
        authority = writer.by_code(t.Authority, "A1")
        registry_desk(writer, data, work.rulebook.at_place(to_shape(authority.jurisdiction), work.now), today)
        work.record(
            "sample.load",
            "import",
            uuid.uuid4(),
            {"seed": manifest["seed"], "notice": NOTICE, "files": manifest["files"]},
            origin=t.Origin.SAMPLE,
            effective_at=datetime.combine(today, time(0), UTC),
        )
        work.commit()
    return accounts
