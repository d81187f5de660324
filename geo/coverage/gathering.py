"""Reads from the database what an answer of coverage needs: who sees, the ground, what is on it, what was kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from geo.coverage.asked import Asked
from geo.coverage.demand import ENTITIES, Demand
from geo.coverage.plane import Plane, Shapes
from geo.coverage.rivers import NEAR_M, Waters
from geo.coverage.seen import Surroundings
from geo.coverage.study import Asking, Homes
from geo.coverage.views import WATER, Seer, views_of
from geo.coverage.wanted import Ground, demands_on, zones_on
from geo.zones import margins_deg
from schemas.refusals import invalid, not_found
from schemas.tables import CoverageStudy, KeptView, SupervisedEntity

Sessions = Callable[[], AbstractContextManager[Session]]

# What nobody asked for in so many days is computed again when somebody does.
_KEPT_DAYS = 90
_AT_ONCE = 5_000
_EDGE_DEG = 0.02
_NEAR_PLACE_M = 3_000.0
_RIVERS = ("river", "stream", "canal", "waterway")

_WATERS = """
    SELECT kind, ST_AsBinary(geom) AS geom FROM core.base_feature
    WHERE kind = ANY(:kinds) AND geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
    UNION ALL
    SELECT 'water', ST_AsBinary(geom) FROM core.context_feature
    WHERE layer = 'water' AND geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
"""
_BUILDINGS = """
    SELECT ST_AsBinary(geom) AS geom FROM core.base_feature
    WHERE kind = 'building' AND geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
"""
# Neighbourhoods are known by their own names, or where many are called the same, by the place beside them.
_HOMES = """
    SELECT f.name, ST_AsBinary(f.geom) AS geom, p.name_en, p.name_zh
    FROM core.context_feature f LEFT JOIN LATERAL (
        SELECT b.name_en, b.name_zh FROM core.base_feature b
        WHERE b.kind = 'place' AND ST_DWithin(b.geom::geography, ST_PointOnSurface(f.geom)::geography, :near_m)
        ORDER BY b.geom <-> f.geom LIMIT 1) p ON true
    WHERE f.layer = 'residential' AND f.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
    ORDER BY f.name, f.public_id
