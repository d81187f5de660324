"""Devices, patrol areas, routes and plans of the district as rows, with their publications."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shapely.geometry import LineString, Point, shape
from sqlalchemy import select

from geo.content import content_sha256, siting_sha256
from sample_data.devices import LEAD_DAYS
from sample_data.writer import Writer, day, wkb
from schemas import tables as t

ZONE = ZoneInfo("Asia/Shanghai")
PUBLISHED_AT = time(10, 0)
CHANNELS = ("official_disclosure", "platform_map")

# line, true height, home, speed, photo spacing -> the stored mission, its digest, height of home above sea level
CompileRoute = Callable[[LineString, float, Point, float, float], tuple[dict[str, Any], str, float]]


def overlays(w: Writer, names: Iterable[str]) -> None:
    """Every authority of the district has switched on every overlay of rules (G-42)."""
    for authority in w.session.scalars(select(t.Authority)).all():
        for name in names:
            w.add(
                t.OverlaySwitch,
                "OS",
                authority_id=authority.id,
                overlay=name,
                is_on=True,
                reason="The fictional district shows all of them.",
            )


def _siting_plan(w: Writer) -> t.SitingPlan:
    return w.add(
        t.SitingPlan,
        "SP",
        authority_id=w.by_code(t.Authority, "A1").id,
        approval_no="SAMPLE-2025-001",
        approved_on=date(2025, 5, 20),
        approver_authority_id=w.by_code(t.Authority, "P0").id,
        state="approved",
    )


def devices(w: Writer, data: dict[str, Any], today: date) -> None:
    """The devices with their sites, papers and publications."""
    plan = _siting_plan(w)
    authority = w.by_code(t.Authority, "A1")
    people = {code: w.by_code(t.Person, code).id for code in ("L1", "T1", "O1")}
    for row in data["devices"]:
        site = w.add(
            t.DeviceSite,
            "ST",
            geom=wkb(Point(row["lon"], row["lat"])),
            place_text=row["place_text"],
            siting_plan_id=plan.id,
        )
        device = _device(w, row, (authority, site), today)
        w.session.flush()
        _papers(w, row, device, people, today)
        device.active_sha256 = siting_sha256(w.session, device)
        _publish(w, device, date.fromisoformat(row["published_on"]))


def _device(w: Writer, row: dict[str, Any], place: tuple[t.Authority, t.DeviceSite], today: date) -> t.Device:
    authority, site = place
    blocked, gone = row["state"] == "blocked", row["state"] == "discontinued"
    measures = row["is_measuring_instrument"]
    reasons = {
        "blocked": "calibration lapsed" if measures else "tamper alarm",
        "maintenance": "lens exchange",
        "discontinued": "site no longer needed",
    }
    in_use = row["state"] in ("active", "maintenance", "blocked", "discontinued")
    return w.add(
        t.Device,
        "DV",
        name=row["code"],
        platform=row["platform"],
        category=row["category"],
        device_type=row["kind"],
        purpose_en=row["purpose_en"],
        purpose_zh=row["purpose_zh"],
        authority=authority,
        authority_id=authority.id,
        item_id=w.by_code(t.SupervisionItem, row["item"]).id,
        site=site,
        site_id=site.id,
        model=row.get("model", "Model S (fictional)"),
        serial_no=f"SN-SAMPLE-{row['code']}",
        quality_certificate_no=f"QC-SAMPLE-{row['code']}",
        is_measuring_instrument=measures,
        calibration_valid_to=(today + timedelta(days=-20 if blocked else 200)) if measures else None,
        # A district that an earlier version wrote says neither.
        hfov_deg=row.get("hfov_deg", 70.0 if row["kind"] == "video" else None),
        range_m=row.get("range_m"),
        state=row["state"],
        activated_on=date.fromisoformat(row["activated_on"]) if in_use else None,
        discontinued_on=today - timedelta(days=12) if gone else None,
        state_reason=reasons.get(row["state"]),
        state_since=datetime.combine(today - timedelta(days=12), time(2), UTC),
        pause_ends_on=today + timedelta(days=9) if row["state"] == "maintenance" else None,
    )


def _papers(w: Writer, row: dict[str, Any], device: t.Device, people: dict[str, uuid.UUID], today: date) -> None:
    """Reviews, the sign or mark, the aircraft's own record, and the announcement of an end."""
    published = date.fromisoformat(row["published_on"])
    for kind, reviewer in (("legal", "L1"), ("technical", "T1")):
        w.add(
            t.DeviceReview,
            "RV",
            device_id=device.id,
            kind=kind,
            reviewer_id=people[reviewer],
            passed=True,
            items={"all": "pass"},
            reviewed_on=published - timedelta(days=7),
        )
    _looked_after(w, device, people["O1"], today)
    flies = "registration_no" in row
    # The mark of an aircraft is checked anew every year, and counts from the first check on.
    for verified_on in (published + timedelta(days=10), *([today - timedelta(days=60)] if flies else [])):
        w.add(
            t.Signage,
            "SG",
            device_id=device.id,
            text=row.get("registration_no", f"QH-{row['code']}"),
            verified_on=verified_on,
            verified_by=people["O1"],
        )
    if flies:
        width, height = row["image_px"]
        w.session.add(
            t.Drone(
                device_id=device.id,
                registration_no=row["registration_no"],
                camera_hfov_deg=row["camera_hfov_deg"],
                camera_image_width_px=width,
                camera_image_height_px=height,
                max_takeoff_mass_kg=4.0,
            )
        )
    if row["state"] == "discontinued":
        w.add(
            t.Announcement,
            "AN",
            subject_kind="device",
            subject_id=device.id,
            kind="discontinued",
            announced_at=datetime.combine(today - timedelta(days=12), time(2), UTC),
            text_en=f"Device {row['code']} has been taken out of service (fictional).",
            text_zh=f"设备{row['code']}已停止使用（虚构）。",
        )


