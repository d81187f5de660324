"""Whose views a study looks at: rows of the registry, planned sites, patrol routes and the devices of the study."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import shapely
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import shapes
from geo.coverage.asked import Asked
from geo.coverage.footprints import DENSITIES_PX_PER_M, Device, range_at
from geo.types import LonLat
from geo.zones import margins_deg
from schemas.tables import CoverageStudy

ROUTE, SATELLITE, WATER, CAMERA = "patrol_route", "satellite_ref", "water_quality", "video"
# How far a device sees whose row does not say it; whoever reads an answer is told how many are counted by these.
ASSUMED_RANGE_M = {CAMERA: 100.0, "radar": 3_000.0, WATER: 2_000.0, "air": 1_000.0, "noise": 200.0}
ASSUMED_VIEW_DEG = 60.0
# Heights of lenses and antennas above the ground where nobody said them, and of what they shall see.
MAST_M = {CAMERA: 6.0, "radar": 15.0}
TARGET_M = 1.5
_FULL_TURN_DEG = 360.0
_STATUS = {
    "active": "active",
    "published": "published",
    "registered": "planned",
    "reviewed": "planned",
    "blocked": "blocked",
    "maintenance": "blocked",
}
_ROUTE_STATUS = {"effective": "active", "published": "published", "checked": "planned", "approved": "planned"}
# States in which the register shows a device to others (geo.offers): what is not shown is nobody's to share.
_OFFERED = ("published", "active", "maintenance", "blocked")


@dataclass(frozen=True, kw_only=True)
class Seer:
    """Somebody or something that sees: `device` is its place and view, `label` what people call it.

    `kind` is a device type, or `patrol_route`; `status` one of asked.STATUSES. `public_id` is None for what a study
    adds. `shape` (EPSG:4326) is what it sees where that is known without a view, as of a satellite scene; `path` are
    the places of a patrol route, (n, 3) of longitude, latitude and height above the ground. `hours` are the local
    hours at which it sees, None for all. `is_assumed` says that its row tells no range or no direction,
    `is_mast_assumed` that nobody says how high its lens stands; `own` that the study adds or changes it.
    """

    device: Device
    label: str
    public_id: str | None
    kind: str
    status: str
    item: str | None = None
    authority: str | None = None
    shape: BaseGeometry | None = None
    path: tuple[tuple[float, float, float], ...] = ()
    hours: frozenset[int] | None = None
    is_assumed: bool = False
    is_mast_assumed: bool = False
    own: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Views:
    """Who sees with the changes of a study (`now`), and who saw without them (`before`)."""

    now: tuple[Seer, ...]
    before: tuple[Seer, ...]

    @property
    def is_changed(self) -> bool:
        """Whether the study changes anything."""
        return any(seer.own for seer in self.now) or len(self.now) != len(self.before)


_DEVICES = """
    SELECT d.id, d.public_id, d.name, d.device_type, d.state, d.platform, d.sector_azimuth_deg, d.hfov_deg, d.range_m,
           d.secret, ST_X(s.geom) AS lon, ST_Y(s.geom) AS lat, i.code AS item, a.code AS authority
    FROM core.device d JOIN core.device_site s ON s.id = d.site_id JOIN core.authority a ON a.id = d.authority_id
    LEFT JOIN core.supervision_item i ON i.id = d.item_id
    WHERE s.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) AND d.state = ANY(:states)
      AND d.platform <> 'uav' AND (:with_secret OR NOT d.secret)
      AND (d.authority_id = :authority OR (:shared AND NOT d.secret AND d.state = ANY(:offered)))
      AND (CAST(:item AS text) IS NULL OR i.code = :item) AND d.device_type = ANY(:kinds)
    ORDER BY d.public_id
