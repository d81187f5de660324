"""A flight in the air: followed to the ground, judged at every report, never given up because the line is silent."""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import time
from datetime import datetime
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.conformance import Standing, State
from flights.contingency import Seen
from flights.gateway.helm import Helm
from flights.gateway.nearby import Approach
from flights.gateway.sortie import Sortie
from flights.gateway.told import Ending, EventKind, LetGo, Outcome, Step, Superseded, Why
from flights.gateway.track import IMPLAUSIBLE
from flights.gateway.watch import LineWatch
from flights.link import sequence
from flights.link.telemetry import Sample
from flights.vehicle_orders import way_home_pct
from geo import measure
from geo.types import LonLat

TELL_EVERY_S = 1.0
WAIT_S = 0.1
# A person is asked again and again while nobody knows where the aircraft is.
ASK_EVERY_S = 300.0
ASK_STREAMS_EVERY_S = 2.0
MOST_FAILURES = 20
_HOMEWARD = (mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH, mavlink.MAV_CMD_NAV_LAND)
_OUT = (State.NONCONFORMING, State.CONTINGENT)
log = logging.getLogger(__name__)


class Following:
    """Follows one flight until it is down and disarmed."""

    def __init__(self, sortie: Sortie) -> None:
        self.helm = Helm(sortie)
        self._sortie = sortie
        self._link = sortie.link
        self._limits = sortie.brief.judge.limits
        self._began_s = self._link.telemetry.vehicle_s or 0.0
        self._breaches = self._link.telemetry.breach_count
        self._breached_at_s: float | None = None
        self._approach = Approach(None, 0.0)
        self._told_at = 0.0
        self._heard_at: datetime = sortie.house.clock.now()
        self._stage = ""
        self._silence_s = self._longest_silence_s = 0.0
        self._asked_at = -ASK_EVERY_S
        self._failures = 0
        self._asked_streams_at = 0.0
        self._watch = LineWatch(sortie)
        self._link.connection.forward(self._hear)

    def run(self) -> Ending:
        """Follows; raises Superseded or LetGo when the flight is another gateway's from now on."""
        while not is_down(self._sortie):
            try:
                self._turn()
            except (Superseded, LetGo):
                raise
            except Exception:
                # A fault of ours must not leave the aircraft alone: it is called back, and followed home.
                self._failures += 1
                if self._failures > MOST_FAILURES:
                    raise
                log.exception("flight %s goes on after a fault", self._sortie.brief.public_id)
                self.helm.bring_back("gateway_failure")
                time.sleep(WAIT_S)
        while not self._link.telemetry.samples.empty():
            self._hand_over()
        self._note_state(self._sortie.track.end())
        return self._ending()

    def _turn(self) -> None:
        self._sortie.require_ours()
        self._hand_over()
        silence_s = self._link.connection.silence_s
        # A vehicle that is heard and does not say where it is flies unseen all the same.
        unseen_s = max(silence_s, self._link.telemetry.unseen_s)
        self._watch_line(unseen_s)
        self._keep_streams(silence_s, unseen_s)
        self._watch.clock()
        if (reason := self._sortie.stop()) is not None:
            self.helm.bring_back(reason)
        is_silent, now_s = silence_s >= self._limits.stale_s, self._now_s(unseen_s)
        self.helm.obey(now_s, is_silent=is_silent)
        if self._link.vehicle.armed:
            self.helm.contain(self._seen(unseen_s, now_s), now_s, is_silent=is_silent)

    # -- reports --------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._take(self._link.telemetry.samples.get(timeout=WAIT_S))
            while True:
                self._take(self._link.telemetry.samples.get_nowait())

    def _take(self, sample: Sample) -> None:
        standing = self._sortie.track.add(sample)
        fix = self._sortie.track.last_fix
        if IMPLAUSIBLE in standing.reasons or fix is None:
            self._watch.implausible()
            return
        self._approach = self._sortie.brief.zones.approach(fix, sample.received_at)
        facts = self._facts(sample, standing, fix.alt_agl_m)
        self._note_state(standing, facts)
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = time.monotonic()
            self._sortie.store.event(EventKind.POSITION, facts)
            self._sortie.tell(Step.POSITION, facts)

    def _facts(self, sample: Sample, standing: Standing, alt_agl_m: float) -> dict[str, Any]:
        return {
            "lon": sample.lon,
            "lat": sample.lat,
            "alt_rel_home_m": sample.alt_rel_home_m,
            "alt_agl_m": None if math.isnan(alt_agl_m) else round(alt_agl_m, 2),
            "speed_m_s": sample.ground_speed_m_s,
            "heading_deg": sample.heading_deg,
            "battery_pct": sample.battery_pct,
            "item": sample.mission_seq,
            "items": len(self._sortie.brief.orders.mission),
            "lateral_m": standing.cross_track_m,
            "pictures": self._link.telemetry.pictures,
            "state": str(standing.state),
            "along_m": standing.along_m,
            "cross_track_m": standing.cross_track_m,
            "height_off_m": standing.height_off_m,
            "link_age_s": round(self._link.connection.silence_s, 2),
        }

    def _note_state(self, standing: Standing, facts: dict[str, Any] | None = None) -> None:
        if not standing.changed:
            return
        body = {"state": str(standing.state), "since_s": standing.since_s, "reasons": list(standing.reasons)}
        self._sortie.store.event(EventKind.CONFORMANCE, body | (facts or {}))
        if standing.state in _OUT and facts is not None:
            self._sortie.tell(Step.DEVIATING, facts)

    def _hear(self, message: Any) -> None:  # noqa: ANN401
        """What the vehicle says in words, and whether its fence holds; in the reading thread."""
        kind = message.get_type()
        if kind == "STATUSTEXT":
            self._sortie.store.event(EventKind.TEXT, {"text": message.text, "severity": message.severity})
        elif kind == "FENCE_STATUS":
            now_s = self._link.telemetry.vehicle_s or 0.0
            self._breached_at_s = (self._breached_at_s or now_s) if message.breach_status else None

    # -- the line -------------------------------------------------------------------------------------

    def _watch_line(self, silence_s: float) -> None:
        """Says when the line is stale, a link loss, lost; and when it is back, what is missing of the record."""
        stages = {"stale": self._limits.stale_s, "loss": self._limits.link_loss_s, "lost": self._limits.lost_s}
        stage = [word for word, after_s in stages.items() if silence_s >= after_s][-1:]
        if stage and stage[0] != self._stage:
            self._stage = stage[0]
            self._say_line(self._stage, silence_s)
        if self._stage:
            self._longest_silence_s = max(self._longest_silence_s, silence_s)
            self._note_state(self._sortie.track.silence(silence_s))
            self._ask_for_a_person(silence_s)
        elif silence_s <= self._silence_s:
            # It was heard since the last look: if the line falls silent now, this is where the gap begins.
            self._heard_at = self._sortie.house.clock.now()
        self._silence_s = silence_s
        if self._stage and not stage:
            self._come_back()

    def _keep_streams(self, silence_s: float, unseen_s: float) -> None:
        """Asks for positions again where they end while the vehicle is heard: it has restarted, or another asked."""
        heard = silence_s < self._limits.stale_s <= unseen_s
        if heard and time.monotonic() - self._asked_streams_at >= ASK_STREAMS_EVERY_S:
            self._asked_streams_at = time.monotonic()
            sequence.ask_streams(self._link)

    def _come_back(self) -> None:
        now, silence_s = self._sortie.house.clock.now(), self._longest_silence_s
        self._say_line("back", silence_s)
        if silence_s >= self._limits.link_loss_s:
            self._sortie.track.gap(Why.LINK, self._heard_at, now, silence_s=round(silence_s, 1))
        self._stage, self._longest_silence_s, self._asked_at, self._heard_at = "", 0.0, -ASK_EVERY_S, now

    def _ask_for_a_person(self, silence_s: float) -> None:
        """When the flight must be over by now and nothing was heard, somebody has to look; we go on listening."""
        over_s = self._sortie.brief.orders.longest_s
        unheard_s = (self._sortie.house.clock.now() - self._heard_at).total_seconds()
        flown_s = (self._link.telemetry.vehicle_s or 0.0) - self._began_s + unheard_s
        if flown_s > over_s and time.monotonic() - self._asked_at >= ASK_EVERY_S:
            self._asked_at = time.monotonic()
            self._say_line("needs_person", silence_s)

    def _say_line(self, stage: str, silence_s: float) -> None:
        body = {"stage": stage, "silence_s": round(silence_s, 1)}
        if (last := self._sortie.track.last) is not None:
            body |= {"lon": last.lon, "lat": last.lat}
        self._sortie.store.event(EventKind.LINK, body)
        self._sortie.tell(Step.LINK, body)

    # -- what the policy sees -------------------------------------------------------------------------

    def _now_s(self, silence_s: float) -> float:
        fix = self._sortie.track.last_fix
        heard_s = (self._link.telemetry.vehicle_s or 0.0) if fix is None else fix.at_s
        return heard_s + (silence_s if silence_s >= self._limits.stale_s else 0.0)

    def _seen(self, silence_s: float, now_s: float) -> Seen:
        standing, telemetry = self._sortie.track.standing, self._link.telemetry
        vehicle_s = telemetry.vehicle_s or 0.0
        breached_at_s = self._breached_at_s
        return Seen(
            state=str(standing.state),
            lasting_s=max(now_s - standing.since_s, 0.0),
            silence_s=silence_s,
            zone_m=self._approach.zone_m,
            closing_m_s=self._approach.closing_m_s,
            breached_s=None if breached_at_s is None else vehicle_s - breached_at_s,
            turning_back=self._turns_back(),
            battery_pct=telemetry.battery_pct,
            home_pct=self._home_pct(),
            flown_s=vehicle_s - self._began_s,
            longest_s=self._sortie.brief.orders.longest_s,
            operator=self.helm.wish,
        )

    def _turns_back(self) -> bool:
        """Whether it flies home or lands, by itself or by its mission: a return there leaves the mode as it is."""
        modes, mission = self._link.modes, self._sortie.brief.orders.mission
        seq = self._link.telemetry.mission_seq
        in_mission = modes.name == "AUTO" and 1 <= seq <= len(mission) and mission[seq - 1].command in _HOMEWARD
        return modes.homeward or in_mission

    def _home_pct(self) -> float:
        """What the way home takes of the battery."""
        last, brief = self._sortie.track.last, self._sortie.brief
        if last is None:
            return 0.0
        away_m = measure.distance_m(LonLat(last.lon, last.lat), brief.home)
        return way_home_pct(brief.orders, away_m, last.alt_rel_home_m)

    # -- the end --------------------------------------------------------------------------------------

    def _ending(self) -> Ending:
        telemetry = self._link.telemetry
        reason, outcome = "reboot" if telemetry.rebooted else self.helm.reason, Outcome.ABORTED
        early = self._ended_early()
        if reason is None and telemetry.breach_count > self._breaches:
            reason = "fence_breach"
        if reason is None and early is not None:
            reason = self.helm.comes_down or ("battery" if self._says_battery() else early)
            if self.helm.comes_down is not None or self._may_go_on():
                outcome = Outcome.SET_DOWN
        if reason is None:
            outcome = Outcome.LANDED
        return Ending(outcome, reason, telemetry.pictures, self._sortie.track.furthest_item)

    def _ended_early(self) -> str | None:
        """Why the mission was not flown to its end, None when it was."""
        telemetry, mission = self._link.telemetry, self._sortie.brief.orders.mission
        last_place = max((seq for seq, item in enumerate(mission, 1) if item.x or item.y), default=0)
        furthest = max(telemetry.furthest_seq, self._sortie.track.furthest_item)
        got_there = last_place in telemetry.reached or furthest > last_place
        return None if got_there or not last_place else "ended_early"

    def _may_go_on(self) -> bool:
        """Whether the vehicle came down for its battery, or by the pilot's hand: then it may take off again."""
        return not self._link.telemetry.rebooted and (self._says_battery() or self.helm.pilot_had_it)

    def _says_battery(self) -> bool:
        return "battery" in " ".join(self._link.telemetry.texts).lower()


def is_down(sortie: Sortie) -> bool:
    """Whether the aircraft stands on the ground with its motors off."""
    down = (mavlink.MAV_LANDED_STATE_ON_GROUND, mavlink.MAV_LANDED_STATE_UNDEFINED)
    return sortie.link.telemetry.landed_state in down and not sortie.link.vehicle.armed
