"""A vehicle on the line: dronekit's object for its state, our own clients for whatever must be proved.

Touches the network. dronekit hears the same connection as our clients. What it would send without
looking at the answer (mode, arming) goes through the command client, which waits for the vehicle's
acknowledgement and raises when it says no; its mission upload, which reports success for a rejected
mission and rounds positions to half a metre, is not reachable at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link import _dronekit_compat
from flights.link.clocks import ClockWatch
from flights.link.commands import CommandClient
from flights.link.connection import Connection
from flights.link.errors import LinkLost, VehicleRefused
from flights.link.mission import MissionClient
from flights.link.modes import ModeWatch
from flights.link.recorder import Recorder
from flights.link.signing import Signature
from flights.link.telemetry import Telemetry
from flights.link.transport import Pipe, open_pipe
from schemas.clock import Clock

HEARTBEAT_WAIT_S = 30.0
SILENCE_LIMIT_S = 30.0
PARAMETER_REPEAT_S = 1.0
PARAMETER_TRIES = 8
POLL_S = 0.02


class _Master:
    """What dronekit's Vehicle finds under the name it gives to a pymavlink connection."""

    def __init__(self, connection: Connection, commands: CommandClient) -> None:
        from pymavlink import mavutil

        self.mav = connection.codec
        self._commands = commands
        self._modes: dict[str, int] = mavutil.mode_mapping_byname(mavlink.MAV_TYPE_QUADROTOR)

    def mode_mapping(self) -> dict[str, int]:
        """Mode numbers of ArduCopter by name."""
        return self._modes

    def set_mode(self, mode: int) -> None:
        """Sets a flight mode, acknowledged."""
        custom = float(mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED)
        self._commands.run(mavlink.MAV_CMD_DO_SET_MODE, custom, float(mode))

    def arducopter_arm(self) -> None:
        """Arms, acknowledged and never forced."""
        self._commands.run(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1.0)

    def arducopter_disarm(self) -> None:
        """Disarms, acknowledged and never forced."""
        self._commands.run(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 0.0)

    def param_set_send(self, name: str, value: float) -> None:
        """Asks for a parameter to be set."""
        self.mav.param_set_send(0, 0, name.encode("ascii"), value, mavlink.MAV_PARAM_TYPE_REAL32)


