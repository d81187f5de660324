"""Byte pipes to a vehicle: TCP, UDP in either direction, serial. Touches the network and devices.

The fifth way, a relay in the field that calls in, is in flights/relay/server.py.

pymavlink's own sockets print to the terminal, end the process on a bad address and reconnect for ever,
so only its codec is used; the pipes are these.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import socket
import struct
import termios
import time
import tty
from dataclasses import dataclass
from typing import Protocol

from schemas.refusals import invalid

MAX_READ_BYTES = 65_536
CONNECT_TIMEOUT_S = 5.0
SERIAL_DEFAULT_BAUD = 57_600
# Datagrams of strangers that waited before the peer was pinned are passed over in batches.
STRANGERS_AT_ONCE = 256

RELAY = "relay"
_CLOSED = -1
_HOST_PORT = re.compile(r"^(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\s]+):(?P<port>[0-9]{1,5})$")
_SERIAL = re.compile(r"^(?P<path>/dev/[^,:\s]+)(?:[,:](?P<baud>[0-9]+))?$")


class PipeClosed(Exception):
    """The other end closed the pipe; it may be opened again."""


class Pipe(Protocol):
    """One two-way pipe of bytes. `read` never waits and raises PipeClosed when the other end is gone."""

    url: str

    def fileno(self) -> int:
        """The descriptor to wait on."""
        ...

    def read(self) -> bytes:
        """What has arrived, or nothing."""
        ...

    def write(self, data: bytes) -> None:
        """Sends `data`; a datagram or byte that cannot leave is lost, as on a radio."""
        ...

    def pin(self) -> None:
        """From now on talk only to the peer that the last `read` came from."""
        ...

    def listen_around(self) -> None:
        """From now on hears every peer again, until the next `pin`; speaks to the pinned one meanwhile."""
        ...

    def reopen(self) -> None:
        """Opens the pipe again after PipeClosed; raises OSError when that fails."""
        ...

    def close(self) -> None:
        """Ends the pipe."""
        ...


@dataclass(frozen=True)
class Address:
    """A parsed vehicle URL: `scheme` is tcp, udpin, udpout, serial, or relay for where a gateway listens for one."""

    scheme: str
    host: str
    port: int

    @property
    def pair(self) -> tuple[str, int]:
        """The address as the socket module takes it."""
        return self.host, self.port


def parse_url(url: str) -> Address:
    """The address in `url`, with pymavlink's meanings: `udp:` listens, `udpout:` calls, `tcp:` calls.

    `relay:` listens for a relay in the field, which only a gateway does. Serial ports are `/dev/ttyACM0` or
    `/dev/ttyUSB0,57600`. Raises RuleViolation 422 `link.url`.
    """
    serial = _SERIAL.match(url.removeprefix("serial:"))
    if serial:
        return Address("serial", serial["path"], int(serial["baud"] or SERIAL_DEFAULT_BAUD))
    scheme, _, rest = url.partition(":")
    scheme = {"udp": "udpin"}.get(scheme, scheme)
    where = _HOST_PORT.match(rest)
    if scheme not in ("tcp", "udpin", "udpout", RELAY) or where is None or not 0 < int(where["port"]) < 65_536:
        raise invalid("link.url", url=url[:200])
    return Address(scheme, where["host"].strip("[]"), int(where["port"]))


class Bucket:
    """Lets through so many bytes a second on average, and two seconds' worth at once."""

    def __init__(self, bytes_per_s: int) -> None:
        self._per_s = bytes_per_s
        self._most = self._left = 2.0 * bytes_per_s
        self._filled_at = time.monotonic()

    def takes(self, count: int) -> bool:
        """Whether `count` more bytes are within the measure; what is not leaves the bucket as it was."""
        now = time.monotonic()
        self._left = min(self._left + (now - self._filled_at) * self._per_s, self._most)
        self._filled_at = now
        if count > self._left:
            return False
        self._left -= count
        return True


def open_pipe(url: str) -> Pipe:
    """Opens the pipe that `url` names; raises RuleViolation 422 for a bad URL and OSError otherwise.

    A relay is a bad one here: whoever opens its line has to know for which aircraft (flights/gateway/line.py).
    """
    address = parse_url(url)
    if address.scheme == RELAY:
        raise invalid("link.url", "link.url_relay", url=url[:200])
    if address.scheme == "tcp":
        return TcpPipe(url, address)
    if address.scheme == "serial":
        return SerialPipe(url, address)
    return UdpPipe(url, address)


