"""Orders to the vehicle: COMMAND_LONG, repeated until its own acknowledgement comes."""

from __future__ import annotations

import time
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.connection import Connection, Inbox
from flights.link.errors import LinkLost, VehicleRefused

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


class CommandClient:
    """Sends orders and waits for the acknowledgement that names the same order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, command: int, *params: float) -> None:
        """Carries out MAV_CMD `command` with up to seven parameters.

        Raises VehicleRefused `link.command_refused`, with what the vehicle says of it, or
        `link.command_timeout`; LinkLost.
        """
        filled = (*params, *([0.0] * (7 - len(params))))
        with self._connection.listen("COMMAND_ACK", "STATUSTEXT") as inbox:
            for confirmation in range(TRIES):
                order = mavlink.MAVLink_command_long_message(0, 0, command, confirmation, *filled)
                self._connection.codec.send(order)
                texts: list[str] = []
                result = self._await(inbox, command, texts)
                if result == mavlink.MAV_RESULT_ACCEPTED:
                    return
                if result is not None:
                    raise self._refusal(inbox, command, result, texts)
                if self._connection.silence_s > REPEAT_S * TRIES:
                    raise LinkLost.silent(self._connection.silence_s)
        raise VehicleRefused.because("link.command_timeout", command=NAMES.get(command, str(command)))

    def _await(self, inbox: Inbox, command: int, texts: list[str]) -> int | None:
        """The result of `command`, or None when the time for an answer passed."""
        deadline = time.monotonic() + REPEAT_S
        while (left_s := deadline - time.monotonic()) > 0:
            message = inbox.get(left_s)
            if message is None:
                return None
            if message.get_type() == "STATUSTEXT":
                texts.append(message.text)
            elif message.command == command and self._connection.is_for_us(message):
                if message.result != mavlink.MAV_RESULT_IN_PROGRESS:
                    return int(message.result)
                deadline = time.monotonic() + IN_PROGRESS_S
        return None

    def _refusal(self, inbox: Inbox, command: int, result: int, texts: list[str]) -> VehicleRefused:
        # The reason comes in a text beside the acknowledgement, a little before or after it.
        time.sleep(REASON_S)
        texts += [message.text for message in inbox.drain() if message.get_type() == "STATUSTEXT"]
        return VehicleRefused.because(
            "link.command_refused",
            command=NAMES.get(command, str(command)),
            measured=RESULTS.get(result, str(result)),
            reason="; ".join(texts) or "no reason given",
        )


def request_message(message_id: int) -> tuple[Any, ...]:
    """The order to send one message of a kind once, as arguments of `CommandClient.run`."""
    return mavlink.MAV_CMD_REQUEST_MESSAGE, float(message_id)


def message_interval(message_id: int, interval_s: float) -> tuple[Any, ...]:
    """The order to send a kind of message every `interval_s`, as arguments of `CommandClient.run`."""
    return mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, float(message_id), interval_s * 1e6
