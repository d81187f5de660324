"""A study as it stands, ready to be asked what a change of some devices would do; kept by each process for a while.

What is kept is the study's last answer, and begins anew with the next one: who sees, what each sees, the ground without
its privacy zones, the homes on it, and the demand that counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from geoalchemy2.shape import to_shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from flights.ground import TERRAIN_FILE
from geo.commands.words import DEVICE_TYPES
from geo.coverage.asked import Asked
from geo.coverage.demand import AREA, POPULATION, Demand
from geo.coverage.footprints import Device, Relief, footprints
from geo.coverage.relief import relief_around
from geo.coverage.views import CAMERA, Seer, sharp_m, views_of
from geo.coverage.wanted import Ground, demands_on, zones_on
from geo.coverage.what_if import Standing
from geo.types import LonLat
from schemas.refusals import invalid
from schemas.tables import CoverageStudy, DeviceSite
from schemas.tables import Device as Registered
from web.identity.request_identity import services
from web.planner import coverage_scope
from web.public.kept import Keeper, database_name

Shapes = NDArray[np.object_]
# A study of ten thousand devices takes some tens of megabytes.
_KEPT = 6
_STUDIES = Keeper(_KEPT)


@dataclass(frozen=True)
class Wish:
    """One device as somebody wants it: `key` names one that stands, or is new; `view` is None to take it away."""

    key: str
    view: Device | None
    label: str = ""
    device_type: str = CAMERA


@dataclass(frozen=True)
class Effect:
    """What some wishes do together; areas in square metres, `demand` by kind in its own unit.

    `footprint` and `was` (EPSG:4326) are what the last wish would see and what that device sees now.
    """

    seen_m2: float
    duplicated_m2: float
    homes_m2: float
    demand: Mapping[str, float]
    footprint: BaseGeometry | None
    was: BaseGeometry | None
    seconds: float


class StandingStudy:
    """Who sees the ground of a study, in metres of its plane."""

    def __init__(
        self,
        seers: Mapping[str, Seer],
        footprints: Shapes,
        ground: Ground,
        demand: Sequence[Demand],
        asked: Asked,
        relief: Relief | None = None,
    ) -> None:
        """`seers` by their keys in the order of `footprints`."""
        self.seers, self.asked = dict(seers), asked
        self._footprints, self._ground, self._relief = footprints, ground, relief
        self._number = {key: number for number, key in enumerate(self.seers)}
        self._standing = Standing(footprints, ground.open)
        kinds = {one.kind: one for one in demand}
        homes = kinds[POPULATION].shape if POPULATION in kinds else None
        self._homes = Standing(footprints, homes) if homes is not None and not homes.is_empty else None
        self._asked_for = tuple(one for one in demand if one.kind in asked.demand)
        self._times = {one.kind: one.times(footprints) for one in self._asked_for if one.shape is None}

    def listed(self) -> list[dict[str, Any]]:
        """The devices as the map of the study shows them; what no study may move is told as fixed."""
        return [
            _told(key, seer) for key, seer in self.seers.items() if seer.kind in DEVICE_TYPES and seer.shape is None
        ]

    def effect(self, wishes: Sequence[Wish]) -> Effect:
        """What it does where all wishes come true; raises RuleViolation for a view that cannot be."""
        began = time.perf_counter()
        taken = [self._number[wish.key] for wish in wishes if wish.key in self._number]
        asked_for = [wish for wish in wishes if wish.view is not None]
        put = self._seen_by(asked_for)
        change = self._standing.changed(taken, list(put))
        homes = self._homes.changed(taken, list(put)).gained_m2 if self._homes else 0.0
        last = wishes[-1] if wishes else None
        drawn = put[-1] if last is not None and last.view is not None else None
        number = self._number.get(last.key) if last else None
        return Effect(
            seen_m2=change.gained_m2,
            duplicated_m2=change.duplicated_m2,
            homes_m2=homes,
            demand=self._demanded(taken, put, change.gained_m2, homes),
            footprint=self._placed(drawn),
            was=self._placed(None if number is None else self._footprints[number]),
            seconds=time.perf_counter() - began,
        )

    def _seen_by(self, wishes: Sequence[Wish]) -> Shapes:
        devices = [self._sharp(wish) for wish in wishes]
        return footprints(devices, self._ground.plane, self._relief)

    def _sharp(self, wish: Wish) -> Device:
        """Cameras see no further than the pixels that were asked for reach."""
        assert wish.view is not None
        if wish.device_type != CAMERA:
            return wish.view
        return replace(wish.view, range_m=min(wish.view.range_m, sharp_m(self.asked, wish.view.hfov_deg)))

    def _demanded(self, taken: Sequence[int], put: Shapes, seen_m2: float, homes_m2: float) -> dict[str, float]:
        areas = {AREA: seen_m2, POPULATION: homes_m2}
        old = self._footprints[np.asarray(taken, dtype=np.int64)]
        changes = {}
        for one in self._asked_for:
            if one.shape is not None:
                changes[one.kind] = areas[one.kind]
                continue
            before = self._times[one.kind]
            after = before - one.times(old) + one.times(put)
            has = np.minimum(after, one.wanted) - np.minimum(before, one.wanted)
            changes[one.kind] = float(one.weight @ (has / one.wanted))
        return changes

    @property
    def units(self) -> dict[str, str]:
        """The unit of each kind of demand that was asked for."""
        return {one.kind: one.unit for one in self._asked_for}

    def _placed(self, footprint: BaseGeometry | None) -> BaseGeometry | None:
        if footprint is None or footprint.is_empty:
            return None
        shape: BaseGeometry = self._ground.plane.to_wgs84(np.array([footprint], dtype=object))[0]
        return shape


def _told(key: str, seer: Seer) -> dict[str, Any]:
    view = seer.device
    return {
        "key": key,
        "label": seer.label,
        "kind": seer.kind,
        "status": seer.status,
        "lon": round(view.at.lon, 6),
        "lat": round(view.at.lat, 6),
        "azimuth_deg": view.azimuth_deg,
        "hfov_deg": view.hfov_deg,
        "range_m": round(view.range_m, 2),
        "mast_m": view.mast_m,
        "fixed": not is_changeable(key),
        "own": seer.own,
    }


# -- from the database -------------------------------------------------------------------------------------------


def standing_of(db: Session, study: CoverageStudy) -> StandingStudy:
    """The study as it stands; made on the first question after each answer, and then kept by this process.

    Raises RuleViolation with the reasons where it cannot be made, as when an elevation model was replaced meanwhile.
    """
    key = (database_name(), str(study.id), coverage_scope.tag_of(study))
    return _STUDIES.current(key, key[-1], lambda _last: _made(db, study), 0.0)


def _made(db: Session, study: CoverageStudy) -> StandingStudy:
    asked = Asked.of_json(study.question)
    geom = to_shape(study.ground)
    ground = Ground.of(geom, zones_on(db, geom))
    seers = views_of(db, study, asked, zone=str(services().zone)).now
    seers = tuple(seer for seer in seers if asked.hour is None or seer.hours is None or asked.hour in seer.hours)
    views = [seer.device for seer in seers]
    relief = relief_of(services().data_dir / TERRAIN_FILE, ground, views) if asked.over_terrain else None
    ids = select(Registered.public_id).join(DeviceSite, DeviceSite.id == Registered.site_id)
    known = [seer.public_id for seer in seers if seer.kind in DEVICE_TYPES and seer.public_id]
    registered = frozenset(db.scalars(ids.where(Registered.public_id.in_(known))))
    demand = demands_on(db, ground, {*asked.demand, POPULATION}, study.authority_id)
    return StandingStudy(
        keyed(study, seers, registered), footprints_of(seers, ground, relief), ground, demand, asked, relief
    )


def footprints_of(seers, ground, relief):
    found = np.full(len(seers), shapely.Polygon(), dtype=object)
    plain = [n for n, one in enumerate(seers) if not one.path and one.shape is None]
    found[plain] = footprints([seers[n].device for n in plain], ground.plane, relief)
    return found


def relief_of(path, ground, views):
    places = ground.plane.to_metres(np.array([shapely.Point(one.at) for one in views], dtype=object))
    around = shapely.union_all([ground.open, *places])
    return relief_around(path, ground.plane, shapely.envelope(around), max(one.range_m for one in views))


# -- keys ------------------------------------------------------------------------------------------------------

OWN, NEW = "own-", "new-"
_FIXED = "as-"


def keyed(study: CoverageStudy, seers: Sequence[Seer], registered: frozenset[str]) -> dict[str, Seer]:
    """Seers by the names under which a page asks for them: the public id of a registered device, `own-N` for what the
    study adds, and another word for what a study cannot change: routes, scenes, sites of plans."""
    added = iter([row.ordinal for row in study.devices if row.device_id is None and not row.gone])
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
    label = seer.label if seer else str(told.get("label", ""))[:200]
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


def as_geojson(shape: BaseGeometry | None) -> dict[str, Any] | None:
    """A shape for the map, without more digits than its pixels have."""
    return None if shape is None else dict(mapping(shapely.set_precision(shape, 1e-7)))