class TcpPipe:
    """A TCP connection that we open, as to ArduPilot's simulator on port 5760."""

    def __init__(self, url: str, address: Address) -> None:
        self.url = url
        self._address = address
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        connected = socket.create_connection(self._address.pair, timeout=CONNECT_TIMEOUT_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Blocking, with the kernel's time limit for sending; a time limit of Python's would make `read`
        # wait as well.
        connected.settimeout(None)
        limit = struct.pack("ll", int(CONNECT_TIMEOUT_S), 0)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        return connected

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """What has arrived, or nothing."""
        try:
            data = self._socket.recv(MAX_READ_BYTES, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            raise PipeClosed(str(error)) from error
        if not data:
            raise PipeClosed("end of stream")
        return data

    def write(self, data: bytes) -> None:
        """Sends `data`; what a broken connection cannot carry is lost."""
        with contextlib.suppress(OSError):
            self._socket.sendall(data)

    def pin(self) -> None:
        """Nothing to do: a connection has one peer."""

    def listen_around(self) -> None:
        """Nothing to do: a connection has one peer."""

    def reopen(self) -> None:
        """Connects again."""
        self._socket.close()
        self._socket = self._connect()

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()


class UdpPipe:
    """A UDP socket that either listens for a vehicle (`udpin`) or calls one (`udpout`)."""

    def __init__(self, url: str, address: Address) -> None:
        self.url = url
        family, kind, proto, _, target = socket.getaddrinfo(*address.pair, type=socket.SOCK_DGRAM)[0]
        self._kind, self._target = (family, kind, proto), target
        self._peer: tuple[object, ...] | None = None
        self._last: tuple[object, ...] | None = None
        self._pinned = False
        self._calls = address.scheme == "udpout"
        self._socket = self._open()

    def _open(self) -> socket.socket:
        opened = socket.socket(*self._kind)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if self._calls:
            opened.connect(self._target)
        else:
            opened.bind(self._target)
        return opened

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """One datagram of the pinned peer, or nothing."""
        for _ in range(STRANGERS_AT_ONCE):
            try:
                data, source = self._socket.recvfrom(MAX_READ_BYTES, socket.MSG_DONTWAIT)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED):
                    return b""
                raise PipeClosed(str(error)) from error
            if not self._pinned or source == self._peer:
                self._last = source
                return data
        return b""

    def write(self, data: bytes) -> None:
        """Sends one datagram to the peer: the one called, the pinned one, or the last that was heard."""
        with contextlib.suppress(OSError):
            if self._calls or self._pinned:
                self._socket.send(data)
            elif (target := self._peer or self._last) is not None:
                self._socket.sendto(data, target)

    def pin(self) -> None:
        """Talk only to the peer last heard, whoever else sends to this port.

        The kernel drops the datagrams of all others from now on; those that wait already are passed over.
        """
        if not self._calls and self._last is not None:
            self._peer, self._pinned = self._last, True
            self._socket.connect(self._last)

    def listen_around(self) -> None:
        """Hears whoever sends, for the vehicle may have another address by now; speaks to the old one meanwhile."""
        if self._pinned:
            self._pinned = False
            self._socket.close()
            self._socket = self._open()

    def reopen(self) -> None:
        """Nothing to do: a datagram socket does not close."""

    def close(self) -> None:
        """Ends the socket."""
        self._socket.close()


class SerialPipe:
    """A serial port in raw mode."""

    def __init__(self, url: str, address: Address) -> None:
        self.url = url
        self._address = address
        self._fd = self._open()

    def _open(self) -> int:
        speed = getattr(termios, f"B{self._address.port}", None)
        if speed is None:
            raise invalid("link.url", url=self.url)
        fd = os.open(self._address.host, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            tty.setraw(fd)
            mode = termios.tcgetattr(fd)
            mode[4] = mode[5] = speed
            termios.tcsetattr(fd, termios.TCSANOW, mode)
        except (OSError, termios.error) as error:
            os.close(fd)
            raise OSError(f"{self._address.host} is not a serial port: {error}") from error
        return fd

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._fd

    def read(self) -> bytes:
        """What has arrived, or nothing."""
        try:
            return os.read(self._fd, MAX_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            raise PipeClosed(str(error)) from error

    def write(self, data: bytes) -> None:
        """Sends `data`, waiting for a slow port for a bounded time."""
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while data and time.monotonic() < deadline:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                select.select([], [self._fd], [], 0.05)
            except OSError:
                return

    def pin(self) -> None:
        """Nothing to do: a port has one peer."""

    def listen_around(self) -> None:
        """Nothing to do: a port has one peer."""

    def reopen(self) -> None:
        """Opens the port again, as after a cable was pulled."""
        self.close()
        self._fd = self._open()

    def close(self) -> None:
        """Ends the port, once: its number may be another file's by the next call."""
        fd, self._fd = self._fd, _CLOSED
        if fd != _CLOSED:
            os.close(fd)