"""


@dataclass(frozen=True)
class Held:
    """What an installation holds of heights: its models, None where there is none, and the views that were kept."""

    terrain: Path | None
    surface: Path | None
    kept: KeptViews


def asking_of(session: Session, study: CoverageStudy, *, zone: str, held: Held) -> Asking:
    """Everything that the answer to a study is made from, `held` is what the installation knows of heights.

    Raises RuleViolation where the question cannot be asked here: of hills without a model, of ground that zones cover.
    """
    asked = Asked.of_json(study.question)
    if asked.over_terrain and held.terrain is None:
        raise not_found("coverage.no_terrain", "coverage.no_terrain")
    # Edges of longitude and latitude are not straight on the plane; short ones are.
    geom = shapely.segmentize(to_shape(study.ground), _EDGE_DEG)
    ground = Ground.of(geom, zones_on(session, geom))
    views = views_of(session, study, asked, zone=zone)
    demands = demands_on(session, ground, asked.demand, study.authority_id)
    if all(not one.total > 0 for one in demands):
        raise invalid("siting.no_demand", "siting.no_demand", measured=", ".join(asked.demand))
    entities = _entities(session, ground, demands, study)
    return Asking(
        views=views,
        ground=ground,
        asked=asked,
        demands=demands,
        entities=entities,
        entity_names=_names(session, entities.names),
        homes=homes_of(session, ground),
        around=surroundings(session, [*views.now, *views.before], ground, asked, held),
    )


def _entities(session: Session, ground: Ground, demands: Iterable[Demand], study: CoverageStudy) -> Demand:
    """The views that entities have to give are told of whatever is asked for."""
    for demand in demands:
        if demand.kind == ENTITIES:
            return demand
    return demands_on(session, ground, [ENTITIES], study.authority_id)[0]


def _names(session: Session, public_ids: Collection[str]) -> Mapping[str, str]:
    rows = session.execute(
        select(SupervisedEntity.public_id, SupervisedEntity.name).where(SupervisedEntity.public_id.in_(public_ids))
    )
    return {row.public_id: row.name for row in rows}


def homes_of(session: Session, ground: Ground) -> Homes:
    """The residential areas on the ground, by names that tell them apart."""
    rows = session.execute(text(_HOMES), _box(ground.geom, 0.0) | {"near_m": _NEAR_PLACE_M}).all()
    if not rows:
        return Homes()
    shapes = ground.plane.to_metres(_shapes(row.geom for row in rows))
    areas = np.flatnonzero(shapely.get_dimensions(shapes) == 2)
    distinct = len({row.name for row in rows}) == len(rows)
    names = tuple(rows[i].name if distinct else _beside(rows[i]) for i in areas.tolist())
    return Homes(names, shapes[areas])


def _beside(row: Any) -> str:  # noqa: ANN401 - a row of _HOMES
    place = " ".join(name for name in (row.name_zh, row.name_en) if name)
    return f"{row.name} · {place}" if place else str(row.name)


def surroundings(session: Session, seers: Sequence[Seer], ground: Ground, asked: Asked, held: Held) -> Surroundings:
    """What stands around devices, as far as the question looks at it."""
    terrain = held.terrain if asked.over_terrain else None
    surface = held.surface if terrain is not None else None
    reach_m = max((seer.device.range_m for seer in seers), default=0.0)
    wet = any(seer.kind == WATER for seer in seers)
    buildings = np.empty(0, dtype=object)
    if terrain is not None and asked.buildings_m:
        buildings = _shapes(session.execute(text(_BUILDINGS), _box(ground.geom, reach_m)).scalars())
    return Surroundings(
        terrain=terrain,
        terrain_sha256=_sha256(terrain) if terrain is not None else "",
        surface=surface,
        surface_sha256=_sha256(surface) if surface is not None else "",
        buildings=buildings,
        buildings_m=asked.buildings_m if len(buildings) else None,
        waters=_waters(session, ground.plane, _box(ground.geom, 2 * reach_m + NEAR_M)) if wet else Waters(),
        kept=held.kept,
    )


def _waters(session: Session, plane: Plane, box: Mapping[str, float]) -> Waters:
    rows = session.execute(text(_WATERS), {**box, "kinds": [*_RIVERS, "water"]}).all()
    shapes = plane.to_metres(_shapes(row.geom for row in rows))
    parts = shapely.get_parts(shapes)
    kinds = shapely.get_type_id(parts)
    return Waters(parts[kinds == 1], parts[kinds == 3])


def _shapes(values: Iterable[bytes]) -> Shapes:
    """Shapes of our own database, which alone may produce binary ones."""
    return np.asarray(shapely.from_wkb(np.array([bytes(one) for one in values], dtype=object)))


def _box(geom: BaseGeometry, beyond_m: float) -> dict[str, float]:
    west, south, east, north = geom.bounds
    (lon_deg,), (lat_deg,) = margins_deg(south, north, np.array([beyond_m]))
    return {"west": west - lon_deg, "south": south - lat_deg, "east": east + lon_deg, "north": north + lat_deg}


def _sha256(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


class KeptViews:
    """Views over terrain, kept in the database: what one study computed the next one finds."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, BaseGeometry]:
        """Those that are there; they are marked as used today."""
        found: dict[bytes, BaseGeometry] = {}
        for first in range(0, len(keys), _AT_ONCE):
            some = list(keys[first : first + _AT_ONCE])
            with self._sessions() as session:
                rows = session.execute(select(KeptView.key, KeptView.view).where(KeptView.key.in_(some))).all()
                old = KeptView.used_on < func.current_date()
                session.execute(update(KeptView).where(KeptView.key.in_(some), old).values(used_on=func.current_date()))
            found |= dict(zip((row.key for row in rows), _shapes(row.view for row in rows), strict=True))
        return found

    def put(self, found: Mapping[bytes, BaseGeometry]) -> None:
        """Keep them; two who computed the same keep it once."""
        rows = [{"key": key, "view": shapely.to_wkb(view)} for key, view in found.items()]
        if rows:
            with self._sessions() as session:
                session.execute(insert(KeptView).on_conflict_do_nothing(), rows)

    def forget(self) -> int:
        """Let go of what nobody used for long; how many."""
        with self._sessions() as session:
            old = KeptView.used_on < func.current_date() - _KEPT_DAYS
            return len(session.execute(delete(KeptView).where(old).returning(KeptView.key)).all())
