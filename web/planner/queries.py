"""The planner's list: plans, devices, areas and points on their way to approval. Frozen rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from web.planner.words import KINDS, MINE, NEXT, STATES, said

PAGE, MOST_WAITING = 50, 200
# What a list shows of the lives of things: on their way, or whatever became of them.
OPEN, ALL = "open", "all"
_OPEN_STATES = ("draft", "justified", "in_review", "submitted", "returned", "registered", "checked")
_PATHS = {"plan": "plans", "device": "devices", "area": "areas", "point": "points"}

# A draft of an area that the unit head gave back, and a device whose review failed, are told as returned.
_ROWS = text("""
    WITH rows AS (
        SELECT 'plan' AS kind, p.public_id, coalesce(p.title_en, p.approval_no, p.public_id) AS name_en,
               coalesce(p.title_zh, p.approval_no, p.public_id) AS name_zh, p.state, p.author_id, p.recorded_at,
               (SELECT count(*) FROM core.planned_site s WHERE s.plan_id = p.id AND s.dropped_in IS NULL) AS sites
        FROM core.siting_plan p WHERE p.authority_id = ANY(:authorities)
        UNION ALL
        SELECT 'device', d.public_id, d.name, d.name, CASE WHEN d.state = 'registered' AND EXISTS (
                   SELECT FROM core.device_review r WHERE r.device_id = d.id AND r.device_version = d.device_version
                   AND NOT r.passed AND NOT EXISTS (SELECT FROM core.device_review l WHERE l.device_id = d.id
                       AND l.device_version = d.device_version AND l.kind = r.kind AND l.passed
                       AND l.recorded_at > r.recorded_at)) THEN 'returned' ELSE d.state END,
               d.author_id, d.recorded_at, NULL
        FROM core.device d WHERE d.authority_id = ANY(:authorities) AND NOT d.secret
             AND d.state IN ('registered', 'reviewed')
        UNION ALL
        SELECT 'area', a.public_id, a.name_en, a.name_zh, CASE WHEN a.state = 'draft' AND (
                   SELECT e.action FROM ledger.event e WHERE e.subject_kind = 'patrol_area'
                   AND e.subject_id = a.id::text AND e.action <> 'refused' ORDER BY e.id DESC LIMIT 1
               ) = 'patrol_area.return' THEN 'returned' ELSE a.state END, a.author_id, a.recorded_at, NULL
        FROM core.patrol_area a WHERE a.authority_id = ANY(:authorities)
        UNION ALL
        SELECT 'point', p.public_id, p.name_en, p.name_zh, CASE WHEN p.state = 'draft' AND (
                   SELECT e.action FROM ledger.event e WHERE e.subject_kind = 'deployment_point'
                   AND e.subject_id = p.id::text AND e.action <> 'refused' ORDER BY e.id DESC LIMIT 1
               ) = 'deployment_point.return' THEN 'returned' ELSE p.state END, p.author_id, p.recorded_at, NULL
        FROM core.deployment_point p WHERE p.authority_id = ANY(:authorities)
    )
    SELECT * FROM rows
    WHERE (:kind = '' OR kind = :kind) AND (:mine = false OR author_id = :me)
      AND (:state = 'all' OR (:state = 'open' AND state = ANY(:open)) OR state = :state)
    ORDER BY (author_id = :me) DESC NULLS LAST, recorded_at DESC, public_id LIMIT :most OFFSET :skip
""")


@dataclass(frozen=True)
class Wanted:
    """What of the list somebody wants to see; `state` is one of the states, `open` or `all`."""

    kind: str = ""
    state: str = OPEN
    mine: bool = False
    page: int = 1


@dataclass(frozen=True)
class Row:
    """One thing on its way; `waits` where it is the reader who goes on."""

    kind: str
    public_id: str
    name: Mapping[str, str]
    state: str
    recorded_at: datetime
    sites: int | None
    own: bool

    @property
    def waits(self) -> bool:
        """Whether whoever drafted it goes on, and that is the reader."""
        return self.own and (self.kind, self.state) in MINE

    @property
    def called(self) -> str:
        """What kind of thing it is, in words."""
        return said(KINDS, self.kind)

    @property
    def state_words(self) -> str:
        """The state in words."""
        return said(STATES, self.state)

    @property
    def next_words(self) -> str:
        """What happens next, in words; empty where nothing does."""
        known = NEXT.get((self.kind, self.state))
        return said({"": known}, "") if known else ""

    @property
    def url(self) -> str:
        """Its page."""
        return f"/planner/{_PATHS[self.kind]}/{self.public_id}"


def rows(
    db: Session, authority_ids: Iterable[uuid.UUID], me: uuid.UUID | None, wanted: Wanted, *, most: int = PAGE
) -> list[Row]:
    """A page of the list, one's own first, then the newest; one row more where there is another page."""
    values: dict[str, Any] = {
        "authorities": list(authority_ids),
        "me": me,
        "kind": wanted.kind,
        "state": wanted.state,
        "mine": wanted.mine,
        "open": list(_OPEN_STATES),
        "most": most + 1,
        "skip": (wanted.page - 1) * most,
    }
    return [
        Row(r.kind, r.public_id, {"en": r.name_en, "zh": r.name_zh}, r.state, r.recorded_at, r.sites, r.author_id == me)
        for r in db.execute(_ROWS, values)
    ]
