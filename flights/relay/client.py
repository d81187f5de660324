"""The relay in the field: one connection outwards, one to the aircraft, bytes between them. Touches the network."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flights.link.errors import VehicleRefused
from flights.link.transport import Pipe, PipeClosed, UdpPipe, open_pipe
from flights.relay.certificates import GATEWAY_NAME, relay_context
from flights.relay.pump import LineLost, pump
from schemas.refusals import invalid

CONNECT_TIMEOUT_S = 10.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0
# A connection that held for so long was a good one: the next pause is short again.
GOOD_AFTER_S = 30.0
_V2, _V1 = 0xFD, 0xFE
_SIGNED = 0x01

Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Relay:
    """Where the aircraft and the gateway are, and the file that lets this relay in."""

    vehicle_url: str
    host: str
    port: int
    credential: Path


def run(relay: Relay, tell: Tell, ended: Callable[[], bool]) -> None:
    """Carries frames until `ended`, connecting again whenever the line is lost.

    `tell(word, detail)` is called with `connected`, `lost`, `refused` or `vehicle_lost`. Raises RuleViolation for a
    credential or an address that cannot be used at all.
    """
    context = relay_context(relay.credential)
    pipe = _Datagrams.around(_opened(relay.vehicle_url))
    pause_s = FIRST_PAUSE_S
    try:
        while not ended():
            began = time.monotonic()
            try:
                with socket.create_connection((relay.host, relay.port), CONNECT_TIMEOUT_S) as plain:
                    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    with context.wrap_socket(plain, server_hostname=GATEWAY_NAME) as line:
                        tell("connected", f"{relay.host}:{relay.port}")
                        pump(line, pipe, ended)
            except PipeClosed as lost:
                tell("vehicle_lost", str(lost))
                with contextlib.suppress(OSError):
                    pipe.reopen()
            except (LineLost, OSError) as lost:
                tell("lost", str(lost))
            pause_s = FIRST_PAUSE_S if time.monotonic() - began > GOOD_AFTER_S else min(pause_s * 2, LONGEST_PAUSE_S)
            _wait(pause_s, ended)
    finally:
        pipe.close()


def parse_gateway(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; raises RuleViolation 422 `relay.address`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise invalid("relay.address", measured=text[:200])
    return host.strip("[]"), int(port)


def _opened(url: str) -> Pipe:
    try:
        return open_pipe(url)
    except (OSError, ValueError) as error:
        raise VehicleRefused.because("link.unreachable", url=url, measured=str(error)) from error


def _wait(seconds: float, ended: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not ended() and time.monotonic() < until:
        time.sleep(0.1)


class _Datagrams:
    """A pipe of datagrams, to which a stream is written frame by frame: a datagram holds whole frames."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._begun = bytearray()
        self.url = pipe.url
        self.fileno, self.read, self.pin = pipe.fileno, pipe.read, pipe.pin
        self.listen_around, self.reopen, self.close = pipe.listen_around, pipe.reopen, pipe.close

    @classmethod
    def around(cls, pipe: Pipe) -> Pipe:
        """The pipe itself where it is a stream."""
        return cls(pipe) if isinstance(pipe, UdpPipe) else pipe

    def write(self, data: bytes) -> None:
        """Sends every frame that is whole by now."""
        self._begun += data
        for frame in whole_frames(self._begun):
            self._pipe.write(frame)


def whole_frames(stream: bytearray) -> list[bytes]:
    """Takes the whole frames off the front of `stream`; what cannot begin a frame is dropped."""
    found = []
    while stream:
        if stream[0] not in (_V2, _V1):
            del stream[0]
            continue
        if len(stream) < 3:
            break
        size = _size(stream)
        if len(stream) < size:
            break
        found.append(bytes(stream[:size]))
        del stream[:size]
    return found


def _size(stream: bytearray) -> int:
    """The length of the frame that begins here, from its head (MAVLink guide, serialization)."""
    if stream[0] == _V1:
        return stream[1] + 8
    return stream[1] + 12 + (13 if stream[2] & _SIGNED else 0)
