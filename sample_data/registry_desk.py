"""What waits at the registry's desk and at the zone desk of the district: rows that a day's work would leave there."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from shapely.affinity import translate
from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from geo.channels import document_for
from geo.content import content_sha256
from sample_data.writer import Writer, wkb
from schemas import tables as t
from schemas.ids import new_id, public_id
from schemas.rules import RulePack

# Every so many devices one has not been maintained for longer than the rules let it.
FORGOTTEN = 9
_IN_USE = ("active", "maintenance", "blocked")
_MORNING = time(1)  # in UTC: nine o'clock in the district


def registry_desk(w: Writer, data: dict[str, Any], pack: RulePack, today: date) -> None:
    """Maintenance done and forgotten, two devices to be announced, a notice that was rejected, requests for zones."""
    _upkeep(w, today)
    first, *_ = [_successor(w, row, number, today) for number, row in enumerate(_gone(data))]
    _rejected(w, first, pack, today)
    _requests(w, data, today)
    _uses(w, today)


def _upkeep(w: Writer, today: date) -> None:
    by = w.by_code(t.Person, "O1").id
    found = w.session.scalars(select(t.Device).where(t.Device.state.in_(_IN_USE)).order_by(t.Device.name))
    for number, device in enumerate(found):
        if device.activated_on is None or number % FORGOTTEN == FORGOTTEN - 1:
            continue
        w.add(
            t.Upkeep,
            "UK",
            device_id=device.id,
            kind="maintenance",
            done_on=max(device.activated_on, today - timedelta(days=10 + 7 * number % 160)),
            done_by="Qinghe Service Station (fictional)",
            text="Cleaned, fastenings and sign looked at (fictional).",
            recorded_by=by,
        )


def _gone(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Where two devices were taken out of use, others are to stand."""
    return [row for row in data["devices"] if row["state"] == "discontinued"][:2] or data["devices"][:1]


def _successor(w: Writer, row: dict[str, Any], number: int, today: date) -> t.Device:
    """A device at the site of one that is gone: reviewed, and on no channel yet."""
    old = w.session.scalars(select(t.Device).where(t.Device.name == row["code"])).one()
    w.session.flush()
    device = w.add(
        t.Device,
        "DV",
        name=f"{row['code']}-B",
        platform=old.platform,
        category=old.category,
        device_type=old.device_type,
        purpose_en=old.purpose_en,
        purpose_zh=old.purpose_zh,
        authority=old.authority,
        authority_id=old.authority_id,
        item_id=old.item_id,
        site=old.site,
        site_id=old.site_id,
        model="Model T (fictional)",
        serial_no=f"SN-SAMPLE-{row['code']}-B",
        quality_certificate_no=f"QC-SAMPLE-{row['code']}-B",
        author_id=w.by_code(t.Person, "N1").id,
        state="reviewed",
        state_since=datetime.combine(today - timedelta(days=3 + number), _MORNING, UTC),
    )
    w.session.flush()
    for kind, reviewer in (("legal", "L1"), ("technical", "T1")):
        w.add(
            t.DeviceReview,
            "RV",
            device_id=device.id,
            kind=kind,
            reviewer_id=w.by_code(t.Person, reviewer).id,
            passed=True,
            items={"all": "pass"},
            reviewed_on=today - timedelta(days=4 + number),
        )
    return device


def _rejected(w: Writer, device: t.Device, pack: RulePack, today: date) -> None:
    at = datetime.combine(today - timedelta(days=2), _MORNING, UTC)
    channel = next(code for code, one in pack.channels.items() if one.official)
    w.session.flush()
    name = public_id("DC")
    w.session.add(
        t.Dispatch(
            id=new_id(),
            public_id=name,
            origin=t.Origin.SAMPLE.value,
            subject_kind=device.__tablename__,
            subject_id=device.id,
            channel=channel,
            content_sha256=content_sha256(w.session, device),
            document=document_for(w.session, device, pack, name, channel).decode(),
            sent_at=at,
            sent_by=w.by_code(t.Person, "O1").id,
            tries=1,
            tried_at=at,
            handed_over_at=at,
            answered_at=at + timedelta(hours=3),
            rejected_because="The purpose does not say what is measured (fictional). 用途未写明监测内容（虚构）。",
        )
    )


