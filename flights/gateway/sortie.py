"""One connected vehicle and one flight, from the upload to the take-off: the law decides whether, the link does how."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from flights import commands
from flights.gateway.brief import RESUME, Brief, flush
from flights.gateway.desk import Desk
from flights.gateway.identity import IdentityWatch
from flights.gateway.store import Store
from flights.gateway.told import EventKind, LetGo, Step, Stop, Superseded, Tell
from flights.gateway.track import Track
from flights.link import gate, sequence
from flights.link.errors import CalledOff, LinkLost, VehicleRefused
from flights.link.items import ListKind
from flights.link.recorder import Recorder
from flights.link.sequence import Prepared
from flights.link.vehicle import VehicleLink
from flights.path.track import Ground
from flights.record import House
from schemas.actors import Actor
from schemas.tables import Flight

# A vehicle's own time (GPS) is used where it agrees with ours to this; else the time of receipt.
MAX_CLOCK_OFFSET = timedelta(minutes=5)
ARM_TRIES = 5
ARM_PAUSE_S = 10.0  # of the vehicle's time


@dataclass
class Sortie:
    """What every part of leading a flight needs: the flight, its line, its record, and who is told."""

    house: House
    brief: Brief
    recorder: Recorder
    store: Store
    desk: Desk
    ground: Ground = field(kw_only=True)
    tell: Tell = field(kw_only=True)
    stop: Stop = field(kw_only=True)
    letting_go: Stop = field(kw_only=True)
    track: Track = field(init=False)
    identity: IdentityWatch = field(init=False)
    link: VehicleLink = field(init=False)
    connected: bool = field(default=False, init=False)
    uid: str | None = field(default=None, init=False)
    in_vehicle_time: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.track = Track(self.brief, self.ground, self.store)
        self.identity = IdentityWatch(self.brief.registered, self.store, self.house.clock, self.tell)

    def say(self, step: Step, facts: dict[str, Any]) -> None:
        """Tells a step to whoever listens here, and to everybody through the database."""
        self.store.event(EventKind.STEP, {"step": str(step), **facts})
        self.tell(step, facts)

    def require_wanted(self) -> None:
        """Raises CalledOff when somebody has stopped the flight on the ground; Superseded, LetGo."""
        self.require_ours()
        if (reason := self.stop() or self._abort_order()) is not None:
            raise CalledOff.because(reason)

    def require_ours(self) -> None:
        """Raises Superseded or LetGo when this gateway is not to lead the flight any more."""
        if self.desk.superseded:
            raise Superseded
        if self.letting_go() is not None:
            raise LetGo

    def _abort_order(self) -> str | None:
        """What calls the flight off while it still stands; other orders have no meaning yet and are refused."""
        while (order := self.desk.next()) is not None:
            if order.flight == self.brief.public_id and order.kind in ("abort", "return", "land"):
                self.desk.answer(order, "done", {"on": "ground"})
                return order.reason
            self.desk.answer(order, "refused", {"state": self.brief.state})
        return None

    # -- before ---------------------------------------------------------------------------------------

    def upload(self, pilot: Actor) -> Prepared:
        """Puts fence, parameters and mission on board, reads all back, and has the law look again."""
        self.require_wanted()
        with self.vehicle_may_refuse(pilot):
            self.require_own_aircraft()
            prepared = sequence.prepare(self.link, self.brief.orders)
        self.uid = prepared.record["uid"]
        read_back = commands.ReadBack(
            mission_digest=prepared.mission.digest, fence_digest=prepared.fence.digest, vehicle=prepared.record
        )
        self.say(Step.PREPARED, {"mission_digest": read_back.mission_digest, **prepared.record})
        if self.brief.state != "uploaded":
            with self.house.work(pilot) as work:
                flight = work.get(Flight, self.brief.public_id)
                commands.mark_uploaded(work, flight, self.ground, read_back)
                work.commit()
        return prepared

    def read_again(self, pilot: Actor) -> None:
        """For a flight that goes on after a landing: reads what is on board and compares; writes no item."""
        self.require_wanted()
        with self.vehicle_may_refuse(pilot):
            self.require_own_aircraft()
            record = sequence.identify(self.link)
            sequence.request_streams(self.link)
            self.require_published()
        self.uid = record["uid"]
        self.say(Step.PREPARED, {"mission_digest": self.brief.mission_digest, **record})

    def require_published(self) -> None:
        """Refuses a vehicle that does not hold the published mission and fence; reads only (`mission.mismatch`)."""
        wanted = {ListKind.FENCE: self.brief.fence_digest, ListKind.MISSION: self.brief.mission_digest}
        for kind, digest in wanted.items():
            self.link.missions.confirm(kind, digest)

    def take_off(self, pilot: Actor) -> None:
        """Has the vehicle armed; its own checks may fail for a moment after they passed, so it is tried a few times.

        Each time the vehicle is read and the rules are asked anew: minutes may lie between two tries.
        """
        for tries_left in reversed(range(ARM_TRIES)):
            with self.vehicle_may_refuse(pilot):
                sequence.wait_ready(self.link, self.require_wanted)
                self.say(Step.READY, {"battery_pct": self.link.telemetry.battery_pct})
                gate.require(self.link, self._fit())
            self.require_wanted()
            try:
                self._arm(pilot)
                return
            except VehicleRefused:
                if not tries_left:
                    raise
                self.link.pause(ARM_PAUSE_S)

    def _arm(self, pilot: Actor) -> None:
        """Arms in the same transaction in which every rule passed; what cannot be recorded is disarmed."""
        with self.house.work(pilot) as work:
            flight = work.get(Flight, self.brief.public_id)
            began_at = flight.airborne_at
            commands.mark_airborne(work, flight, self.ground)
            # The time of arming is not known yet, and once written it is final.
            flight.airborne_at = began_at
            flush(work)
            sequence.arm(self.link)
            try:
                armed_at = self._armed_at()
                flight.airborne_at = began_at or armed_at
                kept = {name: value for name, value in flight.vehicle.items() if name != RESUME}
                flight.vehicle = kept | {"clock_offset_s": self._offset_s()}
                work.commit()
            except BaseException:
                sequence.disarm(self.link)
                raise
        self.say(Step.AIRBORNE, {})

    def require_own_aircraft(self) -> None:
        """Refuses a vehicle that is not the aircraft for which the flight was cleared; hears its Remote ID from now."""
        found, cleared = self.link.connection.target_system, self.brief.system_id
        if found != cleared:
            raise VehicleRefused.because("link.identity", measured=found, required=cleared)
        self.identity.listen(self.link)

    def _fit(self) -> gate.Wanted:
        """What must hold of the vehicle in the second before it is armed (flights/link/gate.py).

        It stands at the published take-off place, also when it goes on after a landing: ArduCopter takes the place of
        arming for its home, and all heights of the mission are above that.
        """
        keeps_rally = bool(sequence.identify(self.link)["keeps_rally"])
        wanted = self.brief.orders.wanted(keeps_rally=keeps_rally, uid=self.uid)
        return replace(wanted, system_id=self.brief.system_id, tolerance_m=self.brief.judge.tolerance_m)

    @contextlib.contextmanager
    def vehicle_may_refuse(self, pilot: Actor) -> Iterator[None]:
        """Leaves an event in the ledger when the vehicle, not a guard, stands against the flight."""
        try:
            yield
        except (VehicleRefused, LinkLost) as refused:
            rules = sorted({refusal.rule for refusal in refused.refusals})
            with self.house.work(pilot) as work:
                work.record("flight.vehicle_refused", "flight", self.brief.flight_id, {"rules": rules})
                work.commit()
            raise

    # -- time -----------------------------------------------------------------------------------------

    def believe_clock(self) -> None:
        """Decides for this part of the flight whether the vehicle's own time can be believed."""
        utc = self._vehicle_now()
        self.in_vehicle_time = utc is not None and abs(utc - self.house.clock.now()) <= MAX_CLOCK_OFFSET

    def time_of_last(self) -> datetime:
        """When the last good report was made, in the vehicle's time where that is believed."""
        last = self.track.last
        if last is None:
            return self.house.clock.now()
        utc = self.link.telemetry.utc(last.boot_ms)
        return utc if utc is not None and self.in_vehicle_time else last.received_at

    def _armed_at(self) -> datetime:
        self.believe_clock()
        utc = self._vehicle_now()
        return utc if utc is not None and self.in_vehicle_time else self.house.clock.now()

    def _offset_s(self) -> float | None:
        utc = self._vehicle_now()
        return None if utc is None else round((utc - self.house.clock.now()).total_seconds(), 3)

    def _vehicle_now(self) -> datetime | None:
        telemetry = self.link.telemetry
        return telemetry.utc(int((telemetry.vehicle_s or 0.0) * 1000))
