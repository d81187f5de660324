"""EUROCAE ED-269: zones as one JSON object with `features`, each with volumes of its own.

Real documents differ from the text of the standard: limits have fractions, conditions are a list, nobody says
when a zone applies that always does, and the list of zones is called `UASZoneList` by some.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

from geo.geozones import strict
from geo.geozones.model import (
    DAYS,
    FOOT_M,
    PURPOSES,
    REASONS,
    REFERENCES,
    RESTRICTIONS,
    Authority,
    Circle,
    Daily,
    Geozone,
    Period,
    Texts,
    Volume,
)
from geo.geozones.strict import ZoneLoss
from schemas.limits import limit
from schemas.refusals import invalid

_LISTS = ("features", "UASZoneList")
_SHORT, _MESSAGE, _OTHER = 200, 1_000, 200
_OUT = {"name": 200, "message": 200, "other": 30}
_REASONS_OUT = tuple(reason for reason in REASONS if reason != "DAR")


def is_one(document: Mapping[str, Any]) -> bool:
    """Whether a document is ED-269, by the shape of its first zone."""
    listed = next((document[name] for name in _LISTS if isinstance(document.get(name), list)), None)
    if listed is None or document.get("type") == "FeatureCollection":
        return False
    first = listed[0] if listed else {}
    return (
        isinstance(first, dict) and (not listed or "geometry" in first) and isinstance(first.get("geometry", []), list)
    )


def read(document: Mapping[str, Any]) -> tuple[Geozone, ...]:
    """The zones; RuleViolation 422 with every faulty one, 50 faults at most."""
    name = next(name for name in _LISTS if isinstance(document.get(name), list))
    listed = document[name]
    return strict.each(listed, name, zone_of)


def zone_of(feature: object, path: str) -> Geozone:
    """One zone of a document."""
    entry = strict.mapping(feature, path)
    volumes = strict.array(entry.get("geometry"), f"{path}.geometry", limit("geometry.parts"))
    if not volumes:
        raise invalid("geometry.empty", path=f"{path}.geometry")
    exemption = strict.text(entry.get("regulationExemption"), f"{path}.regulationExemption", 10)
    return Geozone(
        identifier=strict.needed(entry.get("identifier"), f"{path}.identifier", _SHORT),
        country=strict.needed(entry.get("country"), f"{path}.country", 3),
        restriction=strict.word(entry.get("restriction"), f"{path}.restriction", RESTRICTIONS),
        volumes=tuple(_volume(volume, f"{path}.geometry[{i}]") for i, volume in enumerate(volumes)),
        name=_one(entry.get("name"), f"{path}.name", _SHORT),
        variant=strict.text(entry.get("type"), f"{path}.type", _SHORT) or "COMMON",
        conditions=_conditions(entry.get("restrictionConditions"), f"{path}.restrictionConditions"),
        region=strict.integer(entry.get("region"), f"{path}.region"),
        reasons=_reasons(entry.get("reason"), f"{path}.reason"),
        other_reason=_one(entry.get("otherReasonInfo"), f"{path}.otherReasonInfo", _OTHER),
        exempt=None
        if exemption is None
        else strict.word(exemption, f"{path}.regulationExemption", ("YES", "NO")) == "YES",
        message=_one(entry.get("message"), f"{path}.message", _MESSAGE),
        periods=_periods(entry.get("applicability"), f"{path}.applicability"),
        authorities=tuple(
            _authority(authority, f"{path}.zoneAuthority[{i}]")
            for i, authority in enumerate(strict.array(entry.get("zoneAuthority"), f"{path}.zoneAuthority"))
        ),
        uspace_class=_uspace(entry.get("uSpaceClass"), f"{path}.uSpaceClass"),
        extended=strict.mapping(entry.get("extendedProperties") or {}, f"{path}.extendedProperties"),
        doubtful=("radius",) if any(map(_is_circle_in_feet, volumes)) else (),
    )


def _is_circle_in_feet(volume: Mapping[str, Any]) -> bool:
    """Whether the unit of a radius is open; the volume has been read without fault."""
    return str(volume["uomDimensions"]).upper() == "FT" and "radius" in volume["horizontalProjection"]


def _one(value: object, path: str, most: int) -> Texts:
    found = strict.text(value, path, most)
    return ((found, ""),) if found else ()


def _conditions(value: object, path: str) -> tuple[str, ...]:
    """A text or a list of texts: both are found."""
    listed = value if isinstance(value, list) else [value]
    found = [strict.text(entry, path, _MESSAGE) for entry in strict.array(listed, path)]
    return tuple(entry for entry in found if entry)


def _uspace(value: object, path: str) -> str | None:
    if isinstance(value, list):
        return ", ".join(strict.needed(entry, path, 100) for entry in value) or None
    return strict.text(value, path, 100)


def _reasons(value: object, path: str) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else strict.array(value, path, len(REASONS))
    return tuple(strict.word(reason, path, REASONS) for reason in listed)


def _volume(value: object, path: str) -> Volume:
    entry = strict.mapping(value, path)
    unit_m = FOOT_M if strict.word(entry.get("uomDimensions"), f"{path}.uomDimensions", ("M", "FT")) == "FT" else 1.0
    shape = strict.mapping(entry.get("horizontalProjection"), f"{path}.horizontalProjection")
    where = f"{path}.horizontalProjection"
    kind = strict.word(shape.get("type"), f"{where}.type", ("CIRCLE", "POLYGON"))
    projected = (
        strict.polygon(shape.get("coordinates"), where)
        if kind == "POLYGON"
        else Circle(
            strict.centre(shape.get("center"), f"{where}.center"),
            # In metres whatever the heights are in: 5 NM stand as 9260.0 beside feet in data in force.
            strict.number(shape.get("radius"), f"{where}.radius", 1e-3),
        )
    )
    lower, upper = (_limit(entry, name, path, unit_m) for name in ("lower", "upper"))
    return Volume(projected, *lower, *upper)


def _limit(entry: Mapping[str, Any], name: str, path: str, unit_m: float) -> tuple[float | None, str]:
    value = entry.get(f"{name}Limit")
    reference = strict.word(entry.get(f"{name}VerticalReference"), f"{path}.{name}VerticalReference", REFERENCES)
    if reference == "WGS84":
        raise invalid("zones.ellipsoid", path=f"{path}.{name}VerticalReference")
    return None if value is None else strict.number(value, f"{path}.{name}Limit") * unit_m, reference


def _periods(value: object, path: str) -> tuple[Period, ...]:
    found = [_period(entry, f"{path}[{i}]") for i, entry in enumerate(strict.array(value, path))]
    # One period without end and hours is what others say by saying nothing.
    return () if found == [Period()] else tuple(found)


def _period(value: object, path: str) -> Period:
    entry = strict.mapping(value, path)
    schedule = strict.array(entry.get("schedule"), f"{path}.schedule")
    return Period(
        strict.instant(entry.get("startDateTime"), f"{path}.startDateTime"),
        strict.instant(entry.get("endDateTime"), f"{path}.endDateTime"),
        tuple(_daily(daily, f"{path}.schedule[{i}]") for i, daily in enumerate(schedule)),
    )


def _daily(value: object, path: str) -> Daily:
    entry = strict.mapping(value, path)
    days = strict.array(entry.get("day"), f"{path}.day", len(DAYS))
    return Daily(
        tuple(strict.word(day, f"{path}.day", DAYS) for day in days) or ("ANY",),
        strict.clock(entry.get("startTime"), f"{path}.startTime"),
        strict.clock(entry.get("endTime"), f"{path}.endTime"),
    )


def _authority(value: object, path: str) -> Authority:
    entry = strict.mapping(value, path)
    purpose = strict.text(entry.get("purpose"), f"{path}.purpose", 20)
    return Authority(
        purpose=None if purpose is None else strict.word(purpose, f"{path}.purpose", PURPOSES),
        name=_one(entry.get("name"), f"{path}.name", _SHORT),
        service=_one(entry.get("service"), f"{path}.service", _SHORT),
        contact=_one(entry.get("contactName"), f"{path}.contactName", _SHORT),
        email=strict.text(entry.get("email"), f"{path}.email", _SHORT),
        site=strict.text(entry.get("siteURL"), f"{path}.siteURL", _MESSAGE),
        phone=strict.text(entry.get("phone"), f"{path}.phone", _SHORT),
        interval=strict.text(entry.get("intervalBefore"), f"{path}.intervalBefore", 40),
    )


def write(zones: Sequence[Geozone], title: str = "") -> tuple[bytes, tuple[ZoneLoss, ...]]:
    """The zones as ED-269, and what it does not carry."""
    losses: list[ZoneLoss] = []
    document = {"title": title, "description": "", "features": [_feature(zone, losses) for zone in zones]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode(), tuple(dict.fromkeys(losses))


def _feature(zone: Geozone, losses: list[ZoneLoss]) -> dict[str, Any]:
    losses += [ZoneLoss(doubt, zone.identifier) for doubt in zone.doubtful]
    restriction = zone.restriction
    if restriction == "USPACE":
        losses.append(ZoneLoss("restriction", zone.identifier, restriction))
        restriction = "CONDITIONAL"
    return {
        "identifier": zone.identifier,
        "country": zone.country,
        "name": _single(zone, zone.name, _OUT["name"], losses),
        "type": zone.variant,
        "restriction": restriction,
        "restrictionConditions": list(zone.conditions)
        if len(zone.conditions) > 1
        else "".join(zone.conditions) or None,
        "region": zone.region,
        "reason": [_reason(zone, reason, losses) for reason in zone.reasons] or None,
        "otherReasonInfo": _single(zone, zone.other_reason, _OUT["other"], losses),
        "regulationExemption": None if zone.exempt is None else "YES" if zone.exempt else "NO",
        "uSpaceClass": zone.uspace_class,
        "message": _single(zone, zone.message, _OUT["message"], losses),
        "applicability": [_period_out(zone, period, losses) for period in zone.periods] or [{"permanent": "YES"}],
        "zoneAuthority": [_authority_out(zone, authority, losses) for authority in zone.authorities],
        "geometry": [_volume_out(volume) for volume in zone.volumes],
        "extendedProperties": dict(zone.extended) or None,
    }


def _single(zone: Geozone, texts: Texts, most: int, losses: list[ZoneLoss]) -> str | None:
    """The one text that ED-269 has room for, the first."""
    if not texts:
        return None
    if len(texts) > 1:
        losses.append(ZoneLoss("languages", zone.identifier))
    elif texts[0][1]:
        losses.append(ZoneLoss("language", zone.identifier))
    if len(texts[0][0]) > most:
        losses.append(ZoneLoss("shortened", zone.identifier, str(most)))
    return texts[0][0][:most]


def _reason(zone: Geozone, reason: str, losses: list[ZoneLoss]) -> str:
    if reason in _REASONS_OUT:
        return reason
    losses.append(ZoneLoss("reason", zone.identifier, reason))
    return "OTHER"


def _period_out(zone: Geozone, period: Period, losses: list[ZoneLoss]) -> dict[str, Any]:
    body: dict[str, Any] = {"permanent": "NO" if period.start or period.end else "YES"}
    for name, at in (("startDateTime", period.start), ("endDateTime", period.end)):
        if at is not None:
            body[name] = at.isoformat()
    schedule = [_daily_out(zone, daily, losses) for daily in period.schedule]
    return body | ({"schedule": schedule} if schedule else {})


def _daily_out(zone: Geozone, daily: Daily, losses: list[ZoneLoss]) -> dict[str, Any]:
    if isinstance(daily.start, str) or isinstance(daily.end, str):
        losses.append(ZoneLoss("events", zone.identifier))
        return {"day": list(daily.days), "startTime": "00:00:00.00Z", "endTime": "23:59:59.00Z"}
    return {"day": list(daily.days), "startTime": _clock_out(daily.start), "endTime": _clock_out(daily.end)}


def _clock_out(at: time) -> str:
    """A time of day as published examples write it, with hundredths, and an offset without a colon."""
    offset = datetime.combine(datetime(2000, 1, 1).date(), at).strftime("%z")  # noqa: DTZ001
    zone = "Z" if offset in ("", "+0000") else offset
    return f"{at:%H:%M:%S}.{at.microsecond // 10_000:02d}{zone}"


def _authority_out(zone: Geozone, authority: Authority, losses: list[ZoneLoss]) -> dict[str, Any]:
    body = {
        "name": _single(zone, authority.name, _SHORT, losses),
        "service": _single(zone, authority.service, _SHORT, losses),
        "contactName": _single(zone, authority.contact, _SHORT, losses),
        "email": authority.email,
        "siteURL": authority.site,
        "phone": authority.phone,
        "purpose": authority.purpose,
        "intervalBefore": authority.interval,
    }
    return {name: value for name, value in body.items() if value is not None}


def _volume_out(volume: Volume) -> dict[str, Any]:
    shape = volume.shape
    projection: dict[str, Any] = (
        {"type": "Circle", "center": [*shape.centre], "radius": shape.radius_m}
        if isinstance(shape, Circle)
        else {"type": "Polygon", "coordinates": strict.rings(shape)}
    )
    return {
        "uomDimensions": "M",
        "lowerLimit": volume.lower_m,
        "lowerVerticalReference": volume.lower_reference,
        "upperLimit": volume.upper_m,
        "upperVerticalReference": volume.upper_reference,
        "horizontalProjection": projection,
    }
