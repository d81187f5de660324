"""Reads the memory of an ArduPilot autopilot (DataFlash, `.BIN`): records of fixed length, each kind described first.

A record is A3 95, its kind, its fields. Kind 128 (FMT) describes a kind: length, name, a letter for each field, the
fields' names. Nothing is believed of a description that does not fit itself; damaged stretches are skipped and told.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flights.canonical import document_digest, mission_document
from flights.link.modes import HOMEWARD
from flights.logs.leap import gps_to_unix, leap_seconds_at
from flights.logs.open import mapped, unreadable
from flights.logs.record import Attitudes, Clock, Found, Logged, Pictures, Positions, Source, clock_of
from flights.model import WireItem
from schemas.limits import limit

HEAD = b"\xa3\x95"
_FMT, _FMT_BYTES = 128, 89
_FMT_FIELDS = struct.Struct("<BB4s16s64s")
# letter -> (numpy type, factor); what the wiki calls c, C, e, E are hundredths, L is 1e-7 degrees.
_LETTERS = {
    "a": ("V64", 0.0), "b": ("<i1", 1.0), "B": ("<u1", 1.0), "h": ("<i2", 1.0), "H": ("<u2", 1.0), "i": ("<i4", 1.0),
    "I": ("<u4", 1.0), "f": ("<f4", 1.0), "d": ("<f8", 1.0), "n": ("S4", 0.0), "N": ("S16", 0.0), "Z": ("S64", 0.0),
    "c": ("<i2", 0.01), "C": ("<u2", 0.01), "e": ("<i4", 0.01), "E": ("<u4", 0.01), "L": ("<i4", 1e-7),
    "M": ("<u1", 1.0), "q": ("<i8", 1.0), "Q": ("<u8", 1.0), "g": ("<f2", 1.0),
}  # fmt: skip
WANTED = ("POS", "GPS", "ATT", "CAM", "TRIG", "MODE", "CMD", "MISE", "EV", "ARM")
_EV_ARMED, _EV_DISARMED = (10, 15), (11,)
_GPS_HAS_TIME = 3
Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Kind:
    """One kind of record: its length with the head, and its fields as numpy reads them."""

    length: int
    name: str
    fields: tuple[tuple[str, str, float], ...]

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The record behind its three bytes of head."""
        return np.dtype([(name, kind) for name, kind, _ in self.fields])


def read_bin(path: Path) -> Logged:
    """What a DataFlash log says of its aircraft.

    Raises RuleViolation 422 for a file that is no such log or holds no positions, 413 for one that is too large.
    """
    with mapped(path) as data:
        found = Found()
        walk = _Walk(data, found)
        rows = {name: walk.columns(name) for name in WANTED}
    if not len(rows["POS"].get("TimeUS", ())):
        raise unreadable(path, "no POS record")
    try:
        return _logged(rows, found)
    except (KeyError, ValueError, OverflowError) as wrong:
        # A description may leave out a field, or call text a number.
        raise unreadable(path, "its records are not what an autopilot writes") from wrong


