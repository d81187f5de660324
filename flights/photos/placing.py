"""Every photo of a flight placed on its track, with what it shows and whether it may be used. Pure.

A photo whose footprint touches a privacy zone, as the check before the flight counts it, or reaches beyond the area,
is quarantined; so is one that has no place, because nobody can say what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from shapely.geometry.base import BaseGeometry

from flights.path.track import Floats, Ground
from flights.photos.files import Photo
from flights.photos.joining import Offset, Pose, Trail, offset_of, pose_at
from geo import measure
from geo.photo_ground import GPS_SIGMA_M, Camera, Doubt, Look, Seen, seen_by
from geo.types import LonLat


class Quarantine(StrEnum):
    """Why a photo is not handed on."""

    ZONE = "zone"
    AREA = "area"
    UNPLACED = "unplaced"


@dataclass(frozen=True)
class Scenery:
    """What photos of a flight are held against: take-off place, area, ground, camera, and the zones near a shape.

    `touches_zone` says whether a footprint, seen from a height above ground at a time, touches a zone in force.
    """

    home: LonLat
    area: BaseGeometry
    ground: Ground
    hfov_deg: float | None
    touches_zone: Callable[[BaseGeometry, float, datetime], bool]


@dataclass(frozen=True)
class Placed:
    """One photo with its pose on the track, what it shows, and why it is quarantined, None where it is not."""

    photo: Photo
    pose: Pose | None
    seen: Seen | None
    heading_deg: float | None
    gimbal_pitch_deg: float | None
    record: dict[str, Any]
    quarantine: Quarantine | None


class _Level:
    """Ground that nobody knows, taken to be as high as the take-off place."""

    def heights_m(self, lons: Floats, _lats: Floats) -> Floats:
        return np.zeros(len(lons))


def place(photos: Sequence[Photo], trail: Trail, scenery: Scenery) -> list[Placed]:
    """The photos of a flight on its trail, all with the one offset between the camera's clock and the aircraft's."""
    taken_s = np.array([photo.taken_at.timestamp() for photo in photos])
    offset = offset_of(taken_s, trail.releases)
    return [_placed(photo, trail, offset, scenery) for photo in photos]


def _placed(photo: Photo, trail: Trail, offset: Offset, scenery: Scenery) -> Placed:
    pose = pose_at(trail, photo.taken_at.timestamp() - offset.seconds)
    record: dict[str, Any] = {"track": trail.source, **offset.render()}
    if pose is None:
        heading = photo.held.yaw_deg if photo.heading_deg is None else photo.heading_deg
        turned = None if heading is None else heading % 360
        return Placed(photo, None, None, turned, photo.held.pitch_deg, record, Quarantine.UNPLACED)
    look, heading_deg, known = _look(photo, pose, scenery, record)
    seen = None
    if look is not None:
        sigma_s = math.hypot(offset.sigma_s, photo.clock_sigma_s)
        doubt = Doubt(photo.gps_sigma_m or GPS_SIGMA_M, pose.speed_m_s * sigma_s, known)
        camera = Camera.of(photo.hfov_deg or scenery.hfov_deg or 0.0, photo.width_px, photo.height_px)
        seen = seen_by(look, camera, scenery.ground if known else _Level(), doubt)
    if seen is not None:
        record |= seen.render()
    place = LonLat(pose.lon, pose.lat)
    record["exif_apart_m"] = round(measure.distance_m(place, photo.at), 2)
    record["place"] = [round(pose.lon, 7), round(pose.lat, 7)]
    pitch = photo.held.pitch_deg if photo.held.pitch_deg is not None else -90.0
    return Placed(photo, pose, seen, heading_deg, pitch, record, _verdict(photo, seen, scenery))


def _look(photo: Photo, pose: Pose, scenery: Scenery, record: dict[str, Any]) -> tuple[Look | None, float | None, bool]:
    """Where the camera looked, the direction of its upper edge, and whether the ground below is known.

    A gimbal is believed to hold level and straight down where the photo does not say how it was held; a heading
    that neither the photo nor the track knows leaves the photo without a place.
    """
    home = scenery.home
    places = np.array([home.lon, pose.lon]), np.array([home.lat, pose.lat])
    home_m, below_m = (float(height) for height in scenery.ground.heights_m(*places))
    known = math.isfinite(home_m) and math.isfinite(below_m)
    headings = {"photo": photo.held.yaw_deg, "track": pose.yaw_deg, "exif": photo.heading_deg}
    source = next((name for name, value in headings.items() if value is not None), None)
    heading_deg = None if source is None else (headings[source] or 0.0) % 360
    held = photo.held
    record |= {
        "heading_source": source,
        "gimbal_source": "assumed nadir" if held.pitch_deg is None else "photo",
        "camera_source": "photo" if photo.hfov_deg else "aircraft" if scenery.hfov_deg else None,
        "ground": "terrain" if known else "level with the take-off place",
    }
    if heading_deg is None or not (photo.hfov_deg or scenery.hfov_deg):
        return None, heading_deg, known
    alt_m = pose.alt_rel_home_m + (home_m if known else 0.0)
    pitch_deg = -90.0 if held.pitch_deg is None else held.pitch_deg
    at = LonLat(pose.lon, pose.lat)
    return Look(at, alt_m, heading_deg, pitch_deg, held.roll_deg or 0.0), heading_deg, known


def _verdict(photo: Photo, seen: Seen | None, scenery: Scenery) -> Quarantine | None:
    if seen is None:
        return Quarantine.UNPLACED
    if scenery.touches_zone(seen.footprint, seen.alt_agl_m, photo.taken_at):
        return Quarantine.ZONE
    return None if scenery.area.covers(seen.footprint) else Quarantine.AREA