def _looked_after(w: Writer, device: t.Device, by: uuid.UUID, today: date) -> None:
    """What keeps a device in use: its periodic evaluation, and the test of an instrument."""
    if device.activated_on is not None:
        w.add(
            t.Evaluation,
            "EV",
            device_id=device.id,
            outcome="keep",
            text="Still needed where it stands (fictional).",
            evaluated_on=max(device.activated_on, today - timedelta(days=100)),
            evaluated_by=by,
        )
    if device.calibration_valid_to is not None:
        w.add(
            t.Calibration,
            "CB",
            device_id=device.id,
            kind="verification",
            agency="Qinghe Metrology Institute (fictional)",
            certificate_no=f"CAL-{device.serial_no}",
            passed=True,
            tested_on=device.calibration_valid_to - timedelta(days=365),
            valid_to=device.calibration_valid_to,
            recorded_by=by,
        )


def _publish(
    w: Writer, subject: t.Device | t.PatrolArea | t.DeploymentPoint | t.PatrolRoute, published_on: date
) -> None:
    w.session.flush()
    content = content_sha256(w.session, subject)
    for channel in CHANNELS:
        w.add(
            t.Publication,
            "PB",
            subject_kind=subject.__tablename__,
            subject_id=subject.id,
            channel=channel,
            published_at=datetime.combine(published_on, PUBLISHED_AT, ZONE),
            published_on=published_on,
            lead_days=LEAD_DAYS,
            receipt_id=f"SAMPLE-{subject.public_id}-{channel}",
            content_sha256=content,
        )


def patrols(w: Writer, data: dict[str, Any], compile_route: CompileRoute) -> None:
    """Patrol areas, routes, the clearance and the inspection plans; after the devices, whose siting plan they share."""
    areas = _areas(w, data["areas"])
    # A district that an earlier version wrote has none.
    _points(w, data.get("points", []))
    for row in data["routes"]:
        _route(w, row, areas[row["area"]], compile_route)
    _clearances(w, data["clearances"])
    _inspection_plans(w, data["inspection_plans"], areas)


