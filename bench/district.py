"""Rows around generated places: an authority, its devices with their publications, in a bench's own database."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from geoalchemy2.shape import from_shape
from shapely.geometry import MultiPolygon, Point, box
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from bench import places
from schemas import tables as t
from schemas.store.engine import Database

SHANGHAI = ZoneInfo("Asia/Shanghai")
PUBLISHED_AT = datetime(2025, 6, 1, 10, 0, tzinfo=SHANGHAI)
IN_USE_SINCE = date(2025, 7, 2)
LEAD_DAYS = 30
CHANNELS = ("official_disclosure", "platform_map")
CITY_DEVICES, CITY_DEG = 100_000, 0.08
TABLES = "core.device, core.device_site, core.publication"


@dataclass(frozen=True)
class Placed:
    """Which devices were stored: their authority and their public ids."""

    authority_id: uuid.UUID
    devices: tuple[str, ...]


def store_devices(database: Database, at: Iterable[tuple[float, float]], *, state: str = "published") -> Placed:
    """Writes one published device for each place, as a database in use would hold them."""
    authority, plan = uuid.uuid4(), uuid.uuid4()
    sites = [_site(n, lon, lat, plan) for n, (lon, lat) in enumerate(at)]
    devices = [_device(n, site["id"], authority, state) for n, site in enumerate(sites)]
    publications = [_publication(device["id"], channel) for device in devices for channel in CHANNELS]
    engine = database.admin_engine()
    try:
        with Session(engine) as session:
            session.add(t.Installation(key="sample_data", value="bench"))
            session.add(_authority(authority))
            session.flush()
            session.add(_siting_plan(plan, authority))
            session.flush()
            for table, rows in ((t.DeviceSite, sites), (t.Device, devices), (t.Publication, publications)):
                session.execute(insert(table), rows)
            # Before the end of the transaction, at which what is shown is made of all that: it is planned better so.
            session.execute(text(f"ANALYZE {TABLES}"))
            session.commit()
    finally:
        engine.dispose()
    return Placed(authority, tuple(device["public_id"] for device in devices))


def store_city(database: Database) -> None:
    """A hundred thousand published devices of a large city, as many in its middle as around it; the same each time."""
    draw = np.random.default_rng(places.SEED)
    lons, lats = (centre + draw.normal(0, CITY_DEG, CITY_DEVICES) for centre in places.CENTRE)
    store_devices(database, zip(lons.tolist(), lats.tolist(), strict=True))
    engine = database.admin_engine()
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # As autovacuum would have left it some minutes later.
            connection.execute(text("VACUUM ANALYZE"))
    finally:
        engine.dispose()


def add_waiting(database: Database, at: Mapping[str, tuple[float, float]]) -> None:
    """Adds devices by public id that are reviewed and that no channel carries yet, beside those of `store_devices`."""
    engine = database.admin_engine()
    try:
        with Session(engine) as session:
            authority = session.scalars(select(t.Authority.id)).one()
            plan = session.scalars(select(t.SitingPlan.id)).one()
            sites = [
                _site(n, lon, lat, plan) | {"public_id": f"ST-{public_id}"}
                for n, (public_id, (lon, lat)) in enumerate(at.items())
            ]
            devices = [
                _device(n, site["id"], authority, "reviewed") | {"public_id": public_id}
                for n, (public_id, site) in enumerate(zip(at, sites, strict=True))
            ]
            session.execute(insert(t.DeviceSite), sites)
            session.execute(insert(t.Device), devices)
            session.commit()
    finally:
        engine.dispose()


def _authority(identity: uuid.UUID) -> t.Authority:
    everywhere = MultiPolygon([box(places.WEST, places.SOUTH, places.EAST, places.NORTH)])
    return t.Authority(
        id=identity,
        public_id="AU-BENCH",
        code="BENCH",
        name_en="Authority of the bench (fictional)",
        name_zh="基准机关（虚构）",
        level="county",
        authority_type="department",
        field="ecology",
        jurisdiction=from_shape(everywhere, srid=t.SRID),
        contact_address="1 Qinghe Road (fictional)",
        contact_channel="+86 00 0000 0000",
        origin="sample",
    )


def _siting_plan(identity: uuid.UUID, authority: uuid.UUID) -> t.SitingPlan:
    return t.SitingPlan(
        id=identity,
        public_id="SP-BENCH",
        authority_id=authority,
        approval_no="SAMPLE-2025-1",
        approved_on=PUBLISHED_AT.date() - timedelta(days=10),
        approver_authority_id=authority,
        state="approved",
        origin="sample",
    )


def _site(number: int, lon: float, lat: float, plan: uuid.UUID) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "public_id": f"ST-{number:06}",
        "geom": from_shape(Point(lon, lat), srid=t.SRID),
        "place_text": f"Qinghe Road {number} (fictional)",
        "siting_plan_id": plan,
        "origin": "sample",
    }


def _device(number: int, site: uuid.UUID, authority: uuid.UUID, state: str) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "public_id": f"DV-{number:06}",
        "name": f"Camera {number}",
        "platform": "fixed",
        "category": "fixed",
        "device_type": "video",
        "purpose_en": "Pollution patrol",
        "purpose_zh": "污染巡查",
        "authority_id": authority,
        "site_id": site,
        "state": state,
        "activated_on": IN_USE_SINCE if state == "active" else None,
        "origin": "sample",
    }


def _publication(device: uuid.UUID, channel: str) -> dict[str, Any]:
    identity = uuid.uuid4()
    return {
        "id": identity,
        "public_id": f"PB-{identity.hex[:12]}",
        "subject_kind": "device",
        "subject_id": device,
        "round_no": 1,
        "channel": channel,
        "published_at": PUBLISHED_AT,
        "published_on": PUBLISHED_AT.date(),
        "lead_days": LEAD_DAYS,
        "receipt_id": f"RCPT-{channel}",
        "content_sha256": "0" * 64,
        "origin": "sample",
    }
