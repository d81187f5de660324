"""A question of siting with everything that it depends on, read from the database; and what the registry says of sites.

Nothing is computed here but views of what stands: the answer is found without a transaction that stays open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import rasterio
import shapely
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo import measure, queries, shapes
from geo.checks_siting import share_seen
from geo.coverage.asked import Asked
from geo.coverage.demand import Demand, needed
from geo.coverage.footprints import Relief
from geo.coverage.gathering import Held, homes_of, surroundings
from geo.coverage.plane import Floats, Shapes
from geo.coverage.relief import cell_m, relief_around, under_surface
from geo.coverage.seen import Surroundings, what_is_seen, with_buildings
from geo.coverage.views import CAMERA, ROUTE, Seer, views_of
from geo.coverage.wanted import Ground, demands_on, zones_on
from geo.private_places import Place, private_place_refusals
from geo.siting.asked import HIGH_GROUND, PATROL_HOURS, SitingAsked, kinds_counted
from geo.siting.candidates import Land
from geo.siting.found import Site
from geo.siting.inputs import Inputs, Offered
from geo.siting.patrols import PatrolInputs, Route
from geo.siting.telling import Checked
from geo.types import LonLat
from schemas.refusals import not_found
from schemas.rules import RulePack
from schemas.tables import CoverageStudy, SitingRun, SupervisionItem

Progress = Callable[[float], None]

# Cells to what one device sees, so many that which cells fall into a view says little of luck; but never more than
# these over the ground.
_CELLS_TO_A_VIEW = 80
_MOST_CELLS = 150_000
# A zone that begins later forbids a device just as one of today.
_YEARS = timedelta(days=3_650)
_S_PER_H = 3_600.0
_FULL_TURN_DEG = 360.0
# Buildings are narrower than the cells of most elevation models.
_BUILDING_CELL_M = 5.0
_IN_USE = ("active", "published")
_BOX = "geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)"
_ROADS = text(f"SELECT ST_AsBinary(geom) FROM core.base_feature WHERE kind = 'road' AND {_BOX} ORDER BY public_id")
_POLES = text(
    f"SELECT ST_AsBinary(geom) FROM core.base_feature WHERE kind = 'pole' AND {_BOX}"
    f" UNION ALL SELECT ST_AsBinary(geom) FROM core.context_feature WHERE layer = 'poles' AND {_BOX}"
)
# Whose devices the authority uses already, by a grant or as shared.
_USED = text(
    "SELECT d.public_id FROM core.device d JOIN core.device_grant g ON g.device_id = d.id"
    " WHERE g.authority_id = :authority AND g.state = 'granted'"
    " UNION SELECT d.public_id FROM core.device d JOIN core.device_share s ON s.device_id = d.id"
    " WHERE s.authority_id = :authority"
)
_FLOWN = text(
    "SELECT public_id, ST_Length(geom::geography) AS line_m, speed_m_s, ST_X(home) AS lon, ST_Y(home) AS lat,"
    " ST_AsBinary(geom) AS geom FROM core.patrol_route WHERE public_id = ANY(:names)"
)


@dataclass(frozen=True)
class Asking:
    """What a run is read with: the rules of the place, the time, and what is held of heights and views."""

    pack: RulePack
    now: datetime
    held: Held


@dataclass(frozen=True)
class _Known:
    """What was read for a run: who watches (`seers`), what each sees, and which of them the authority uses (`own`)."""

    session: Session
    study: CoverageStudy
    asked: SitingAsked
    asking: Asking
    ground: Ground
    demand: Demand
    around: Surroundings
    seers: Sequence[Seer]
    sees: Shapes
    own: Sequence[bool]

    def rows(self) -> Iterator[tuple[Seer, BaseGeometry, bool]]:
        """Everybody who sees anything, with the view, and whether the authority uses it."""
        every = zip(self.seers, self.sees, self.own, strict=True)
        return ((seer, view, own) for seer, view, own in every if not view.is_empty)


def read_question(
    session: Session, run: SitingRun, asking: Asking, progress: Progress = lambda _: None
) -> Inputs | PatrolInputs:
    """Everything that the answer of a run depends on; raises RuleViolation where there is nothing to be seen."""
    asked, study = SitingAsked.of_json(run.question), run.study
    coverage = Asked.of_json(study.question)
    if coverage.over_terrain and asking.held.terrain is None:
        raise not_found("coverage.no_terrain", "coverage.no_terrain")
    geom = to_shape(study.ground)
    ground = Ground.of(geom, zones_on(session, geom))
    (demand,) = demands_on(session, ground, (asked.demand,), study.authority_id, _side_m(asked, ground))
    needed(demand)
    seers = _seers(session, study, asked, coverage, asking)
    around = surroundings(session, seers, ground, coverage, asking.held)
    sees = what_is_seen(seers, ground.plane, around, progress).views
    own = _own(session, study, seers)
    known = _Known(session, study, asked, asking, ground, demand, around, seers, sees, own)
    return _patrols(known) if asked.model == PATROL_HOURS else _devices(known)


def _side_m(asked: SitingAsked, ground: Ground) -> float:
    """The side of cells of demand: small beside what one of the new devices sees."""
    view_m2 = math.pi * asked.view.range_m**2 * asked.view.hfov_deg / 360
    west, south, east, north = ground.open.bounds
    return max(math.sqrt(view_m2 / _CELLS_TO_A_VIEW), math.sqrt((east - west) * (north - south) / _MOST_CELLS))


def _seers(session: Session, study: CoverageStudy, asked: SitingAsked, coverage: Asked, asking: Asking) -> list[Seer]:
    """Everybody who watches as the study asks, and whoever of other departments could be asked to share (GD-17).

    Of the kind of the new device alone: what a microphone hears is no picture of the place. Where the study is about
    one supervision item, whatever serves it counts: there each kind gives what is asked about, as a water sensor and a
    camera at one outfall do.
    """
    views = views_of(session, study, replace(coverage, shared=True), zone=asking.pack.timezone)
    patrols = asked.model == PATROL_HOURS
    hour = None if patrols else coverage.hour
    kinds = kinds_counted(CAMERA if patrols else asked.view.device_type)
    # At an hour that is asked about those alone watch who watch then.
    counted = [seer for seer in views.now if seer.kind in kinds or (coverage.item and seer.item == coverage.item)]
    return [seer for seer in counted if hour is None or seer.hours is None or hour in seer.hours]


def _devices(known: _Known) -> Inputs:
    offered = [
        _offer(seer, view)
        for seer, view, mine in known.rows()
        if not mine and seer.kind != ROUTE and seer.status in _IN_USE and seer.public_id
    ]
    homes = homes_of(known.session, known.ground)
    return Inputs(
        asked=known.asked,
        land=_land(known),
        demand=known.demand,
        standing=_array([view for _, view, mine in known.rows() if mine]),
        offered=tuple(offered),
        homes=homes.shapes,
        home_names=homes.names,
        item=_item(known),
    )


def _item(known: _Known) -> str | None:
    return Asked.of_json(known.study.question).item


def _own(session: Session, study: CoverageStudy, seers: Sequence[Seer]) -> list[bool]:
    """Which of them the authority uses by now: its own, those of the study, and what others let it use."""
    used = set(session.scalars(_USED, {"authority": study.authority_id}))
    code = study.authority.code
    return [seer.own or seer.authority == code or seer.public_id in used for seer in seers]


def _offer(seer: Seer, view: BaseGeometry) -> Offered:
    device = seer.device
    return Offered(
        public_id=seer.public_id or "",
        label=seer.label,
        authority=seer.authority or "",
        lon=device.at.lon,
        lat=device.at.lat,
        azimuth_deg=device.azimuth_deg,
        hfov_deg=device.hfov_deg,
        range_m=device.range_m,
        mast_m=device.mast_m,
        footprint=view,
    )


def _land(known: _Known) -> Land:
    ground, asked, asking = known.ground, known.asked, known.asking
    plane, reach_m = ground.plane, asked.view.range_m
    places = [seer.device.at for seer in known.seers if seer.kind != ROUTE]
    x, y = plane.metres(*(np.array([at[axis] for at in places], np.float64) for axis in (0, 1)))
    return Land(
        plane=plane,
        open=ground.open,
        roads=_lines(known.session, ground),
        poles=_points(known.session, ground),
        private=_private(known.session, ground, asking, reach_m),
        standing=np.column_stack([x, y]),
        within=plane.to_metres(np.array([to_shape(known.study.authority.jurisdiction)], dtype=object))[0],
        relief=_relief(known),
    )


def _relief(known: _Known) -> Relief | None:
    """The ground with its buildings, where the study looks over it, or high places are asked for."""
    around, ground, terrain = known.around, known.ground, known.asking.held.terrain
    hilly = around.terrain is not None or HIGH_GROUND in known.asked.candidates.sources
    if terrain is None or not hilly:
        return None
    reach_m = known.asked.view.range_m
    if not (around.buildings_m or around.surface):
        return relief_around(terrain, ground.plane, ground.open, reach_m)
    with rasterio.open(terrain, driver="GTiff") as model:
        side_m = min(cell_m(model, ground.plane), _BUILDING_CELL_M)
    relief = relief_around(terrain, ground.plane, ground.open, reach_m, side_m=side_m)
    if around.buildings_m:
        relief = with_buildings(relief, ground.plane.to_metres(around.buildings), around.buildings_m)
    return under_surface(relief, around.surface, ground.plane, ground.open, reach_m) if around.surface else relief


def _private(session: Session, ground: Ground, asking: Asking, reach_m: float) -> Shapes:
    """The privacy zones of today and of later, as far around the ground as a new device sees, with their buffers."""
    extra_m = float(asking.pack["privacy.buffer_m"])
    west, south, east, north = ground.open.buffer(reach_m + extra_m).bounds
    box = ground.plane.to_wgs84(np.array([shapely.box(west, south, east, north)], dtype=object))[0]
    zones = queries.zones_near(session, box, asking.now, asking.now + _YEARS, extra_buffer_m=extra_m)
    if not zones:
        return np.empty(0, dtype=object)
    geoms = np.array([zone.geom for zone in zones], dtype=object)
    buffers_m = np.array([zone.buffer_m for zone in zones]) + extra_m
    # A buffer is drawn by chords, and a part in three thousand of a length is lost to the plane.
    return np.asarray(shapely.buffer(ground.plane.to_metres(geoms), buffers_m * 1.01, quad_segs=32))


def _lines(session: Session, ground: Ground) -> Shapes:
    found = _read(session, _ROADS, ground)
    lines = shapely.get_parts(found)
    metres = ground.plane.to_metres(lines[shapely.get_dimensions(lines) == 1])
    inside = shapely.get_parts(shapely.intersection(metres, shapely.box(*ground.open.bounds)))
    return np.asarray(inside[shapely.get_dimensions(inside) == 1])


def _points(session: Session, ground: Ground) -> Floats:
    found = _read(session, _POLES, ground)
    points = found[shapely.get_dimensions(found) == 0]
    return np.asarray(shapely.get_coordinates(ground.plane.to_metres(points)))


def _read(session: Session, statement: Any, ground: Ground) -> Shapes:  # noqa: ANN401 - a text clause
    box = dict(zip(("west", "south", "east", "north"), ground.geom.bounds, strict=True))
    rows = session.scalars(statement, box).all()
    return np.asarray(shapely.from_wkb(np.array([bytes(row) for row in rows], dtype=object)))


def _patrols(known: _Known) -> PatrolInputs:
    """Routes of the authority in force; what the fixed devices that it uses see needs no patrol."""
    fixed = [view for seer, view, mine in known.rows() if mine and seer.kind != ROUTE]
    flown = [(s, view) for s, view, mine in known.rows() if mine and s.kind == ROUTE and s.status == "active"]
    hours = _hours(known.session, [seer.public_id or "" for seer, _ in flown])
    routes = [_route(seer, view, hours[seer.public_id or ""]) for seer, view in flown]
    asked = known.asked
    return PatrolInputs(known.demand, routes, float(asked.count), asked.limit_s, _array(fixed), _item(known))


def _array(views: Sequence[BaseGeometry]) -> Shapes:
    made = np.empty(len(views), dtype=object)
    made[:] = views
    return made


def _hours(session: Session, names: Sequence[str]) -> dict[str, float]:
    """How long a flight of each route takes: out to its beginning, along it, and home, at its own speed."""
    found = {}
    for row in session.execute(_FLOWN, {"names": list(names)}).mappings():
        corners = shapes.from_database([row["geom"]])[0].coords
        home = LonLat(row["lon"], row["lat"])
        ways_m = sum(measure.distance_m(home, LonLat(*corner[:2])) for corner in (corners[0], corners[-1]))
        found[row["public_id"]] = (row["line_m"] + ways_m) / row["speed_m_s"] / _S_PER_H
    return found


def _route(seer: Seer, view: BaseGeometry, hours: float) -> Route:
    at = seer.device.at
    names = (seer.public_id or "", seer.label, seer.authority or "")
    return Route(*names, at.lon, at.lat, alt_agl_m=seer.device.range_m, hours=hours, footprint=view)


def check_site(session: Session, site: Site, device_type: str, asking: Asking) -> Checked:
    """What devices in use see of a new site's view by now, and whether the site keeps off private places."""
    if site.kind != "new":
        return Checked()
    azimuth_deg, hfov_deg = turned(site.azimuth_deg, site.hfov_deg)
    place = Place(LonLat(site.lon, site.lat), "open_air", azimuth_deg, hfov_deg, site.range_m)
    assert place.seen is not None
    item = site.item and session.scalar(select(SupervisionItem.id).where(SupervisionItem.code == site.item))
    share, names = share_seen(session, place.seen, device_type, item or None)
    return Checked(share, names, tuple(private_place_refusals(session, place, asking.pack, asking.now)))


def turned(azimuth_deg: float | None, hfov_deg: float | None) -> tuple[float, float]:
    """The direction and width of a view as the registry wants them: what sees all round looks north over a full turn.

    Without a direction the registry knows no view, and asks neither what it duplicates nor whose privacy it touches.
    """
    return (0.0, _FULL_TURN_DEG) if azimuth_deg is None or hfov_deg is None else (azimuth_deg, hfov_deg)


def authority_names(session: Session, codes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Names of authorities in both languages, by their codes."""
    rows = session.execute(
        text("SELECT code, name_en, name_zh FROM core.authority WHERE code = ANY(:codes)"), {"codes": list(codes)}
    )
    return {code: {"en": en, "zh": zh} for code, en, zh in rows}


def item_names(session: Session, code: str) -> dict[str, str]:
    """The names of a supervision item in both languages, by its code; none where the catalogue does not hold it."""
    item = session.scalars(select(SupervisionItem).where(SupervisionItem.code == code)).one_or_none()
    return {} if item is None else {"en": item.name_en, "zh": item.name_zh}
