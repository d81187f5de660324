"""A zone as ED-269 and ED-318 know it, in one form for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from shapely.geometry import Polygon

from geo.types import LonLat

FOOT_M = 0.3048

RESTRICTIONS = ("PROHIBITED", "REQ_AUTHORISATION", "CONDITIONAL", "NO_RESTRICTION", "USPACE")
REASONS = (
    "AIR_TRAFFIC",
    "SENSITIVE",
    "PRIVACY",
    "POPULATION",
    "NATURE",
    "NOISE",
    "FOREIGN_TERRITORY",
    "EMERGENCY",
    "DAR",
    "OTHER",
)
PURPOSES = ("AUTHORIZATION", "NOTIFICATION", "INFORMATION")
REFERENCES = ("AGL", "AMSL", "WGS84")
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN", "ANY")
EVENTS = ("BMCT", "SR", "SS", "EECT")

Texts = tuple[tuple[str, str], ...]
"""A text in one or more languages: (text, language tag or '')."""


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on the ground."""

    centre: LonLat
    radius_m: float


@dataclass(frozen=True, slots=True)
class Volume:
    """A shape (EPSG:4326) between two heights in metres, each None without an end."""

    shape: Polygon | Circle
    lower_m: float | None
    lower_reference: str
    upper_m: float | None
    upper_reference: str


@dataclass(frozen=True, slots=True)
class Daily:
    """Some days of the week, from a time (with its offset from UTC) or event of the sun to another."""

    days: tuple[str, ...]
    start: time | str
    end: time | str


@dataclass(frozen=True, slots=True)
class Period:
    """When a zone applies; without start and end always, without a schedule all day."""

    start: datetime | None = None
    end: datetime | None = None
    schedule: tuple[Daily, ...] = ()


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom to ask about a zone."""

    purpose: str | None = None
    name: Texts = ()
    service: Texts = ()
    contact: Texts = ()
    email: str | None = None
    site: str | None = None
    phone: str | None = None
    interval: str | None = None


@dataclass(frozen=True, slots=True)
class Geozone:
    """One zone; `restriction` is one of `RESTRICTIONS`, no `periods` means always.

    `doubtful` names readings of what its document leaves open, as they are told when it is written again.
    """

    identifier: str
    country: str
    restriction: str
    volumes: tuple[Volume, ...]
    name: Texts = ()
    variant: str = "COMMON"
    conditions: tuple[str, ...] = ()
    region: int | None = None
    reasons: tuple[str, ...] = ()
    other_reason: Texts = ()
    exempt: bool | None = None
    message: Texts = ()
    periods: tuple[Period, ...] = ()
    authorities: tuple[Authority, ...] = ()
    uspace_class: str | None = None
    extended: Mapping[str, Any] = field(default_factory=dict)
    doubtful: tuple[str, ...] = field(default=(), compare=False)
