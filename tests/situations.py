"""The situation of requirements.md 3.0 as plain values: PA1, R1, Z1, DR1 over level ground."""

import uuid
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from shapely.geometry import LineString, Point, Polygon

from flights.check.precheck import check_plan
from flights.check.situation import Aircraft, Notice, Options, PublishedArea, PublishedRoute, Situation
from flights.model import Command, Frame, Plan, PlanItem
from geo.types import LonLat
from geo.zones import Zone
from schemas.rules import Rulebook
from tests.missions import FlatGround, compile_fixture_mission

SHANGHAI = ZoneInfo("Asia/Shanghai")
PACK = Rulebook.load()["cn-gd-2025"]
EFFECTIVE = Notice(date(2025, 7, 1))
PA1 = Polygon([(113.25, 23.12), (113.29, 23.12), (113.29, 23.14), (113.25, 23.14)])
Z1 = Polygon([(113.2695, 23.1295), (113.2705, 23.1295), (113.2705, 23.1305), (113.2695, 23.1305)])
R1 = [(113.2550, 23.1250), (113.2850, 23.1250)]
R2 = [(113.2550, 23.1300), (113.2850, 23.1300)]
R3 = [(113.2550, 23.1290), (113.2850, 23.1290)]
R4 = [(113.2550, 23.1250), (113.2950, 23.1250)]
HOME = Point(113.2545, 23.1250)
MISSION, DIGEST = compile_fixture_mission(LineString(R1), HOME, alt_agl_m=100.0)

AREA = PublishedArea("PA-PA1", "PA1", PA1, EFFECTIVE)
ROUTE = PublishedRoute("RT-R1", "R1", LineString(R1), 100.0, DIGEST, EFFECTIVE)
ZONE = Zone(uuid.uuid4(), "PZ-Z1", "public_bathhouse", Z1, 0.0, datetime(2025, 5, 1, tzinfo=UTC))
DRONE = Aircraft("DV-DR1", 70.0, 1400, 1050, 10.0, date(2025, 6, 20), "active", EFFECTIVE)


def local(day=2, hour=10, minute=0, month=7):
    return datetime(2025, month, day, hour, minute, tzinfo=SHANGHAI)


def situation(**values):
    base = {"areas": (AREA,), "routes": (ROUTE,), "zones": (ZONE,), "aircraft": DRONE}
    return Situation(PACK, values.pop("ground", FlatGround()), **(base | values))


def judged(plan, situation, at=None, options=None):
    """The verdict on a plan, each of whose refusals says where, what was found, what is asked for and what to do."""
    verdict = check_plan(plan, situation, at=at or local(), options=options or Options())
    for refusal in verdict.refusals:
        missing = [name for name in ("place", "measured", "required") if getattr(refusal, name) is None]
        assert missing == [], refusal.text
        assert all(refusal.message(lang) and refusal.fix(lang) for lang in ("en", "zh"))
    return verdict


def drawn(line, alt_m=100.0, frame=Frame.GLOBAL_TERRAIN_ALT):
    """A plan of plain waypoints along `line`."""
    items = [PlanItem(Command.NAV_WAYPOINT, frame, at=LonLat(*p), alt_m=alt_m) for p in line]
    return Plan(tuple(items))
