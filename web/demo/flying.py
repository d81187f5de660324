"""The flight of the demo: plans are checked, one is filed, cleared, flown on a real socket, and closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from flights import commands, gateway, queries
from flights.check.situation import Options
from flights.filing import Filed, FilingRequest, file_and_judge
from flights.formats import read_plan
from flights.ground import open_ground
from flights.photos import intake as gateway_frames
from geo import shapes
from schemas.clock import FixedClock, ScaledClock
from schemas.store.work import find
from schemas.tables import Flight, PatrolRoute
from web.checks import judged
from web.demo.story import Say, Story
from web.demo.vehicle import SimulatedVehicle, running
from web.wiring import Services

ROUTE, PLAN, DRONE, PILOT, HEAD = "R1", "IP-CURRENT", "DR1", "F1", "H1"
SPEED_UP = 12.0
WINDOW = timedelta(hours=1)
TOO_EARLY = date(2025, 6, 30), time(10)
TELL_EVERY = 12


@dataclass(frozen=True)
class Flew:
    """The flight of the demo and where its photos lie; `clock` goes on from its landing."""

    flight: str
    frames: Path
    clock: ScaledClock


def check_plans(services: Services, story: Story, plans: Path, at: datetime) -> None:
    """Judges R1 to R4, and R1 a day before it may be flown."""
    for code, when, name in (
        ("R1", at, "R1"),
        ("R1", datetime.combine(*TOO_EARLY, services.zone), "R1 on 2025-06-30, a day early"),
        ("R2", at, "R2, through the bath-house"),
        ("R3", at, "R3, 55 m beside it"),
        ("R4", at, "R4, leaves the area"),
    ):
        file = plans / f"{code}.plan"
        verdict, _zone = judged(services, read_plan(file.read_bytes(), file.name), when, Options(), DRONE)
        rules = ", ".join(sorted({refusal.rule for refusal in verdict.refusals}))
        earliest = next((r.earliest for r in verdict.refusals if r.earliest), None)
        outcome = "may be flown" if verdict.ok else f"refused by {rules}"
        number = f"earliest {earliest}" if earliest else f"{verdict.length_m:,.0f} m"
        story.tell(f"plan {name}", outcome, number)


def end_leftovers(services: Services) -> int:
    """Ends what an earlier start, cut off in the middle, left with the aircraft; gives how many flights that were."""
    table = services.machine.tables["flight"]
    with services.session() as session:
        flights = session.execute(
            select(Flight.public_id, Flight.state)
            .where(Flight.drone_id == queries.drone_named(session, DRONE).device_id)
            .order_by(Flight.recorded_at)
        ).all()
    ended = 0
    for number, state in flights:
        ways = {"cancel": commands.cancel, "abort": commands.mark_aborted}
        end = next((way for name, way in ways.items() if table.find(name, state)), None)
        if end is not None:
            with services.work(services.actor(PILOT)) as work:
                end(work, work.get(Flight, number), "An earlier start of the demo was cut off.")
                work.commit()
            ended += 1
    return ended


def file_flight(services: Services, plans: Path, at: datetime) -> Filed:
    """The pilot files R1 and the unit head clears it, at the time at which it will be flown."""
    house = services.with_clock(FixedClock(at))
    file = plans / f"{ROUTE}.plan"
    request = FilingRequest(
        data=file.read_bytes(),
        name=file.name,
        route=ROUTE,
        inspection=PLAN,
        drone=DRONE,
        start=at,
        end=at + WINDOW,
    )
    with open_ground(house.data_dir) as ground:
        filed = file_and_judge(house.work, house.actor(PILOT), request, ground)
        if not filed.refusals:
            with house.work(house.actor(HEAD)) as work:
                commands.clear(work, work.get(Flight, filed.flight), ground)
                work.commit()
    house.close()
    return filed


def fly(services: Services, story: Story, filed: Filed, sample: Path, at: datetime) -> Flew:
    """Flies the cleared flight on the simulated vehicle, hands in its photos, and tells how it went."""
    frames = services.data_dir / "frames" / filed.flight
    with services.session() as session:
        route = find(session, PatrolRoute, ROUTE)
        home = shapes.lon_lat(route.home)
        vehicle = SimulatedVehicle(
            home_lon=home.lon,
            home_lat=home.lat,
            home_amsl_m=route.home_amsl_m,
            dem=sample / "dem.tif",
            ortho=sample / "drone_orthophoto.tif",
            frames=frames,
            start_at=at,
            speed_up=SPEED_UP,
            serial_no=queries.drone_named(session, DRONE).device.serial_no,
        )
    with running(vehicle) as url:
        clock = ScaledClock(at, SPEED_UP)
        house = services.with_clock(clock)
        pilot = house.actor(PILOT)
        flown = gateway.fly(house, filed.flight, url, pilot=pilot, tell=_Teller(story.say))
    report = flown.report.render()
    story.tell(
        f"flight {flown.flight} along {ROUTE}",
        str(flown.outcome),
        f"strayed {report['lateral_m']} m sideways, {report['vertical_m']} m in height "
        f"(allowed {report['tolerance_m']:g} m)",
    )
    story.tell("mission read back from the vehicle", "as published", f"SHA-256 {flown.mission_digest[:16]}…")
    story.tell("fence read back from the vehicle", "as sent", f"SHA-256 {flown.fence_digest[:16]}…")
    story.tell(
        "simulated flying time",
        f"{at:%Y-%m-%d %H:%M} UTC, {SPEED_UP:g} times real time",
        f"{report['fixes']} positions stored",
    )
    _tell_identity(services, story, flown.flight)
    count = gateway_frames.ingest(house, filed.flight, frames, actor=pilot)
    with house.work(pilot) as work:
        commands.close(work, work.get(Flight, filed.flight), note=None)
        work.commit()
    story.tell("photos handed in, by hash", "flight closed", f"{count} photos")
    house.close()
    return Flew(filed.flight, frames, clock)


def _tell_identity(services: Services, story: Story, number: str) -> None:
    with services.session() as session:
        heard = find(session, Flight, number).vehicle["report"]["remote_id"]
    against = ", ".join(heard["spoke_against"]) or "nothing against it"
    story.tell("Remote ID heard and held against the register", heard["state"], against)


class _Teller:
    """Passes on what the gateway tells, positions only now and then."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._positions = 0

    def __call__(self, step: gateway.Step, facts: dict[str, Any]) -> None:
        if step is gateway.Step.POSITION:
            self._positions += 1
            if self._positions % TELL_EVERY:
                return
            self._say(f"      item {facts['item']}/{facts['items']}, {facts['lateral_m']:.1f} m off the route")
            return
        self._say(f"      {step.value}")
