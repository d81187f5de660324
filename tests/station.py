"""A ground station made of pymavlink alone, to ask a simulated aircraft without any manner of our own line."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.autopilot import Mode

ACCEPTED, FAILED, DENIED = 0, 4, 2
GLOBAL, RELATIVE, TERRAIN, LOCAL_NED = 0, 3, 10, 1
TAKEOFF, WAYPOINT, RETURN = 22, 16, 20
INCLUSION, EXCLUSION, CIRCLE_OUT = 5001, 5002, 5004
MISSION, FENCE = 0, 1
HOME = (23.1250, 113.2545)


class Station:
    """A ground station on a TCP port; `told` is everything that it heard."""

    def __init__(self, url: str, system: int = 255, key: bytes | None = None) -> None:
        host, port = url.removeprefix("tcp:").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.settimeout(0.02)
        self.codec = mavlink.MAVLink(None, srcSystem=system, srcComponent=190)
        self.codec.robust_parsing = True
        if key is not None:
            self.codec.signing.secret_key, self.codec.signing.sign_outgoing = key, True
            self.codec.signing.timestamp = int((time.time() - 1_420_070_400) * 1e5)
        self.told: list = []

    def send(self, message) -> None:
        self.socket.sendall(message.pack(self.codec))
        self.codec.seq = (self.codec.seq + 1) % 256

    def read(self) -> None:
        try:
            data = self.socket.recv(65_536)
        except TimeoutError:
            return
        if not data:
            raise ConnectionResetError
        self.told += [m for m in self.codec.parse_buffer(data) or () if m.get_type() != "BAD_DATA"]

    def hears(self, *kinds: str, within_s: float = 60.0, **fields):
        """The first message like this that was not looked past yet; what came before it is."""
        deadline = time.monotonic() + within_s
        seen = 0
        while True:
            for place, message in enumerate(self.told[seen:], start=seen):
                if message.get_type() in kinds and all(getattr(message, k) == v for k, v in fields.items()):
                    del self.told[: place + 1]
                    return message
            seen = len(self.told)
            assert time.monotonic() < deadline, (kinds, fields)
            self.read()

    def listens(self, seconds: float) -> list:
        self.told.clear()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read()
        return self.told

    def drains(self) -> list:
        """All that was sent until now, however late it is read: the answer to a question comes behind it."""
        self.send(mavlink.MAVLink_param_request_read_message(1, 1, b"SYSID_MYGCS", -1))
        deadline = time.monotonic() + 60
        while not any(m.get_type() == "PARAM_VALUE" and m.param_id == "SYSID_MYGCS" for m in self.told):
            assert time.monotonic() < deadline
            self.read()
        told, self.told = self.told, []
        return told

    def commands(self, command: int, *params: float) -> int:
        filled = (*params, *([0.0] * (7 - len(params))))
        self.send(mavlink.MAVLink_command_long_message(1, 1, command, 0, *filled))
        return self.hears("COMMAND_ACK", command=command, target_system=self.codec.srcSystem).result

    def is_told(self, words: str, within_s: float = 60.0) -> None:
        """Waits for a text that has these words."""
        deadline = time.monotonic() + within_s
        while not any(words in m.text for m in self.told if m.get_type() == "STATUSTEXT"):
            assert time.monotonic() < deadline, words
            self.read()

    # -- lists --------------------------------------------------------------------------------------

    def puts(self, kind: int, items: list[tuple], asked: str = "MISSION_REQUEST") -> int:
        """Uploads and returns the type of the acknowledgement."""
        self.send(mavlink.MAVLink_mission_count_message(1, 1, len(items), kind))
        sent: set[int] = set()
        while (answer := self.hears(asked, "MISSION_ACK", target_system=self.codec.srcSystem)).get_type() == asked:
            # Asked again while the answer is under way: a second one would come out of turn.
            if answer.seq not in sent:
                self.send(self.item(kind, answer.seq, *items[answer.seq]))
            sent.add(answer.seq)
        return answer.type

    def item(self, kind, seq, command, frame, x, y, z, p1=0.0):
        return mavlink.MAVLink_mission_item_int_message(
            1, 1, seq, frame, command, 0, 1, p1, 0.0, 0.0, 0.0, x, y, z, kind
        )

    def gets(self, kind: int) -> list:
        self.send(mavlink.MAVLink_mission_request_list_message(1, 1, kind))
        found = []
        for seq in range(self.hears("MISSION_COUNT", mission_type=kind).count):
            self.send(mavlink.MAVLink_mission_request_int_message(1, 1, seq, kind))
            found.append(self.hears("MISSION_ITEM_INT", seq=seq))
        return found

    def parameter(self, name: str) -> float:
        self.send(mavlink.MAVLink_param_request_read_message(1, 1, name.encode(), -1))
        return self.hears("PARAM_VALUE", param_id=name).param_value

    def sets(self, name: str, value: float) -> None:
        self.send(mavlink.MAVLink_param_set_message(1, 1, name.encode(), value, mavlink.MAV_PARAM_TYPE_REAL32))
        assert self.hears("PARAM_VALUE", param_id=name).param_value == value


def at(north_m: float, east_m: float, lat=HOME[0], lon=HOME[1]) -> tuple[int, int]:
    return round((lat + north_m / 110_750) * 1e7), round((lon + east_m / 102_480) * 1e7)


def placed(command: int, north_m: float, east_m: float, z: float = 0.0, p1: float = 0.0, frame: int = RELATIVE):
    return (command, frame, *at(north_m, east_m), z, p1)


HOME_ITEM = placed(WAYPOINT, 0, 0, frame=GLOBAL)
SHORT = [HOME_ITEM, placed(TAKEOFF, 0, 0, 20), placed(WAYPOINT, 150, 0, 20), (RETURN, RELATIVE, 0, 0, 0.0)]


def square(half_m: float, north_m: float = 0.0, command: int = INCLUSION) -> list[tuple]:
    corners = [(-half_m, -half_m), (-half_m, half_m), (half_m, half_m), (half_m, -half_m)]
    return [placed(command, north_m + n, e, 0.0, 4.0, GLOBAL) for n, e in corners]


def slowed(vehicle, speed_up: float = 1.0) -> None:
    """From now on its time goes so fast: between two questions little happens, however late the second one comes."""
    vehicle.options = replace(vehicle.options, speed_up=speed_up)


def stamped(vehicle) -> list[tuple[float, object]]:
    """What the aircraft says from now on, each with its own time; the list grows as it speaks."""
    said: list[tuple[float, object]] = []
    port, reader = vehicle._wire._port, mavlink.MAVLink(None)
    send = port.send

    def noted(data):
        said.extend((vehicle.autopilot.now_s, message) for message in reader.parse_buffer(data) or ())
        send(data)

    port.send = noted
    return said


def settled(vehicle, until_s: float = 45.0) -> None:
    deadline = time.monotonic() + 150
    while vehicle.autopilot.now_s < until_s:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def take_off(vehicle, asks, mission=None) -> None:
    asks.puts(MISSION, mission or SHORT)
    settled(vehicle)
    assert asks.commands(176, 1, Mode.GUIDED) == ACCEPTED
    assert asks.commands(400, 1) == ACCEPTED
    assert asks.commands(300) == ACCEPTED


def wait(true, within_s: float = 150.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
