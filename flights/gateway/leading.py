"""One flight from clearance to landing, and one that is in the air already, taken up after its gateway died.

Touches the network, the disk and the database. Nothing is sent, no socket is even opened, for a flight that may
not fly now; the rules are asked again when the mission is on board and once more in the instant of arming.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flights.gateway.brief import Brief, drone_of, recall, rehearse
from flights.gateway.desk import Desk
from flights.gateway.following import Following, is_down
from flights.gateway.line import OpenLine, line_to
from flights.gateway.settling import settle
from flights.gateway.sortie import Sortie
from flights.gateway.store import Store
from flights.gateway.told import Ending, EventKind, Flown, Outcome, Step, Stop, Tell, Why, harmless, rules_of
from flights.ground import open_ground
from flights.link import sequence
from flights.link.errors import LinkLost, VehicleRefused
from flights.link.keys import signature_for
from flights.link.recorder import Recorder, stamps_of
from flights.link.resume import start_at
from flights.link.vehicle import VehicleLink
from flights.path.track import Ground
from flights.record import House, record_folder
from schemas.actors import Actor
from schemas.refusals import RuleViolation
from schemas.tables import Drone

RETRY_S = 1.0
# So long is waited, at most, for the first signs of an aircraft that is followed anew.
FIRST_SIGNS_S = 10.0
STORE_WAIT_S = 10.0
log = logging.getLogger(__name__)


def _never() -> str | None:
    return None


@dataclass(frozen=True)
class Lead:
    """Who leads on which line: the installation, the aircraft's address and the way there, the desk, who is told."""

    house: House
    url: str
    open_line: OpenLine
    desk: Desk
    tell: Tell = field(default=lambda _step, _facts: None)
    stop: Stop = _never
    letting_go: Stop = _never

    def fly(self, flight_id: str, pilot: Actor) -> Flown:
        """Flies a cleared flight, or goes on with one that was set down, as `pilot`, until it is down again.

        Raises RuleViolation with every rule that stands against the flight (nothing has been sent then), CalledOff,
        VehicleRefused, LinkLost while it still stands; Superseded, LetGo.
        """
        with open_ground(self.house.data_dir) as ground:
            brief = rehearse(self.house, flight_id, pilot, ground)
            facts = {"mission_digest": brief.mission_digest, "items": len(brief.orders.mission)}
            with self._sortie(brief, ground) as sortie:
                sortie.say(Step.PERMITTED, facts)
                self._connect(sortie)
                if brief.resume_item is None:
                    sortie.upload(pilot)
                else:
                    sortie.read_again(pilot)
                sortie.take_off(pilot)
                self._join_parts(sortie)
                return settle(sortie, self._fly(sortie))

    def take_up(self, flight_id: str) -> Flown:
        """Follows a flight that is in the air by the record: connects, compares what is on board, and goes on.

        Nothing is written to the aircraft. Raises LetGo, Superseded, VehicleRefused for another aircraft.
        """
        with open_ground(self.house.data_dir) as ground:
            brief = recall(self.house, flight_id)
            with self._sortie(brief, ground) as sortie:
                sortie.track.recall(self.house)
                seen_at = _last_seen(sortie)
                self._connect_in_the_air(sortie)
                sortie.require_own_aircraft()
                sequence.request_streams(sortie.link)
                self._await_first_signs(sortie)
                sortie.believe_clock()
                now = self.house.clock.now()
                sortie.track.gap(Why.GATEWAY, seen_at or now, now, raw_until=_raw_until(self.house, sortie))
                sortie.say(Step.RESUMED, {"since": str(seen_at or now), "mission_digest": brief.mission_digest})
                following = Following(sortie)
                self._compare(sortie, following)
                return settle(sortie, following.run())

    # -- one line -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _sortie(self, brief: Brief, ground: Ground) -> Iterator[Sortie]:
        """A flight's record, open; what waits in memory is stored before it is left, whatever happened."""
        folder = record_folder(self.house, brief.public_id)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.house.clock.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}.tlog"
        recorder = Recorder(folder / name, self.house.clock)
        store = Store(self.house, brief.flight_id, recorder)
        self.desk.leads = brief.flight_id
        sortie = Sortie(
            self.house, brief, recorder, store, self.desk,
            ground=ground, tell=harmless(self.tell), stop=self.stop, letting_go=self.letting_go,
        )  # fmt: skip
        try:
            yield sortie
        finally:
            if sortie.connected:
                sortie.link.close()
            recorder.close()
            store.close(STORE_WAIT_S)
            self.desk.leads = None

    def _connect(self, sortie: Sortie) -> None:
        signature = signature_for(self.house, _drone(self.house, sortie.brief.drone_id))
        sortie.link = VehicleLink.connect(
            self.url, self.house.clock, recorder=sortie.recorder, signature=signature, open_line=self.open_line
        )
        sortie.connected = True
        sortie.say(Step.CONNECTED, {"url": self.url})

    def _connect_in_the_air(self, sortie: Sortie) -> None:
        """Connects to an aircraft that flies, however long that takes; it needs nobody meanwhile."""
        told = False
        while True:
            sortie.require_ours()
            try:
                self._connect(sortie)
                return
            except (VehicleRefused, LinkLost) as refused:
                if not told:
                    log.warning("%s cannot be followed yet: %s", sortie.brief.public_id, refused)
                    sortie.store.event(EventKind.LINK, {"stage": "unreachable", **rules_of(refused)})
                    told = True
                time.sleep(RETRY_S)

    def _await_first_signs(self, sortie: Sortie) -> None:
        """Waits until a position has come, and with it whether it flies; a heartbeat alone says neither."""
        deadline = time.monotonic() + FIRST_SIGNS_S
        while sortie.link.telemetry.samples.empty() and time.monotonic() < deadline:
            sortie.require_ours()
            time.sleep(0.05)
        while not sortie.link.telemetry.landed_state and is_down(sortie) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _compare(self, sortie: Sortie, following: Following) -> None:
        """Reads what is on board; an aircraft that does not fly the published mission is called back."""
        try:
            sortie.require_published()
        except RuleViolation as refused:
            differs = any(refusal.rule == "mission.mismatch" for refusal in refused.refusals)
            body = {"step": "return" if differs else "notify", "cause": "mission", **rules_of(refused)}
            sortie.store.event(EventKind.CONFORMANCE, body)
            if differs:
                following.helm.bring_back("mission.mismatch")

    def _join_parts(self, sortie: Sortie) -> None:
        """For a flight that goes on after a landing: its track is one, with a gap."""
        if sortie.brief.was_flown:
            sortie.track.recall(self.house)
            if sortie.track.last is not None:
                sortie.track.gap(Why.SET_DOWN, sortie.track.last.received_at, self.house.clock.now())

    def _fly(self, sortie: Sortie) -> Ending:
        """Starts the armed aircraft and follows it; one that does not start is disarmed, and the flight ends."""
        reason = self.stop()
        try:
            if reason is None:
                self._start(sortie)
        except RuleViolation as refused:
            sequence.call_off(sortie.link)
            if is_down(sortie):
                settle(sortie, Ending(Outcome.ABORTED, refused.refusals[0].rule, 0))
                raise
            log.warning("the start of %s was not confirmed: %s", sortie.brief.public_id, refused)
            reason = refused.refusals[0].rule
        if reason is not None and not sortie.link.telemetry.landed_state > 1:
            sequence.disarm(sortie.link)
            return Ending(Outcome.ABORTED, reason, 0)
        following = Following(sortie)
        if reason is not None:
            following.helm.bring_back(reason)
        return following.run()

    def _start(self, sortie: Sortie) -> None:
        if sortie.brief.resume_item is None:
            sequence.start(sortie.link)
        else:
            start_at(sortie.link, sortie.brief.orders.mission, sortie.brief.resume_item)


