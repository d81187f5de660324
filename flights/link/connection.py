"""One MAVLink 2 connection: a thread that reads, a heartbeat that never stops, and listeners.

Touches the network and runs a thread.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link import frames
from flights.link.errors import LinkLost, VehicleRefused
from flights.link.inbox import Inbox
from flights.link.recorder import Recorder
from flights.link.signing import Dropped, Signature
from flights.link.transport import Bucket, Pipe, PipeClosed

# Not 255: that is the pilot's own ground station, whose heartbeats may be what keeps the aircraft from its
# ground-station failsafe. A restart of this gateway must not make an aircraft turn back.
GATEWAY_SYSTEM = 245
GATEWAY_COMPONENT = 190
HEARTBEAT_EVERY_S = 1.0
REOPEN_EVERY_S = 1.0
SELECT_S = 0.05
# Datagrams taken in one go, so that a flood cannot hold the heartbeat back.
READS_AT_ONCE = 64
# A radio carries a hundredth of this, and so does the network at ten messages a second of each kind.
FLOOD_BYTES_PER_S = 1 << 20
# A vehicle that was silent for so long may have got another address from its network.
LOOK_AROUND_AFTER_S = 10.0
# So many frames of one fault make it an attack or a defect instead of noise, and then each tenfold.
ALARM_AFTER = 3
ALARM_EACH = 10
_REASONS = frozenset(Dropped)
# What the vehicle's Remote ID module says of it, and from which components of the vehicle it is heard.
REMOTE_ID = "OPEN_DRONE_ID_"
REMOTE_ID_MODULES = frozenset(range(mavlink.MAV_COMP_ID_ODID_TXRX_1, mavlink.MAV_COMP_ID_ODID_TXRX_3 + 1))

Message = Any
Listener = Callable[[Message], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alarm:
    """Frames were dropped for `reason`, `count` of them by now, the last from this MAVLink source (0: none told)."""

    reason: Dropped
    count: int
    system: int = 0
    component: int = 0


class _Codec(mavlink.MAVLink):  # type: ignore[misc]
    """pymavlink's codec, made safe for several sending threads, aimed at the pinned vehicle, and signing for it.

    pymavlink's own signing stays off: it would lose its key or its time stamps where flights/link/signing.py does not.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(None, srcSystem=GATEWAY_SYSTEM, srcComponent=GATEWAY_COMPONENT)
        self.seq: int = 0
        self.robust_parsing = True
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, message: Message, force_mavlink1: bool = False) -> None:
        """Packs and sends one message; the sequence number belongs to the order on the wire."""
        self._connection.fix_targets(message)
        signature = self._connection.signature
        with self._sending:
            frame = message.pack(self, force_mavlink1=False)
            if signature is not None:
                frame = signature.sign(frame, message.crc_extra)
            self.seq = (self.seq + 1) % 256
            self._connection.write(frame)

    def parse_buffer(self, s: bytes) -> list[Message]:
        """The messages in what has come; whole frames of MAVLink 2 that begin where it begins are not searched for."""
        found: list[Message] = []
        rest = s
        if not self.buf_len():
            whole = 0
            for frame in frames.whole(s):
                found.append(self._decoded(frame))
                whole += len(frame)
            rest = s[whole:]
        return found + (super().parse_buffer(rest) or []) if rest else found

    def _decoded(self, frame: bytearray) -> Message:
        try:
            return self.decode(frame)
        except mavlink.MAVError as error:
            return mavlink.MAVLink_bad_data(frame, error.message)

    def decode(self, msgbuf: bytearray) -> Message:
        """Decodes a whole frame of MAVLink 2 that is believed; of any other nothing but its head is looked at."""
        reason = self._connection.disbelieves(msgbuf)
        if reason is not None:
            raise mavlink.MAVError(reason)
        message = frames.decode(msgbuf)
        return super().decode(msgbuf) if message is None else message

    def forget(self) -> None:
        """Drops half a frame, whose other half was lost with the line."""
        self.buf, self.buf_index = bytearray(), 0
        self.expected_length = mavlink.HEADER_LEN_V1 + 2


