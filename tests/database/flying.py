"""What tests of flights and inspection plans say again and again: who does what to which, over level ground."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from flights import commands, queries
from flights.canonical import fence_digest
from flights.formats import write_plan
from flights.model import Frame
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.store.work import find
from tests.conftest import Start, opened, work_on
from tests.missions import FlatGround
from tests.situations import R1, drawn

GROUND = FlatGround()
START = datetime(2025, 7, 2, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
END = START + timedelta(minutes=40)

NEW_ZONE = (
    "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m, source,"
    " valid_from, zone_version, origin, recorded_at) VALUES (:id, 'PZ-NEW', 'dormitory', 'New', '新',"
    " ST_GeomFromText(:wkt, 4326), false, 0, 'request', :since, 1, 'live', now())"
)


def texts(violation):
    return {refusal.text for refusal in violation.refusals}


def rules(violation):
    return {refusal.rule for refusal in violation.refusals}


def do(work, code, command, number, *arguments, kind=t.Flight, **options):
    """`do(work, "H1", commands.clear, number, GROUND)` does it, commits, and gives what the command gives."""
    with work(code) as unit:
        answer = command(unit, unit.get(kind, number), *arguments, **options)
        unit.commit()
        return answer


def refused(work, code, command, number, *arguments, kind=t.Flight, **options):
    """The violation with which a command is refused."""
    with pytest.raises(RuleViolation) as caught, work(code) as unit:
        command(unit, unit.get(kind, number), *arguments, **options)
    return caught.value


def change(past_the_judge, statement, **values):
    """Changes rows as an import or another office might have, whatever the rules say of it."""
    with past_the_judge() as session:
        session.execute(text(statement), values)


def new_zone(past_the_judge, shape):
    """A privacy zone that somebody asked for yesterday."""
    since = datetime(2025, 7, 1, tzinfo=UTC)
    change(past_the_judge, NEW_ZONE, id=uuid.uuid4(), wkt=shape.wkt, since=since)


def plan_file(line=R1, alt_m=100.0, suffix=".plan"):
    frame = Frame.GLOBAL_TERRAIN_ALT if suffix == ".geojson" else Frame.GLOBAL_RELATIVE_ALT
    return write_plan(drawn(line, alt_m, frame), suffix)


def filing(session, inspection="IP-2025-1", **changes):
    fields = {
        "data": plan_file(),
        "name": "r1.plan",
        "route": find(session, t.PatrolRoute, "R1"),
        "inspection": find(session, t.InspectionPlan, inspection),
        "drone": queries.drone_named(session, "DR1"),
        "start": START,
        "end": END,
    }
    return commands.Filing(**fields | changes)


def filed(work, code="F1", **changes):
    """Files a flight along R1 and gives its number."""
    with work(code) as unit:
        flight = commands.file_flight(unit, filing(unit.session, **changes))
        unit.commit()
        return flight.public_id


def filing_refused(work, code="F1", **changes):
    """The violation with which a filing is refused."""
    with pytest.raises(RuleViolation) as caught:
        filed(work, code, **changes)
    return caught.value


def precheck(work, number, ground=GROUND):
    """Lets the system judge a filed flight; gives the rules that stand against it."""
    return [refusal.rule for refusal in do(work, "SYSTEM", commands.precheck, number, ground)]


def prechecked(work, **changes):
    number = filed(work, **changes)
    assert precheck(work, number) == []
    return number


def cleared(work, **changes):
    number = prechecked(work, **changes)
    do(work, "H1", commands.clear, number, GROUND)
    return number


def read_back(unit, flight):
    """What a vehicle answers that holds what it was sent."""
    fence = queries.fence_of(unit.session, flight.route, START, END)
    return commands.ReadBack(
        mission_digest=flight.mission_digest, fence_digest=fence_digest(fence.items), vehicle={"firmware": "x"}
    )


def upload(unit, flight):
    commands.mark_uploaded(unit, flight, GROUND, read_back(unit, flight))


def uploaded(work, **changes):
    number = cleared(work, **changes)
    do(work, "F1", upload, number)
    return number


def airborne(work, **changes):
    number = uploaded(work, **changes)
    do(work, "F1", commands.mark_airborne, number, GROUND)
    return number


def row(session, number):
    return find(session, t.Flight, number)


@dataclass(frozen=True)
class Aloft(Start):
    """An installation with a flight of F1 along R1 in the air."""

    flight: str = ""


def aloft(server, template, folder):
    """Makes that installation; whoever asks drops its database."""
    made = Aloft(server.clone(template), folder)
    with opened(server, made) as services:
        return replace(made, flight=airborne(work_on(services)))