"""
_FURTHEST = "SELECT max(range_m) FROM core.device WHERE range_m IS NOT NULL"


def counts_once(states: str) -> str:
    """Of a site `l` that amended plans carry on as rows of their own: that no row it was carried from counts still.

    A row counts while its plan is in a state of which `states` (SQL on `q.state`) is true, or a device is there.
    """
    return f"""NOT EXISTS (
        WITH RECURSIVE earlier AS (
            SELECT e.* FROM core.planned_site e WHERE e.id = l.carried_from_id
            UNION ALL SELECT e.* FROM earlier y JOIN core.planned_site e ON e.id = y.carried_from_id)
        SELECT FROM earlier e JOIN core.siting_plan q ON q.id = e.plan_id
        WHERE (e.dropped_in IS NULL AND e.decision IS DISTINCT FROM 'rejected' AND q.state {states})
           OR EXISTS (SELECT FROM core.device_site s WHERE s.planned_site_id = e.id))"""


# Sites that a plan asks for, until a device is registered there: then that one counts, as what it is.
_SITES = f"""
    SELECT l.public_id, l.place_text AS name, l.device_type, l.platform, l.sector_azimuth_deg, l.hfov_deg, l.range_m,
           ST_X(l.geom) AS lon, ST_Y(l.geom) AS lat, i.code AS item, a.code AS authority
    FROM core.planned_site l JOIN core.siting_plan p ON p.id = l.plan_id JOIN core.authority a ON a.id = p.authority_id
    LEFT JOIN core.supervision_item i ON i.id = p.item_id
    WHERE l.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) AND l.dropped_in IS NULL
      AND l.decision IS DISTINCT FROM 'rejected' AND p.state NOT IN ('rejected', 'revoked', 'amended')
      AND p.authority_id = :authority AND l.platform <> 'uav'
      AND NOT EXISTS (SELECT FROM core.device_site s WHERE s.planned_site_id = l.id)
      AND {counts_once("NOT IN ('rejected', 'revoked', 'amended')")}
      AND (CAST(:item AS text) IS NULL OR i.code = :item) AND l.device_type = ANY(:kinds)
    ORDER BY l.public_id
"""


# `rows` are all rows of a site that is changed: what it was carried from, and what was carried from it.
_CHANGES = """
    WITH RECURSIVE up AS (
        SELECT l.id AS site, l.id, l.carried_from_id
        FROM core.study_device c JOIN core.planned_site l ON l.id = c.planned_site_id WHERE c.study_id = :study
        UNION ALL
        SELECT u.site, l.id, l.carried_from_id FROM up u JOIN core.planned_site l ON l.id = u.carried_from_id),
    line AS (
        SELECT u.site, u.id FROM up u WHERE u.carried_from_id IS NULL
        UNION ALL SELECT n.site, l.id FROM line n JOIN core.planned_site l ON l.carried_from_id = n.id)
    SELECT c.ordinal, c.device_id, c.planned_site_id, c.gone, c.label, c.device_type, c.sector_azimuth_deg, c.hfov_deg,
           c.range_m, c.mast_m, c.target_m, ST_X(c.geom) AS lon, ST_Y(c.geom) AS lat, d.secret,
           coalesce(d.public_id, l.public_id) AS public_id, coalesce(d.name, l.place_text) AS name,
           i.code AS item, a.code AS authority,
           ARRAY(SELECT r.public_id FROM line n JOIN core.planned_site r ON r.id = n.id
                 WHERE n.site = c.planned_site_id) AS rows
    FROM core.study_device c LEFT JOIN core.device d ON d.id = c.device_id
    LEFT JOIN core.planned_site l ON l.id = c.planned_site_id LEFT JOIN core.siting_plan p ON p.id = l.plan_id
    LEFT JOIN core.supervision_item i ON i.id = coalesce(d.item_id, p.item_id)
    LEFT JOIN core.authority a ON a.id = coalesce(d.authority_id, p.authority_id)
    WHERE c.study_id = :study
      AND NOT EXISTS (SELECT FROM line n JOIN core.device_site s ON s.planned_site_id = n.id
                      WHERE n.site = c.planned_site_id)
    ORDER BY c.ordinal