@dataclass
class _Walk:
    """Where the records of the wanted kinds lie in the file."""

    data: mmap.mmap
    found: Found
    _kinds: dict[int, Kind] = field(default_factory=dict)
    _places: dict[tuple[str, int], array[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._walk()

    def _walk(self) -> None:
        data, kinds = self.data, self._kinds
        place, end, records = 0, len(data), 0
        places: list[array[int] | None] = [None] * 256
        most = limit("log.reports")
        lengths = [0] * 256
        lengths[_FMT] = _FMT_BYTES
        while place + 3 <= end:
            number = data[place + 2]
            length = lengths[number] if data[place] == HEAD[0] and data[place + 1] == HEAD[1] else 0
            if not length:
                place = self._skip(place, end, lengths)
                continue
            if place + length > end:
                break
            records += 1
            if number == _FMT:
                described = self._describe(place)
                if described is not None:
                    lengths[described], places[described] = kinds[described].length, self._list_for(described)
            else:
                kept = places[number]
                if kept is not None:
                    kept.append(place)
                    if len(kept) > most:
                        raise unreadable(None, f"more than {most} records of one kind")
            place += length
        self.found.records = records
        self.found.torn_bytes = end - place

    def _list_for(self, number: int) -> array[int] | None:
        name = self._kinds[number].name
        return self._places.setdefault((name, number), array("q")) if name in WANTED else None

    def _describe(self, place: int) -> int | None:
        """Takes a description; None where it contradicts itself or one that came before."""
        number: int
        number, length, name, letters, labels = _FMT_FIELDS.unpack_from(self.data, place + 3)
        kind = _kind(length, name, letters, labels)
        before = self._kinds.get(number)
        if kind is None or number == _FMT or (before is not None and before != kind):
            # FMT describes itself as well; nothing is to be learnt from that.
            self.found.bad_checksums += number != _FMT
            return None
        self._kinds[number] = kind
        return number

    def _skip(self, place: int, end: int, lengths: list[int]) -> int:
        """The next place at which a known record begins."""
        start = place
        while True:
            place = self.data.find(HEAD, place + 1)
            if place < 0 or place + 3 > end:
                place = end
            elif not lengths[self.data[place + 2]] and place - start <= limit("log.garbage"):
                continue
            self.found.skipped_bytes += place - start
            if self.found.skipped_bytes > limit("log.garbage"):
                raise unreadable(None, f"{self.found.skipped_bytes} bytes are no records")
            return place

    def columns(self, name: str) -> Columns:
        """The fields of all records of a kind, as numbers in their units; empty where there are none."""
        for (kind_name, number), places in self._places.items():
            if kind_name == name and places:
                return self._gather(self._kinds[number], np.array(places, np.int64))
        return {}

    def _gather(self, kind: Kind, places: NDArray[np.int64]) -> Columns:
        whole = np.frombuffer(self.data, np.uint8)
        size = kind.length - 3
        table = np.empty((len(places), size), np.uint8)
        # Some at a time: the index of all bytes would be eight times as large as the bytes.
        for first in range(0, len(places), 65_536):
            some = places[first : first + 65_536]
            table[first : first + len(some)] = whole[some[:, None] + 3 + np.arange(size)]
        del whole
        rows = table.view(kind.dtype).reshape(-1)
        # A signalling NaN is a NaN like any other; whether it can be is judged later.
        with np.errstate(invalid="ignore"):
            return {name: rows[name].astype(float) * factor for name, _, factor in kind.fields if factor}


def _kind(length: int, name: bytes, letters: bytes, labels: bytes) -> Kind | None:
    try:
        words = [part.rstrip(b"\0").decode("ascii") for part in (name, letters, labels)]
    except UnicodeDecodeError:
        return None
    names = words[2].split(",") if words[2] else []
    sound = all(names) and len(set(names)) == len(names) == len(words[1])
    if not sound or any(letter not in _LETTERS for letter in words[1]):
        return None
    fields = tuple((label, *_LETTERS[letter]) for label, letter in zip(names, words[1], strict=True))
    kind = Kind(length, words[0], fields)
    return kind if fields and kind.dtype.itemsize == length - 3 else None


def _logged(rows: dict[str, Columns], found: Found) -> Logged:
    pos, clock = rows["POS"], _clock(rows["GPS"])
    at_s = _seconds(pos)
    amsl_m = pos["Alt"]
    positions = Positions(
        at_s=at_s,
        lon=pos["Lng"],
        lat=pos["Lat"],
        alt_rel_home_m=pos["RelHomeAlt"] if "RelHomeAlt" in pos else amsl_m - amsl_m[0],
        alt_amsl_m=amsl_m,
        speed_m_s=_speed(rows["GPS"], at_s),
        seq=_flown(rows, at_s),
        armed=_latest(*_arming(rows), at_s, 0).astype(bool),
    )
    att = rows["ATT"]
    turned = [att.get(name, np.empty(0)) for name in ("Roll", "Pitch", "Yaw")]
    shots = rows["CAM"] or rows["TRIG"]
    pictures = Pictures(*[shots.get(name, np.empty(0)) for name in ("TimeUS", "Lng", "Lat")])
    pictures.at_s[:] /= 1e6
    return Logged(
        Source.BIN,
        positions,
        Attitudes(_seconds(att), *turned),
        pictures,
        clock,
        found,
        _mission_digest(rows["CMD"]),
    )


def _seconds(rows: Columns) -> NDArray[np.float64]:
    times = rows.get("TimeUS", np.empty(0))
    return times / 1e6


def _clock(gps: Columns) -> Clock:
    """The receiver's own time: weeks and milliseconds of GPS, less the leap seconds of that day."""
    week, milliseconds = gps.get("GWk"), gps.get("GMS")
    if week is None or milliseconds is None:
        return Clock(None, 0.0, 0.0)
    fixed = (gps["Status"] >= _GPS_HAS_TIME) & (week > 0)
    if not fixed.any():
        return Clock(None, 0.0, 0.0)
    leap_s = leap_seconds_at(float(week[fixed][0]))
    return clock_of("gps", _seconds(gps)[fixed], gps_to_unix(week[fixed], milliseconds[fixed] / 1000), leap_s)


def _speed(gps: Columns, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(gps.get("Spd", ())):
        return np.zeros(len(at_s))
    return np.interp(at_s, _seconds(gps), gps["Spd"])


def _items(rows: dict[str, Columns]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When which item began: MISE says so; older firmware writes CMD again, behind the mission as a whole."""
    begun = rows["MISE"]
    if begun:
        return _seconds(begun), begun["CNum"]
    listed = rows["CMD"]
    if not listed:
        return np.empty(0), np.empty(0)
    # The listing has its items in one breath, one after another; what is flown comes alone.
    times, number = _seconds(listed), listed["CNum"]
    whole = np.zeros(len(number), bool)
    follows = (np.diff(number) == 1) & (np.diff(times) < 0.5)
    whole[1:] |= follows
    whole[:-1] |= follows
    return times[~whole], number[~whole]


def _flown(rows: dict[str, Columns], at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """The item that is flown, 0 while the aircraft flies none because it brings itself home or down."""
    seq, mode = _latest(*_items(rows), at_s, -1), rows["MODE"]
    numbers = mode.get("ModeNum", mode.get("Mode"))
    if numbers is None:
        return seq
    homeward = np.isin(_latest(_seconds(mode), numbers, at_s, -1), list(HOMEWARD))
    return np.where(homeward, np.minimum(seq, 0), seq)


def _arming(rows: dict[str, Columns]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if rows["ARM"]:
        return _seconds(rows["ARM"]), rows["ARM"]["ArmState"]
    events = rows["EV"]
    if not events:
        return np.empty(0), np.empty(0)
    said = np.isin(events["Id"], (*_EV_ARMED, *_EV_DISARMED))
    return _seconds(events)[said], np.isin(events["Id"][said], _EV_ARMED).astype(float)


def _latest(
    times: NDArray[np.float64], values: NDArray[np.float64], at_s: NDArray[np.float64], before: int
) -> NDArray[np.int64]:
    """For each time the value that was said last, `before` where nothing had been said."""
    if not len(times):
        return np.full(len(at_s), before, np.int64)
    place = np.searchsorted(times, at_s, side="right")
    return np.concatenate([[before], np.clip(np.nan_to_num(values, nan=before), -1, 65_535)])[place].astype(np.int64)


def _mission_digest(cmd: Columns) -> str | None:
    """The canonical digest of the mission that the aircraft held, None where the log does not list it whole."""
    if not cmd:
        return None
    count = int(cmd["CTot"][0])
    items: dict[int, WireItem] = {}
    for row in _rows(cmd, ("CNum", "CId", "Frame", "Prm1", "Prm2", "Prm3", "Prm4", "Lat", "Lng", "Alt")):
        number, command, frame, *rest = row
        p1, p2, p3, p4, lat, lon, alt_m = rest
        items.setdefault(
            int(number),
            WireItem(int(command), int(frame), p1, p2, p3, p4, round(lat * 1e7), round(lon * 1e7), alt_m),
        )
    if not 1 < count <= limit("mission.items") + 1 or set(items) < set(range(1, count)):
        return None
    return document_digest(mission_document([items[number] for number in range(1, count)]))


def _rows(columns: Columns, names: tuple[str, ...]) -> Iterator[tuple[float, ...]]:
    if any(name not in columns for name in names):
        return
    yield from zip(*(columns[name].tolist() for name in names), strict=True)
