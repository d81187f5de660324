"""What was published and what came into use, written down by the system so that anybody can prove it later.

The publishing event of an officer names the officer, and so can be shown to nobody. The system therefore appends an
event of its own that holds the Merkle root over statements about publications; when that was is the database's word.
It comes a second after the publication, which is on the safe side: a notice is never proven to be longer than it was.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import rfc8785
from sqlalchemy import Engine, Row, RowMapping, select, text
from sqlalchemy.orm import Session

from geo.content import published_content
from schemas.actors import SYSTEM
from schemas.ids import new_id
from schemas.store import ledger
from schemas.store.merkle import inclusion_proof, leaf_hash, root
from schemas.store.signing_notes import Signer, sign_seal
from schemas.store.work import Work, WorkFactory
from schemas.tables import DeploymentPoint, Device, PatrolArea, Witnessed, Witnessing

ACTION = "publication.witness"
# So many statements one event stands for: a path of ten hashes, and a worker that soon gets on with other things.
AT_ONCE = 1_024
# Whose published content the public reads whole. A route's exact line is restricted (requirements.md 5.2), so that
# its proof gives the content's hash alone.
_SHOWN_WHOLE: Mapping[str, type[Any]] = {kind.__tablename__: kind for kind in (Device, PatrolArea, DeploymentPoint)}
_TO_WITNESS = text(
    "SELECT * FROM core.to_witness ORDER BY subject_kind, subject, round_no, publication_id NULLS LAST LIMIT :most"
)
_ALONE = text("SELECT pg_try_advisory_xact_lock('core.witnessing'::regclass::oid::bigint)")


def witness_where_due(works: WorkFactory) -> Iterator[str]:
    """Writes down what was published or came into use since the last time; yields its public ids.

    One worker at a time; what another one writes down at this moment is left to it.
    """
    while True:
        with works(SYSTEM) as work:
            if not work.session.scalar(_ALONE):
                return
            rows = work.session.execute(_TO_WITNESS, {"most": AT_ONCE}).mappings().all()
            if not rows:
                return
            _witness(work, rows)
            work.commit()
        yield from dict.fromkeys(row["subject"] for row in rows)
        if len(rows) < AT_ONCE:
            return


def _witness(work: Work, rows: Sequence[RowMapping]) -> None:
    statements = [rfc8785.dumps(statement_of(dict(row))) for row in rows]
    leaves = [leaf_hash(statement) for statement in statements]
    event = Witnessing(id=new_id(), statements=len(rows))
    work.session.add(event)
    work.session.flush()
    contents = _contents(work.session, rows)
    for position, (row, statement) in enumerate(zip(rows, statements, strict=True)):
        work.session.add(
            Witnessed(
                id=new_id(),
                witnessing_id=event.id,
                position=position,
                path=b"".join(inclusion_proof(leaves, position)),
                statement=statement.decode(),
                content=contents.get((row["subject_id"], row["content_sha256"])),
                **{
                    name: row[name] for name in ("subject_kind", "subject_id", "round_no", "publication_id", "began_on")
                },
            )
        )
    work.record(ACTION, "publication", event.id, {"rows": len(leaves), "rows_root": root(leaves).hex()})


def statement_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of one publication or one beginning of use; everything in it is public (requirements.md 5.2)."""
    common = {
        "subject": row["subject"],
        "kind": row["subject_kind"],
        "round": row["round_no"],
        "origin": row["origin"],
        "utc_offset_min": row["utc_offset_min"],
    }
    if row["publication_id"] is None:
        return common | {"what": "use", "from": row["began_on"].isoformat()}
    return common | {
        "what": "publication",
        "channel": row["channel"],
        "official": row["official"],
        "needs": {"official": row["needs_official"], "further": row["needs_further"]},
        "published_on": row["published_on"].isoformat(),
        "recorded_on": row["recorded_on"].isoformat(),
        "receipt": row["receipt_id"],
        "content_sha256": row["content_sha256"],
    }


