"""MAVLink 2 signatures: which frames are the aircraft's own, and our own signed the same way. Pure but for the clock.

A signature is SHA-256 over the shared key and the frame, cut to six bytes, behind a link id and a time stamp of
48 bits (10 microseconds since 2015). It proves who sent a frame and that it is fresh; it hides nothing.

pymavlink's own verification notes the time stamp of a frame before it has looked at the signature, so that one
forged frame from the far future silences the real aircraft, and it passes frames of kinds that it does not know.
Here nothing is remembered of a frame whose signature is wrong, and no frame is decoded before it is verified.

Modems on the ground say how well they receive (RADIO, RADIO_STATUS) and have no key: their frames are never
used, and are counted by themselves so that they raise no alarm.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from schemas.clock import Clock, SystemClock

KEY_BYTES = 32
SIGNATURE_BYTES = 13
EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
STAMPS_PER_S = 100_000
LAST_STAMP = (1 << 48) - 1
# A stream that was not heard before may lag this far behind our own time stamp, as MAVLink has it.
NEW_STREAM_LAG = 60 * STAMPS_PER_S
# So far ahead is a time stamp written down before it is used: a restart goes on above it.
RESERVED = 2 * STAMPS_PER_S

_FLAGS_AT = 2
_HEADER_BYTES = 10
_MAC_BYTES = 6
MODEM_KINDS = frozenset({mavlink.MAVLINK_MSG_ID_RADIO, mavlink.MAVLINK_MSG_ID_RADIO_STATUS})
log = logging.getLogger(__name__)


class Dropped(StrEnum):
    """Why a frame was not believed; also the names under which they are counted."""

    UNSIGNED = "link.unsigned"
    SIGNATURE = "link.signature"
    REPLAY = "link.replay"
    MAVLINK_1 = "link.mavlink1"
    IDENTITY = "link.identity"
    UNIDENTIFIED = "link.unidentified"
    MODEM = "link.modem"
    GARBAGE = "link.garbage"
    FLOOD = "link.flood"


def stamp_of(at: datetime) -> int:
    """A time as MAVLink signs it: units of 10 microseconds since 2015."""
    return min(max(int((at - EPOCH).total_seconds() * STAMPS_PER_S), 0), LAST_STAMP)


class Signature:
    """One aircraft's key on one link, and the time stamps of both directions; safe for several threads.

    Where it is not `strict`, unsigned frames pass as well: the aircraft has not been given its key yet. `sent` is
    the time stamp above which ours start, `keep(stamp)` writes one down before it is used; when that fails, frames
    go out all the same, for one of them may be what brings the aircraft home.
    """

    def __init__(
        self,
        key: bytes,
        link_id: int = 0,
        *,
        strict: bool = True,
        sent: int = 0,
        keep: Callable[[int], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a signing key has {KEY_BYTES} bytes")
        if not 0 <= link_id <= 255:
            raise ValueError("a link id is one byte")
        self.link_id = link_id
        self.strict = strict
        self._key = key
        self._clock = clock or SystemClock()
        self._keep = keep
        self._sent = self._reserved = sent
        self._heard: dict[tuple[int, int, int], int] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Signature(link_id={self.link_id}, strict={self.strict})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key is not to be copied into a file")

    # -- ours -----------------------------------------------------------------------------------------

    def sign(self, frame: bytes, crc_extra: int) -> bytes:
        """The unsigned MAVLink 2 `frame`, signed. `crc_extra` is the seed of its kind of message."""
        head = bytearray(frame[:-2])
        head[_FLAGS_AT] |= mavlink.MAVLINK_IFLAG_SIGNED
        crc = mavlink.x25crc(head[1:])
        crc.accumulate(bytes((crc_extra,)))
        signed: bytes = bytes(head) + crc.crc.to_bytes(2, "little")
        signed += bytes((self.link_id,)) + self._next_stamp().to_bytes(6, "little")
        return signed + self._mac(signed)

    def release(self) -> None:
        """Writes down the last time stamp that was used; a restart after an orderly end goes on right above it."""
        with self._lock:
            self._write_down(self._sent)

    def _next_stamp(self) -> int:
        with self._lock:
            self._sent = min(max(self._sent + 1, stamp_of(self._clock.now())), LAST_STAMP)
            if self._sent > self._reserved:
                self._write_down(min(self._sent + RESERVED, LAST_STAMP))
            return self._sent

    def _write_down(self, stamp: int) -> None:
        self._reserved = stamp
        if self._keep is not None:
            try:
                self._keep(stamp)
            except OSError as error:
                log.warning("a time stamp of the link could not be written down: %s", error)

    # -- theirs -----------------------------------------------------------------------------------------

    def refuses(self, frame: bytes | bytearray) -> Dropped | None:
        """Why a MAVLink 2 `frame`, whole as its header says, is not believed; None when it is."""
        if not frame[_FLAGS_AT] & mavlink.MAVLINK_IFLAG_SIGNED:
            if not self.strict:
                return None
            kind = int.from_bytes(frame[7:_HEADER_BYTES], "little")
            return Dropped.MODEM if kind in MODEM_KINDS else Dropped.UNSIGNED
        if len(frame) < _HEADER_BYTES + 2 + SIGNATURE_BYTES:
            return Dropped.SIGNATURE
        if not hmac.compare_digest(self._mac(frame[:-_MAC_BYTES]), frame[-_MAC_BYTES:]):
            return Dropped.SIGNATURE
        return self._is_old(frame)

    def _is_old(self, frame: bytes | bytearray) -> Dropped | None:
        """Whether a frame that is proved genuine was heard before; only such a frame moves the time stamps."""
        stamp = int.from_bytes(frame[-12:-_MAC_BYTES], "little")
        stream = (frame[-SIGNATURE_BYTES], frame[5], frame[6])
        with self._lock:
            newest_refused = self._heard.get(stream)
            if newest_refused is None:
                newest_refused = max(self._sent, stamp_of(self._clock.now())) - NEW_STREAM_LAG - 1
            if stamp <= newest_refused:
                return Dropped.REPLAY
            self._heard[stream] = stamp
            # The aircraft may be ahead of us; it takes nothing that lies a minute behind its own time.
            self._sent = max(self._sent, stamp)
        return None

    def _mac(self, signed: bytes | bytearray) -> bytes:
        return hashlib.sha256(self._key + signed).digest()[:_MAC_BYTES]
