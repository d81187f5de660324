"""The simulated vehicle as a process: sockets on one side, simulated time on the other."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.autopilot import Autopilot
from flights.simulator.frames import FrameWriter, Shot
from flights.simulator.identity import COMPONENT, IdentityModule
from flights.simulator.options import Options
from flights.simulator.orders import Orders
from flights.simulator.ports import Wire, open_port
from flights.simulator.storage import fence_slots
from flights.simulator.telemetry import Reporter
from flights.simulator.transfer import ItemStore
from geo.terrain import Terrain
from schemas.refusals import RuleViolation

STEP_S = 0.05
POLL_S = 0.005
# So long at most are steps made up for before the sockets are looked at again.
BURST_S = 0.02
# A process that was held up goes on from where it was instead of racing after the clock.
MAX_DEBT_S = 0.5
# What a slow autopilot has not looked at yet; more is lost, as in its own buffers.
MAX_WAITING = 1_000
# Right after a start the fence is not read from the storage yet, and its count is told as 0.
FENCE_READ_S = 3.0
TRANSFERS = ("MISSION_COUNT", "MISSION_ITEM_INT", "MISSION_REQUEST_LIST", "MISSION_CLEAR_ALL")
REQUESTS = ("MISSION_REQUEST_INT", "MISSION_REQUEST")


class DemGround:
    """Ground heights from an elevation model; 0 m where it has none, or without one."""

    def __init__(self, terrain: Terrain | None) -> None:
        self._terrain = terrain

    @property
    def has_terrain(self) -> bool:
        """Whether there is an elevation model on board."""
        return self._terrain is not None

    def ground_m(self, lat: float, lon: float) -> float:
        """Height of the ground above mean sea level."""
        if self._terrain is None:
            return 0.0
        height = float(self._terrain.heights_m(np.array([lon]), np.array([lat]))[0])
        return 0.0 if math.isnan(height) else height


class FlatGround:
    """Ground at the height of the home everywhere; what a simulation without an elevation model has."""

    has_terrain = False

    def __init__(self, amsl_m: float) -> None:
        self._amsl_m = amsl_m

    def ground_m(self, lat: float, lon: float) -> float:
        """Height of the ground above mean sea level."""
        return self._amsl_m


class Simulator:
    """One simulated vehicle on one port. `run` works until `stop` is called."""

    def __init__(self, options: Options, wire: Wire, cleanup: contextlib.ExitStack) -> None:
        self.options = options
        self._wire = wire
        self._stop = threading.Event()
        self._ground: DemGround | FlatGround = FlatGround(options.home_amsl_m or 0.0)
        if options.dem is not None:
            self._ground = DemGround(cleanup.enter_context(Terrain.open(options.dem)))
        self._frames: FrameWriter | None = None
        if options.ortho is not None and options.frames is not None:
            writer = FrameWriter(options.ortho, options.frames, options.camera)
            self._frames = cleanup.enter_context(writer)
        self.autopilot = Autopilot(options, self._ground, self._say, self._shoot)
        self.reporter, self._orders = self._mouth_and_ears(options.start_time)
        self._module = self._identity_module()
        self._stores = {
            kind: ItemStore(kind, wire.send, options.faults, time.monotonic)
            for kind in (
                mavlink.MAV_MISSION_TYPE_MISSION,
                mavlink.MAV_MISSION_TYPE_FENCE,
                mavlink.MAV_MISSION_TYPE_RALLY,
            )
        }
        self._mission.set_home(self.autopilot.home_item())
        self._loaded = (0, 0, 0)
        self._waiting: deque[Any] = deque(maxlen=MAX_WAITING)
        self._free_at = 0.0
        self._restarted = False
        self.pictures = 0

    def _mouth_and_ears(self, start_time: datetime) -> tuple[Reporter, Orders]:
        reporter = Reporter(self.autopilot, start_time)
        return reporter, Orders(self.autopilot, reporter, self._wire.send, mute=self.options.faults.mute_ack)

    def _identity_module(self) -> IdentityModule | None:
        if self.options.identity is None:
            return None
        return IdentityModule(self.options.identity, self.options.faults, self.autopilot, lambda: self.reporter.utc)

    def restart(self) -> None:
        """Starts the autopilot anew: lists, parameters and key survive, streams and connections do not."""
        utc = self.reporter.utc
        self.autopilot = Autopilot(self.options, self._ground, self._say, self._shoot, before=self.autopilot)
        self.reporter, self._orders = self._mouth_and_ears(utc)
        self._module = self._identity_module()
        self._mission.set_home(self.autopilot.home_item())
        for store in self._stores.values():
            store.restart(FENCE_READ_S if store is self._fence else 0.0)
        self.autopilot.mission.load(self._mission.items)
        self.autopilot.fence.load(self._fence.items)
        self._waiting.clear()
        self._wire.hang_up()

    @property
    def _mission(self) -> ItemStore:
        return self._stores[mavlink.MAV_MISSION_TYPE_MISSION]

    @property
    def _fence(self) -> ItemStore:
        return self._stores[mavlink.MAV_MISSION_TYPE_FENCE]

    @property
    def _rally(self) -> ItemStore:
        return self._stores[mavlink.MAV_MISSION_TYPE_RALLY]

    def stop(self) -> None:
        """Ends `run` soon; safe to call from a signal handler or another thread."""
        self._stop.set()

    def run(self) -> None:
        """Lives: takes messages, lets time pass, speaks."""
        due_at = time.monotonic()
        while not self._stop.is_set():
            self._waiting.extend(self._wire.poll(POLL_S))
            self._answer()
            if self._orders.restart_wanted:
                self.restart()
            now = time.monotonic()
            due_at = max(due_at, now - MAX_DEBT_S)
            while due_at < now and time.monotonic() < now + BURST_S:
                self._step()
                due_at += STEP_S / self.options.speed_up

    def _answer(self) -> None:
        """Takes what has come; a slow autopilot one message after the other."""
        slow_s = self.options.faults.slow_s
        while self._waiting and (not slow_s or time.monotonic() >= self._free_at):
            message = self._waiting.popleft()
            self._take(message)
            if slow_s and message.get_type() != "HEARTBEAT":
                self._free_at = time.monotonic() + slow_s

    def _step(self) -> None:
        autopilot = self.autopilot
        autopilot.step(STEP_S)
        at_s, flight_s = self.options.faults.reboot_at_s, autopilot.flight_s
        if at_s is not None and flight_s is not None and flight_s >= at_s and not self._restarted:
            self._restarted = True
            self.restart()
            return
        for store in self._stores.values():
            store.tick(autopilot.now_s)
        for seq in autopilot.reached:
            self._wire.send(mavlink.MAVLink_mission_item_reached_message(seq))
        autopilot.reached.clear()
        for message in self.reporter.due():
            self._wire.send(message)
        for message in self._module.due() if self._module is not None else ():
            self._wire.send(message, COMPONENT)

    def _take(self, message: Any) -> None:  # noqa: ANN401
        target = getattr(message, "target_system", self.options.system_id)
        if target not in (0, self.options.system_id):
            return
        kind = message.get_type()
        if kind in TRANSFERS or kind in REQUESTS:
            store = self._stores.get(message.mission_type)
            if store is None:
                self._refuse_kind(message)
                return
            store.handle(message)
            self._load()
        elif kind == "SETUP_SIGNING":
            self._set_key(message)
        else:
            self._orders.handle(message)

    def _set_key(self, message: Any) -> None:  # noqa: ANN401
        if self.autopilot.armed:
            self._say(mavlink.MAV_SEVERITY_ERROR, "ERROR: Won't setup signing when armed")
        else:
            key = bytes(message.secret_key)
            self._wire.sign_with(key if any(key) else None, message.initial_timestamp)

    def _refuse_kind(self, message: Any) -> None:  # noqa: ANN401
        station = (message.get_srcSystem(), message.get_srcComponent())
        self._wire.send(
            mavlink.MAVLink_mission_ack_message(*station, mavlink.MAV_MISSION_UNSUPPORTED, message.mission_type)
        )

    def _load(self) -> None:
        """Hands completed lists to the autopilot."""
        versions = (self._mission.version, self._fence.version, self._rally.version)
        if versions[0] != self._loaded[0]:
            self.autopilot.mission.load(self._mission.items)
            self.autopilot.params.store("MIS_TOTAL", len(self._mission.items))
        if versions[1] != self._loaded[1]:
            self.autopilot.fence.load(self._fence.items)
            self.autopilot.params.store("FENCE_TOTAL", fence_slots(self._fence.items))
        if versions[2] != self._loaded[2]:
            self.autopilot.params.store("RALLY_TOTAL", len(self._rally.items))
        self._loaded = versions

    def _say(self, severity: int, text: str) -> None:
        self._wire.send(mavlink.MAVLink_statustext_message(severity, text.encode("ascii")[:50]))

    def _shoot(self) -> None:
        self.pictures += 1
        autopilot = self.autopilot
        place = autopilot.airframe.place
        shot = Shot(
            self.pictures,
            self.reporter.utc,
            place,
            place.amsl_m - self._ground.ground_m(place.lat, place.lon),
            autopilot.height_m,
            autopilot.airframe.yaw_deg,
        )
        if self._frames is not None:
            self._frames.write(shot)
        self._wire.send(_feedback(shot))


def _feedback(shot: Shot) -> Any:  # noqa: ANN401
    yaw_deg = (shot.yaw_deg + 180) % 360 - 180
    return mavlink.MAVLink_camera_feedback_message(
        int(shot.taken_at.timestamp() * 1e6),
        0,
        0,
        shot.number % 65_536,
        round(shot.place.lat * 1e7),
        round(shot.place.lon * 1e7),
        shot.place.amsl_m,
        shot.alt_rel_home_m,
        0.0,
        0.0,
        yaw_deg,
        0.0,
        mavlink.CAMERA_FEEDBACK_PHOTO,
        shot.number % 65_536,
    )


def simulate(options: Options, started: Callable[[Simulator], None]) -> None:
    """Runs a simulated vehicle until it is stopped; `started` gets it as soon as its port is open.

    Raises RuleViolation 422 for a bad address, OSError when the port cannot be opened.
    """
    with contextlib.ExitStack() as cleanup:
        port = open_port(options.listen)
        wire = Wire(port, options)
        cleanup.callback(wire.close)
        simulator = Simulator(options, wire, cleanup)
        started(simulator)
        simulator.run()


def simulate_all(fleet: Sequence[Options], started: Callable[[Simulator], None]) -> None:
    """Runs several simulated vehicles in threads until all are stopped, or one fails: then it stops the others.

    Raises what `simulate` raises, of the first that failed.
    """
    running: list[Simulator] = []
    failed: list[Exception] = []
    lock = threading.Lock()

    def made(simulator: Simulator) -> None:
        with lock:
            running.append(simulator)
            if failed:
                simulator.stop()
        started(simulator)

    def live(options: Options) -> None:
        try:
            simulate(options, made)
        except (OSError, RuleViolation) as error:
            with lock:
                failed.append(error)
                for other in running:
                    other.stop()

    threads = [threading.Thread(target=live, args=(options,), name=options.listen) for options in fleet]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
