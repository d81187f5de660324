"""What lies around a finding, as the page tells it and the map draws it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sensing.reasons import in_languages
from web import words
from web.desk.nearby import Earlier, Nearby, Permit, Watcher, Zone
from web.i18n import day, gettext, in_words


def entries(around: Nearby, kept: str) -> list[dict[str, Any]]:
    """Permits, zones, devices and other findings: what is said, where it is drawn, and where more is told.

    `kept` is the end of the address that keeps the filters of the queue.
    """
    return [
        *map(_permit, around.permits),
        *map(_zone, around.zones),
        *map(_device, around.devices),
        *_found(around, kept),
    ]


def _entry(role: str, name: str, told: str, shape: Mapping[str, Any], **more: str) -> dict[str, Any]:
    return {"role": role, "name": name, "told": told, "shape": shape} | more


def _away(distance_m: float) -> str:
    return gettext("touches it") if distance_m < 1 else gettext("%(n)s m away", n=f"{distance_m:.0f}")


def _permit(one: Permit) -> dict[str, Any]:
    name = gettext("Permit %(number)s", number=one.number) if one.number else gettext("Permit")
    span = f"{day(one.valid_from) or '…'} – {day(one.valid_to) or '…'}"
    counts = gettext("in force") if one.counts else gettext("not in force today")
    parts = [name, one.name, one.allows, one.holder, f"{counts} ({span})", _away(one.distance_m)]
    return _entry("permit", name, " · ".join(filter(None, parts)), one.shape)


def _zone(one: Zone) -> dict[str, Any]:
    kind = words.zone_kind(one.kind)
    told = gettext("%(kind)s: private, hidden in the image", kind=kind)
    return _entry("zone", kind, told, one.shape, href=f"/zone/{one.public_id}")


def _device(one: Watcher) -> dict[str, Any]:
    look, kind = words.look(one.state), words.device_type(one.device_type)
    told = " · ".join([kind, one.name, words.state(one.state), _away(one.distance_m)])
    icon = f"device-{one.device_type}-{look}"
    return _entry("device", one.name, told, one.shape, href=f"/device/{one.public_id}", icon=icon)


def _found(around: Nearby, kept: str) -> Iterator[dict[str, Any]]:
    for one in around.findings:
        yield _entry("finding", _short(one), _finding(one), one.shape, href=f"/review/{one.public_id}{kept}", go="1")


def _short(one: Earlier) -> str:
    return f"{one.public_id}\n{words.state(one.state)}"


def _finding(one: Earlier) -> str:
    reason = in_words(in_languages(one.reason, one.reason)) if one.reason else ""
    when = day(one.decided_at or one.formed_at)
    parts = [words.finding(one.kind), words.state(one.state), reason, when, _away(one.distance_m)]
    return " · ".join(filter(None, parts))
