"""Which devices a study may change, by what names a page asks for them, and what somebody wishes of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geo.commands.words import DEVICE_TYPES
from geo.coverage.footprints import Device
from geo.coverage.views import CAMERA, Seer
from geo.types import LonLat
from schemas.refusals import invalid
from schemas.tables import CoverageStudy

OWN, NEW = "own-", "new-"
_FIXED = "as-"


@dataclass(frozen=True)
class Wish:
    """One device as somebody wants it: `key` names one that stands, or is new; `view` is None to take it away."""

    key: str
    view: Device | None
    label: str = ""
    device_type: str = CAMERA


def keyed(study: CoverageStudy, seers: Sequence[Seer], registered: frozenset[str]) -> dict[str, Seer]:
    """Seers by the names under which a page asks for them: the public id of a registered device or of a site of a plan,
    `own-N` for what the study adds, and another word for what a study cannot change: routes and scenes."""
    added = iter([row.ordinal for row in study.devices if row.changes is None])
    found: dict[str, Seer] = {}
    for number, seer in enumerate(seers):
        if seer.own and seer.public_id is None:
            found[f"{OWN}{next(added)}"] = seer
        elif seer.public_id in registered:
            found[str(seer.public_id)] = seer
        else:
            found[f"{_FIXED}{number}"] = seer
    return found


def is_changeable(key: str) -> bool:
    """Whether a study may move what has this key, or take it away."""
    return not key.startswith(_FIXED)


def wish_of(told: Mapping[str, Any], standing: Mapping[str, Seer]) -> Wish:
    """A wish as a page sends it; raises RuleViolation 422 for what is none, and for what no study may change."""
    key = told.get("key")
    if not isinstance(key, str) or not (key in standing or key.startswith(NEW)) or not is_changeable(key):
        raise invalid("coverage.device_unknown", "coverage.device_unknown", measured=str(key)[:40])
    seer = standing.get(key)
    kind = seer.kind if seer else told.get("device_type", CAMERA)
    if kind not in DEVICE_TYPES:
        raise invalid(
            "coverage.word",
            "coverage.word",
            what="device_type",
            measured=str(kind)[:40],
            required=", ".join(DEVICE_TYPES),
        )
    label = (seer.label if seer else str(told.get("label", "")))[:200]
    if told.get("gone") is True:
        return Wish(key, None, label, kind)
    target_m = seer.device.target_m if seer else Device.target_m
    return Wish(key, _view_of(told, target_m), label, kind)


_BOUNDS = {
    "lon": (-180.0, 180.0),
    "lat": (-90.0, 90.0),
    "range_m": (0.0, 1_000_000.0),
    "mast_m": (0.0, 1_000.0),
    "azimuth_deg": (-360.0, 720.0),
    "hfov_deg": (0.0, 360.0),
}
_MAY_LACK = ("azimuth_deg", "hfov_deg")


def _view_of(told: Mapping[str, Any], target_m: float) -> Device:
    numbers = {name: _number(told, name) for name in _BOUNDS}
    lon, lat, reach, mast = (numbers[name] or 0.0 for name in ("lon", "lat", "range_m", "mast_m"))
    azimuth, width = numbers["azimuth_deg"], numbers["hfov_deg"]
    return Device(LonLat(lon, lat), reach, None if azimuth is None else azimuth % 360, width, mast, target_m)


def _number(told: Mapping[str, Any], name: str) -> float | None:
    """A number within its bounds; NaN lies within none."""
    value, (least, most) = told.get(name), _BOUNDS[name]
    if value is None and name in _MAY_LACK:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        required = f"{least:g}–{most:g}"
        raise invalid("coverage.number", "coverage.number", what=name, measured=str(value)[:40], required=required)
    return float(value)