class _Handler:
    """The handler under dronekit's Vehicle: our connection instead of dronekit's threads."""

    def __init__(self, connection: Connection, commands: CommandClient) -> None:
        self.master = _Master(connection, commands)
        self._connection = connection

    def forward_message(self, listener: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """Lets dronekit hear every message."""
        self._connection.forward(lambda message: listener(self, message))
        return listener

    def forward_loop(self, listener: Callable[[Any], None]) -> Callable[[Any], None]:
        """Takes dronekit's periodic work and does not run it.

        It would send a second heartbeat, end the thread on a silent link and, once a single parameter
        has been read, download all thousand of them.
        """
        return listener

    def fix_targets(self, message: Any) -> None:  # noqa: ANN401
        """Addresses a message to the vehicle."""
        self._connection.fix_targets(message)


class VehicleLink:
    """One vehicle, connected. A context manager: leaving it closes the line and nothing else."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.connection = connection
        self.modes = ModeWatch()
        self.commands = CommandClient(connection, self.modes.ordered)
        self.missions = MissionClient(connection)
        self.telemetry = Telemetry(clock)
        self.clock = ClockWatch(clock)
        connection.forward(self.telemetry.take)
        connection.forward(self.clock.take)
        connection.forward(self.modes.take)
        dronekit = _dronekit_compat.load()
        self.vehicle = dronekit.Vehicle(_Handler(connection, self.commands))

    @classmethod
    def connect(
        cls,
        url: str,
        clock: Clock,
        *,
        recorder: Recorder | None = None,
        signature: Signature | None = None,
        open_line: Callable[[], Pipe] | None = None,
    ) -> Self:
        """Opens `url` and waits for the heartbeat of an ArduCopter, signed with its key where `signature` has one.

        `open_line` opens it in another way, for a line that `url` alone does not tell how to open.
        Raises RuleViolation: `link.url`, `link.unreachable`, `link.no_heartbeat`, `link.not_copter`, and the reason
        (`link.unsigned`, `link.signature` ...) where none of the heartbeats was believed.
        """
        try:
            pipe = open_pipe(url) if open_line is None else open_line()
        except (OSError, ValueError) as error:  # ValueError: no name that a resolver or the disk could look up
            raise VehicleRefused.because("link.unreachable", url=url, measured=str(error)) from error
        connection = Connection(pipe, recorder, signature)
        try:
            link = cls(connection, clock)
            with connection.listen("HEARTBEAT") as inbox:
                connection.start()
                connection.wait_identified(HEARTBEAT_WAIT_S)
                _require_copter(inbox.get(HEARTBEAT_WAIT_S))
        except BaseException:
            connection.close()
            raise
        return link

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the line."""
        self.connection.close()

    # -- waiting ------------------------------------------------------------------------------------

    def wait(self, ready: Callable[[], bool], vehicle_s: float, rule: str) -> None:
        """Waits for `ready` at most `vehicle_s` seconds of the vehicle's own time.

        Raises VehicleRefused `rule` with the vehicle's last texts, or LinkLost when the vehicle is silent
        or its time stands still.
        """
        started_s, seen_s, seen_at = self.telemetry.vehicle_s, None, time.monotonic()
        while not ready():
            self.check_line()
            now_s = self.telemetry.vehicle_s
            if now_s != seen_s:
                seen_s, seen_at = now_s, time.monotonic()
            elif time.monotonic() - seen_at > SILENCE_LIMIT_S:
                raise LinkLost.silent(time.monotonic() - seen_at)
            started_s = now_s if started_s is None else started_s
            is_late = now_s is not None and started_s is not None and now_s - started_s > vehicle_s
            # Whoever was held up looks once more before it says that nothing came.
            if is_late and not ready():
                raise VehicleRefused.because(rule, measured=f"{vehicle_s:.0f} s", reason=self.telemetry.recent_texts())
            time.sleep(POLL_S)

    def pause(self, vehicle_s: float) -> None:
        """Lets `vehicle_s` seconds of the vehicle's time pass; raises LinkLost."""
        started_s = self.telemetry.vehicle_s or 0.0
        over = started_s + vehicle_s
        self.wait(lambda: (self.telemetry.vehicle_s or 0.0) >= over, 2 * vehicle_s, "link.not_ready")

    def check_line(self) -> None:
        """Raises LinkLost when the vehicle has been silent for too long."""
        if self.connection.silence_s > SILENCE_LIMIT_S:
            raise LinkLost.silent(self.connection.silence_s)

    # -- parameters ---------------------------------------------------------------------------------

    def read_parameter(self, name: str) -> float:
        """The value of a parameter, asked for now; raises VehicleRefused `link.parameter`."""
        request = mavlink.MAVLink_param_request_read_message(0, 0, name.encode("ascii"), -1)
        with self.connection.listen("PARAM_VALUE") as inbox:
            for _ in range(PARAMETER_TRIES):
                self.connection.codec.send(request)
                deadline = time.monotonic() + PARAMETER_REPEAT_S
                while (left_s := deadline - time.monotonic()) > 0:
                    message = inbox.get(left_s)
                    if message is not None and message.param_id == name:
                        return float(message.param_value)
                self.check_line()
        raise VehicleRefused.because("link.parameter", name=name, measured="no answer", required="a value")

    def set_parameter(self, name: str, value: float) -> float:
        """Sets a parameter through dronekit and returns what reads back; raises `link.parameter`."""
        for _ in range(PARAMETER_TRIES):
            self.vehicle.parameters.set(name, value, retries=1)
            found = self.read_parameter(name)
            if abs(found - value) <= 1e-6 * max(1.0, abs(value)):
                return found
        raise VehicleRefused.because("link.parameter", name=name, measured=found, required=value)


def _require_copter(heartbeat: Any) -> None:  # noqa: ANN401
    """The start and the abort are proved for ArduCopter only; another autopilot is refused, not tried."""
    copters = (
        mavlink.MAV_TYPE_QUADROTOR,
        mavlink.MAV_TYPE_COAXIAL,
        mavlink.MAV_TYPE_HELICOPTER,
        mavlink.MAV_TYPE_HEXAROTOR,
        mavlink.MAV_TYPE_OCTOROTOR,
        mavlink.MAV_TYPE_TRICOPTER,
        mavlink.MAV_TYPE_DODECAROTOR,
        mavlink.MAV_TYPE_DECAROTOR,
    )
    if heartbeat is None:
        raise LinkLost.silent(HEARTBEAT_WAIT_S)
    if heartbeat.autopilot != mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA or heartbeat.type not in copters:
        measured = f"autopilot {heartbeat.autopilot}, type {heartbeat.type}"
        raise VehicleRefused.because("link.not_copter", measured=measured)
