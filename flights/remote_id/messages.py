"""Remote identification: what an aircraft says of itself, from MAVLink or as broadcast. Pure.

One set of values for both ways in which it arrives: the OPEN_DRONE_ID_* messages of MAVLink, and the 25-byte
messages of ASTM F3411-22a (table 3 and after) as they go over Bluetooth and Wi-Fi, alone or in a pack. What the
standard calls unknown is None here, never a number that could be taken for a measurement. A message that cannot be
is refused with its reason; one of a kind that is not known is left out of a pack and told.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flights.model import E7
from geo.types import LonLat
from schemas.refusals import invalid

MESSAGE_BYTES = 25
MOST_IN_PACK = 9
PACK = 0xF
EPOCH = datetime(2019, 1, 1, tzinfo=UTC)
"""F3411 counts the seconds of its System message from here."""

ID_TYPES = ("none", "serial_number", "registration", "utm_uuid", "session")
AIRCRAFT = (
    "none",
    "aeroplane",
    "multirotor",
    "gyroplane",
    "hybrid_lift",
    "ornithopter",
    "glider",
    "kite",
    "free_balloon",
    "captive_balloon",
    "airship",
    "parachute",
    "rocket",
    "tethered",
    "obstacle",
    "other",
)
STATUSES = ("undeclared", "ground", "airborne", "emergency", "identification_failed")
OPERATOR_PLACES = ("take_off", "live", "fixed")
HEIGHT_ABOVE = ("take_off", "ground")
# Upper bounds in metres (and m/s) by the codes of the standard; None where it promises nothing.
HORIZONTAL_M = (None, 18520.0, 7408.0, 3704.0, 1852.0, 926.0, 555.6, 185.2, 92.6, 30.0, 10.0, 3.0, 1.0)
VERTICAL_M = (None, 150.0, 45.0, 25.0, 10.0, 3.0, 1.0)
SPEED_M_S = (None, 10.0, 3.0, 1.0, 0.3)
# The time's own error, in tenths of a second by its code; 0 promises nothing.
TIME_TENTHS = range(1, 16)

# MAV_ODID_ARM_STATUS_GOOD_TO_ARM
FIT = 0

_UNKNOWN_ALT_M = -1000.0
_UNKNOWN_TIME = 0xFFFF
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class BasicId:
    """Who it is: one id, of one kind, and what kind of aircraft."""

    id_type: str
    aircraft: str
    uas_id: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where it is and how it moves; heights in metres, the geodetic one above the WGS 84 ellipsoid.

    `track_deg` is clockwise from north, `speed_m_s` over ground, `climb_m_s` upwards; `since_hour_s` are seconds after
    the full hour UTC. `within_m` and its kin are upper bounds of the error.
    """

    status: str
    at: LonLat | None
    alt_ellipsoid_m: float | None
    alt_pressure_m: float | None
    height_m: float | None
    height_above: str
    track_deg: float | None
    speed_m_s: float | None
    climb_m_s: float | None
    since_hour_s: float | None
    within_m: float | None
    height_within_m: float | None
    speed_within_m_s: float | None
    time_within_s: float | None

    def captured_at(self, received_at: datetime) -> datetime | None:
        """The time that it speaks of (UTC): the one nearest to its receipt that has these minutes and seconds."""
        if self.since_hour_s is None:
            return None
        hour = received_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        candidates = [hour + timedelta(hours=h, seconds=self.since_hour_s) for h in (-1, 0, 1)]
        return min(candidates, key=lambda at: abs(at - received_at))