"""


def views_of(session: Session, study: CoverageStudy, asked: Asked, *, zone: str = "UTC") -> Views:
    """Everybody whose view a study asks about, with its changes and without; `zone` names the local time.

    The study's own devices count whatever statuses are asked for. Devices of others count where they are shared with
    the authority, or shown to all and so could be; secret ones only where the question asks for them.
    """
    registered = {} if asked.own_only else _registered(session, study, asked)
    rows = list(session.execute(text(_CHANGES), {"study": study.id}).mappings())
    changed = {row["device_id"] for row in rows}
    kept = [seer for key, seer in registered.items() if key not in changed]
    others = [] if asked.own_only else [*_planned(session, study, asked), *_routes(session, study, asked, zone)]
    others += [] if asked.own_only else list(_scenes(session, study, asked))
    own = [_own(row, asked) for row in rows if not row["gone"]]
    seeing = [seer for seer in others if asked.hour is None or seer.hours is None or asked.hour in seer.hours]
    moved = {name for row in rows for name in row["rows"]}
    left = [seer for seer in seeing if seer.public_id not in moved]
    return Views((*kept, *left, *own), (*registered.values(), *seeing))


def _registered(session: Session, study: CoverageStudy, asked: Asked) -> dict[uuid.UUID, Seer]:
    states = [state for state, status in _STATUS.items() if status in asked.statuses]
    furthest_m = max(session.scalar(text(_FURTHEST)) or 0.0, *ASSUMED_RANGE_M.values())
    values = _where(study, asked, furthest_m) | {
        "states": states,
        "offered": list(_OFFERED),
        "shared": asked.shared,
        "with_secret": asked.secret,
    }
    rows = session.execute(text(_DEVICES), values).mappings()
    return {row["id"]: _seer(row, _STATUS[row["state"]], asked) for row in rows}


def _planned(session: Session, study: CoverageStudy, asked: Asked) -> list[Seer]:
    if "planned" not in asked.statuses:
        return []
    values = _where(study, asked, max(ASSUMED_RANGE_M.values()))
    return [_seer(row, "planned", asked) for row in session.execute(text(_SITES), values).mappings()]


def _where(study: CoverageStudy, asked: Asked, reach_m: float) -> dict[str, Any]:
    west, south, east, north = to_shape(study.ground).bounds
    (lon_deg,), (lat_deg,) = margins_deg(south, north, np.array([reach_m]))
    return {
        "west": west - lon_deg,
        "south": south - lat_deg,
        "east": east + lon_deg,
        "north": north + lat_deg,
        "authority": study.authority_id,
        "item": asked.item,
        "kinds": sorted(asked.kinds),
    }


def _seer(row: Mapping[Any, Any], status: str, asked: Asked) -> Seer:
    device, assumed = view_of(row, asked)
    return Seer(
        device=device,
        label=row["name"],
        public_id=row["public_id"],
        kind=row["device_type"],
        status=status,
        item=row["item"],
        authority=row["authority"],
        is_assumed=assumed,
        # The register, and plans, know the place of a lens and not its height.
        is_mast_assumed=True,
        secret=bool(row.get("secret")),
    )


def view_of(row: Mapping[Any, Any], asked: Asked) -> tuple[Device, bool]:
    """The view of a device by its row, and whether part of it is assumed.

    A camera without a direction turns; one with a direction has a width, told or usual.
    """
    kind, width, reach = row["device_type"], row["hfov_deg"], row["range_m"]
    azimuth = row["sector_azimuth_deg"]
    vague = kind == CAMERA and (width is None or (azimuth is None and width < _FULL_TURN_DEG))
    assumed = reach is None or vague
    if kind == CAMERA and azimuth is not None and width is None:
        width = ASSUMED_VIEW_DEG
    reach = reach if reach is not None else ASSUMED_RANGE_M.get(kind, 100.0)
    narrow = azimuth is not None and width is not None and width < _FULL_TURN_DEG
    if kind == CAMERA:
        reach = min(reach, sharp_m(asked, width))
    device = Device(
        LonLat(row["lon"], row["lat"]),
        reach,
        azimuth if narrow else None,
        width if narrow else None,
        mast_m=MAST_M.get(kind, 2.0),
        target_m=TARGET_M,
    )
    return device, assumed


def sharp_m(asked: Asked, hfov_deg: float | None) -> float:
    """How far a camera sees with the pixel density that is asked for; without one as far as it is said to."""
    if asked.density is None:
        return float("inf")
    # A camera that turns sees through a lens too; beyond half a turn no plane image has a width.
    width = hfov_deg if hfov_deg is not None and hfov_deg < _FULL_TURN_DEG / 2 else ASSUMED_VIEW_DEG
    return range_at(DENSITIES_PX_PER_M[asked.density], asked.image_width_px, width)


def _own(row: Mapping[Any, Any], asked: Asked) -> Seer:
    device, _ = view_of(row, asked)
    return Seer(
        device=replace(device, mast_m=row["mast_m"], target_m=row["target_m"]),
        label=row["label"] or row["name"] or str(row["ordinal"]),
        public_id=row["public_id"],
        kind=row["device_type"],
        status="planned",
        item=row["item"],
        authority=row["authority"],
        own=True,
        secret=bool(row["secret"]),
    )


_PATHS = """
    SELECT r.public_id, r.name_en AS name, r.state, r.alt_agl_m, r.camera_hfov_deg, i.code AS item,
           a.code AS authority, ST_AsBinary(r.geom) AS geom,
           ARRAY(SELECT DISTINCT h FROM core.flight f, generate_series(
                 extract(hour FROM lower(f.during) AT TIME ZONE :zone)::int,
                 extract(hour FROM upper(f.during) AT TIME ZONE :zone)::int) h
                 WHERE f.route_id = r.id AND upper(f.during) > now() - make_interval(days => :days)
                   AND f.state NOT IN ('precheck_failed', 'aborted', 'cancelled')) AS hours
    FROM core.patrol_route r JOIN core.patrol_area p ON p.id = r.area_id
    JOIN core.authority a ON a.id = r.authority_id LEFT JOIN core.supervision_item i ON i.id = p.item_id
    WHERE r.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) AND r.state = ANY(:states)
      AND (r.authority_id = :authority OR (:shared AND r.state IN ('effective', 'published')))
      AND (CAST(:item AS text) IS NULL OR i.code = :item)
    ORDER BY r.public_id
