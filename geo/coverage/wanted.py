"""What the database knows of demand on some ground: homes, entities with their views, leads at risk, decided findings.

The ground and everything on it are read here; geo.coverage.demand makes pieces of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from geo.coverage import demand
from geo.coverage.demand import Demand
from geo.coverage.plane import Floats, Plane, Shapes
from schemas.refusals import invalid

# Finer cells than about a twentieth of what one device sees change no answer that people act upon.
_PIECES = 4_000


@dataclass(frozen=True)
class Ground:
    """Ground that is asked about: as drawn (EPSG:4326), and without the privacy zones in metres of its plane."""

    geom: BaseGeometry
    plane: Plane
    open: BaseGeometry
    private_m2: float

    @classmethod
    def of(cls, geom: BaseGeometry, zones: BaseGeometry | None = None) -> Ground:
        """Takes the zones (EPSG:4326) off; raises RuleViolation (`coverage.no_ground`) where nothing is left."""
        plane = Plane.around(geom)
        asked, private = plane.to_metres(np.array([geom, zones or shapely.Polygon()], dtype=object))
        left = asked.difference(private)
        if not left.area > 0:
            raise invalid("coverage.no_ground", "coverage.no_ground")
        return cls(geom, plane, left, float(asked.area - left.area))

    @cached_property
    def side_m(self) -> float:
        """The side of cells into which demand is cut where nobody says another: some thousand over the ground."""
        west, south, east, north = self.open.bounds
        return float(np.sqrt((east - west) * (north - south) / _PIECES))


_HERE = "geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)"
# What the public sees of the zones in force, which holds what it does not see of them.
_ZONES = text(
    "SELECT '', ST_AsBinary(geom) FROM core.privacy_zone"
    f" WHERE (valid_to IS NULL OR valid_to > clock_timestamp()) AND {_HERE}"
)
_HOMES = text(f"SELECT name, ST_AsBinary(geom) FROM core.context_feature WHERE layer = 'residential' AND {_HERE}")
_BUILDINGS = text(f"SELECT '', ST_AsBinary(geom) FROM core.base_feature WHERE kind = 'building' AND {_HERE}")
_ENTITIES = text(
    "SELECT e.public_id, ST_AsBinary(ST_PointOnSurface(e.geom)), sum(v.count)::int"
    " FROM core.required_view v JOIN core.supervised_entity e ON e.id = v.entity_id"
    f" WHERE v.authority_id = :authority AND e.{_HERE} GROUP BY e.id ORDER BY e.public_id"
)
_OPEN = "d.state IN ('new', 'assigned', 'inconclusive', 'transferred')"
# What was closed counts where an officer had confirmed it; a false alarm is closed too.
_DECIDED = (
    "(d.state IN ('confirmed', 'notified', 'rectifying', 'rectified') OR d.state = 'closed' AND EXISTS"
    " (SELECT FROM core.decision c WHERE c.detection_id = d.id AND c.kind = 'confirm'))"
)
_FINDINGS = (
    "SELECT {weight}::float8, ST_AsBinary(ST_PointOnSurface(d.geom)) FROM core.detection d"
    f" WHERE d.authority_id = :authority AND d.{_HERE} AND {{which}} ORDER BY d.public_id"
)
# A lead without points is a lead all the same.
_RISK = text(_FINDINGS.format(weight="greatest(d.risk, 1)", which=_OPEN))
_VIOLATIONS = text(_FINDINGS.format(weight="1", which=_DECIDED))


def zones_on(session: Session, geom: BaseGeometry) -> BaseGeometry:
    """The public shapes of the privacy zones in force on some ground, as one; EPSG:4326."""
    return shapely.union_all(_shapes(session, _ZONES, geom)[1])


def homes_on(session: Session, geom: BaseGeometry) -> tuple[tuple[str, ...], Shapes]:
    """The residential areas that reach into some ground: their names and shapes, in EPSG:4326."""
    return _shapes(session, _HOMES, geom)


def demands_on(
    session: Session, ground: Ground, kinds: Collection[str], authority_id: uuid.UUID, side_m: float | None = None
) -> tuple[Demand, ...]:
    """The demand of each of the kinds on the ground, for an authority; a kind of which nothing is known is empty.

    `side_m` is the side of the cells that areas are cut into, and within which single places are taken together.
    Raises RuleViolation for unknown kinds, and for more pieces than are looked at.
    """
    side_m = side_m or ground.side_m
    make = {
        demand.AREA: lambda: demand.over_area(demand.AREA, "ground", ground.open, side_m),
        demand.POPULATION: lambda: _homes(session, ground, side_m),
        demand.ENTITIES: lambda: _entities(session, ground, authority_id),
        demand.RISK: lambda: _found(session, ground, authority_id, demand.RISK, side_m),
        demand.VIOLATIONS: lambda: _found(session, ground, authority_id, demand.VIOLATIONS, side_m),
    }
    return tuple(make[kind]() for kind in demand.known_kinds(kinds))


def _homes(session: Session, ground: Ground, side_m: float) -> Demand:
    """The ground of residential areas; where none is known, that of buildings, which is told as such."""
    basis, (_, found) = "residential_areas", homes_on(session, ground.geom)
    if not len(found):
        basis, (_, found) = "buildings", _shapes(session, _BUILDINGS, ground.geom)
    there = shapely.union_all(ground.plane.to_metres(found)).intersection(ground.open)
    areas = shapely.get_parts(there)
    whole = shapely.union_all(areas[shapely.get_dimensions(areas) == 2]) if len(areas) else shapely.Polygon()
    return demand.over_area(demand.POPULATION, basis, whole, side_m)


def _entities(session: Session, ground: Ground, authority_id: uuid.UUID) -> Demand:
    rows = session.execute(_ENTITIES, _box(ground.geom) | {"authority": authority_id}).all()
    names, wanted = [row[0] for row in rows], [row[2] for row in rows]
    return demand.at_entities(names, _places(ground.plane, [row[1] for row in rows]), wanted, ground.open)


def _found(session: Session, ground: Ground, authority_id: uuid.UUID, kind: str, side_m: float) -> Demand:
    statement, basis = {demand.RISK: (_RISK, "open_leads"), demand.VIOLATIONS: (_VIOLATIONS, "decided_findings")}[kind]
    rows = session.execute(statement, _box(ground.geom) | {"authority": authority_id}).all()
    weight = np.array([row[0] for row in rows], np.float64)
    return demand.at_places(kind, basis, _places(ground.plane, [row[1] for row in rows]), weight, ground.open, side_m)


def _places(plane: Plane, points: list[bytes]) -> Floats:
    if not points:
        return np.empty((0, 2))
    xy = shapely.get_coordinates(shapely.from_wkb([bytes(one) for one in points]))
    return np.column_stack(plane.metres(xy[:, 0], xy[:, 1]))


def _shapes(session: Session, statement: TextClause, geom: BaseGeometry) -> tuple[tuple[str, ...], Shapes]:
    rows = session.execute(statement, _box(geom)).all()
    found = shapely.from_wkb(np.array([bytes(row[1]) for row in rows], dtype=object))
    areas = shapely.get_dimensions(found) == 2
    return tuple(name for (name, _), kept in zip(rows, areas, strict=True) if kept), found[areas]


def _box(geom: BaseGeometry) -> dict[str, Any]:
    return dict(zip(("west", "south", "east", "north"), geom.bounds, strict=True))
