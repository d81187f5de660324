"""A study as it stands, ready to be asked what a change of some devices would do; kept by each process for a while.

What is kept is the study's last answer, and begins anew with the next one: who sees, what each sees, the ground without
its privacy zones, the homes on it, and the demand that counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.commands.words import DEVICE_TYPES
from geo.coverage.demand import AREA, POPULATION
from geo.coverage.footprints import Device, faults_of
from geo.coverage.gathering import Held, KeptViews, asking_of
from geo.coverage.seen import what_is_seen
from geo.coverage.study import Asking
from geo.coverage.views import CAMERA, SATELLITE, Seer, sharp_m
from geo.coverage.what_if import Standing
from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation
from schemas.tables import CoverageStudy, DeviceSite, PlannedSite
from schemas.tables import Device as Registered
from web.identity.request_identity import services
from web.planner import coverage_scope
from web.planner.coverage_wishes import Wish, is_changeable, keyed
from web.planning_jobs import house
from web.public.kept import Keeper, database_name

Shapes = NDArray[np.object_]
# A study of ten thousand devices takes some tens of megabytes.
_KEPT = 6
_STUDIES = Keeper(_KEPT)


class _Latest:
    """Keeps the views that were asked for last, no more than may be tried at once.

    What a hand tries on its way over the map is soon forgotten; what was changed before is asked for again each time.
    """

    def __init__(self) -> None:
        self._views: dict[bytes, BaseGeometry] = {}
        self._taking = Lock()

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, BaseGeometry]:
        """Those that are there; they are the latest again."""
        with self._taking:
            found = {key: self._views.pop(key) for key in dict.fromkeys(keys) if key in self._views}
            self._views.update(found)
        return found

    def put(self, found: Mapping[bytes, BaseGeometry]) -> None:
        """Keep them, and forget the oldest."""
        with self._taking:
            self._views.update(found)
            for key in list(self._views)[: -int(limit("coverage.changes"))]:
                del self._views[key]


@dataclass(frozen=True)
class Effect:
    """What some wishes do together; areas in square metres, `demand` by kind in its own unit.

    `footprint` and `was` (EPSG:4326) are what the last wish would see and what that device sees now; `hidden` is why
    it would see nothing (a word of geo.coverage.seen).
    """

    seen_m2: float
    duplicated_m2: float
    homes_m2: float
    demand: Mapping[str, float]
    footprint: BaseGeometry | None
    was: BaseGeometry | None
    hidden: str | None
    seconds: float


class StandingStudy:
    """Who sees the ground of a study, in metres of its plane."""

    def __init__(self, seers: Mapping[str, Seer], footprints: Shapes, asking: Asking) -> None:
        """`seers` by their keys in the order of `footprints`."""
        self.seers, self.asked = dict(seers), asking.asked
        self._footprints, self._ground = footprints, asking.ground
        self._around = replace(asking.around, kept=_Latest())
        self._number = {key: number for number, key in enumerate(self.seers)}
        self._standing = Standing(footprints, asking.ground.open)
        homes = shapely.union_all(asking.homes.shapes).intersection(asking.ground.open)
        self._homes = None if homes.is_empty else Standing(footprints, homes)
        self._demands = asking.demands
        population = next((one.shape for one in asking.demands if one.kind == POPULATION), None)
        # Where no residential area is known, buildings stand for homes.
        self._people = None if population is None or population.is_empty else Standing(footprints, population)
        self._times = {one.kind: one.times(footprints) for one in asking.demands if one.shape is None}

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
        put, hidden = self._seen_by(asked_for)
        change = self._standing.changed(taken, list(put))
        homes = self._homes.changed(taken, list(put), are_checked=True).gained_m2 if self._homes else 0.0
        areas = {AREA: change.gained_m2}
        if self._people is not None:
            areas[POPULATION] = self._people.changed(taken, list(put), are_checked=True).gained_m2
        last = wishes[-1] if wishes else None
        drawn = put[-1] if last is not None and last.view is not None else None
        number = self._number.get(last.key) if last else None
        return Effect(
            seen_m2=change.gained_m2,
            duplicated_m2=change.duplicated_m2,
            homes_m2=homes,
            demand=self._demanded(taken, put, areas),
            footprint=self._placed(drawn),
            was=self._placed(None if number is None else self._footprints[number]),
            hidden=hidden.get(len(put) - 1) if drawn is not None else None,
            seconds=time.perf_counter() - began,
        )

    def _seen_by(self, wishes: Sequence[Wish]) -> tuple[Shapes, Mapping[int, str]]:
        """What the wishes see, and why those see nothing that do not."""
        devices = [self._sharp(wish) for wish in wishes]
        if faults := faults_of(devices):
            raise RuleViolation(Kind.INVALID, faults)
        seers = [
            Seer(device=device, label=wish.label, public_id=None, kind=wish.device_type, status="planned", own=True)
            for wish, device in zip(wishes, devices, strict=True)
        ]
        seen = what_is_seen(seers, self._ground.plane, self._around, lambda _share: None)
        return seen.views, seen.left_out

    def _sharp(self, wish: Wish) -> Device:
        """Cameras see no further than the pixels that were asked for reach."""
        assert wish.view is not None
        if wish.device_type != CAMERA:
            return wish.view
        return replace(wish.view, range_m=min(wish.view.range_m, sharp_m(self.asked, wish.view.hfov_deg)))

    def _demanded(self, taken: Sequence[int], put: Shapes, areas: Mapping[str, float]) -> dict[str, float]:
        old = self._footprints[np.asarray(taken, dtype=np.int64)]
        changes = {}
        for one in self._demands:
            if one.shape is not None:
                changes[one.kind] = areas.get(one.kind, 0.0)
                continue
            before = self._times[one.kind]
            after = before - one.times(old) + one.times(put)
            has = np.minimum(after, one.wanted) - np.minimum(before, one.wanted)
            changes[one.kind] = float(one.weight @ (has / one.wanted))
        return changes

    @property
    def units(self) -> dict[str, str]:
        """The unit of each kind of demand that was asked for."""
        return {one.kind: one.unit for one in self._demands}

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
    here = house(services())
    held = Held(here.terrain, here.surface, KeptViews(here.housekeeping))
    asking = asking_of(db, study, zone=here.zone, held=held)
    seers = [seer for seer in asking.views.now if seer.kind != SATELLITE]
    known = [seer.public_id for seer in seers if seer.kind in DEVICE_TYPES and seer.public_id]
    ids = select(Registered.public_id).join(DeviceSite, DeviceSite.id == Registered.site_id)
    planned = select(PlannedSite.public_id).where(PlannedSite.public_id.in_(known))
    registered = frozenset(db.scalars(ids.where(Registered.public_id.in_(known)).union(planned)))
    views = what_is_seen(seers, asking.ground.plane, asking.around, lambda _share: None).views
    return _warmed(StandingStudy(keyed(study, seers, registered), views, asking))


def _warmed(made: StandingStudy) -> StandingStudy:
    """The same, after a first question: what a process compiles or loads for it is there before a hand asks."""
    for key, seer in made.seers.items():
        if is_changeable(key) and not faults_of([seer.device]):
            made.effect([Wish(key, seer.device, seer.label, seer.kind)])
            break
    return made


def as_geojson(shape: BaseGeometry | None) -> str:
    """A shape for the map as text of GeoJSON, without more digits than its pixels have."""
    # Corner by corner: whether what is left touches itself, no map asks.
    return "null" if shape is None else str(shapely.to_geojson(shapely.set_precision(shape, 1e-7, mode="pointwise")))
