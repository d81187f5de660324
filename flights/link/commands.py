"""Orders to the vehicle: COMMAND_LONG, repeated until its own acknowledgement comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.connection import Connection
from flights.link.errors import LinkLost, VehicleRefused
from flights.link.inbox import Inbox
from flights.link.texts import add_text

REPEAT_S = 1.0
TRIES = 6
# A vehicle that answers IN_PROGRESS has heard the order: it is given this long to finish.
IN_PROGRESS_S = 60.0
REASON_S = 0.5

RESULTS: dict[int, str] = {
    number: entry.name.removeprefix("MAV_RESULT_") for number, entry in mavlink.enums["MAV_RESULT"].items()
}
NAMES: dict[int, str] = {
    number: entry.name.removeprefix("MAV_CMD_") for number, entry in mavlink.enums["MAV_CMD"].items()
}


@dataclass(frozen=True)
class Acknowledged:
    """An order that the vehicle accepted: its name, how often it was sent, and the seconds until the answer."""

    command: str
    tries: int
    took_s: float


class CommandClient:
    """Sends orders and waits for the acknowledgement that names the same order.

    An acknowledgement of another order, or one that is addressed to another station, is passed over; a repeated
    order counts up its `confirmation`, so that the vehicle can tell it from a new one. `on_order` hears of every
    order before it is sent.
    """

    def __init__(
        self,
        connection: Connection,
        on_order: Callable[[int, tuple[float, ...]], None] = lambda _command, _params: None,
    ) -> None:
        self._connection = connection
        self._on_order = on_order

    def run(self, command: int, *params: float) -> Acknowledged:
        """Carries out MAV_CMD `command` with up to seven parameters.

        Raises VehicleRefused `link.command_refused`, with what the vehicle says of it, or
        `link.command_timeout`; LinkLost.
        """
        filled = (*params, *([0.0] * (7 - len(params))))
        begun = time.monotonic()
        self._on_order(command, filled)
        with self._connection.listen("COMMAND_ACK", "STATUSTEXT") as inbox:
            for confirmation in range(TRIES):
                order = mavlink.MAVLink_command_long_message(0, 0, command, confirmation, *filled)
                self._connection.codec.send(order)
                texts: list[str] = []
                result = self._await(inbox, command, texts)
                if result == mavlink.MAV_RESULT_ACCEPTED:
                    return Acknowledged(_name(command), confirmation + 1, time.monotonic() - begun)
                if result == mavlink.MAV_RESULT_TEMPORARILY_REJECTED and confirmation < TRIES - 1:
                    time.sleep(REASON_S)
                    continue
                if result is not None:
                    raise self._refusal(inbox, command, result, texts)
                if self._connection.silence_s > REPEAT_S * TRIES:
                    raise LinkLost.silent(self._connection.silence_s)
        raise VehicleRefused.because("link.command_timeout", command=_name(command))

    def _await(self, inbox: Inbox, command: int, texts: list[str]) -> int | None:
        """The result of `command`, or None when the time for an answer passed."""
        deadline = time.monotonic() + REPEAT_S
        while (left_s := deadline - time.monotonic()) > 0:
            message = inbox.get(left_s)
            if message is None:
                return None
            if message.get_type() == "STATUSTEXT":
                add_text(texts, message)
            elif message.command == command and self._connection.is_for_us(message):
                if message.result != mavlink.MAV_RESULT_IN_PROGRESS:
                    return int(message.result)
                deadline = time.monotonic() + IN_PROGRESS_S
        return None

    def _refusal(self, inbox: Inbox, command: int, result: int, texts: list[str]) -> VehicleRefused:
        # The reason comes in a text beside the acknowledgement, a little before or after it.
        time.sleep(REASON_S)
        for message in inbox.drain():
            if message.get_type() == "STATUSTEXT":
                add_text(texts, message)
        return VehicleRefused.because(
            "link.command_refused",
            command=_name(command),
            measured=RESULTS.get(result, str(result)),
            reason="; ".join(texts) or "no reason given",
        )


def _name(command: int) -> str:
    return NAMES.get(command, str(command))


def request_message(message_id: int) -> tuple[Any, ...]:
    """The order to send one message of a kind once, as arguments of `CommandClient.run`."""
    return mavlink.MAV_CMD_REQUEST_MESSAGE, float(message_id)


def message_interval(message_id: int, interval_s: float) -> tuple[Any, ...]:
    """The order to send a kind of message every `interval_s`, as arguments of `CommandClient.run`."""
    return mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, float(message_id), interval_s * 1e6
