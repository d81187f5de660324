"""What ground stations ask of the simulated autopilot: commands and parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.autopilot import Autopilot, Mode
from flights.simulator.storage import Stored
from flights.simulator.telemetry import Reporter

ACCEPTED = int(mavlink.MAV_RESULT_ACCEPTED)
DENIED = int(mavlink.MAV_RESULT_DENIED)
FAILED = int(mavlink.MAV_RESULT_FAILED)
UNSUPPORTED = int(mavlink.MAV_RESULT_UNSUPPORTED)

Order = Callable[[tuple[float, ...]], int]


class Orders:
    """Carries out COMMAND_LONG, COMMAND_INT, SET_MODE and the parameter protocol, and answers them."""

    def __init__(
        self, autopilot: Autopilot, reporter: Reporter, send: Callable[[Any], None], *, mute: bool = False
    ) -> None:
        self.restart_wanted = False
        self._autopilot = autopilot
        self._reporter = reporter
        self._send = send
        self._mute = mute
        self._orders: dict[int, Order] = {
            mavlink.MAV_CMD_REQUEST_MESSAGE: self._request_message,
            mavlink.MAV_CMD_SET_MESSAGE_INTERVAL: self._set_interval,
            mavlink.MAV_CMD_REQUEST_AUTOPILOT_CAPABILITIES: self._capabilities,
            mavlink.MAV_CMD_DO_SET_MODE: self._set_mode,
            mavlink.MAV_CMD_COMPONENT_ARM_DISARM: self._arm_disarm,
            mavlink.MAV_CMD_MISSION_START: self._mission_start,
            mavlink.MAV_CMD_DO_SET_MISSION_CURRENT: self._mission_current,
            mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH: self._to_mode(Mode.RTL),
            mavlink.MAV_CMD_NAV_LAND: self._to_mode(Mode.LAND),
            mavlink.MAV_CMD_NAV_LOITER_UNLIM: self._to_mode(Mode.LOITER),
            mavlink.MAV_CMD_NAV_TAKEOFF: lambda params: self._autopilot.take_off(params[6]),
            mavlink.MAV_CMD_DO_PAUSE_CONTINUE: self._pause,
            mavlink.MAV_CMD_DO_CHANGE_SPEED: self._obey(mavlink.MAV_CMD_DO_CHANGE_SPEED),
            mavlink.MAV_CMD_DO_SET_CAM_TRIGG_DIST: self._obey(mavlink.MAV_CMD_DO_SET_CAM_TRIGG_DIST),
            mavlink.MAV_CMD_RUN_PREARM_CHECKS: self._run_checks,
            mavlink.MAV_CMD_DO_DIGICAM_CONTROL: self._shoot,
            mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN: self._restart,
        }

    def handle(self, message: Any) -> bool:  # noqa: ANN401
        """Takes a message; False when it is none of these."""
        handler = {
            "HEARTBEAT": self._heartbeat,
            "COMMAND_LONG": self._command_long,
            "COMMAND_INT": self._command_int,
            "SET_MODE": self._old_set_mode,
            "PARAM_REQUEST_LIST": self._param_list,
            "PARAM_REQUEST_READ": self._param_read,
            "PARAM_SET": self._param_set,
            "REQUEST_DATA_STREAM": self._data_stream,
        }.get(message.get_type())
        if handler is None:
            return False
        handler(message)
        return True

    # -- commands -----------------------------------------------------------------------------------

    def _command_long(self, message: Any) -> None:  # noqa: ANN401
        params = tuple(getattr(message, f"param{number}") for number in range(1, 8))
        self._carry_out(message, params)

    def _command_int(self, message: Any) -> None:  # noqa: ANN401
        first = tuple(getattr(message, f"param{number}") for number in range(1, 5))
        self._carry_out(message, (*first, float(message.x), float(message.y), message.z))

    def _carry_out(self, message: Any, params: tuple[float, ...]) -> None:  # noqa: ANN401
        order = self._orders.get(message.command)
        try:
            result = UNSUPPORTED if order is None else order(params)
        except (ValueError, OverflowError):  # NaN or infinity where a number of something is meant
            result = DENIED
        station = (message.get_srcSystem(), message.get_srcComponent())
        if not self._mute:
            self._send(mavlink.MAVLink_command_ack_message(message.command, result, 0, 0, *station))

    def _request_message(self, params: tuple[float, ...]) -> int:
        built = self._reporter.build(int(params[0]))
        if built is None:
            return FAILED
        self._send(built)
        return ACCEPTED

    def _set_interval(self, params: tuple[float, ...]) -> int:
        return ACCEPTED if self._reporter.set_interval(int(params[0]), params[1]) else FAILED

    def _capabilities(self, _params: tuple[float, ...]) -> int:
        self._send(self._reporter.build(mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION))
        return ACCEPTED

    def _set_mode(self, params: tuple[float, ...]) -> int:
        if not int(params[0]) & mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED:
            return DENIED
        return self._autopilot.set_mode(int(params[1]))

    def _arm_disarm(self, params: tuple[float, ...]) -> int:
        return self._autopilot.arm() if params[0] == 1 else self._autopilot.disarm()

    def _mission_start(self, params: tuple[float, ...]) -> int:
        if params[0] != 0 or params[1] != 0:
            return DENIED
        return self._autopilot.start_mission()

    def _mission_current(self, params: tuple[float, ...]) -> int:
        # Item 0 means from the beginning.
        if not self._autopilot.mission.rewind(max(1, int(params[0]))):
            return FAILED
        self._send(self._reporter.build(mavlink.MAVLINK_MSG_ID_MISSION_CURRENT))
        return ACCEPTED

    def _to_mode(self, mode: Mode) -> Order:
        return lambda _params: self._autopilot.set_mode(mode)

    def _pause(self, params: tuple[float, ...]) -> int:
        if params[0] not in (0, 1):
            return DENIED
        return self._autopilot.pause(go_on=params[0] == 1)

    def _obey(self, command: int) -> Order:
        """The order as the mission would carry it out."""

        def carry_out(params: tuple[float, ...]) -> int:
            p1, p2, p3, p4 = params[:4]
            self._autopilot.mission.obey(Stored(command, mavlink.MAV_FRAME_MISSION, (p1, p2, p3, p4), 0, 0, 0.0))
            return ACCEPTED

        return carry_out

    def _run_checks(self, _params: tuple[float, ...]) -> int:
        for reason in self._autopilot.failed_checks():
            text = f"PreArm: {reason}".encode("ascii")[:50]
            self._send(mavlink.MAVLink_statustext_message(mavlink.MAV_SEVERITY_CRITICAL, text))
        return ACCEPTED

    def _restart(self, params: tuple[float, ...]) -> int:
        if params[0] != 1:
            return UNSUPPORTED
        if self._autopilot.armed:
            return DENIED
        self.restart_wanted = True
        return ACCEPTED

    def _shoot(self, _params: tuple[float, ...]) -> int:
        self._autopilot.mission.camera.now = True
        return ACCEPTED

    def _heartbeat(self, message: Any) -> None:  # noqa: ANN401
        self._autopilot.station.hear(message.get_srcSystem(), self._autopilot.now_s)

    # -- older messages -----------------------------------------------------------------------------

    def _old_set_mode(self, message: Any) -> None:  # noqa: ANN401
        self._autopilot.set_mode(message.custom_mode)

    def _data_stream(self, message: Any) -> None:  # noqa: ANN401
        interval_us = 1e6 / message.req_message_rate if message.req_message_rate else 1e6
        for message_id in (
            mavlink.MAVLINK_MSG_ID_SYS_STATUS,
            mavlink.MAVLINK_MSG_ID_GPS_RAW_INT,
            mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,
            mavlink.MAVLINK_MSG_ID_ATTITUDE,
            mavlink.MAVLINK_MSG_ID_VFR_HUD,
            mavlink.MAVLINK_MSG_ID_MISSION_CURRENT,
            mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT,
        ):
            self._reporter.set_interval(message_id, interval_us if message.start_stop else -1)

    # -- parameters ---------------------------------------------------------------------------------

    def _param_list(self, _message: Any) -> None:  # noqa: ANN401
        for value in self._autopilot.params.messages():
            self._send(value)

    def _param_read(self, message: Any) -> None:  # noqa: ANN401
        params = self._autopilot.params
        name = message.param_id if message.param_index < 0 else params.name_at(message.param_index)
        if name is not None and name in params:
            self._send(params.message(name))

    def _param_set(self, message: Any) -> None:  # noqa: ANN401
        self._autopilot.params.request(message.param_id, message.param_value)
        if message.param_id in self._autopilot.params:
            self._send(self._autopilot.params.message(message.param_id))
