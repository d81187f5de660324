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

# A draft that the unit head gave back, and a device whose review failed, are told as returned. What is listed is found
# first and only then looked into: an authority may have a hundred thousand devices that wait for their reviews.
_ROWS = text("""
    WITH back AS MATERIALIZED (
        SELECT d.id FROM core.device_review r
        JOIN core.device d ON d.id = r.device_id AND d.device_version = r.device_version
        WHERE NOT r.passed AND d.state = 'registered' AND d.authority_id = ANY(:authorities) AND NOT EXISTS (
            SELECT FROM core.device_review l WHERE l.device_id = d.id AND l.device_version = d.device_version
            AND l.kind = r.kind AND l.passed AND l.recorded_at > r.recorded_at)
        UNION ALL
        SELECT p.id FROM (
            SELECT a.id, 'patrol_area' AS kind FROM core.patrol_area a
            WHERE a.state = 'draft' AND a.authority_id = ANY(:authorities)
            UNION ALL SELECT d.id, 'deployment_point' FROM core.deployment_point d
            WHERE d.state = 'draft' AND d.authority_id = ANY(:authorities)
        ) p WHERE (
            SELECT e.action FROM ledger.event e WHERE e.subject_kind = p.kind AND e.subject_id = p.id::text
            AND e.action <> 'refused' ORDER BY e.id DESC LIMIT 1
        ) = p.kind || '.return'
    ), rows AS (
        SELECT 'plan' AS kind, p.id, p.public_id, coalesce(p.title_en, p.approval_no, p.public_id) AS name_en,
               coalesce(p.title_zh, p.approval_no, p.public_id) AS name_zh, p.state, p.author_id, p.recorded_at
        FROM core.siting_plan p WHERE p.authority_id = ANY(:authorities)
        UNION ALL
        SELECT 'device', d.id, d.public_id, d.name, d.name, d.state, d.author_id, d.recorded_at
        FROM core.device d WHERE d.authority_id = ANY(:authorities) AND NOT d.secret
             AND d.state IN ('registered', 'reviewed')
        UNION ALL
        SELECT 'area', a.id, a.public_id, a.name_en, a.name_zh, a.state, a.author_id, a.recorded_at
        FROM core.patrol_area a WHERE a.authority_id = ANY(:authorities)
        UNION ALL
        SELECT 'point', p.id, p.public_id, p.name_en, p.name_zh, p.state, p.author_id, p.recorded_at
        FROM core.deployment_point p WHERE p.authority_id = ANY(:authorities)
    ), page AS MATERIALIZED (
        SELECT * FROM rows
        WHERE (:kind = '' OR kind = :kind) AND (:mine = false OR author_id = :me)
          AND (:state = 'all' OR (:state = 'open' AND state = ANY(:open)) OR state = :state
               OR (:state = 'returned' AND id IN (SELECT id FROM back)))
        ORDER BY (author_id = :me) DESC NULLS LAST, recorded_at DESC, public_id LIMIT :most OFFSET :skip
    )
    SELECT kind, public_id, name_en, name_zh, author_id, recorded_at,
           CASE WHEN id IN (SELECT id FROM back) THEN 'returned' ELSE state END AS state,
           CASE kind WHEN 'plan' THEN (
               SELECT count(*) FROM core.planned_site s WHERE s.plan_id = page.id AND s.dropped_in IS NULL
           ) END AS sites
    FROM page ORDER BY (author_id = :me) DESC NULLS LAST, recorded_at DESC, public_id
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
