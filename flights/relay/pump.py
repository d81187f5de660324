"""Bytes carried both ways between a TLS connection and a pipe, without reading them. Touches the network."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

READ_BYTES = 65_536
PIECE_BYTES = 16_384
MOST_OLD_READS = 1_000
SELECT_S = 0.2
# What waits for a slow line; beyond it the oldest is lost, as on a radio: a late position is worth nothing.
MOST_WAITING_BYTES = 64 * 1024
# A line is given up when nothing is acknowledged for so long. The kernel asks the other end, because the two ends of
# the flight may well be silent for an hour: no flight is led, or the aircraft is off for a new battery.
DEAD_AFTER_S = 10
ASK_AFTER_S, ASK_EVERY_S, ASK_TIMES = 3, 2, 3


class LineLost(Exception):
    """The TLS connection ended or fell silent; the message says which."""


class Carried(Protocol):
    """The end that is no TLS: a pipe of flights/link/transport.py, or the gateway's own."""

    def fileno(self) -> int:
        """The descriptor to wait on."""
        ...

    def read(self) -> bytes:
        """What has arrived, or nothing; never waits."""
        ...

    def write(self, data: bytes) -> None:
        """Sends `data`."""
        ...


class _Outbox:
    """What waits to be sent. A piece that TLS has begun is offered again unchanged until it has gone."""

    def __init__(self) -> None:
        self._begun = b""
        self._waiting = bytearray()

    def __bool__(self) -> bool:
        return bool(self._begun or self._waiting)

    def put(self, data: bytes) -> None:
        self._waiting += data
        del self._waiting[: max(len(self._waiting) - MOST_WAITING_BYTES, 0)]

    def send(self, line: ssl.SSLSocket) -> None:
        if not self._begun:
            self._begun = bytes(self._waiting[:PIECE_BYTES])
            del self._waiting[:PIECE_BYTES]
        if not self._begun:
            return
        try:
            self._begun = self._begun[line.send(self._begun) :]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            raise LineLost(str(error)) from error


def pump(line: ssl.SSLSocket, pipe: Carried, ended: Callable[[], bool]) -> None:
    """Carries bytes until `ended`; raises LineLost, or what reading the pipe raises."""
    watch_over(line)
    line.setblocking(False)
    outbox = _Outbox()
    forget_old(pipe)
    while not ended():
        if not line.pending():
            select.select([line.fileno(), pipe.fileno()], [line.fileno()] if outbox else [], [], SELECT_S)
        if came := _received(line):
            pipe.write(came)
        outbox.put(pipe.read())
        outbox.send(line)


def watch_over(line: socket.socket) -> None:
    """Has the kernel ask whether the other end is there, and send without waiting for more."""
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, ASK_AFTER_S),
        (socket.TCP_KEEPINTVL, ASK_EVERY_S),
        (socket.TCP_KEEPCNT, ASK_TIMES),
        (socket.TCP_USER_TIMEOUT, DEAD_AFTER_S * 1000),
    ):
        line.setsockopt(socket.IPPROTO_TCP, option, value)


def forget_old(pipe: Carried) -> None:
    """Drops what came while there was no line: an order or a position that is carried late is a false one."""
    for _ in range(MOST_OLD_READS):
        if not pipe.read():
            return


def _received(line: ssl.SSLSocket) -> bytes:
    try:
        data = line.recv(READ_BYTES)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return b""
    except OSError as error:
        raise LineLost(str(error)) from error
    if not data:
        raise LineLost("the other end closed it")
    return data