"""
# No footprint is wider on either side of its line.
_WIDEST_FOOTPRINT_M = 2_000.0


def _routes(session: Session, study: CoverageStudy, asked: Asked, zone: str) -> Iterable[Seer]:
    """Patrol routes: at any hour those that may be flown, at a given hour those that were flown then."""
    states = [state for state, status in _ROUTE_STATUS.items() if status in asked.statuses]
    if ROUTE not in asked.kinds or not states:
        return
    values = _where(study, asked, _WIDEST_FOOTPRINT_M)
    values |= {"states": states, "shared": asked.shared, "days": asked.days, "zone": zone}
    for row in session.execute(text(_PATHS), values).mappings():
        line = shapes.from_database([row["geom"]])[0]
        (lon, lat), *_ = line.coords
        yield Seer(
            device=Device(LonLat(lon, lat), row["alt_agl_m"], hfov_deg=row["camera_hfov_deg"]),
            label=row["name"],
            public_id=row["public_id"],
            kind=ROUTE,
            status=_ROUTE_STATUS[row["state"]],
            item=row["item"],
            authority=row["authority"],
            path=tuple((x, y, row["alt_agl_m"]) for x, y in line.coords),
            hours=frozenset(row["hours"]),
        )


_SCENES = """
    SELECT c.public_id, c.file_name, ST_AsBinary(c.footprint) AS geom, a.code AS authority
    FROM core.scene c LEFT JOIN core.authority a ON a.id = c.authority_id
    WHERE c.sensor = 'satellite' AND c.quarantine IS NULL AND c.footprint IS NOT NULL
      AND c.footprint && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND c.captured_at > now() - make_interval(days => :days)
      AND (c.authority_id IS NULL OR c.authority_id = :authority OR :shared)
    ORDER BY c.public_id
"""


def _scenes(session: Session, study: CoverageStudy, asked: Asked) -> Iterable[Seer]:
    """Satellite scenes of the last days, each an image of a moment: what they show is told apart from what watches."""
    if SATELLITE not in asked.kinds or asked.item is not None:
        return
    values = _where(study, asked, 0.0) | {"shared": asked.shared, "days": asked.days}
    for row in session.execute(text(_SCENES), values).mappings():
        shape = shapes.from_database([row["geom"]])[0]
        middle = cast(shapely.Point, shape.representative_point())
        yield Seer(
            device=Device(LonLat(middle.x, middle.y), 1.0),
            label=row["file_name"],
            public_id=row["public_id"],
            kind=SATELLITE,
            status="active",
            authority=row["authority"],
            shape=shape,
        )
