"""The sockets of the simulated vehicle. Touches the network.

Every ground station that has spoken is a peer; what the vehicle says goes to all of them.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
from collections.abc import Hashable, Iterator
from typing import Any, Protocol

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.options import parse_listen

MAX_PEERS = 16
MAX_READ_BYTES = 65_536


class Port(Protocol):
    """One listening place."""

    def poll(self, wait_s: float) -> Iterator[tuple[Hashable, bytes]]:
        """Bytes that arrived within `wait_s`, with the peer they came from."""
        ...

    def send(self, data: bytes) -> None:
        """Sends to every peer."""
        ...

    def close(self) -> None:
        """Ends all sockets."""
        ...


class UdpPort:
    """Datagrams: listens (`udp:`), or calls a ground station that listens (`udpout:`)."""

    def __init__(self, scheme: str, address: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._peers: dict[Any, None] = {}
        if scheme == "udpout":
            self._peers[address] = None
        else:
            self._socket.bind(address)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)

    def poll(self, wait_s: float) -> Iterator[tuple[Hashable, bytes]]:
        """Datagrams that arrived within `wait_s`."""
        self._selector.select(wait_s)
        while True:
            try:
                data, peer = self._socket.recvfrom(MAX_READ_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            if peer not in self._peers and len(self._peers) < MAX_PEERS:
                self._peers[peer] = None
            if peer in self._peers:
                yield peer, data

    def send(self, data: bytes) -> None:
        """One datagram to every peer."""
        for peer in self._peers:
            with contextlib.suppress(OSError):
                self._socket.sendto(data, peer)

    def close(self) -> None:
        """Ends the socket."""
        self._selector.close()
        self._socket.close()


class TcpPort:
    """Connections, as ArduPilot's own simulator takes them on port 5760."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._server = socket.create_server(address)
        self._server.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._peers: list[socket.socket] = []

    def poll(self, wait_s: float) -> Iterator[tuple[Hashable, bytes]]:
        """Bytes that arrived within `wait_s`; takes new connections on the way."""
        for key, _ in self._selector.select(wait_s):
            if key.fileobj is self._server:
                self._accept()
                continue
            peer: Any = key.fileobj
            try:
                data = peer.recv(MAX_READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                yield peer, data
            else:
                self._drop(peer)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            peer, _ = self._server.accept()
            if len(self._peers) >= MAX_PEERS:
                peer.close()
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.settimeout(1.0)
            self._selector.register(peer, selectors.EVENT_READ)
            self._peers.append(peer)

    def _drop(self, peer: socket.socket) -> None:
        self._selector.unregister(peer)
        self._peers.remove(peer)
        peer.close()

    def send(self, data: bytes) -> None:
        """Sends to every connection; one that does not take it for a second is dropped."""
        for peer in list(self._peers):
            try:
                peer.sendall(data)
            except OSError:
                self._drop(peer)

    def close(self) -> None:
        """Ends all connections."""
        for peer in list(self._peers):
            self._drop(peer)
        self._selector.close()
        self._server.close()


def open_port(listen: str) -> Port:
    """Opens the port that `listen` names; raises RuleViolation 422 `simulator.listen`, OSError."""
    scheme, host, port = parse_listen(listen)
    return TcpPort((host, port)) if scheme == "tcp" else UdpPort(scheme, (host, port))


class Wire:
    """Messages instead of bytes over a port, with the losses that were asked for, each way."""

    def __init__(self, port: Port, system_id: int, loss: float, seed: int) -> None:
        self._port = port
        self._loss = loss
        self._random = random.Random(seed)
        self._readers: dict[Hashable, Any] = {}
        self._codec = mavlink.MAVLink(None, srcSystem=system_id, srcComponent=1)

    def poll(self, wait_s: float) -> Iterator[Any]:
        """The messages that arrived within `wait_s`; noise is passed over."""
        for peer, data in self._port.poll(wait_s):
            reader = self._readers.get(peer)
            if reader is None:
                reader = self._readers[peer] = mavlink.MAVLink(None)
                reader.robust_parsing = True
            for message in reader.parse_buffer(data) or ():
                kind = message.get_type()
                if kind != "BAD_DATA" and not kind.startswith("UNKNOWN") and not self._is_lost():
                    yield message

    def send(self, message: Any) -> None:  # noqa: ANN401
        """Sends one message to all ground stations."""
        frame = message.pack(self._codec)
        self._codec.seq = (self._codec.seq + 1) % 256
        if not self._is_lost():
            self._port.send(frame)

    def _is_lost(self) -> bool:
        return self._loss > 0 and self._random.random() < self._loss

    def close(self) -> None:
        """Ends the port."""
        self._port.close()