def _contents(session: Session, rows: Sequence[RowMapping]) -> dict[tuple[uuid.UUID, str], str]:
    """What was published, where the public reads all of it and it is so still, by subject and hash."""
    found = {}
    for kind, table in _SHOWN_WHOLE.items():
        wanted = {row["subject_id"] for row in rows if row["subject_kind"] == kind and row["content_sha256"]}
        for subject in session.scalars(select(table).where(table.id.in_(wanted))) if wanted else ():
            document = rfc8785.dumps(published_content(session, subject))
            found[subject.id, hashlib.sha256(document).hexdigest()] = document.decode()
    return found


_UNPROVEN = text(
    "SELECT w.id, e.id AS event_id FROM core.witnessing w"
    " JOIN ledger.event e ON e.subject_kind = 'publication' AND e.subject_id = w.id::text"
    " WHERE w.seal_n IS NULL ORDER BY e.xid, e.id"
)
# The first seal that reaches as far as the event, and all that lies under it.
_SEALED = text(
    "SELECT s.n, s.last_xid::text AS last_xid, s.last_id, b.last_xid::text AS before_xid, b.last_id AS before_id"
    " FROM ledger.event e JOIN ledger.seal s ON (s.last_xid, s.last_id) >= (e.xid, e.id)"
    " LEFT JOIN ledger.seal b ON b.n = s.n - 1 WHERE e.id = :event_id ORDER BY s.n LIMIT 1"
)
_LEAVES = text(
    "SELECT id, leaf FROM ledger.event WHERE (xid, id) > (CAST(:before_xid AS xid8), :before_id)"
    " AND (xid, id) <= (CAST(:last_xid AS xid8), :last_id) ORDER BY xid, id"
)
_PROVE = text(
    "UPDATE core.witnessing SET event_line = :event_line, leaf_index = :leaf_index, leaf_count = :leaf_count,"
    " leaf_path = :leaf_path, seal_n = :seal_n, seal_line = :seal_line WHERE id = :id AND seal_n IS NULL"
)


_UNSIGNED = text(
    "SELECT DISTINCT w.seal_n FROM core.witnessing w WHERE w.seal_n IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM core.checkpoint c WHERE c.n = w.seal_n AND c.signer = :signer) ORDER BY 1"
)


def prove_where_sealed(engine: Engine, signer: Signer) -> int:
    """Gives each event of `witness_where_due` that is sealed by now its path, and signs its seal; how many."""
    with engine.connect() as connection:
        waiting = connection.execute(_UNPROVEN).all()
    proven = sum(_prove(engine, row) for row in waiting)
    with engine.connect() as connection:
        unsigned = list(connection.execute(_UNSIGNED, {"signer": signer.verifier_key}).scalars())
    for number in unsigned:
        sign_seal(engine, signer, number)
    return proven


def _prove(engine: Engine, waiting: Row[Any]) -> bool:
    with engine.begin() as connection:
        seal = connection.execute(_SEALED, {"event_id": waiting.event_id}).one_or_none()
        if seal is None:
            return False
        bounds = {
            "before_xid": seal.before_xid or "0",
            "before_id": seal.before_id or 0,
            "last_xid": seal.last_xid,
            "last_id": seal.last_id,
        }
        events = connection.execute(_LEAVES, bounds).all()
        index = next(place for place, event in enumerate(events) if event.id == waiting.event_id)
        path = inclusion_proof([bytes(event.leaf) for event in events], index)
        values = {
            "id": waiting.id,
            "event_line": ledger.event_line(connection, waiting.event_id).decode(),
            "leaf_index": index,
            "leaf_count": len(events),
            "leaf_path": b"".join(path),
            "seal_n": seal.n,
            "seal_line": ledger.seal_line(connection, seal.n).decode(),
        }
        connection.execute(_PROVE, values)
    return True
