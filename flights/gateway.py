"""One flight from clearance to landing: the law decides whether, the line to the vehicle does how.

Touches the network, the disk and the database, and runs in a process of its own. Nothing is sent, no
socket is even opened, for a flight that may not fly now; the rules are asked again when the mission is on
board and once more in the instant of arming.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from flights import commands, queries
from flights.canonical import fence_digest
from flights.conformance import Judge, Report, RouteShape
from flights.gateway_orders import Fixes, RouteSpan, orders_of
from flights.gateway_record import House, Track, record_folder
from flights.ground import open_ground
from flights.link import sequence
from flights.link.errors import CalledOff, LinkLost, VehicleRefused
from flights.link.recorder import Recorder
from flights.link.sequence import End, Orders, Outcome, Prepared
from flights.link.telemetry import Sample
from flights.link.vehicle import VehicleLink
from flights.profile import Ground
from geo import measure, shapes
from geo.types import LonLat
from schemas.actors import SYSTEM, Actor
from schemas.refusals import RuleViolation
from schemas.store import judge
from schemas.store.work import Work
from schemas.tables import Flight

# A vehicle's own time (GPS) is used where it agrees with ours to this; else the time of receipt.
MAX_CLOCK_OFFSET = timedelta(minutes=5)
TELL_EVERY_S = 1.0
ARM_TRIES = 5
ARM_PAUSE_S = 10.0  # of the vehicle's time
log = logging.getLogger(__name__)


class Step(StrEnum):
    """What is told while a flight goes on."""

    PERMITTED = "permitted"
    CONNECTED = "connected"
    PREPARED = "prepared"
    READY = "ready"
    AIRBORNE = "airborne"
    POSITION = "position"
    DEVIATING = "deviating"
    ENDED = "ended"


Tell = Callable[[Step, dict[str, Any]], None]
Stop = Callable[[], str | None]


@dataclass(frozen=True)
class Flown:
    """How a flight went: its end, the deviation report, and what proves it."""

    flight: str
    outcome: Outcome
    reason: str | None
    report: Report
    pictures: int
    mission_digest: str
    fence_digest: str
    tlog: Path
    tlog_sha256: str


@dataclass(frozen=True)
class _Brief:
    """What is known before the first byte is sent."""

    flight_id: uuid.UUID
    public_id: str
    state: str
    orders: Orders
    mission_digest: str
    fence_digest: str
    judge: Judge
    span: RouteSpan
    home: LonLat
    system_id: int


def fly(
    house: House, flight_id: str, url: str, *, pilot: Actor, tell: Tell | None = None, stop: Stop | None = None
) -> Flown:
    """Flies a cleared flight on the vehicle at `url`, as `pilot`, until it has landed.

    `stop` is asked all the time; the reason that it returns keeps the aircraft on the ground, or brings it back.
    Raises RuleViolation with every rule that stands against the flight (nothing has been sent then), CalledOff,
    VehicleRefused, LinkLost.
    """
    with open_ground(house.data_dir) as ground:
        brief = _rehearse(house, flight_id, pilot, ground)
        tell = tell or (lambda _step, _facts: None)
        tell(Step.PERMITTED, {"mission_digest": brief.mission_digest, "items": len(brief.orders.mission)})
        with _recorder(house, brief) as recorder:
            with VehicleLink.connect(url, house.clock, recorder=recorder) as link:
                tell(Step.CONNECTED, {"url": url})
                sortie = _Sortie(
                    house, brief, link, recorder, ground=ground, pilot=pilot, tell=tell, stop=stop or (lambda: None)
                )
                prepared = sortie.upload()
                sortie.take_off(prepared)
                end = sortie.follow()
            return sortie.report(end)


def _rehearse(house: House, flight_id: str, pilot: Actor, ground: Ground) -> _Brief:
    """Asks the machine for every transition up to take-off, and takes it all back.

    So the flight is refused by the very guards that count, all at once and with an event in the ledger, before
    there is anything to call back.
    """
    with house.work(pilot) as work:
        flight = work.get(Flight, flight_id)
        start, end = queries.window(flight)
        mission = queries.mission_of(flight.route)
        fence = queries.fence_of(work.session, flight.route, start, end)
        tolerance_m = work.pack_for(flight)["flight.deviation_tolerance_m"]
        area, line = shapes.polygon(flight.route.area.geom), shapes.line(flight.route.geom)
        brief = _Brief(
            flight_id=flight.id,
            public_id=flight.public_id,
            state=flight.state,
            orders=orders_of(mission, fence),
            mission_digest=mission.digest,
            fence_digest=fence_digest(fence.items),
            judge=Judge(RouteShape(line, area, flight.route.alt_agl_m, mission.home.at), tolerance_m),
            span=RouteSpan.of(mission.items),
            home=mission.home.at,
            system_id=flight.drone.mavlink_system_id,
        )
        if flight.state != "uploaded":
            promised = commands.ReadBack(
                mission_digest=brief.mission_digest, fence_digest=brief.fence_digest, vehicle={}
            )
            commands.mark_uploaded(work, flight, ground, promised)
            _flush(work)
        commands.mark_airborne(work, flight, ground)
        _flush(work)
    return brief


def _flush(work: Work) -> None:
    """Lets the database judge before anything is done that cannot be taken back."""
    try:
        work.session.flush()
    except DBAPIError as error:
        raise judge.translate(error) or error from error


@contextlib.contextmanager
def _recorder(house: House, brief: _Brief) -> Iterator[Recorder]:
    folder = record_folder(house, brief.public_id)
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(folder / f"{house.clock.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}.tlog", house.clock)
    try:
        yield recorder
    finally:
        recorder.close()


@dataclass
class _Sortie:
    """One connected vehicle and one flight."""

    house: House
    brief: _Brief
    link: VehicleLink
    recorder: Recorder
    ground: Ground = field(kw_only=True)
    pilot: Actor = field(kw_only=True)
    tell: Tell = field(kw_only=True)
    stop: Stop = field(kw_only=True)
    track: Track = field(init=False)
    _in_vehicle_time: bool = field(default=False, init=False)
    _told_at: float = field(default=0.0, init=False)
    _is_off: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        fixes = Fixes(self.brief.span, self.brief.home, self.ground)
        self.track = Track(self.house, self.brief.flight_id, fixes)

    # -- before -------------------------------------------------------------------------------------

    def upload(self) -> Prepared:
        """Puts fence, parameters and mission on board, reads all back, and has the law look again."""
        self._still_wanted()
        with self._vehicle_may_refuse():
            self._require_own_aircraft()
            prepared = sequence.prepare(self.link, self.brief.orders)
        read_back = commands.ReadBack(
            mission_digest=prepared.mission.digest, fence_digest=prepared.fence.digest, vehicle=prepared.record
        )
        self.tell(Step.PREPARED, {"mission_digest": read_back.mission_digest, **prepared.record})
        if self.brief.state != "uploaded":
            with self.house.work(self.pilot) as work:
                flight = work.get(Flight, self.brief.public_id)
                commands.mark_uploaded(work, flight, self.ground, read_back)
                work.commit()
        return prepared

    def take_off(self, prepared: Prepared) -> None:
        """Has the vehicle armed; its own checks may fail for a moment after they passed, so it is tried a few times.

        Each time the vehicle is read and the rules are asked anew: minutes may lie between two tries.
        """
        for tries_left in reversed(range(ARM_TRIES)):
            with self._vehicle_may_refuse():
                sequence.wait_ready(self.link, self._still_wanted)
                self.tell(Step.READY, {"battery_pct": self.link.telemetry.battery_pct})
                self._require_at_home()
                sequence.verify(self.link, prepared)
            self._still_wanted()
            try:
                self._arm()
                return
            except VehicleRefused:
                if not tries_left:
                    raise
                self.link.pause(ARM_PAUSE_S)

    def _arm(self) -> None:
        """Arms in the same transaction in which every rule passed; what cannot be recorded is disarmed."""
        with self.house.work(self.pilot) as work:
            flight = work.get(Flight, self.brief.public_id)
            commands.mark_airborne(work, flight, self.ground)
            _flush(work)
            sequence.arm(self.link)
            try:
                flight.airborne_at = self._armed_at()
                flight.vehicle = {**flight.vehicle, "clock_offset_s": self._offset_s()}
                work.commit()
            except BaseException:
                sequence.disarm(self.link)
                raise
        self.tell(Step.AIRBORNE, {})

    def _require_own_aircraft(self) -> None:
        """Refuses a vehicle that is not the aircraft for which the flight was cleared."""
        found, cleared = self.link.connection.target_system, self.brief.system_id
        if found != cleared:
            raise VehicleRefused.because("link.identity", measured=found, required=cleared)

    def _require_at_home(self) -> None:
        """Refuses to start elsewhere than at the published take-off place, from which the ways were checked."""
        at, tolerance_m = self.link.telemetry.place, self.brief.judge.tolerance_m
        apart_m = math.inf if at is None else measure.distance_m(at, self.brief.home)
        if apart_m > tolerance_m:
            raise VehicleRefused.because("link.not_at_home", measured=f"{apart_m:.0f} m", required=f"{tolerance_m:g} m")

    def _still_wanted(self) -> None:
        """Raises CalledOff when somebody has stopped the flight."""
        if (reason := self.stop()) is not None:
            raise CalledOff.because(reason)

    @contextlib.contextmanager
    def _vehicle_may_refuse(self) -> Iterator[None]:
        """Leaves an event in the ledger when the vehicle, not a guard, stands against the flight."""
        try:
            yield
        except (VehicleRefused, LinkLost) as refused:
            rules = sorted({refusal.rule for refusal in refused.refusals})
            with self.house.work(self.pilot) as work:
                work.record("flight.vehicle_refused", "flight", self.brief.flight_id, {"rules": rules})
                work.commit()
            raise

    # -- in the air ---------------------------------------------------------------------------------

    def follow(self) -> End:
        """Starts the mission and follows it down; whatever goes wrong, the flight does not stay airborne."""
        try:
            if (reason := self.stop()) is not None:
                sequence.disarm(self.link)
                return End(Outcome.ABORTED, reason, 0)
            sequence.start(self.link)
            return sequence.follow(self.link, self.brief.orders, self._take, self.stop)
        except LinkLost:
            self._abort("link_lost")
            raise
        except BaseException as error:
            log.exception("flight %s is called back", self.brief.public_id)
            sequence.call_off(self.link)
            self._abort(error.refusals[0].rule if isinstance(error, RuleViolation) else "gateway_failure")
            raise

    def _take(self, sample: Sample) -> None:
        fix = self.track.add(sample)
        if fix is None:
            return
        lateral_m = self.brief.judge.lateral_m(fix)
        is_off = lateral_m > self.brief.judge.tolerance_m
        facts = {
            "lon": sample.lon,
            "lat": sample.lat,
            "alt_rel_home_m": sample.alt_rel_home_m,
            "speed_m_s": sample.ground_speed_m_s,
            "battery_pct": sample.battery_pct,
            "item": sample.mission_seq,
            "items": len(self.brief.orders.mission),
            "lateral_m": lateral_m,
            "pictures": self.link.telemetry.pictures,
        }
        if is_off and not self._is_off:
            self.tell(Step.DEVIATING, facts)
        self._is_off = is_off
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = time.monotonic()
            self.tell(Step.POSITION, facts)

    # -- after --------------------------------------------------------------------------------------

    def report(self, end: End) -> Flown:
        """Stores the rest of the track and what became of the flight, judged as a whole."""
        self.track.finish()
        report, digest = self.brief.judge.judge(self.track.fixes), self.recorder.close()
        landed_at = self._time_of(self.track.last) if self.track.last else self.house.clock.now()
        with self.house.work(SYSTEM) as work:
            flight = work.get(Flight, self.brief.public_id)
            if end.outcome is Outcome.ABORTED:
                commands.mark_aborted(work, flight, end.reason or "unknown")
            elif self.track.last is None:
                commands.mark_aborted(work, flight, "no_track")
            else:
                commands.mark_landed(work, flight, tlog_sha256=digest)
            flight.landed_at, flight.tlog_sha256 = landed_at, digest
            flight.flown_track = self.track.line()
            flight.vehicle = {
                **flight.vehicle,
                "report": report.render(),
                "pictures": end.pictures,
                "link": dict(self.link.connection.counts),
            }
            work.commit()
        flown = Flown(
            flight=self.brief.public_id,
            outcome=end.outcome,
            reason=end.reason,
            report=report,
            pictures=end.pictures,
            mission_digest=self.brief.mission_digest,
            fence_digest=self.brief.fence_digest,
            tlog=self.recorder.path,
            tlog_sha256=digest,
        )
        self.tell(Step.ENDED, {"outcome": str(end.outcome), **report.render()})
        return flown

    def _abort(self, reason: str) -> None:
        with contextlib.suppress(Exception):
            self.track.finish()
        with self.house.work(SYSTEM) as work:
            flight = work.get(Flight, self.brief.public_id)
            commands.mark_aborted(work, flight, reason)
            flight.flown_track, flight.tlog_sha256 = self.track.line(), self.recorder.close()
            work.commit()

    # -- time ---------------------------------------------------------------------------------------

    def _armed_at(self) -> datetime:
        """When it was armed; decides for the whole flight whether the vehicle's own time can be believed."""
        now, utc = self.house.clock.now(), self._vehicle_now()
        self._in_vehicle_time = utc is not None and abs(utc - now) <= MAX_CLOCK_OFFSET
        return utc if utc is not None and self._in_vehicle_time else now

    def _offset_s(self) -> float | None:
        utc = self._vehicle_now()
        return None if utc is None else round((utc - self.house.clock.now()).total_seconds(), 3)

    def _vehicle_now(self) -> datetime | None:
        telemetry = self.link.telemetry
        return telemetry.utc(int((telemetry.vehicle_s or 0.0) * 1000))

    def _time_of(self, sample: Sample) -> datetime:
        utc = self.link.telemetry.utc(sample.boot_ms)
        return utc if utc is not None and self._in_vehicle_time else sample.received_at
