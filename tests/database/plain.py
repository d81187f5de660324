"""Rows in plain SQL, as the application role writes them when no code of ours stands between."""

from __future__ import annotations

import itertools
import time
import uuid
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from sqlalchemy import Engine, text

from schemas.store.engine import APP, Database
from schemas.store.sealer import seal_pending

SHANGHAI = ZoneInfo("Asia/Shanghai")
QINGHE = "SRID=4326;POINT(113.2600 23.1300)"
IN_Z1 = "SRID=4326;POINT(113.2700 23.1300)"
NEUTRAL = "SRID=4326;POINT(-39.5 40.5)"
Z1 = "SRID=4326;POLYGON((113.2695 23.1295,113.2705 23.1295,113.2705 23.1305,113.2695 23.1305,113.2695 23.1295))"
PA1 = "SRID=4326;POLYGON((113.25 23.12,113.29 23.12,113.29 23.14,113.25 23.14,113.25 23.12))"
R1 = "SRID=4326;LINESTRING(113.2550 23.1250,113.2850 23.1250)"
FIRST_OF_JUNE = date(2025, 6, 1)
BOTH = ("official_disclosure", "platform_map")
# What the platform witnesses begins at the beginning; an import may assert any state.
FIRST_STEPS = {
    "device": ("registered", "reviewed", "published"),
    "patrol_area": ("draft", "checked", "approved", "published"),
    "patrol_route": ("draft", "checked", "approved", "published"),
    "deployment_point": ("draft", "checked", "approved", "published"),
}


def libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def connect(database: Database, role: str = APP) -> psycopg.Connection:
    return psycopg.connect(libpq(database.url_of(role)), autocommit=True)


def connect_admin(database: Database) -> psycopg.Connection:
    return psycopg.connect(libpq(database.admin_url), autocommit=True)