def fly(
    house: House, flight_id: str, url: str, *, pilot: Actor, tell: Tell | None = None, stop: Stop | None = None
) -> Flown:
    """Flies a cleared flight on the vehicle at `url`, as `pilot`, until it is down: a gateway for this one flight.

    `stop` is asked all the time; the reason that it returns keeps the aircraft on the ground, or brings it back.
    Raises RuleViolation with every rule that stands against the flight (nothing has been sent then), CalledOff,
    VehicleRefused, LinkLost while it still stands.
    """
    drone_id = drone_of(house, flight_id)
    desk = Desk(house, drone_id, url)
    desk.open()
    try:
        with line_to(house, drone_id, url) as open_line:
            lead = Lead(house, url, open_line, desk, tell or (lambda _step, _facts: None), stop or _never)
            return lead.fly(flight_id, pilot)
    finally:
        desk.close()


def _drone(house: House, drone_id: uuid.UUID) -> Drone:
    with house.session() as session:
        return session.get_one(Drone, drone_id)


def _last_seen(sortie: Sortie) -> datetime | None:
    """When the record of the flight ends: its last stored position."""
    return sortie.track.last.received_at if sortie.track.last else None


def _raw_until(house: House, sortie: Sortie) -> str | None:
    """When the raw record of the parts before ends, which may be a moment later than the stored rows."""
    older = [
        path for path in record_folder(house, sortie.brief.public_id).glob("*.tlog") if path != sortie.recorder.path
    ]
    last = [max(stamps, default=0) for stamps in map(stamps_of, older)]
    newest = max(last, default=0)
    return datetime.fromtimestamp(newest / 1e6, UTC).isoformat() if newest else None
