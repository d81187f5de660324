"""EUROCAE ED-318: zones as GeoJSON, with their heights in `layer` and circles as points with an `extent`.

The published examples fail the published schema in small things (`Circles`, texts without a language); those
are read, and written as the schema has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import time
from typing import Any

from geo.geozones import strict
from geo.geozones.model import (
    DAYS,
    EVENTS,
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

_AUTHORISATION = {"REQ_AUTHORIZATION": "REQ_AUTHORISATION"}
_TYPES = (*(name for name in RESTRICTIONS if name != "REQ_AUTHORISATION"), *_AUTHORISATION)
_SHORT, _LONG, _LANGUAGE = 200, 1_000, 10
_LANGUAGE_OUT = 5
_UNSAID = "und"
# What is written where a zone has no lower or upper end, since a layer needs both.
_LOWEST_M, _HIGHEST_M = 0.0, 20_000.0


def is_one(document: Mapping[str, Any]) -> bool:
    """Whether a document is ED-318: GeoJSON whose features say what they are as zones do."""
    features = document.get("features")
    if document.get("type") != "FeatureCollection" or not isinstance(features, list):
        return False
    first = features[0] if features else None
    properties = first.get("properties") if isinstance(first, dict) else None
    return isinstance(properties, dict) and {"identifier", "country", "variant"} <= properties.keys()


def read(document: Mapping[str, Any]) -> tuple[Geozone, ...]:
    """The zones; RuleViolation 422 with every faulty one, 50 faults at most."""
    features = strict.array(document.get("features"), "features", limit("layer.rows") + 1)
    return strict.each(features, "features", zone_of)


def zone_of(feature: object, path: str) -> Geozone:
    """One zone of a document."""
    entry = strict.mapping(feature, path)
    said = strict.mapping(entry.get("properties"), f"{path}.properties")
    kind = strict.word(said.get("type"), f"{path}.type", _TYPES)
    exemption = strict.text(said.get("regulationExemption"), f"{path}.regulationExemption", 10)
    condition = strict.text(said.get("restrictionConditions"), f"{path}.restrictionConditions", 10 * _LONG)
    volumes = tuple(_volumes(entry.get("geometry"), f"{path}.geometry"))
    if not volumes:
        raise invalid("geometry.empty", path=f"{path}.geometry")
    return Geozone(
        identifier=strict.needed(said.get("identifier"), f"{path}.identifier", _SHORT),
        country=strict.needed(said.get("country"), f"{path}.country", 3),
        restriction=_AUTHORISATION.get(kind, kind),
        volumes=volumes,
        name=_texts(said.get("name"), f"{path}.name", _SHORT),
        variant=strict.word(said.get("variant"), f"{path}.variant", ("COMMON", "CUSTOMIZED")),
        conditions=(condition,) if condition else (),
        region=strict.integer(said.get("region"), f"{path}.region"),
        reasons=tuple(
            strict.word(r, f"{path}.reason", REASONS) for r in strict.array(said.get("reason"), f"{path}.reason", 10)
        ),
        other_reason=_texts(said.get("otherReasonInfo"), f"{path}.otherReasonInfo", _SHORT),
        exempt=None
        if exemption is None
        else strict.word(exemption, f"{path}.regulationExemption", ("YES", "NO")) == "YES",
        message=_texts(said.get("message"), f"{path}.message", _LONG),
        periods=tuple(
            _period(period, f"{path}.limitedApplicability[{i}]")
            for i, period in enumerate(strict.array(said.get("limitedApplicability"), f"{path}.limitedApplicability"))
        ),
        authorities=tuple(
            _authority(authority, f"{path}.zoneAuthority[{i}]")
            for i, authority in enumerate(strict.array(said.get("zoneAuthority"), f"{path}.zoneAuthority"))
        ),
        extended=strict.mapping(said.get("extendedProperties") or {}, f"{path}.extendedProperties"),
    )


def _texts(value: object, path: str, most: int) -> Texts:
    """Texts with their languages; one object instead of a list is found in published documents."""
    listed = [value] if isinstance(value, dict | str) else strict.array(value, path, 50)
    found = []
    for index, member in enumerate(listed):
        entry = {"text": member} if isinstance(member, str) else strict.mapping(member, f"{path}[{index}]")
        said = strict.text(entry.get("text"), f"{path}[{index}].text", most)
        language = strict.text(entry.get("lang"), f"{path}[{index}].lang", _LANGUAGE)
        if said:
            found.append((said, "" if language in (None, _UNSAID) else str(language)))
    return tuple(found)


def _volumes(value: object, path: str) -> Iterator[Volume]:
    entry = strict.mapping(value, path)
    if entry.get("type") == "GeometryCollection":
        for index, member in enumerate(strict.array(entry.get("geometries"), path, limit("geometry.parts"))):
            yield _volume(strict.mapping(member, f"{path}[{index}]"), f"{path}[{index}]")
    elif entry.get("type") == "MultiPolygon":
        for index, coordinates in enumerate(strict.array(entry.get("coordinates"), path, limit("geometry.parts"))):
            part = {**entry, "type": "Polygon", "coordinates": coordinates}
            yield _volume(part, f"{path}.coordinates[{index}]")
    else:
        yield _volume(entry, path)


def _volume(entry: Mapping[str, Any], path: str) -> Volume:
    kind = strict.word(entry.get("type"), f"{path}.type", ("POINT", "POLYGON"))
    if kind == "POLYGON":
        shape: Any = strict.polygon(entry.get("coordinates"), path)
    else:
        extent = strict.mapping(entry.get("extent"), f"{path}.extent")
        strict.word(extent.get("subType"), f"{path}.extent.subType", ("CIRCLE", "CIRCLES"))
        radius_m = strict.number(extent.get("radius"), f"{path}.extent.radius", 1e-3)
        shape = Circle(strict.centre(entry.get("coordinates"), f"{path}.coordinates"), radius_m)
    layer = entry.get("layer")
    if layer is None:
        return Volume(shape, None, "AGL", None, "AGL")
    said = strict.mapping(layer, f"{path}.layer")
    unit_m = FOOT_M if strict.word(said.get("uom"), f"{path}.layer.uom", ("M", "FT")) == "FT" else 1.0
    lower, upper = (_limit(said, name, f"{path}.layer", unit_m) for name in ("lower", "upper"))
    return Volume(shape, *lower, *upper)


def _limit(layer: Mapping[str, Any], name: str, path: str, unit_m: float) -> tuple[float | None, str]:
    reference = strict.word(layer.get(f"{name}Reference"), f"{path}.{name}Reference", REFERENCES)
    if reference == "WGS84":
        raise invalid("zones.ellipsoid", path=f"{path}.{name}Reference")
    value = layer.get(name)
    return None if value is None else strict.number(value, f"{path}.{name}") * unit_m, reference


def _period(value: object, path: str) -> Period:
    entry = strict.mapping(value, path)
    return Period(
        strict.instant(entry.get("startDateTime"), f"{path}.startDateTime"),
        strict.instant(entry.get("endDateTime"), f"{path}.endDateTime"),
        tuple(
            _daily(daily, f"{path}.schedule[{i}]")
            for i, daily in enumerate(strict.array(entry.get("schedule"), f"{path}.schedule"))
        ),
    )


def _daily(value: object, path: str) -> Daily:
    entry = strict.mapping(value, path)
    days = strict.array(entry.get("day"), f"{path}.day", len(DAYS))
    return Daily(
        tuple(strict.word(day, f"{path}.day", DAYS) for day in days) or ("ANY",),
        _moment(entry, "start", path),
        _moment(entry, "end", path),
    )


def _moment(entry: Mapping[str, Any], name: str, path: str) -> time | str:
    event = entry.get(f"{name}Event")
    if event is not None:
        return strict.word(event, f"{path}.{name}Event", EVENTS)
    return strict.clock(entry.get(f"{name}Time"), f"{path}.{name}Time")


def _authority(value: object, path: str) -> Authority:
    entry = strict.mapping(value, path)
    return Authority(
        purpose=strict.word(entry.get("purpose"), f"{path}.purpose", PURPOSES),
        name=_texts(entry.get("name"), f"{path}.name", _SHORT),
        service=_texts(entry.get("service"), f"{path}.service", _SHORT),
        contact=_texts(entry.get("contactName"), f"{path}.contactName", _SHORT),
        email=_plain(entry.get("email"), f"{path}.email"),
        site=_plain(entry.get("siteURL"), f"{path}.siteURL"),
        phone=_plain(entry.get("phone"), f"{path}.phone"),
        interval=strict.text(entry.get("intervalBefore"), f"{path}.intervalBefore", 40),
    )


def _plain(value: object, path: str) -> str | None:
    """A text, or the text of an object with a language, which some models have here."""
    said = value.get("text") if isinstance(value, dict) else value
    return strict.text(said, path, _LONG)


def write(zones: Sequence[Geozone], title: str = "") -> tuple[bytes, tuple[ZoneLoss, ...]]:
    """The zones as ED-318, and what it does not carry."""
    losses: list[ZoneLoss] = []
    metadata = {"provider": [{"text": title, "lang": strict.language_of(title)}]} if title else {}
    document = {
        "type": "FeatureCollection",
        "metadata": metadata,
        "features": [_feature(zone, losses) for zone in zones],
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode(), tuple(dict.fromkeys(losses))


def _feature(zone: Geozone, losses: list[ZoneLoss]) -> dict[str, Any]:
    volumes = [_volume_out(zone, volume, losses) for volume in zone.volumes]
    geometry = volumes[0] if len(volumes) == 1 else {"type": "GeometryCollection", "geometries": volumes}
    return {"type": "Feature", "properties": _properties(zone, losses), "geometry": geometry}


def _properties(zone: Geozone, losses: list[ZoneLoss]) -> dict[str, Any]:
    losses += [ZoneLoss(doubt, zone.identifier) for doubt in zone.doubtful]
    variant = zone.variant.upper() if zone.variant.upper() in ("COMMON", "CUSTOMIZED") else "CUSTOMIZED"
    if variant != zone.variant:
        losses.append(ZoneLoss("variant", zone.identifier, zone.variant))
    if len(zone.conditions) > 1:
        losses.append(ZoneLoss("conditions", zone.identifier))
    if zone.uspace_class:
        losses.append(ZoneLoss("uspace_class", zone.identifier))
    if not zone.authorities:
        losses.append(ZoneLoss("authority", zone.identifier))
    body = {
        "identifier": zone.identifier,
        "country": zone.country,
        "name": _texts_out(zone.name),
        "type": {"REQ_AUTHORISATION": "REQ_AUTHORIZATION"}.get(zone.restriction, zone.restriction),
        "variant": variant,
        "restrictionConditions": "; ".join(zone.conditions) or None,
        "region": zone.region,
        "reason": list(zone.reasons) or None,
        "otherReasonInfo": _texts_out(zone.other_reason),
        "regulationExemption": None if zone.exempt is None else "YES" if zone.exempt else "NO",
        "message": _texts_out(zone.message),
        "limitedApplicability": [_period_out(period) for period in zone.periods] or None,
        "zoneAuthority": [_authority_out(zone, a, losses) for a in zone.authorities] or [{"purpose": "INFORMATION"}],
        "extendedProperties": dict(zone.extended) or None,
    }
    return {name: value for name, value in body.items() if value is not None}


def _texts_out(texts: Texts) -> list[dict[str, str]] | None:
    return [{"text": said, "lang": (language or _UNSAID)[:_LANGUAGE_OUT]} for said, language in texts] or None


def _text_out(said: str | None) -> dict[str, str] | None:
    """An address as a text with a language, which is what the standard's own schema has; examples have plain ones."""
    return None if said is None else {"text": said, "lang": _UNSAID}