@dataclass(frozen=True, slots=True)
class SelfId:
    """What the operator says of the flight, in words."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class System:
    """Where the operator is, and how many aircraft fly together where."""

    operator_from: str
    operator_at: LonLat | None
    operator_alt_ellipsoid_m: float | None
    aircraft_count: int
    area_radius_m: float
    said_at: datetime | None


@dataclass(frozen=True, slots=True)
class OperatorId:
    """The registration of the operator."""

    operator_id: str


@dataclass(frozen=True, slots=True)
class Authentication:
    """One page of a proof of origin; it is kept, not verified: no key of any authority is published for it."""

    kind: int
    page: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Module:
    """What the module that sends all this says of itself; MAVLink alone has it, it is never broadcast."""

    is_fit: bool
    reason: str


Message = BasicId | Location | SelfId | System | OperatorId | Authentication | Module


def render(message: Message) -> dict[str, Any]:
    """A message as a JSON object with its kind."""
    values = asdict(message)
    for name, value in values.items():
        if isinstance(value, datetime):
            values[name] = value.isoformat()
        elif isinstance(value, bytes):
            values[name] = value.hex()
        elif isinstance(value, LonLat):
            values[name] = [value.lon, value.lat]
    return {"kind": type(message).__name__, **values}


# -- as broadcast -----------------------------------------------------------------------------------------


def decode(data: bytes) -> tuple[Message, ...]:
    """The messages in what was broadcast: one of 25 bytes, or a pack of them.

    Raises RuleViolation 422 `remote_id.malformed` with what is wrong.
    """
    if not data:
        raise _malformed("0 bytes")
    if data[0] >> 4 == PACK:
        return _unpacked(data)
    if len(data) != MESSAGE_BYTES:
        raise _malformed(f"{len(data)} bytes")
    message = _decoded(data)
    return () if message is None else (message,)


def _unpacked(data: bytes) -> tuple[Message, ...]:
    if len(data) < 3 or data[1] != MESSAGE_BYTES or not 0 < data[2] <= MOST_IN_PACK:
        raise _malformed("a pack with another head")
    size = 3 + data[2] * MESSAGE_BYTES
    if len(data) < size:
        raise _malformed(f"{len(data)} bytes of {size}")
    pieces = [data[at : at + MESSAGE_BYTES] for at in range(3, size, MESSAGE_BYTES)]
    if any(piece[0] >> 4 == PACK for piece in pieces):
        raise _malformed("a pack within a pack")
    return tuple(message for message in map(_decoded, pieces) if message is not None)


def _decoded(data: bytes) -> Message | None:
    reader = _BROADCAST.get(data[0] >> 4)
    return None if reader is None else reader(data)


def _basic_id(data: bytes) -> BasicId:
    return BasicId(_named(ID_TYPES, data[1] >> 4), _named(AIRCRAFT, data[1] & 15), _text(data[2:22]))


def _location(data: bytes) -> Location:
    flags, track, speed, climb, lat, lon = struct.unpack_from("<BBBbii", data, 1)
    pressure, ellipsoid, height = struct.unpack_from("<HHH", data, 13)
    (tenths,) = struct.unpack_from("<H", data, 21)
    fast = flags & 1
    track_deg = track + (180 if flags & 2 else 0)
    speed_m_s = speed * 0.75 + 255 * 0.25 if fast else speed * 0.25
    return Location(
        status=_named(STATUSES, flags >> 4),
        at=_place(lat, lon),
        alt_ellipsoid_m=_height_m(ellipsoid),
        alt_pressure_m=_height_m(pressure),
        height_m=_height_m(height),
        height_above=HEIGHT_ABOVE[flags >> 2 & 1],
        track_deg=float(track_deg) if track_deg < 360 else None,
        speed_m_s=None if fast and speed == 255 else speed_m_s,
        climb_m_s=climb * 0.5 if abs(climb) <= 124 else None,
        since_hour_s=_since_hour_s(tenths / 10, unknown=tenths == _UNKNOWN_TIME),
        within_m=_bound(HORIZONTAL_M, data[19] & 15),
        height_within_m=_bound(VERTICAL_M, data[19] >> 4),
        speed_within_m_s=_bound(SPEED_M_S, data[20] & 15),
        time_within_s=_tenths_s(data[23] & 15),
    )


def _self_id(data: bytes) -> SelfId:
    return SelfId(_about(data[1]), _text(data[2:25]))


def _system(data: bytes) -> System:
    lat, lon, count, radius = struct.unpack_from("<iiHB", data, 2)
    (alt,) = struct.unpack_from("<H", data, 18)
    (seconds,) = struct.unpack_from("<I", data, 20)
    return System(
        _named(OPERATOR_PLACES, data[1] & 3), _place(lat, lon), _height_m(alt), count, radius * 10.0, _said_at(seconds)
    )


def _operator_id(data: bytes) -> OperatorId:
    return OperatorId(_text(data[2:22]))


def _authentication(data: bytes) -> Authentication:
    page = data[1] & 15
    return Authentication(data[1] >> 4, page, data[8:25] if page == 0 else data[2:25])


_BROADCAST: Mapping[int, Callable[[bytes], Message]] = {
    0: _basic_id,
    1: _location,
    2: _authentication,
    3: _self_id,
    4: _system,
    5: _operator_id,
}


# -- in MAVLink ---------------------------------------------------------------------------------------------


def from_mavlink(message: Any) -> tuple[Message, ...]:  # noqa: ANN401
    """The same of an OPEN_DRONE_ID_* message of MAVLink; empty for any other message.

    Raises RuleViolation 422 for a pack that cannot be.
    """
    kind = message.get_type()
    if kind == "OPEN_DRONE_ID_MESSAGE_PACK":
        count = message.msg_pack_size
        return decode(bytes([PACK << 4, message.single_message_size, count]) + bytes(message.messages))
    reader = _MAVLINK.get(kind)
    return () if reader is None else (reader(message),)


def _mav_location(m: Any) -> Location:  # noqa: ANN401
    return Location(
        status=_named(STATUSES, m.status),
        at=_place(m.latitude, m.longitude),
        alt_ellipsoid_m=_known_m(m.altitude_geodetic),
        alt_pressure_m=_known_m(m.altitude_barometric),
        height_m=_known_m(m.height),
        height_above=_named(HEIGHT_ABOVE, m.height_reference),
        track_deg=m.direction / 100 if m.direction < 36_000 else None,
        speed_m_s=m.speed_horizontal / 100 if m.speed_horizontal <= 25_425 else None,
        climb_m_s=m.speed_vertical / 100 if abs(m.speed_vertical) <= 6_200 else None,
        since_hour_s=_since_hour_s(m.timestamp, unknown=m.timestamp >= _UNKNOWN_TIME),
        within_m=_bound(HORIZONTAL_M, m.horizontal_accuracy),
        height_within_m=_bound(VERTICAL_M, m.vertical_accuracy),
        speed_within_m_s=_bound(SPEED_M_S, m.speed_accuracy),
        time_within_s=_tenths_s(m.timestamp_accuracy),
    )


def _mav_system(m: Any) -> System:  # noqa: ANN401
    return System(
        _named(OPERATOR_PLACES, m.operator_location_type),
        _place(m.operator_latitude, m.operator_longitude),
        _known_m(m.operator_altitude_geo),
        m.area_count,
        float(m.area_radius),
        _said_at(m.timestamp),
    )


_MAVLINK: Mapping[str, Callable[[Any], Message]] = {
    "OPEN_DRONE_ID_BASIC_ID": lambda m: BasicId(
        _named(ID_TYPES, m.id_type), _named(AIRCRAFT, m.ua_type), _text(bytes(m.uas_id))
    ),
    "OPEN_DRONE_ID_LOCATION": _mav_location,
    "OPEN_DRONE_ID_AUTHENTICATION": lambda m: Authentication(
        m.authentication_type, m.data_page, bytes(m.authentication_data)
    ),
    "OPEN_DRONE_ID_SELF_ID": lambda m: SelfId(_about(m.description_type), _text(_raw(m.description))),
    "OPEN_DRONE_ID_SYSTEM": _mav_system,
    "OPEN_DRONE_ID_OPERATOR_ID": lambda m: OperatorId(_text(_raw(m.operator_id))),
    "OPEN_DRONE_ID_ARM_STATUS": lambda m: Module(m.status == FIT, _text(_raw(m.error))),
}
MESSAGES = frozenset(_MAVLINK) | {"OPEN_DRONE_ID_MESSAGE_PACK"}


# -- shared -------------------------------------------------------------------------------------------------


def _malformed(measured: str) -> Exception:
    return invalid("remote_id.malformed", measured=measured)


def _named(names: tuple[str, ...], code: int) -> str:
    return names[code] if 0 <= code < len(names) else f"reserved_{code}"


def _about(code: int) -> str:
    return {0: "text", 1: "emergency", 2: "status"}.get(code, f"reserved_{code}")


def _bound(bounds: tuple[float | None, ...], code: int) -> float | None:
    return bounds[code] if 0 <= code < len(bounds) else None


def _tenths_s(code: int) -> float | None:
    return code / 10 if code in TIME_TENTHS else None


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "replace")


def _text(raw: bytes) -> str:
    """A padded text; what is no printable character is shown as the replacement character."""
    text = raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _place(lat_e7: int, lon_e7: int) -> LonLat | None:
    """A place; None where it is unknown (0, 0) or nowhere on the globe."""
    if (lat_e7, lon_e7) == (0, 0) or abs(lat_e7) > 90 * E7 or abs(lon_e7) > 180 * E7:
        return None
    return LonLat(lon_e7 / E7, lat_e7 / E7)


def _height_m(halves: int) -> float | None:
    return None if halves == 0 else halves * 0.5 - 1000.0


def _known_m(height_m: float) -> float | None:
    """A height that is one: not the word for unknown, finite, and below where air ends for aircraft."""
    return height_m if _UNKNOWN_ALT_M < height_m <= 31_767.5 else None


def _since_hour_s(seconds: float, *, unknown: bool) -> float | None:
    return None if unknown or not 0 <= seconds <= _HOUR_S else seconds


def _said_at(seconds: int) -> datetime | None:
    return EPOCH + timedelta(seconds=seconds) if seconds else None
