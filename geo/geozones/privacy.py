"""Privacy zones for other systems, by what everybody may see of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Any

from shapely.geometry import Polygon

from geo import hours
from geo.geozones.model import Authority, Daily, Geozone, Period, Texts, Volume
from geo.geozones.strict import ZoneLoss, language_of

PRIVACY = "PRIVACY"
_COUNTRY = "CHN"
_IDENTIFIER = 7  # what both formats have room for
_MESSAGE: Texts = (
    ("No camera may look into this place.", "en"),
    ("任何摄像设备不得拍摄此处。", "zh"),
)


@dataclass(frozen=True, slots=True)
class Displayed:
    """A privacy zone as the public sees it; a sensitive one shows neither name nor kind nor exact shape."""

    public_id: str
    kind: str
    name_en: str | None
    name_zh: str | None
    geom: Polygon
    buffer_m: float
    valid_from: datetime
    valid_to: datetime | None = None
    floor_agl_m: float | None = None
    ceiling_agl_m: float | None = None
    schedule: Sequence[Mapping[str, Any]] | None = None


def geozone_of(shown: Displayed, authority: str, zone: tzinfo, now: datetime) -> Geozone:
    """A privacy zone for exchange, with the reason PRIVACY; its hours carry the offset of `zone` at `now`."""
    schedule = hours.from_stored(shown.schedule)
    # A time of day has an offset only in a zone that never changes it.
    offset = timezone(now.astimezone(zone).utcoffset() or timedelta())
    daily = tuple(_daily(period, offset) for period in schedule or ())
    names = [(shown.name_en, "en"), (shown.name_zh, "zh")]
    return Geozone(
        identifier=_identifier(shown),
        country=_COUNTRY,
        restriction="PROHIBITED",
        volumes=(Volume(shown.geom, shown.floor_agl_m, "AGL", shown.ceiling_agl_m, "AGL"),),
        name=tuple((name, language) for name, language in names if name) or ((shown.public_id, "en"),),
        reasons=(PRIVACY,),
        message=_MESSAGE,
        periods=(Period(shown.valid_from, shown.valid_to, daily),),
        authorities=(Authority("INFORMATION", name=((authority, language_of(authority)),)),),
        extended={"publicId": shown.public_id, "kind": shown.kind, "bufferM": shown.buffer_m},
    )


def losses_of(shown: Displayed) -> tuple[ZoneLoss, ...]:
    """What no format has a word for: that the zone is wider than its shape."""
    return (ZoneLoss("buffer", _identifier(shown), f"{shown.buffer_m:g}"),) if shown.buffer_m else ()


def _identifier(shown: Displayed) -> str:
    return shown.public_id.replace("-", "")[-_IDENTIFIER:]


def _daily(period: hours.Period, offset: tzinfo) -> Daily:
    days = tuple(hours.DAYS[day] for day in sorted(period.days))
    return Daily(days, period.begin.replace(tzinfo=offset), (period.end or time()).replace(tzinfo=offset))
