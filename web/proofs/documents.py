"""The proof of one record as a file, read through the public role; `schemas/store/verify_proof.py` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from schemas.store.verify_proof import FORMAT, HASH_BYTES, canonical

# As long as the chain of seals from a statement to the latest checkpoint is no longer than this, it is in the file.
LONGEST_CHAIN = 512
_PARTS = text(
    "SELECT * FROM public_map.proofs WHERE subject_kind = :kind AND subject_id = :id ORDER BY seal_n, position"
)
_SEALS = text("SELECT line FROM public_map.seals WHERE n BETWEEN :first AND :last ORDER BY n")
_LATEST = text("SELECT n, digest, sealed_at, signer, note FROM public_map.checkpoints ORDER BY n DESC LIMIT 1")


@dataclass(frozen=True)
class Checkpoint:
    """The latest seal that the platform signed: its number, its digest (hex), when it was sealed (UTC), the note."""

    n: int
    digest: str
    sealed_at: datetime
    signer: str
    note: str

    @property
    def text(self) -> str:
        """What people write down: `12:9f86d0...`."""
        return f"{self.n}:{self.digest}"


def latest_checkpoint(public: Connection) -> Checkpoint | None:
    """The latest signed seal; None before the first."""
    row = public.execute(_LATEST).mappings().one_or_none()
    return None if row is None else Checkpoint(**row)


def proof_of(public: Connection, kind: str, public_id: str) -> bytes | None:
    """The proof of what was published of one subject; None while nothing of it is sealed and signed."""
    rows = public.execute(_PARTS, {"kind": kind, "id": public_id}).mappings().all()
    latest = latest_checkpoint(public)
    if latest is None or not any(row["began_on"] is None for row in rows):
        return None
    chain, checkpoint = _chain(public, rows, latest)
    document = {
        "format": FORMAT,
        "subject": public_id,
        "kind": kind,
        "statements": [_part(row) for row in rows],
        "content": next((row["content"] for row in reversed(rows) if row["content"] is not None), None),
        "seals": chain,
        "checkpoint": checkpoint,
        "key": latest.signer,
    }
    return canonical(document)


def _chain(public: Connection, rows: Sequence[RowMapping], latest: Checkpoint) -> tuple[list[str], str]:
    """The chain of seals to the latest checkpoint; none, and the newest statement's own one, where it would be long."""
    first, last = (pick(row["seal_n"] for row in rows) for pick in (min, max))
    if latest.n - first < LONGEST_CHAIN:
        lines = public.execute(_SEALS, {"first": first, "last": latest.n}).scalars()
        return list(lines), latest.note
    return [], next(row["checkpoint"] for row in rows if row["seal_n"] == last)


def _part(row: RowMapping) -> dict[str, Any]:
    return {
        "statement": row["statement"],
        "row": {"index": row["position"], "of": row["statements"], "path": _hashes(row["path"])},
        "event": row["event_line"],
        "leaf": {"index": row["leaf_index"], "of": row["leaf_count"], "path": _hashes(row["leaf_path"])},
        "seal": row["seal_line"],
        "checkpoint": row["checkpoint"],
    }


def _hashes(path: bytes) -> list[str]:
    data = bytes(path)
    return [data[start : start + HASH_BYTES].hex() for start in range(0, len(data), HASH_BYTES)]
