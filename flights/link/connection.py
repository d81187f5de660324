"""One MAVLink 2 connection: a thread that reads, a heartbeat that never stops, and listeners.

Touches the network and runs a thread.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.errors import LinkLost
from flights.link.recorder import Recorder
from flights.link.transport import Pipe, PipeClosed

# Not 255: that is the pilot's own ground station, whose heartbeats may be what keeps the aircraft from its
# ground-station failsafe. A restart of this gateway must not make an aircraft turn back.
GATEWAY_SYSTEM = 245
GATEWAY_COMPONENT = 190
HEARTBEAT_EVERY_S = 1.0
REOPEN_EVERY_S = 1.0
SELECT_S = 0.05
INBOX_SIZE = 10_000
# Datagrams taken in one go, so that a flood cannot hold the heartbeat back.
READS_AT_ONCE = 64

Message = Any
Listener = Callable[[Message], None]
log = logging.getLogger(__name__)


class _Codec(mavlink.MAVLink):  # type: ignore[misc]
    """pymavlink's codec, made safe for several sending threads and aimed at the pinned vehicle."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(None, srcSystem=GATEWAY_SYSTEM, srcComponent=GATEWAY_COMPONENT)
        self.seq: int = 0
        self.robust_parsing = True
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, message: Message, force_mavlink1: bool = False) -> None:
        """Packs and sends one message; the sequence number belongs to the order on the wire."""
        self._connection.fix_targets(message)
        with self._sending:
            frame = message.pack(self, force_mavlink1=False)
            self.seq = (self.seq + 1) % 256
            self._connection.write(frame)