def _areas(w: Writer, rows: list[dict[str, Any]]) -> dict[str, t.PatrolArea]:
    areas: dict[str, t.PatrolArea] = {}
    for row in rows:
        heights = {name: row[name] for name in ("alt_min_agl_m", "alt_max_agl_m")}
        areas[row["code"]] = w.add(t.PatrolArea, "PA", **_patrolled(w, row), **heights)
        _publish(w, areas[row["code"]], date.fromisoformat(row["published_on"]))
    return areas


def _points(w: Writer, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        point = w.add(t.DeploymentPoint, "DP", **_patrolled(w, row), place_text=row["place_text"])
        _publish(w, point, date.fromisoformat(row["published_on"]))


def _patrolled(w: Writer, row: dict[str, Any]) -> dict[str, Any]:
    """What areas and points have in common: both are in force under the one siting plan."""
    authority = w.by_code(t.Authority, "A1")
    return {
        "code": row["code"],
        "name_en": row["name_en"],
        "name_zh": row["name_zh"],
        "purpose_en": "Pollution patrol by drone",
        "purpose_zh": "无人机污染巡查",
        "authority": authority,
        "authority_id": authority.id,
        "author_id": w.by_code(t.Person, "N1").id,
        "item_id": w.by_code(t.SupervisionItem, "ECO-01").id,
        "siting_plan_id": w.session.scalars(select(t.SitingPlan.id)).one(),
        "geom": wkb(shape(row["geometry"])),
        "state": "effective",
        "effective_from": date.fromisoformat(row["effective_from"]),
    }


def _clearances(w: Writer, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        w.add(
            t.AirspaceClearance,
            "AC",
            kind=row["kind"],
            number=row["number"],
            issuing_body=row["issuing_body"],
            authority_id=w.by_code(t.Authority, "A1").id,
            geom=wkb(shape(row["geometry"])),
            alt_max_agl_m=row["alt_max_agl_m"],
            valid_from=datetime.fromisoformat(row["valid_from"]),
            valid_to=datetime.fromisoformat(row["valid_to"]),
        )


def _inspection_plans(w: Writer, rows: list[dict[str, Any]], areas: dict[str, t.PatrolArea]) -> None:
    for row in rows:
        w.add(
            t.InspectionPlan,
            "IP",
            number=row["number"],
            title_en=f"Patrol plan {row['number']} (fictional)",
            title_zh=f"巡查计划{row['number']}（虚构）",
            authority_id=w.by_code(t.Authority, "A1").id,
            item_id=w.by_code(t.SupervisionItem, "ECO-01").id,
            area_ids=[str(area.id) for area in areas.values()],
            entity_ids=[],
            author_id=w.by_code(t.Person, "N1").id,
            approver_id=w.by_code(t.Person, "H1").id,
            approved_at=datetime.combine(date.fromisoformat(row["approved_on"]), time(2), UTC),
            valid_from=date.fromisoformat(row["valid_from"]),
            valid_to=date.fromisoformat(row["valid_to"]),
            state="approved",
        )


def _route(w: Writer, row: dict[str, Any], area: t.PatrolArea, compile_route: CompileRoute) -> None:
    line, home = LineString(row["geometry"]["coordinates"]), Point(row["home"])
    mission, digest, home_amsl_m = compile_route(
        line, row["alt_agl_m"], home, row["speed_m_s"], row["trigger_distance_m"]
    )
    route = w.add(
        t.PatrolRoute,
        "RT",
        code=row["code"],
        name_en=row["name_en"],
        name_zh=row["name_zh"],
        area=area,
        area_id=area.id,
        authority=area.authority,
        authority_id=area.authority_id,
        author_id=area.author_id,
        geom=wkb(line),
        alt_agl_m=row["alt_agl_m"],
        camera_hfov_deg=row["camera_hfov_deg"],
        home=wkb(home),
        home_amsl_m=home_amsl_m,
        speed_m_s=row["speed_m_s"],
        trigger_distance_m=row["trigger_distance_m"],
        mission=mission,
        mission_digest=digest,
        state=row["state"],
        effective_from=day(row["effective_from"]),
    )
    if row["published_on"]:
        _publish(w, route, date.fromisoformat(row["published_on"]))
