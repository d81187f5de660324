"""The coverage grid of the public map: made anew where what the public sees has changed, at most once an hour."""

from __future__ import annotations

from sqlalchemy import Engine, text

_ALONE = text("SELECT pg_try_advisory_xact_lock('core.coverage_made'::regclass::oid::bigint)")
_DUE = text(
    "SELECT s.seq FROM public_map.sequence s LEFT JOIN core.coverage_made m ON m.seq = s.seq OR"
    " m.made_at > clock_timestamp() - make_interval(secs => :wait_s) WHERE m.seq IS NULL"
)
_MADE = (
    text("DELETE FROM core.coverage_cell"),
    text(
        "INSERT INTO core.coverage_cell (x, y, at_least, geom_3857)"
        " SELECT x, y, at_least, ST_MakeEnvelope(x * 500, y * 500, (x + 1) * 500, (y + 1) * 500, 3857)"
        " FROM core.coverage_now"
    ),
    text(
        "INSERT INTO core.coverage_made (seq) VALUES (:seq)"
        " ON CONFLICT (singleton) DO UPDATE SET (seq, made_at) = (excluded.seq, clock_timestamp())"
    ),
)
WAIT_S = 3_600.0


def cover_where_due(engine: Engine, *, wait_s: float = WAIT_S) -> bool:
    """Makes the grid anew where the publication sequence moved and it is older than `wait_s` seconds."""
    with engine.begin() as connection:
        if not connection.execute(_ALONE).scalar_one():
            return False
        seq = connection.execute(_DUE, {"wait_s": wait_s}).scalar_one_or_none()
        if seq is None:
            return False
        for statement in _MADE:
            connection.execute(statement, {"seq": seq} if "seq" in statement.compile().params else {})
    return True
