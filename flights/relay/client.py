"""The relay in the field: one connection outwards, one to the aircraft, bytes between them. Touches the network."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flights.link.errors import VehicleRefused
from flights.link.transport import Pipe, PipeClosed, UdpPipe, open_pipe
from flights.relay.certificates import GATEWAY_NAME, relay_context
from flights.relay.pump import LineLost, forget_old, pump
from schemas.refusals import invalid

CONNECT_TIMEOUT_S = 10.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0
# A connection that held for so long was a good one: the next pause is short again.
GOOD_AFTER_S = 30.0
# A gateway that closes at once what it has greeted does not let this relay in; until then it is not called connected.
AT_ONCE_S = 1.0
# An aircraft that was silent for so long may have got another address from its network.
LOOK_AROUND_AFTER_S = 10.0
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

    `tell(word, detail)` is called with `connected`, `lost`, `refused` (the gateway closed at once), `stranger` (what
    answers is not the gateway) or `vehicle_lost`. Raises RuleViolation for a credential or an address that cannot be
    used at all.
    """
    context = relay_context(relay.credential)
    aircraft = Aircraft(_opened(relay.vehicle_url))
    pause_s = 0.0
    try:
        while not ended():
            began = time.monotonic()
            try:
                aircraft.rest(pause_s, ended)
                began = time.monotonic()
                _call(relay, context, aircraft, tell, ended)
            except PipeClosed as lost:
                tell("vehicle_lost", str(lost))
                aircraft.find_again(ended)
            except ssl.SSLCertVerificationError as error:
                tell("stranger", error.verify_message)
            except (LineLost, OSError, UnicodeError) as lost:
                tell("lost", str(lost))
            held = time.monotonic() - began > GOOD_AFTER_S
            pause_s = FIRST_PAUSE_S if held or not pause_s else min(pause_s * 2, LONGEST_PAUSE_S)
    finally:
        aircraft.close()


def parse_gateway(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; raises RuleViolation 422 `relay.address`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise invalid("relay.address", measured=text[:200])
    return host.strip("[]"), int(port)


def _call(relay: Relay, context: ssl.SSLContext, aircraft: Aircraft, tell: Tell, ended: Callable[[], bool]) -> None:
    """One connection to the gateway, for as long as it stands; raises LineLost, OSError or PipeClosed."""
    with (
        socket.create_connection((relay.host, relay.port), CONNECT_TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=GATEWAY_NAME) as line,
    ):
        let_in_at, is_let_in = time.monotonic() + AT_ONCE_S, False

        def over() -> bool:
            nonlocal is_let_in
            if not is_let_in and time.monotonic() >= let_in_at:
                is_let_in = True
                tell("connected", f"{relay.host}:{relay.port}")
            return ended()

        aircraft.begin()
        try:
            pump(line, aircraft, over)
        except LineLost as lost:
            if is_let_in:
                raise
            tell("refused", str(lost))


def _opened(url: str) -> Pipe:
    try:
        return open_pipe(url)
    except (OSError, ValueError) as error:
        raise VehicleRefused.because("link.unreachable", url=url, measured=str(error)) from error


class Aircraft:
    """The pipe to the aircraft. A stream is written to a datagram socket frame by frame: a datagram holds whole ones.

    Of those who send datagrams the first that speaks MAVLink is taken for the aircraft, and nobody else is heard
    until that one has been silent for a while.
    """

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._cuts = isinstance(pipe, UdpPipe)
        self._begun = bytearray()
        self._has_peer = not self._cuts
        self._heard_at = 0.0
        self.fileno, self.close = pipe.fileno, pipe.close

    def begin(self) -> None:
        """Forgets half a frame, whose other half was lost with the line."""
        self._begun.clear()

    def read(self) -> bytes:
        """What has come of the aircraft, or nothing."""
        data = self._pipe.read()
        if not self._cuts:
            return data
        if not data:
            self._look_around()
            return data
        if not self._has_peer:
            if data[0] not in (_V2, _V1):
                return b""
            self._pipe.pin()
            self._has_peer = True
        self._heard_at = time.monotonic()
        return data

    def write(self, data: bytes) -> None:
        """Sends `data`, or every frame that is whole by now."""
        if not self._cuts:
            self._pipe.write(data)
            return
        self._begun += data
        for frame in whole_frames(self._begun):
            self._pipe.write(frame)

    def rest(self, seconds: float, ended: Callable[[], bool]) -> None:
        """Lets time pass without a line; what comes meanwhile is dropped, for nothing is carried late."""
        until = time.monotonic() + seconds
        while not ended() and (left_s := until - time.monotonic()) > 0:
            if select.select([self.fileno()], [], [], min(left_s, 0.1))[0]:
                forget_old(self)

    def find_again(self, ended: Callable[[], bool]) -> None:
        """Opens the pipe again, as after a cable was pulled, however long that takes."""
        while not ended():
            with contextlib.suppress(OSError):
                self._pipe.reopen()
                return
            time.sleep(FIRST_PAUSE_S)

    def _look_around(self) -> None:
        if self._has_peer and time.monotonic() - self._heard_at > LOOK_AROUND_AFTER_S:
            self._has_peer = False
            self._pipe.listen_around()


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
