"""The sockets of the simulated vehicle. Touches the network.

Every ground station that has spoken is a peer; what the vehicle says goes to all of them.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Any, Protocol

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.options import Options, parse_listen

MAX_PEERS = 16
MAX_READ_BYTES = 65_536
# Time stamps of signatures count from 2015, in units of 10 microseconds.
SIGNING_EPOCH_S = 1_420_070_400
AUTOPILOT = mavlink.MAV_COMP_ID_AUTOPILOT1


class Port(Protocol):
    """One listening place."""

    def poll(self, wait_s: float) -> Iterator[tuple[Hashable, bytes]]:
        """Bytes that arrived within `wait_s`, with the peer they came from."""
        ...

    def send(self, data: bytes) -> None:
        """Sends to every peer."""
        ...

    def hang_up(self) -> None:
        """Ends all connections; new ones are taken."""
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

    def hang_up(self) -> None:
        """Nothing to do: datagrams have no connection."""

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

    def hang_up(self) -> None:
        """Ends all connections; new ones are taken."""
        for peer in list(self._peers):
            self._drop(peer)

    def close(self) -> None:
        """Ends all connections and the port."""
        self.hang_up()
        self._selector.close()
        self._server.close()


def open_port(listen: str) -> Port:
    """Opens the port that `listen` names; raises RuleViolation 422 `simulator.listen`, OSError."""
    scheme, host, port = parse_listen(listen)
    return TcpPort((host, port)) if scheme == "tcp" else UdpPort(scheme, (host, port))


class Wire:
    """Messages instead of bytes over a port, signed where there is a key, with the losses that were asked for."""

    def __init__(self, port: Port, options: Options) -> None:
        self._port = port
        self._faults = options.faults
        self._random = random.Random(options.seed)
        self._readers: dict[Hashable, Any] = {}
        self._system_id = options.system_id
        self._codec = mavlink.MAVLink(None, srcSystem=options.system_id, srcComponent=AUTOPILOT)
        self._codecs: dict[int, Any] = {AUTOPILOT: self._codec}
        self._coming: deque[tuple[float, Any]] = deque()
        self._going: deque[tuple[float, bytes]] = deque()
        self.sign_with(options.key, 0)

    def sign_with(self, key: bytes | None, stamp: int) -> None:
        """From now on signs with `key`, above the time `stamp`, and hears only who does; None ends that."""
        signing = self._codec.signing
        signing.secret_key, signing.timestamp = key, max(stamp, signing.timestamp)
        signing.sign_outgoing = key is not None and not self._faults.unsigned
        signing.allow_unsigned_callback = _is_modem

    def poll(self, wait_s: float) -> Iterator[Any]:
        """The messages that arrived within `wait_s`; noise is passed over."""
        self._flush()
        for peer, data in self._port.poll(wait_s):
            for message in self._reader(peer).parse_buffer(data) or ():
                kind = message.get_type()
                if kind != "BAD_DATA" and not kind.startswith("UNKNOWN") and not self._is_lost():
                    self._coming.append((self._due(), message))
        now = time.monotonic()
        while self._coming and self._coming[0][0] <= now:
            yield self._coming.popleft()[1]

    def _reader(self, peer: Hashable) -> Any:  # noqa: ANN401
        reader = self._readers.get(peer)
        if reader is None:
            if len(self._readers) > 2 * MAX_PEERS:
                self._readers.clear()
            reader = self._readers[peer] = mavlink.MAVLink(None)
            reader.robust_parsing = True
            # All lines of the aircraft share one key and one time stamp.
            reader.signing = self._codec.signing
        return reader

    def send(self, message: Any, component: int = AUTOPILOT) -> None:  # noqa: ANN401
        """Sends one message of a component of the aircraft to all ground stations."""
        codec = self._codecs.get(component)
        if codec is None:
            codec = self._codecs[component] = mavlink.MAVLink(None, self._system_id, component)
            codec.signing = self._codec.signing
        signing = codec.signing
        signing.timestamp = max(signing.timestamp, int((time.time() - SIGNING_EPOCH_S) * 1e5))
        frame = message.pack(codec)
        codec.seq = (codec.seq + 1) % 256
        if not self._is_lost():
            self._going.append((self._due(), frame))
            self._flush()

    def _flush(self) -> None:
        now = time.monotonic()
        while self._going and self._going[0][0] <= now:
            self._port.send(self._going.popleft()[1])

    def _due(self) -> float:
        return time.monotonic() + self._faults.latency_ms / 1000

    def _is_lost(self) -> bool:
        return self._faults.loss > 0 and self._random.random() < self._faults.loss

    def hang_up(self) -> None:
        """Ends all connections, as an autopilot that starts anew; what is under way is lost."""
        self._coming.clear()
        self._going.clear()
        self._port.hang_up()

    def close(self) -> None:
        """Ends the port."""
        self._port.close()


def _is_modem(_codec: Any, message_id: int) -> bool:  # noqa: ANN401
    """What modems on the ground say of the radio has no key, and is heard without one."""
    return message_id in (mavlink.MAVLINK_MSG_ID_RADIO, mavlink.MAVLINK_MSG_ID_RADIO_STATUS)
