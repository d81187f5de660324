"""What the vehicle says of itself while it is on the line: the latest state, and a feed of positions."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.clocks import utc_of
from flights.link.modes import HOMEWARD
from flights.link.texts import add_text
from geo.types import LonLat
from schemas.clock import Clock

KEPT_TEXTS = 50
FEED_SIZE = 20_000


@dataclass(frozen=True)
class Sample:
    """One position report. `received_at` is the gateway's clock, `boot_ms` the vehicle's own time base.

    Heights are above the home and above mean sea level; `mission_seq` is the item being flown, 0 while the vehicle
    flies none because it brings itself home or down.
    """

    received_at: datetime
    boot_ms: int
    lon: float
    lat: float
    alt_rel_home_m: float
    alt_amsl_m: float
    heading_deg: float | None
    ground_speed_m_s: float
    battery_pct: int | None
    mission_seq: int


class Telemetry:
    """Keeps the newest of everything; written by the reading thread, read by any other.

    `vehicle_s` is the vehicle's time since boot: a simulator may run slower or faster than we do, and
    whatever waits for the vehicle waits in its time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._utc_at_boot: datetime | None = None
        self.vehicle_s: float | None = None
        self.rebooted = False
        self.landed_state = mavlink.MAV_LANDED_STATE_UNDEFINED
        self.ekf_flags = 0
        self.prearm_ok = False
        self.mission_seq = 0
        self.furthest_seq = 0
        self.battery_pct: int | None = None
        self.breach_count = 0
        self.pictures = 0
        self.reached: set[int] = set()
        self.place: LonLat | None = None
        self.alt_rel_home_m = 0.0
        self.ground_speed_m_s = 0.0
        self.texts: deque[str] = deque(maxlen=KEPT_TEXTS)
        self.samples: queue.Queue[Sample] = queue.Queue(FEED_SIZE)
        self._homeward = False
        self._placed_at = time.monotonic()

    def take(self, message: Any) -> None:  # noqa: ANN401
        """Takes one message of the vehicle."""
        self._take_time(message)
        handler = _HANDLERS.get(message.get_type())
        if handler is not None:
            with self._lock:
                handler(self, message)

    @property
    def has_position(self) -> bool:
        """Whether the filter has an absolute horizontal position; without it arming fails."""
        return bool(self.ekf_flags & mavlink.EKF_POS_HORIZ_ABS)

    @property
    def unseen_s(self) -> float:
        """Seconds (wall clock) since the vehicle last told where it is."""
        return time.monotonic() - self._placed_at

    def utc(self, boot_ms: int) -> datetime | None:
        """The vehicle's own UTC at `boot_ms`, None before it has one."""
        origin = self._utc_at_boot
        return None if origin is None else origin + timedelta(milliseconds=boot_ms)

    def recent_texts(self, count: int = 5) -> str:
        """The last few texts of the vehicle, for a refusal."""
        return "; ".join(list(self.texts)[-count:]) or "the vehicle gave no reason"

    def _take_time(self, message: Any) -> None:  # noqa: ANN401
        boot_ms = getattr(message, "time_boot_ms", None)
        if boot_ms is None:
            return
        now_s = boot_ms / 1000
        if self.vehicle_s is not None and now_s < self.vehicle_s - 10:
            self.rebooted = True
        self.vehicle_s = now_s

    def forget_progress(self) -> None:
        """Starts counting the reached items anew, for a mission that is about to start."""
        self.reached.clear()
        self.furthest_seq = 0

    def forget_checks(self) -> None:
        """Drops what the vehicle last said of its own checks: what was written since may fail them."""
        self.prearm_ok = False

    def forget_samples(self) -> None:
        """Drops the positions reported so far: the record of a flight begins when it is armed."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.samples.get_nowait()

    # -- one method per kind of message ---------------------------------------------------------------

    def _position(self, message: Any) -> None:  # noqa: ANN401
        sample = Sample(
            received_at=self._clock.now(),
            boot_ms=message.time_boot_ms,
            lon=message.lon / 1e7,
            lat=message.lat / 1e7,
            alt_rel_home_m=message.relative_alt / 1000,
            alt_amsl_m=message.alt / 1000,
            heading_deg=None if message.hdg == 65_535 else message.hdg / 100,
            ground_speed_m_s=math.hypot(message.vx, message.vy) / 100,
            battery_pct=self.battery_pct,
            mission_seq=0 if self._homeward else self.mission_seq,
        )
        self._placed_at = time.monotonic()
        self.place = LonLat(sample.lon, sample.lat)
        self.alt_rel_home_m, self.ground_speed_m_s = sample.alt_rel_home_m, sample.ground_speed_m_s
        if self.samples.full():
            self.samples.get_nowait()
        self.samples.put_nowait(sample)

    def _heartbeat(self, message: Any) -> None:  # noqa: ANN401
        self._homeward = message.custom_mode in HOMEWARD

    def _system_time(self, message: Any) -> None:  # noqa: ANN401
        if (utc := utc_of(message.time_unix_usec)) is not None:
            self._utc_at_boot = utc - timedelta(milliseconds=message.time_boot_ms)

    def _status(self, message: Any) -> None:  # noqa: ANN401
        healthy = message.onboard_control_sensors_health & mavlink.MAV_SYS_STATUS_PREARM_CHECK
        self.prearm_ok = bool(healthy)
        self.battery_pct = message.battery_remaining if message.battery_remaining >= 0 else None

    def _ekf(self, message: Any) -> None:  # noqa: ANN401
        self.ekf_flags = message.flags

    def _landed(self, message: Any) -> None:  # noqa: ANN401
        self.landed_state = message.landed_state

    def _current(self, message: Any) -> None:  # noqa: ANN401
        self.mission_seq = message.seq
        self.furthest_seq = max(self.furthest_seq, message.seq)

    def _item_reached(self, message: Any) -> None:  # noqa: ANN401
        self.reached.add(message.seq)

    def _fence(self, message: Any) -> None:  # noqa: ANN401
        self.breach_count = message.breach_count

    def _picture(self, message: Any) -> None:  # noqa: ANN401
        self.pictures += 1

    def _text(self, message: Any) -> None:  # noqa: ANN401
        add_text(self.texts, message)


_HANDLERS = {
    "HEARTBEAT": Telemetry._heartbeat,
    "GLOBAL_POSITION_INT": Telemetry._position,
    "SYSTEM_TIME": Telemetry._system_time,
    "SYS_STATUS": Telemetry._status,
    "EKF_STATUS_REPORT": Telemetry._ekf,
    "EXTENDED_SYS_STATE": Telemetry._landed,
    "MISSION_CURRENT": Telemetry._current,
    "MISSION_ITEM_REACHED": Telemetry._item_reached,
    "FENCE_STATUS": Telemetry._fence,
    "CAMERA_FEEDBACK": Telemetry._picture,
    "STATUSTEXT": Telemetry._text,
}
