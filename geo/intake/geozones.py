"""The zones of an ED-269 or ED-318 document as rows of a layer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta, tzinfo
from typing import Any

import numpy as np
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from geo import hours, measure
from geo.geozones import format_of, read_document
from geo.geozones.model import Circle, Daily, Geozone, Period, Texts, Volume
from geo.geozones.privacy import PRIVACY
from geo.intake.table import Row, Table, Value
from schemas.refusals import Refusal, refuse

_CIRCLE_CORNERS = 72
_COLUMNS = (
    "number",
    "name",
    "name_en",
    "name_zh",
    "kind",
    "buffer_m",
    "valid_from",
    "valid_to",
    "floor_agl_m",
    "ceiling_agl_m",
    "schedule",
)
_NAMES = {"ed269": "ED-269", "ed318": "ED-318"}

ZoneOf = Callable[[BaseGeometry], tzinfo]
"""The time zone in which the hours of a place are meant."""


def table_of(document: Mapping[str, Any], name: str, zone_of: ZoneOf) -> Table:
    """The zones of an ED-269 or ED-318 document as rows of a layer, one for each volume.

    Only what has the reason PRIVACY gets a kind of privacy zone. Limits and hours that this platform cannot
    hold make a row count at every height and hour, and a note says so.
    """
    rows: list[Row] = []
    sea, odd = 0, 0
    for geozone in read_document(document):
        for volume in geozone.volumes:
            shape = _polygon(volume)
            values, beyond, by_sun = _values(geozone, volume, zone_of(shape))
            sea, odd = sea + beyond, odd + by_sun
            rows.append(Row(len(rows) + 1, values, shape))
    kind = _NAMES[format_of(document) or "ed269"]
    return Table(kind, _COLUMNS, rows, "CRS84", "utf-8", (name,), tuple(_notes(sea, odd)))


def _notes(sea: int, odd: int) -> Iterator[Refusal]:
    if sea:
        yield refuse("zones.sea_level", "zones.sea_level", measured=sea)
    if odd:
        yield refuse("zones.hours", "zones.hours", measured=odd)


def _polygon(volume: Volume) -> Polygon:
    """The shape on the ground; a circle by the corners of a polygon around it."""
    shape = volume.shape
    if not isinstance(shape, Circle):
        return shape
    around = np.linspace(0.0, 360.0, _CIRCLE_CORNERS, endpoint=False)
    reach_m = np.full(len(around), shape.radius_m / np.cos(np.pi / _CIRCLE_CORNERS))
    ones = np.ones(len(around))
    lons, lats, _ = measure.WGS84.fwd(ones * shape.centre.lon, ones * shape.centre.lat, around, reach_m)
    return Polygon(zip(lons, lats, strict=True))


def _values(geozone: Geozone, volume: Volume, zone: tzinfo) -> tuple[dict[str, Value], bool, bool]:
    """The cells of a row; whether its limits and whether its hours could not be held."""
    low, high, beyond = _band(volume)
    schedule, by_sun = _schedule(geozone.periods, zone)
    first, last = _days(geozone.periods, zone)
    kind, buffer_m = geozone.extended.get("kind"), geozone.extended.get("bufferM")
    values: dict[str, Value] = {
        "number": geozone.identifier,
        "name": geozone.name[0][0] if geozone.name else geozone.identifier,
        "name_en": _in(geozone.name, "en"),
        "name_zh": _in(geozone.name, "zh"),
        "kind": _kind(geozone, kind),
        "buffer_m": buffer_m if isinstance(buffer_m, int | float) and not isinstance(buffer_m, bool) else None,
        "valid_from": first,
        "valid_to": last,
        "floor_agl_m": low,
        "ceiling_agl_m": high,
        "schedule": schedule,
    }
    return values, beyond, by_sun


def _kind(geozone: Geozone, said: object) -> str:
    if PRIVACY not in geozone.reasons:
        return geozone.restriction
    return said if isinstance(said, str) else "other"


def _in(texts: Texts, language: str) -> str | None:
    return next((said for said, tag in texts if tag.lower().startswith(language)), None)


def _band(volume: Volume) -> tuple[float | None, float | None, bool]:
    ends = ((volume.lower_m, volume.lower_reference), (volume.upper_m, volume.upper_reference))
    # At sea level and below nothing ends that lies on the ground.
    beyond = any(end_m is not None and reference != "AGL" for end_m, reference in ends)
    if beyond:
        return None, None, True
    low_m = volume.lower_m if volume.lower_m and volume.lower_m > 0 else None
    return low_m, volume.upper_m, False


def _days(periods: Sequence[Period], zone: tzinfo) -> tuple[str | None, str | None]:
    """The first and the last day on which any period holds, None without an end."""
    starts, ends = [period.start for period in periods], [period.end for period in periods]
    first = min((start for start in starts if start), default=None) if all(starts) else None
    last = max((end for end in ends if end), default=None) if all(ends) else None
    return (
        first.astimezone(zone).date().isoformat() if first else None,
        (last.astimezone(zone) - timedelta(microseconds=1)).date().isoformat() if last else None,
    )


def _schedule(periods: Sequence[Period], zone: tzinfo) -> tuple[str | None, bool]:
    """The weekly hours in local time, None for always, and whether they could not be told."""
    schedules = {period.schedule for period in periods}
    if len(schedules) != 1:
        return None, len(schedules) > 1
    parts = []
    for daily in schedules.pop():
        said = _spoken(daily, zone)
        if said is None:
            return None, True
        parts.append(said)
    return "; ".join(parts) or None, False


def _spoken(daily: Daily, zone: tzinfo) -> str | None:
    """Hours as `geo.hours` reads them; None for the sun, and for times of other offsets than the place has."""
    if isinstance(daily.start, str) or isinstance(daily.end, str):
        return None
    shift_min, begin_min = _local(daily.start, zone)
    end_min = _local(daily.end, zone, up=True)[1]
    if begin_min == end_min:
        return None
    days = hours.DAYS if "ANY" in daily.days else tuple(day for day in hours.DAYS if day in daily.days)
    moved = [hours.DAYS[(hours.DAYS.index(day) + shift_min) % 7] for day in days]
    until = "24:00" if end_min == 0 else f"{end_min // 60:02d}:{end_min % 60:02d}"
    return f"{','.join(moved)} {begin_min // 60:02d}:{begin_min % 60:02d}-{until}"


def _local(at: time, zone: tzinfo, *, up: bool = False) -> tuple[int, int]:
    """By how many days a time of day moves in `zone`, and its minute of the day there."""
    day = datetime(2001, 1, 1, tzinfo=at.tzinfo)
    moment = datetime.combine(day.date(), at)
    if up and (moment.second or moment.microsecond):
        moment = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    local = moment.astimezone(zone)
    return (local.date() - day.date()).days, local.hour * 60 + local.minute