def _period_out(period: Period) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, at in (("startDateTime", period.start), ("endDateTime", period.end)):
        if at is not None:
            body[name] = at.isoformat().replace("+00:00", "Z")
    return body | {"schedule": [_daily_out(daily) for daily in period.schedule]}


def _daily_out(daily: Daily) -> dict[str, Any]:
    body: dict[str, Any] = {"day": list(daily.days)}
    for name, at in (("start", daily.start), ("end", daily.end)):
        if isinstance(at, str):
            body[f"{name}Event"] = at
        else:
            body[f"{name}Time"] = at.isoformat().replace("+00:00", "Z")
    return body


def _authority_out(zone: Geozone, authority: Authority, losses: list[ZoneLoss]) -> dict[str, Any]:
    if authority.purpose is None:
        losses.append(ZoneLoss("purpose", zone.identifier))
    body = {
        "purpose": authority.purpose or "INFORMATION",
        "intervalBefore": authority.interval,
        "name": _texts_out(authority.name),
        "service": _texts_out(authority.service),
        "contactName": _texts_out(authority.contact),
        "siteURL": _text_out(authority.site),
        "email": _text_out(authority.email),
        "phone": _text_out(authority.phone),
    }
    return {name: value for name, value in body.items() if value is not None}


def _volume_out(zone: Geozone, volume: Volume, losses: list[ZoneLoss]) -> dict[str, Any]:
    shape = volume.shape
    body: dict[str, Any] = (
        {
            "type": "Point",
            "coordinates": [*shape.centre],
            "extent": {"subType": "Circle", "radius": shape.radius_m},
        }
        if isinstance(shape, Circle)
        else {"type": "Polygon", "coordinates": strict.rings(shape)}
    )
    ends = [(volume.lower_m, "lower"), (volume.upper_m, "upper")]
    losses += [ZoneLoss(f"open_{name}", zone.identifier) for end_m, name in ends if end_m is None]
    layer = {
        "upper": _HIGHEST_M if volume.upper_m is None else volume.upper_m,
        "upperReference": volume.upper_reference,
        "lower": _LOWEST_M if volume.lower_m is None else volume.lower_m,
        "lowerReference": volume.lower_reference,
        "uom": "m",
    }
    return body | {"layer": layer}
