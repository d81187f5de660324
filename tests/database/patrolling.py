"""What tests of patrol areas and routes say again and again."""

from __future__ import annotations

import pytest
from shapely.geometry import Polygon
from sqlalchemy import select

from geo import commands
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import Authority, PatrolArea, SitingPlan, SupervisionItem
from tests.missions import compile_fixture_mission
from tests.world import HOME


def new_area(session, **changes):
    fields = {
        "code": "PA2",
        "name_en": "Area PA2 (fictional)",
        "name_zh": "区域PA2（虚构）",
        "purpose_en": "Patrol",
        "purpose_zh": "巡查",
        "authority": session.scalars(select(Authority).where(Authority.code == "A1")).one(),
        "item": session.scalars(select(SupervisionItem)).one(),
        "siting_plan": session.scalars(select(SitingPlan)).one(),
        "geom": Polygon([(113.30, 23.12), (113.32, 23.12), (113.32, 23.14), (113.30, 23.14)]),
        "alt_min_agl_m": 60.0,
        "alt_max_agl_m": 120.0,
    }
    return commands.NewArea(**fields | changes)


def new_route(session, line, code="R9", home=HOME, **changes):
    mission, digest = compile_fixture_mission(line, home, alt_agl_m=100.0)
    fields = {
        "code": code,
        "name_en": f"Route {code} (fictional)",
        "name_zh": f"路线{code}（虚构）",
        "area": find(session, PatrolArea, "PA1"),
        "line": line,
        "alt_agl_m": 100.0,
        "camera_hfov_deg": 70.0,
        "home": home,
        "home_amsl_m": 12.0,
        "mission": mission,
        "mission_digest": digest,
    }
    return commands.NewRoute(**fields | changes)


def do(work, code, command, kind, public_id, **options):
    """`do(work, "H1", commands.approve, PatrolArea, "PA2")` does it and commits."""
    with work(code) as doing:
        command(doing, doing.get(kind, public_id), **options)
        doing.commit()


def refused(work, code, command, kind, public_id, **options):
    """The violation with which a command is refused."""
    with pytest.raises(RuleViolation) as caught, work(code) as doing:
        command(doing, doing.get(kind, public_id), **options)
    return caught


def draft_area(work, **changes):
    with work("N1") as doing:
        commands.draft_area(doing, new_area(doing.session, **changes))
        doing.commit()


def draft_route(work, line, **changes):
    with work("N1") as doing:
        commands.draft_route(doing, new_route(doing.session, line, **changes))
        doing.commit()


def show(work, clock, kind, code):
    """Shows an area or route on both channels, and begins its notice."""
    official = {"receipt_id": "GD-7", "published_at": clock.now()}
    do(work, "O1", commands.record_publication, kind, code, channel="official_disclosure", **official)
    do(work, "O1", commands.record_publication, kind, code, channel="platform_map")
    do(work, "O1", commands.publish, kind, code)