def _requests(w: Writer, data: dict[str, Any], today: date) -> None:
    """Three that wait, one beside a camera in use; two that were decided."""
    camera = next(row for row in data["devices"] if row["kind"] == "video" and row["state"] == "active")
    plain = [row for row in data["zones"] if not row["sensitive"]]
    homes = [translate(shape(row["geometry"]), 0.0009, 0.0007) for row in plain[2:6]]
    beside = Point(camera["lon"], camera["lat"]).buffer(0.0003, quad_segs=2)
    _request(w, (beside, "Yard behind the camera (fictional) · 摄像机后方院落（虚构）"), 9, today)
    _request(w, (homes[0], "Home at the lane (fictional) · 巷内住宅（虚构）"), 6, today)
    _request(w, (homes[1], "Shelter (fictional) · 庇护场所（虚构）"), 2, today, sensitive=True)
    zone = w.session.scalars(
        select(t.PrivacyZone).where(t.PrivacyZone.source == "request", t.PrivacyZone.exact_geom.is_(None)).limit(1)
    ).first()
    refused = {"state": "refused", "reasons": "The place is a public road (fictional). 该处为公共道路（虚构）。"}
    told = {
        "reasons_en": "It is a public road, where anybody may look.",
        "reasons_zh": "该处为公共道路。",
    }
    _request(w, (homes[2], "Road (fictional) · 道路（虚构）"), 40, today, **refused, **told)
    if zone is not None:
        granted = {
            "state": "granted",
            "zone_id": zone.id,
            "reasons": "Homes (fictional). 住宅（虚构）。",
        }
        told = {"reasons_en": "Homes stand close to the path.", "reasons_zh": "住宅紧邻道路。"}
        _request(w, (homes[3], "Homes (fictional) · 住宅（虚构）"), 60, today, **granted, **told)


def _request(w: Writer, place: tuple[BaseGeometry, str], days_ago: int, today: date, **decided: Any) -> None:  # noqa: ANN401
    at = datetime.combine(today - timedelta(days=days_ago), _MORNING, UTC)
    told: dict[str, Any] = {"state": "asked", "sensitive": False} | decided
    if told["state"] != "asked":
        told |= {"decided_at": at + timedelta(days=8), "decided_by_id": w.by_code(t.Person, "H1").id}
    authority = w.by_code(t.Authority, "A1")
    w.add(
        t.ZoneRequest,
        "ZR",
        authority=authority,
        authority_id=authority.id,
        geom=wkb(place[0]),
        kind="requested",
        place_text=place[1],
        reason="People live there and do not want to be watched (fictional). 有人居住，不愿受到监控（虚构）。",
        asked_by="A resident (fictional) · 居民（虚构）",
        contact="resident@example.org",
        asked_at=at,
        due_on=(at + timedelta(days=21)).date(),
        **told,
    )


def _uses(w: Writer, today: date) -> None:
    """The neighbouring authority uses one camera, and asks for another."""
    cameras = select(t.Device).where(t.Device.device_type == "video", t.Device.state == "active")
    first, second = w.session.scalars(cameras.where(t.Device.category == "fixed").order_by(t.Device.name).limit(2))
    item = w.by_code(t.SupervisionItem, "ECO-01")
    for device, state, days_ago in ((first, "granted", 30), (second, "requested", 1)):
        asked_at = datetime.combine(today - timedelta(days=days_ago), _MORNING, UTC)
        decided = {"decided_by_id": w.by_code(t.Person, "H1").id, "decided_at": asked_at + timedelta(days=2)}
        w.add(
            t.DeviceGrant,
            "DG",
            device_id=device.id,
            authority_id=w.by_code(t.Authority, "A2").id,
            item_id=item.id,
            legal_basis_id=item.legal_basis_id,
            fields=["live", "records"],
            purpose_en="Joint inspection on both sides of the border (fictional)",
            purpose_zh="两区交界处联合检查（虚构）",
            valid_from=today - timedelta(days=days_ago),
            valid_to=today + timedelta(days=60),
            asked_by_id=w.by_code(t.Person, "O4").id,
            asked_at=asked_at,
            state=state,
            **(decided if state == "granted" else {}),
        )
