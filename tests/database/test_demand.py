"""Demand as the database knows it: of one authority, off the privacy zones, each thing told as what it is."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
import shapely
from shapely.geometry import Point
from sqlalchemy import select

from geo.coverage.demand import KINDS
from geo.coverage.wanted import Ground, demands_on, zones_on
from schemas import tables as t
from schemas.tables import Authority
from tests.world import Z1, wkb

GROUND = shapely.box(113.262, 23.124, 113.276, 23.136)


@pytest.fixture
def known(services, past_the_judge):
    """`known(kind)` is the demand of a kind for A1 on the ground, after what `world` was told."""

    def ask(kind, code="A1"):
        with services.session() as session:
            authority = session.scalars(select(Authority).where(Authority.code == code)).one()
            ground = Ground.of(GROUND, zones_on(session, GROUND))
            (found,) = demands_on(session, ground, [kind], authority.id)
            return found, ground

    return ask


@pytest.fixture
def told(past_the_judge):
    def add(table, **values):
        with past_the_judge() as session:
            values = {name: make(session) if callable(make) else make for name, make in values.items()}
            if table is not t.RequiredView:
                values.setdefault("origin", "sample")
            session.add(table(**values))

    return add


def authority(code):
    return lambda session: session.scalars(select(Authority.id).where(Authority.code == code)).one()


def test_GD_15__zone_on_the_ground__no_demand_of_any_area(known):
    found, ground = known("area")
    bath = ground.plane.to_metres(np.array([Z1], dtype=object))[0]
    assert ground.private_m2 == pytest.approx(bath.area)
    assert found.total == pytest.approx(ground.open.area)
    assert not shapely.contains_xy(bath, found.at).any()


def test_population__homes_known__their_ground__else_that_of_buildings(known, told):
    assert known("population")[0].total == 0
    house = shapely.box(113.264, 23.126, 113.2642, 23.1262)
    told(t.BaseFeature, public_id="BF-1", kind="building", geom=wkb(house))
    found, ground = known("population")
    assert found.basis == "buildings"
    assert found.total == pytest.approx(ground.plane.to_metres(np.array([house], dtype=object))[0].area)
    homes = shapely.box(113.27, 23.13, 113.28, 23.135)
    told(t.ContextFeature, public_id="CF-1", layer="residential", name="Homes", geom=wkb(homes))
    found, ground = known("population")
    assert found.basis == "residential_areas"
    inside = ground.plane.to_metres(np.array([homes], dtype=object))[0].intersection(ground.open)
    assert found.total == pytest.approx(inside.area)


def finding(told, name, state, code="A1", risk=0, place=(113.265, 23.127)):
    told(
        t.Detection,
        public_id=name,
        ordinal=1,
        authority_id=authority(code),
        kind="pit",
        score=1.0,
        area_m2=1.0,
        geom=wkb(Point(place).buffer(0.00001)),
        exceedance_id=uuid.uuid4(),
        formed_at="2025-07-01T00:00:00Z",
        state=state,
        risk=risk,
    )


def test_risk_and_violations__open_leads_by_their_points__decided_ones_by_their_number(known, told):
    finding(told, "DT-1", "new", risk=40)
    finding(told, "DT-2", "assigned")
    finding(told, "DT-3", "confirmed", place=(113.27, 23.127))
    finding(told, "DT-4", "false_alarm")
    finding(told, "DT-5", "new", code="A2", risk=90)
    # Closed without ever having been confirmed.
    finding(told, "DT-6", "closed", place=(113.27, 23.128))
    finding(told, "DT-7", "new", risk=90, place=(113.30, 23.127))
    risk, violations = known("risk")[0], known("violations")[0]
    assert (risk.total, risk.unit) == (41, "risk_points")
    assert (violations.total, violations.unit) == (1, "findings")
    assert known("risk", "A2")[0].total == 90


def test_entities__views_that_one_authority_asks_for(known, told):
    told(
        t.SupervisedEntity,
        public_id="SE-1",
        registration_code="9144",
        name="Works (fictional)",
        address="1 Works Road",
        entity_type="factory",
        geom=wkb(Point(113.2725, 23.1335)),
    )
    entity = lambda session: session.scalars(select(t.SupervisedEntity.id)).one()  # noqa: E731
    with_view = {"authority_id": authority("A1"), "entity_id": entity}
    for name, position, count in (("RV-1", "gate", 2), ("RV-2", "chimney", 1)):
        told_view(told, name, position=position, count=count, **with_view)
    found, _ = known("entities")
    assert (found.names, found.total, found.wanted.tolist()) == (("SE-1",), 3, [3])
    assert known("entities", "A2")[0].total == 0


def told_view(told, name, **values):
    told(t.RequiredView, public_id=name, **values)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "area"])
def test_demand__nothing_on_record__empty_and_not_made_up(known, kind):
    found, _ = known(kind)
    assert (found.total, len(found.at)) == (0, 0)