class Plain:
    """Inserts rows with what a test does not care about filled in."""

    def __init__(self, connection: psycopg.Connection, origin: str = "sample") -> None:
        self.connection = connection
        self.origin = origin
        self._number = itertools.count(1)

    def insert(self, table: str, **values: Any) -> uuid.UUID:
        number = next(self._number)
        row = {"id": uuid.uuid4(), "public_id": f"XX-{number}", "origin": self.origin} | values
        statement = sql.SQL("INSERT INTO core.{} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        self.connection.execute(statement, list(row.values()))
        return row["id"]

    def stated(self, table: str, state: str, **values: Any) -> uuid.UUID:
        """A row in `state`: as an import asserts it, or step by step where it is live."""
        if self.origin != "live":
            return self.insert(table, state=state, **values)
        first, *further = FIRST_STEPS[table][: FIRST_STEPS[table].index(state) + 1]
        row = self.insert(table, state=first, **values)
        for step in further:
            self.set_state(table, row, step)
        return row

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement, values or None)
        # What meets no row is neither refused nor done, and would pass for either.
        assert cursor.rowcount or not statement.startswith(("UPDATE", "DELETE")), f"no row: {statement}"
        return cursor.fetchall() if cursor.description else []

    def authority(self) -> uuid.UUID:
        found = self.run("SELECT id FROM core.authority LIMIT 1")
        return (
            found[0][0]
            if found
            else self.insert(
                "authority",
                code="A1",
                name_en="A1 (fictional)",
                name_zh="A1（虚构）",
                level="county",
                authority_type="department",
                field="ecology",
                jurisdiction="SRID=4326;MULTIPOLYGON(((113 23,114 23,114 24,113 24,113 23)))",
                contact_address="1 Qinghe Road",
                contact_channel="000",
            )
        )

    def site(self, place: str = QINGHE, **values: Any) -> uuid.UUID:
        return self.insert(
            "device_site", **{"geom": place, "place_text": "x", "place_type": "open_air", "indoor": False} | values
        )

    def device(self, state: str = "registered", *, place: str = QINGHE, **values: Any) -> uuid.UUID:
        site = values.pop("site_id", None) or self.site(place, place_type=values.pop("place_type", "open_air"))
        row = {
            "version": 1,
            "name": "camera",
            "platform": "fixed",
            "category": "fixed",
            "device_type": "video",
            "purpose_en": "p",
            "purpose_zh": "p",
            "authority_id": self.authority(),
            "site_id": site,
            "owner_type": "authority",
            "is_measuring_instrument": False,
            "secret": False,
        }
        return self.stated("device", state, **row | values)

    def publish(
        self,
        subject: uuid.UUID,
        kind: str = "device",
        *,
        on: date = FIRST_OF_JUNE,
        channels: tuple[str, ...] = BOTH,
        **values: Any,
    ) -> None:
        for channel in channels:
            row = {
                "subject_kind": kind,
                "subject_id": subject,
                "round_no": 1,
                "channel": channel,
                "published_at": datetime(on.year, on.month, on.day, 10, tzinfo=SHANGHAI),
                "published_on": on,
                "lead_days": 30,
                "receipt_id": "R",
                "content_sha256": "0" * 64,
            }
            self.insert("publication", **row | values)

    def zone(self, shape: str = Z1, **values: Any) -> uuid.UUID:
        row = {
            "kind": "public_bathhouse",
            "name_en": "bath",
            "name_zh": "浴场",
            "geom": shape,
            "sensitive": False,
            "buffer_m": 0,
            "source": "legal",
            "valid_from": datetime(2025, 5, 1, tzinfo=SHANGHAI),
            "zone_version": 1,
        }
        return self.insert("privacy_zone", **row | values)

    def area(self, state: str = "draft", **values: Any) -> uuid.UUID:
        row = {
            "version": 1,
            "code": f"PA{next(self._number)}",
            "name_en": "area",
            "name_zh": "区域",
            "purpose_en": "p",
            "purpose_zh": "p",
            "authority_id": self.authority(),
            "geom": PA1,
            "alt_min_agl_m": 60,
            "alt_max_agl_m": 120,
        }
        return self.stated("patrol_area", state, **row | values)

    def point(self, state: str = "draft", **values: Any) -> uuid.UUID:
        row = {
            "version": 1,
            "code": f"DP{next(self._number)}",
            "name_en": "point",
            "name_zh": "布点",
            "purpose_en": "p",
            "purpose_zh": "p",
            "authority_id": self.authority(),
            "geom": QINGHE,
            "place_text": "p",
        }
        return self.stated("deployment_point", state, **row | values)

    def route(self, area: uuid.UUID, state: str = "draft", **values: Any) -> uuid.UUID:
        row = {
            "version": 1,
            "code": f"R{next(self._number)}",
            "name_en": "route",
            "name_zh": "路线",
            "area_id": area,
            "authority_id": self.authority(),
            "route_version": 1,
            "geom": R1,
            "alt_agl_m": 100,
            "camera_hfov_deg": 70,
            "home": QINGHE,
            "home_amsl_m": 12,
            "speed_m_s": 10,
            "trigger_distance_m": 60,
            "mission": "{}",
            "mission_digest": "0" * 64,
        }
        return self.stated("patrol_route", state, **row | values)

    def set_state(self, table: str, subject: uuid.UUID, state: str, **values: Any) -> None:
        names = {"state": state} | values
        assignments = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in names
        )
        statement = sql.SQL("UPDATE core.{} SET {} WHERE id = {}").format(
            sql.Identifier(table), assignments, sql.Placeholder()
        )
        changed = self.connection.execute(statement, [*names.values(), subject])
        assert changed.rowcount == 1, f"no such {table}: {subject}"


def seal_all(engine: Engine) -> int:
    """Seals all that is committed, and returns how much was sealed.

    The horizon is the whole server's: a transaction in any other database, another test's say, holds it
    back for a moment. It is waited for first, so that the seals are cut where the batches end.
    """
    patience_until = time.monotonic() + 200
    while True:
        with engine.connect() as connection:
            unsettled = connection.execute(_UNSETTLED).scalar_one()
        if not unsettled:
            return seal_pending(engine)
        assert time.monotonic() < patience_until, f"{unsettled} events stay above the horizon"
        time.sleep(0.02)


_UNSETTLED = text("SELECT count(*) FROM ledger.event WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())")


def rule_of(error: psycopg.Error) -> str:
    """The rule in the name of the constraint that refused."""
    name = error.diag.constraint_name or ""
    return name.split("__")[1] if name.startswith("rule__") else name
