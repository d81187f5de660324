"""How many devices are not well, for the top of a desk: each is looked at by its indexes, and nothing else is read."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from sensing.sensors.health import thresholds

# The same devices that the queue of the command centre lists (beats.ill_devices).
_COUNT = text("""
    SELECT count(*) FROM core.device d
    LEFT JOIN LATERAL (
        SELECT h.beat_at, h.faults FROM core.heartbeat h WHERE h.device_id = d.id
        ORDER BY h.beat_at DESC, h.id DESC LIMIT 1
    ) beat ON true
    LEFT JOIN LATERAL (
        SELECT max((SELECT max(o.phenomenon_time) FROM core.observation o WHERE o.datastream_id = s.id)) AS at
        FROM core.datastream s WHERE s.device_id = d.id
    ) reading ON true
    WHERE d.state = 'active' AND d.authority_id = ANY(:mine)
      AND (beat.beat_at IS NOT NULL OR reading.at IS NOT NULL OR EXISTS (
          SELECT FROM core.device_token t WHERE t.device_id = d.id AND t.revoked_at IS NULL AND t.expires_at > :now))
      AND (coalesce(greatest(beat.beat_at, reading.at), '-infinity') < :silent_since
           OR jsonb_array_length(beat.faults) > 0)
""")


def count_unwell(session: Session, now: datetime, authority_ids: Collection[uuid.UUID]) -> int:
    """How many devices in use of these authorities are offline or show a fault."""
    silent_since = now - timedelta(minutes=thresholds().offline_min)
    values = {"mine": list(authority_ids), "now": now, "silent_since": silent_since}
    return session.scalar(_COUNT, values) or 0
