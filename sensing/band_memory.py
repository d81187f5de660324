"""Which bands of a run are done, in the database: one short transaction for each band."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from schemas.tables import SegmentationBand
from sensing.segment.manifest import Outcome

DONE, FAILED = "done", "failed"


class BandMemory:
    """Keeps outcomes of bands (implements `manifest.Memory`); `sessions` opens sessions that commit at their end."""

    def __init__(self, sessions: Callable[[], AbstractContextManager[Session]], derivative_id: uuid.UUID) -> None:
        self._sessions = sessions
        self._derivative_id = derivative_id

    def recall(self, key: str) -> Sequence[Outcome]:
        """The bands that are done; implements `Memory.recall`."""
        done = select(SegmentationBand).where(SegmentationBand.manifest_sha256 == key, SegmentationBand.state == DONE)
        with self._sessions() as session:
            rows = session.scalars(done).all()
        return [Outcome(row.number, row.attempts, row.sha256, row.counters) for row in rows]

    def keep(self, key: str, outcome: Outcome) -> None:
        """Write down one outcome over what was known of the band; implements `Memory.keep`."""
        values = {
            "derivative_id": self._derivative_id,
            "state": DONE if outcome.sha256 else FAILED,
            "attempts": outcome.attempts,
            "sha256": outcome.sha256,
            "counters": dict(outcome.counters or {}),
            "reason": outcome.reason,
        }
        row = insert(SegmentationBand).values(manifest_sha256=key, number=outcome.number, **values)
        with self._sessions() as session:
            session.execute(row.on_conflict_do_update(index_elements=["manifest_sha256", "number"], set_=values))
