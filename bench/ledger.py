"""The price of the record: inserts with their ledger event against the same inserts without."""

from __future__ import annotations

import uuid

from sqlalchemy import Engine, text

from bench.measure import Result, compare
from bench.scratch import scratch_database
from schemas.store import ledger
from schemas.store.engine import APP

COMMANDS = 150
INSERT = text(
    "INSERT INTO core.announcement (id, public_id, subject_kind, subject_id, kind, announced_at, text_en, text_zh)"
    " VALUES (:id, :public_id, 'device', :id, 'bench', now(), 'bench', 'bench')"
)


def rows() -> list[Result]:
    """One row: commands with their event against commands without, one transaction each."""
    with scratch_database() as database:
        engine = database.engine(APP)
        try:
            return [
                compare(
                    "command with ledger event",
                    "the same command without",
                    lambda: _commands(engine, recorded=True),
                    lambda: _commands(engine, recorded=False),
                    same=lambda ours, peer: ours == peer,
                    target=0.9,
                )
            ]
        finally:
            engine.dispose()


def _commands(engine: Engine, *, recorded: bool) -> int:
    from sqlalchemy.orm import Session

    for _ in range(COMMANDS):
        with Session(engine) as session:
            subject = uuid.uuid4()
            session.execute(INSERT, {"id": subject, "public_id": str(subject)})
            if recorded:
                entry = ledger.Entry(
                    action="bench",
                    subject_kind="device",
                    subject_id=subject,
                    actor="host",
                    body={"from": "published", "to": "active"},
                )
                ledger.append(session, entry)
            session.commit()
    return COMMANDS