class Inbox:
    """The messages of some types that arrive while it is open, in order."""

    def __init__(self, types: frozenset[str]) -> None:
        self.types = types
        self._queue: queue.Queue[Message] = queue.Queue(INBOX_SIZE)

    def put(self, message: Message) -> None:
        """Keeps a message; one that nobody fetches in time is lost rather than memory filled."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(message)

    def get(self, timeout_s: float) -> Message | None:
        """The next message, or None when `timeout_s` passes without one."""
        try:
            return self._queue.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            return None

    def drain(self) -> list[Message]:
        """Everything that has arrived so far."""
        found = []
        while (message := self.get(0.0)) is not None:
            found.append(message)
        return found


class Connection:
    """A live line to the one vehicle whose heartbeat was heard first (its identity is pinned then).

    Frames of MAVLink 1, of other systems and of unknown kinds are dropped and counted in `counts`; bytes
    that are no MAVLink at all never raise. On a lost TCP connection or cable it reopens the pipe.
    """

    def __init__(self, pipe: Pipe, recorder: Recorder | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.target_system = 0
        self.target_component = 0
        self._pipe = pipe
        self._recorder = recorder
        self._inboxes: list[Inbox] = []
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        self._alive = True
        self._open = True
        self._identified = threading.Event()
        self._heard_at = time.monotonic()
        self.codec = _Codec(self)
        self._thread = threading.Thread(target=self._run, name="mavlink-link", daemon=True)

    # -- life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts reading and sending heartbeats."""
        if not self._thread.is_alive():
            self._thread.start()

    def close(self) -> None:
        """Ends the thread and the pipe; the recorder stays open for its owner."""
        self._alive = False
        if self._thread.is_alive():
            self._thread.join()
        self._pipe.close()

    def wait_identified(self, timeout_s: float) -> None:
        """Waits for the first heartbeat of an autopilot; raises LinkLost when none comes."""
        if not self._identified.wait(timeout_s):
            raise LinkLost.no_heartbeat(self._pipe.url, timeout_s)

    @property
    def silence_s(self) -> float:
        """Seconds (wall clock) since the vehicle was last heard."""
        return time.monotonic() - self._heard_at

    # -- talking ------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        """Sends one packed frame and records it."""
        if self._recorder is not None:
            self._recorder.write(frame)
        if self._open:
            self._pipe.write(frame)

    def fix_targets(self, message: Message) -> None:
        """Addresses `message` to the pinned vehicle."""
        if hasattr(message, "target_system"):
            message.target_system = self.target_system
        if hasattr(message, "target_component"):
            message.target_component = self.target_component

    @contextlib.contextmanager
    def listen(self, *types: str) -> Iterator[Inbox]:
        """Collects messages of these types while the block runs."""
        inbox = Inbox(frozenset(types))
        with self._lock:
            self._inboxes.append(inbox)
        try:
            yield inbox
        finally:
            with self._lock:
                self._inboxes.remove(inbox)

    def is_for_us(self, message: Message) -> bool:
        """Whether a reply is addressed to this gateway or to everyone, not to another ground station."""
        return getattr(message, "target_system", 0) in (0, GATEWAY_SYSTEM)

    def forward(self, listener: Listener) -> None:
        """Calls `listener(message)` for every message, in the reading thread."""
        self._listeners.append(listener)

    # -- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        beat_due = 0.0
        while self._alive:
            if time.monotonic() >= beat_due:
                beat_due = time.monotonic() + HEARTBEAT_EVERY_S
                self.codec.heartbeat_send(mavlink.MAV_TYPE_GCS, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, 0)
            if not self._open:
                self._reopen()
                continue
            try:
                select.select([self._pipe.fileno()], [], [], SELECT_S)
                for _ in range(READS_AT_ONCE):
                    if not (data := self._pipe.read()):
                        break
                    self._take(data)
            except (PipeClosed, OSError, ValueError) as error:
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        if self._alive:
            log.warning("link %s closed: %s", self._pipe.url, error)
            self.counts["link.closed"] += 1
            self._open = False

    def _reopen(self) -> None:
        time.sleep(REOPEN_EVERY_S)
        with contextlib.suppress(OSError):
            self._pipe.reopen()
            self._open = True

    def _take(self, data: bytes) -> None:
        for message in self.codec.parse_buffer(data) or ():
            if self._accept(message):
                self._dispatch(message)

    def _accept(self, message: Message) -> bool:
        reason = self._rejects(message)
        if reason is None:
            self._heard_at = time.monotonic()
            self.counts["accepted"] += 1
            return True
        self.counts[reason] += 1
        return False

    def _rejects(self, message: Message) -> str | None:
        kind = message.get_type()
        if kind == "BAD_DATA" or kind.startswith("UNKNOWN"):
            return "link.garbage"
        if message.get_msgbuf()[0] != mavlink.PROTOCOL_MARKER_V2:
            return "link.mavlink1"
        source = (message.get_srcSystem(), message.get_srcComponent())
        if not self._identified.is_set():
            return None if self._identify(message, source) else "link.unidentified"
        return None if source == (self.target_system, self.target_component) else "link.identity"

    def _identify(self, message: Message, source: tuple[int, int]) -> bool:
        """Pins the first autopilot that is heard; a heartbeat of a ground station or gimbal is not one."""
        if message.get_type() != "HEARTBEAT" or message.autopilot == mavlink.MAV_AUTOPILOT_INVALID:
            return False
        self.target_system, self.target_component = source
        self._pipe.pin()
        self._identified.set()
        return True

    def _dispatch(self, message: Message) -> None:
        if self._recorder is not None:
            self._recorder.write(bytes(message.get_msgbuf()))
        kind = message.get_type()
        with self._lock:
            inboxes = [inbox for inbox in self._inboxes if kind in inbox.types]
        for inbox in inboxes:
            inbox.put(message)
        for listener in self._listeners:
            try:
                listener(message)
            except Exception:
                # A listener's fault must not stop the line: the heartbeat and the abort depend on it. dronekit
                # raises at every heartbeat of an aircraft whose modes it does not know.
                self.counts["listener.error"] += 1
                log.debug("listener failed on %s", kind, exc_info=True)