class Connection:
    """A live line to the one vehicle whose heartbeat was heard first (its identity is pinned then).

    Frames of MAVLink 1, of other systems and of unknown kinds are dropped and counted in `counts`, and with a
    `signature` every frame that it does not believe; bytes that are no MAVLink at all never raise, and more of
    them than a vehicle sends are not even looked at. Of the vehicle's other components only its Remote ID module is
    heard, with its own messages alone. On a lost TCP connection or cable it reopens the pipe.
    """

    def __init__(self, pipe: Pipe, recorder: Recorder | None = None, signature: Signature | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.signature = signature
        self.target_system = 0
        self.target_component = 0
        self._pipe = pipe
        self._recorder = recorder
        self._inboxes: list[Inbox] = []
        self._listeners: list[Listener] = []
        self._alarmed: list[Callable[[Alarm], None]] = []
        self._alarms: list[Alarm] = []
        self._suspicious: Counter[str] = Counter()
        self._bucket = Bucket(FLOOD_BYTES_PER_S)
        self._lock = threading.Lock()
        self._alive = True
        self._open = True
        self._identified = threading.Event()
        self._looks_around = False
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
        if self.signature is not None:
            self.signature.release()

    def wait_identified(self, timeout_s: float) -> None:
        """Waits for the first heartbeat of an autopilot.

        Raises LinkLost when none comes, VehicleRefused with the reason when none that came was believed.
        """
        if self._identified.wait(timeout_s):
            return
        doubts = (Dropped.SIGNATURE, Dropped.REPLAY, Dropped.UNSIGNED, Dropped.MAVLINK_1)
        doubt = max(doubts, key=lambda reason: self.counts[reason])
        if self.counts[doubt]:
            raise VehicleRefused.because(doubt, url=self._pipe.url, measured=self.counts[doubt])
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

    def on_alarm(self, listener: Callable[[Alarm], None]) -> None:
        """Calls `listener(alarm)`, in the reading thread, when frames are dropped that should not have come.

        A genuine frame of another system alarms at once, everything else at the third frame that claims to be of
        the vehicle; after that each tenfold, so that a flood of frames makes no flood of alarms. Those that were
        raised before, while the vehicle was still looked for, are told now.
        """
        with self._lock:
            earlier = list(self._alarms)
            self._alarmed.append(listener)
        for alarm in earlier:
            listener(alarm)

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
                self._look_around()
                select.select([self._pipe.fileno()], [], [], SELECT_S)
                self._read(beat_due)
            except (PipeClosed, OSError, ValueError) as error:
                self._lose(error)

    def _look_around(self) -> None:
        """Lets a silent vehicle come back from another address; only its key can tell that it is the same one."""
        proves = self.signature is not None and self.signature.strict and self._identified.is_set()
        if proves and not self._looks_around and self.silence_s > LOOK_AROUND_AFTER_S:
            self._looks_around = True
            self._pipe.listen_around()

    def _read(self, until: float) -> None:
        """Takes what has arrived, but never past the time at which the next heartbeat is due."""
        for _ in range(READS_AT_ONCE):
            data = self._pipe.read()
            if not data:
                return
            if self._bucket.takes(len(data)):
                self.take(data)
            else:
                self.counts[Dropped.FLOOD] += 1
                self._suspect(Dropped.FLOOD)
            if time.monotonic() >= until:
                return

    def _lose(self, error: Exception) -> None:
        if self._alive:
            log.warning("link %s closed: %s", self._pipe.url, error)
            self.counts["link.closed"] += 1
            self._open = False

    def _reopen(self) -> None:
        time.sleep(REOPEN_EVERY_S)
        with contextlib.suppress(OSError):
            self._pipe.reopen()
            self.codec.forget()
            self._open = True

    def take(self, data: bytes) -> None:
        """Takes what has come over the line, in the reading thread."""
        for message in self.codec.parse_buffer(data):
            if self._accept(message):
                self._dispatch(message)

    def disbelieves(self, frame: bytearray) -> Dropped | None:
        """Why a frame is dropped before it is decoded, None when it is not."""
        if frame[0] == mavlink.PROTOCOL_MARKER_V2:
            reason = None if self.signature is None else self.signature.refuses(frame)
            source = (frame[5], frame[6])
        else:
            reason, source = Dropped.MAVLINK_1, (frame[3], frame[4])
        # Other stations share the air, and the vehicle passes some of them on; only what claims to be the vehicle
        # itself is suspicious.
        if reason not in (None, Dropped.MODEM) and self.target_system in (0, source[0]):
            self._suspect(reason, source)
        return reason

    def _accept(self, message: Message) -> bool:
        reason = self._rejects(message)
        if reason is None and message.get_srcComponent() != self.target_component:
            # The module may speak on when the autopilot has fallen silent: that is no sign of life of it.
            self.counts["accepted"] += 1
            return True
        if reason is None:
            self._heard_at = time.monotonic()
            self.counts["accepted"] += 1
            if self._looks_around:
                self._looks_around = False
                self._pipe.pin()
            return True
        self.counts[reason] += 1
        return False

    def _rejects(self, message: Message) -> str | None:
        kind = message.get_type()
        if kind == "BAD_DATA":
            return message.reason if message.reason in _REASONS else Dropped.GARBAGE
        if kind.startswith("UNKNOWN"):
            return Dropped.GARBAGE
        source = (message.get_srcSystem(), message.get_srcComponent())
        if not self._identified.is_set():
            return None if self._identify(message, source) else Dropped.UNIDENTIFIED
        if source == (self.target_system, self.target_component):
            return None
        if source[0] == self.target_system and source[1] in REMOTE_ID_MODULES and kind.startswith(REMOTE_ID):
            return None
        if self.signature is not None and source[0] != self.target_system:
            self._suspect(Dropped.IDENTITY, source)
        return Dropped.IDENTITY

    def _suspect(self, reason: Dropped, source: tuple[int, int] = (0, 0)) -> None:
        """Counts towards an alarm, and raises it when the count is due for one."""
        self._suspicious[reason] += 1
        count = self._suspicious[reason]
        first = 1 if reason is Dropped.IDENTITY else ALARM_AFTER
        while first < count:
            first *= ALARM_EACH
        if first != count:
            return
        alarm = Alarm(reason, count, *source)
        log.warning("link %s: %d frames dropped, %s, source %d/%d", self._pipe.url, count, reason, *source)
        with self._lock:
            self._alarms.append(alarm)
            listeners = list(self._alarmed)
        for listener in listeners:
            try:
                listener(alarm)
            except Exception:
                self.counts["listener.error"] += 1
                log.debug("listener failed on an alarm", exc_info=True)

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
        if self._inboxes:
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
