"""What a simulated vehicle is told at its start."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from schemas.refusals import invalid

KEY_BYTES = 32
IDENTITY_CHARS = 20
_LISTEN = re.compile(r"^(?P<scheme>tcp|udp|udpout):(?P<host>[^:\s]+):(?P<port>[0-9]{1,5})$")


@dataclass(frozen=True)
class CameraModel:
    """A camera that looks straight down, its long side across the track."""

    hfov_deg: float = 70.0
    width_px: int = 1400
    height_px: int = 1050

    def ground_width_m(self, alt_agl_m: float) -> float:
        """How much ground the long side sees from `alt_agl_m` above flat ground."""
        return 2 * alt_agl_m * math.tan(math.radians(self.hfov_deg / 2))

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return self.width_px / 2 / math.tan(math.radians(self.hfov_deg / 2))


@dataclass(frozen=True)
class Identity:
    """What the Remote ID module says of the aircraft and of who flies it: at most 20 ASCII characters each."""

    serial: str
    operator: str = "SIMULATED-OPERATOR"

    @property
    def holds(self) -> bool:
        """Whether both can be sent."""
        texts = (self.serial, self.operator)
        return all(0 < len(text) <= IDENTITY_CHARS and text.isascii() and text.isprintable() for text in texts)


@dataclass(frozen=True)
class Faults:
    """What goes wrong on purpose; every `..._at_s` counts simulated seconds from arming.

    On the line: frames lost and delayed each way, a slow autopilot (real seconds for each message), acknowledgements
    that never come, an item kept elsewhere, a closed mission protocol, MISSION_REQUEST_INT instead of
    MISSION_REQUEST, a key that is not used. In the air: a restart, a battery that gives way under load, reported
    places that jump for some seconds, and a flight beside its route (`drift_to_deg` is the direction). Its Remote ID
    may name another serial number, or a place so far to the east of its own.
    """

    loss: float = 0.0
    latency_ms: float = 0.0
    slow_s: float = 0.0
    mute_ack: bool = False
    mute_final_ack: bool = False
    tamper_item: int | None = None
    tamper_m: float = 0.5
    deny_mission: bool = False
    ask_int: bool = False
    unsigned: bool = False
    reboot_at_s: float | None = None
    battery_sag_pct: float = 0.0
    gps_glitch_at_s: float | None = None
    gps_glitch_m: float = 50.0
    drift_m: float = 0.0
    drift_to_deg: float = 0.0
    drift_at_s: float = 20.0
    wrong_remote_id: bool = False
    remote_id_off_m: float = 0.0

    def wrong(self) -> list[str]:
        """The names of the switches that are out of range."""
        times = (self.reboot_at_s, self.gps_glitch_at_s, self.drift_at_s)
        return [
            name
            for name, holds in {
                "loss": 0 <= self.loss < 1,
                "latency-ms": 0 <= self.latency_ms <= 60_000,
                "slow": 0 <= self.slow_s <= 60,
                "tamper-item": self.tamper_item is None or self.tamper_item >= 1,
                "tamper-m": 0 < abs(self.tamper_m) <= 10_000,
                "battery-sag": 0 <= self.battery_sag_pct <= 100,
                "gps-glitch-m": 0 < abs(self.gps_glitch_m) <= 1e6,
                "drift": 0 <= self.drift_m <= 10_000 and math.isfinite(self.drift_to_deg),
                "remote-id-off-m": abs(self.remote_id_off_m) <= 100_000,
                "at-s": all(at is None or 0 <= at <= 1e6 for at in times),
            }.items()
            if not holds
        ]


@dataclass(frozen=True)
class Options:
    """All that a simulated flight depends on; two runs with the same options fly the same.

    `home` is where the vehicle stands, degrees (EPSG:4326) and metres above mean sea level (None: the
    height of the ground in `dem`, or 0). `speed_up` is how many simulated seconds pass in a real one at
    most. `wind_from_deg` is where the wind comes from. With a `key` it signs, and hears only who signs with it too.
    With an `identity` it has a Remote ID module.
    """

    listen: str
    home_lon: float
    home_lat: float
    start_time: datetime
    home_amsl_m: float | None = None
    dem: Path | None = None
    ortho: Path | None = None
    frames: Path | None = None
    camera: CameraModel = field(default_factory=CameraModel)
    speed_up: float = 1.0
    wind_m_s: float = 0.0
    wind_from_deg: float = 0.0
    battery_pct: float = 100.0
    endurance_s: float = 1_800.0
    system_id: int = 1
    key: bytes | None = field(default=None, repr=False)
    identity: Identity | None = None
    seed: int = 1
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        place_ok = -180 <= self.home_lon <= 180 and -90 <= self.home_lat <= 90
        wrong = [
            name
            for name, holds in {
                "home": place_ok,
                "speed-up": 0.1 <= self.speed_up <= 200,
                "hfov-deg": 1 <= self.camera.hfov_deg <= 170,
                "image": 16 <= self.camera.width_px <= 8192 and 16 <= self.camera.height_px <= 8192,
                "wind": 0 <= self.wind_m_s <= 25,
                "battery": 0 < self.battery_pct <= 100,
                "endurance": 1 <= self.endurance_s <= 1e6,
                "system-id": 1 <= self.system_id <= 250,
                "key": self.key is None or len(self.key) == KEY_BYTES,
                "remote-id": self.identity is None or self.identity.holds,
                "frames": self.frames is None or self.ortho is not None,
                "start-time": self.start_time.tzinfo is not None and self.start_time.year in range(1980, 2100),
            }.items()
            if not holds
        ]
        wrong += self.faults.wrong()
        if wrong:
            raise invalid("simulator.option", measured=", ".join(wrong))


def parse_listen(text: str) -> tuple[str, str, int]:
    """Scheme, host and port of a listening address; raises RuleViolation 422 `simulator.listen`."""
    found = _LISTEN.match(text)
    if found is None or int(found["port"]) > 65_535:
        raise invalid("simulator.listen", measured=text[:200])
    return found["scheme"], found["host"], int(found["port"])


def parse_home(text: str) -> tuple[float, float, float | None]:
    """Longitude, latitude and height above mean sea level from `lon,lat[,alt]`."""
    return _numbers(text, "home")


def parse_wind(text: str, name: str = "wind") -> tuple[float, float]:
    """Speed in m/s (or a distance in m) and a direction in degrees, from `speed[,direction]`."""
    parts = [_number(part, name) for part in text.split(",")]
    if len(parts) not in (1, 2):
        raise invalid("simulator.option", measured=name)
    return parts[0], parts[1] if len(parts) == 2 else 0.0


def read_key(path: Path) -> bytes:
    """The signing key in a file: 32 bytes as they are, or 64 hex digits; raises RuleViolation 422, OSError."""
    with path.open("rb") as file:
        content = file.read(1_000)
    if len(content) == KEY_BYTES:
        return content
    try:
        key = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise invalid("simulator.option", measured="key-file")
    return key


def parse_image(text: str) -> tuple[int, int]:
    """Width and height in pixels from `WIDTHxHEIGHT`."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise invalid("simulator.option", measured="image")
    return int(width), int(height)


def _numbers(text: str, name: str) -> tuple[float, float, float | None]:
    parts = [_number(part, name) for part in text.split(",")]
    if len(parts) not in (2, 3):
        raise invalid("simulator.option", measured=name)
    return parts[0], parts[1], parts[2] if len(parts) == 3 else None


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise invalid("simulator.option", measured=name)
    return value
