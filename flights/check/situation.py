"""What a plan is judged against: plain, frozen values, so that the judgement itself is pure.

`flights/queries.py` fills them from the database; tests write them down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime

from shapely.geometry import LineString
from shapely.geometry.base import BaseGeometry

from flights.model import Plan
from flights.path.track import Ground, Profile
from geo.footprint import Camera
from geo.zones import Zone
from schemas.rules import RulePack


@dataclass(frozen=True)
class Notice:
    """From when until when a published thing may be used, as local dates; `state` is for the refusal."""

    usable_from: date | None
    suspended_on: date | None = None

    def in_force(self, on: date) -> bool:
        """Whether the notice period is over on the local date `on`, and use not suspended."""
        begun = self.usable_from is not None and self.usable_from <= on
        return begun and (self.suspended_on is None or on < self.suspended_on)


@dataclass(frozen=True)
class PublishedArea:
    """A published patrol area (EPSG:4326)."""

    public_id: str
    code: str
    geom: BaseGeometry
    notice: Notice


@dataclass(frozen=True)
class PublishedRoute:
    """A published route: its line (EPSG:4326), true height and the digest of its mission."""

    public_id: str
    code: str
    line: LineString
    alt_agl_m: float
    digest: str
    notice: Notice


@dataclass(frozen=True)
class Aircraft:
    """What the check needs of a drone: camera, speed, endurance, mark and whether it may be used.

    `endurance_min` is from full to empty, None where it is not known.
    """

    public_id: str
    hfov_deg: float
    image_width_px: int
    image_height_px: int
    cruise_speed_mps: float
    marked_on: date | None
    state: str
    notice: Notice
    endurance_min: float | None = None

    def camera(self, hfov_deg: float, roll_margin_deg: float = 0.0) -> Camera:
        """The camera with that full angle across, its other angle by the shape of the sensor."""
        half = math.tan(math.radians(hfov_deg / 2)) * self.image_height_px / self.image_width_px
        return Camera(hfov_deg, vfov_deg=2 * math.degrees(math.atan(half)), roll_margin_deg=roll_margin_deg)


@dataclass(frozen=True)
class Pilot:
    """Who flies, with the first and the last day of each licence, as local dates."""

    name: str
    licences: tuple[tuple[date, date], ...] = ()


@dataclass(frozen=True)
class Inspection:
    """The inspection plan that a flight belongs to (GD-16.1)."""

    number: str
    approved: bool
    valid_from: date
    valid_to: date


@dataclass(frozen=True)
class AirspaceArea:
    """A place over which flying needs a filing or an approval (GD-16.2)."""

    code: str
    name: str
    needs: str
    geom: BaseGeometry


@dataclass(frozen=True)
class Clearance:
    """A filing or approval that is held."""

    kind: str
    number: str
    geom: BaseGeometry
    alt_max_agl_m: float
    valid_from: datetime
    valid_to: datetime


@dataclass(frozen=True)
class Residential:
    """A place where people live."""

    name: str
    geom: BaseGeometry


@dataclass(frozen=True)
class Volume:
    """Air that another flight holds: a polygon (EPSG:4326), a band of true heights, from `start` until `end`.

    Times are aware. Two flights conflict where all three overlap; bands and periods that only touch do not.
    """

    flight: str
    geom: BaseGeometry
    alt_agl_min_m: float
    alt_agl_max_m: float
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Situation:
    """Everything that a plan is judged against.

    `pack` None: no rules are in force where it leads; `pilot` None: nobody says who would fly it.
    `looked_at` is the plan around which this was gathered, with its path over this ground: the same work is not
    done twice.
    """

    pack: RulePack | None
    ground: Ground
    areas: tuple[PublishedArea, ...] = ()
    routes: tuple[PublishedRoute, ...] = ()
    zones: tuple[Zone, ...] = ()
    aircraft: Aircraft | None = None
    airspace: tuple[AirspaceArea, ...] = ()
    clearances: tuple[Clearance, ...] = ()
    residential: tuple[Residential, ...] = ()
    traffic: tuple[Volume, ...] = ()
    pilot: Pilot | None = None
    looked_at: tuple[Plan, Profile] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Options:
    """What whoever asks says beside the file.

    `alt_agl_m` and `hfov_deg` fill what the file leaves open; `route` names the published route that the plan
    is meant to be; `until` the planned landing; `inspection` the plan that the flight belongs to, where
    `for_flight` says that it must belong to one.
    """

    alt_agl_m: float | None = None
    hfov_deg: float | None = None
    route: str | None = None
    until: datetime | None = None
    inspection: Inspection | None = None
    for_flight: bool = False
