"""Writes logs as aircraft and ground stations do, byte for byte, from one flown track."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as mavlink

GPS_EPOCH_S = 315_964_800
LEAP_S = 18
BOOT_UTC_S = 1_751_421_600.0  # 2025-07-02 10:00 in Shanghai

# name -> (letters, labels), as ArduCopter 4.5 describes them.
KINDS = {
    "POS": ("QLLfff", "TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"),
    "GPS": ("QBBIHBcLLeffffB", "TimeUS,I,Status,GMS,GWk,NSats,HDop,Lat,Lng,Alt,Spd,GCrs,VZ,Yaw,U"),
    "ATT": ("QffffffB", "TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw,AEKF"),
    "MODE": ("QMBB", "TimeUS,Mode,ModeNum,Rsn"),
    "CMD": ("QHHHffffLLfB", "TimeUS,CTot,CNum,CId,Prm1,Prm2,Prm3,Prm4,Lat,Lng,Alt,Frame"),
    "MISE": ("QHHHffffLLfB", "TimeUS,CTot,CNum,CId,Prm1,Prm2,Prm3,Prm4,Lat,Lng,Alt,Frame"),
    "EV": ("QB", "TimeUS,Id"),
    "ARM": ("QBIBB", "TimeUS,ArmState,ArmChecks,Forced,Method"),
    "CAM": ("QBHIHLLeeeccC", "TimeUS,I,Img,GPSTime,GPSWeek,Lat,Lng,Alt,RelAlt,GPSAlt,R,P,Y"),
    "MSG": ("QZ", "TimeUS,Message"),
}
SIZES = {"b": 1, "B": 1, "M": 1, "h": 2, "H": 2, "c": 2, "C": 2, "i": 4, "I": 4, "f": 4, "e": 4, "E": 4, "L": 4}
SIZES |= {"q": 8, "Q": 8, "d": 8, "n": 4, "N": 16, "Z": 64}
PACKED = {"M": "B", "c": "h", "C": "H", "e": "i", "E": "I", "L": "i", "n": "4s", "N": "16s", "Z": "64s"}
FACTORS = {"c": 100, "C": 100, "e": 100, "E": 100, "L": 1e7}


@dataclass(frozen=True)
class Track:
    """A flight: seconds since boot, place, height above home, speed, yaw; the item flown; when pictures were taken.

    From `rtl_s` on it is on its way home in mode RTL.
    """

    t: np.ndarray
    lon: np.ndarray
    lat: np.ndarray
    alt_m: np.ndarray
    speed_m_s: np.ndarray
    yaw_deg: np.ndarray
    seq: np.ndarray
    shots: tuple[float, ...] = ()
    home_amsl_m: float = 40.0
    rtl_s: float = np.inf

    def moved(self, **changes):
        return replace(self, **changes)


def straight(seconds=120.0, hz=5.0, lon=113.255, lat=23.125, speed=10.0, alt=100.0, start_s=60.0):
    """A flight due east at a steady height, on the ground for a moment before and after."""
    t = start_s + np.arange(0, seconds, 1 / hz)
    ones = np.ones(len(t))
    east = lon + (t - t[0]) * speed / (111_320 * np.cos(np.radians(lat)))
    shots = tuple(float(s) for s in t[:: round(5 * hz)])
    return Track(t, east, lat * ones, alt * ones, speed * ones, 90 * ones, np.full(len(t), 4), shots)


class Bin:
    """A DataFlash log being written."""

    def __init__(self):
        self.data = bytearray()
        self._numbers = {}
        self.describe("FMT", 128, "BBnNZ", "Type,Length,Name,Format,Columns")

    def describe(self, name, number, letters, labels):
        length = 3 + sum(SIZES[letter] for letter in letters)
        fields = struct.pack("<BB4s16s64s", number, length, name.encode(), letters.encode(), labels.encode())
        self.data += b"\xa3\x95\x80" + fields
        self._numbers[name] = number

    def write(self, name, *values):
        letters, labels = KINDS[name]
        if name not in self._numbers:
            self.describe(name, 129 + len(self._numbers), letters, labels)
        packed = "<" + "".join(PACKED.get(letter, letter) for letter in letters)
        scaled = [
            value if isinstance(value, bytes) or letter not in FACTORS else round(value * FACTORS[letter])
            for letter, value in zip(letters, values, strict=True)
        ]
        self.data += b"\xa3\x95" + bytes([self._numbers[name]]) + struct.pack(packed, *scaled)


def bin_of(track, *, mission=(), mise=True, arm=True, boot_utc_s=BOOT_UTC_S):
    """The aircraft's own log of a track; `mission` are wire items without home."""
    log = Bin()
    log.write("MSG", 1_000_000, b"ArduCopter V4.5.6")
    total = len(mission) + 1
    listing = [(0, 16, 0, 0, 0, 0, track.lat[0], track.lon[0], track.home_amsl_m, 0)] if mission else []
    listing += [
        (n, i.command, i.param1, i.param2, i.param3, 0.0 if np.isnan(i.param4) else i.param4, i.x / 1e7, i.y / 1e7, i.z,
         {6: 3, 5: 0, 11: 10}.get(i.frame, i.frame))
        for n, i in enumerate(mission, 1)
    ]  # fmt: skip
    for number, (n, command, p1, p2, p3, p4, lat, lon, alt, frame) in enumerate(listing):
        log.write("CMD", 2_000_000 + number, total, n, command, p1, p2, p3, p4, lat, lon, alt, frame)
    if arm:
        log.write("ARM", int((track.t[0] - 0.5) * 1e6), 1, 0, 0, 0)
        log.write("EV", int((track.t[0] - 0.5) * 1e6), 10)
    log.write("MODE", int((track.t[0] - 0.4) * 1e6), 3, 3, 1)
    seq, shots, mode = None, list(track.shots), 3
    for n, t in enumerate(track.t):
        if mode == 3 and t >= track.rtl_s:
            mode = 6
            log.write("MODE", int(t * 1e6) - 1, mode, mode, 26)
        us, lon, lat = int(t * 1e6), track.lon[n], track.lat[n]
        if track.seq[n] != seq:
            seq = int(track.seq[n])
            log.write("MISE" if mise else "CMD", us - 1, total, seq, 16, 0, 0, 0, 0, lat, lon, track.alt_m[n], 3)
        gps_s = boot_utc_s + t - GPS_EPOCH_S + LEAP_S
        week, second = divmod(gps_s, 604_800)
        amsl = track.home_amsl_m + track.alt_m[n]
        log.write("GPS", us, 0, 4, int(second * 1000), int(week), 18, 0.8, lat, lon, amsl, track.speed_m_s[n],
                  track.yaw_deg[n], 0, 0, 1)  # fmt: skip
        log.write("ATT", us, 0, 0, 0, 0, 0, track.yaw_deg[n], 3)
        log.write("POS", us, lat, lon, amsl, track.alt_m[n], track.alt_m[n])
        while shots and shots[0] <= t:
            shots.pop(0)
            log.write("CAM", us, 0, n, int(second * 1000), int(week), lat, lon, amsl, track.alt_m[n], amsl, 0, 0,
                      track.yaw_deg[n])  # fmt: skip
    if arm:
        log.write("ARM", int((track.t[-1] + 0.5) * 1e6), 0, 0, 0, 0)
    return bytes(log.data)


def frame(message, *, system=1, component=1, sign=None):
    """One MAVLink 2 frame, signed where a key is given."""
    link = mavlink.MAVLink(None, system, component)
    if sign:
        link.signing.secret_key, link.signing.sign_outgoing, link.signing.link_id = sign, True, 0
        link.signing.timestamp = 1
    return bytes(message.pack(link))


def record(at_s, data):
    return struct.pack(">Q", int(at_s * 1e6)) + data


def tlog_of(track, *, system=1, sign=None, receipt_utc_s=BOOT_UTC_S, boot_utc_s=BOOT_UTC_S, own=True):
    """A ground station's log of a track: both directions, and another vehicle on the same link."""
    parts, seq, shots = [], None, list(track.shots)

    def say(t, message, **sender):
        parts.append(record(receipt_utc_s + t, frame(message, **{"system": system, "sign": sign} | sender)))

    def heartbeat(t, armed, **sender):
        mode = 1 | (128 if armed else 0)
        custom = 6 if t >= track.rtl_s else 3
        say(t, mavlink.MAVLink_heartbeat_message(2, 3, mode, custom, 4, 3), **sender)

    heartbeat(track.t[0] - 2, armed=False)
    for n, t in enumerate(track.t):
        ms, lon, lat = int(t * 1000), round(track.lon[n] * 1e7), round(track.lat[n] * 1e7)
        heartbeat(t, armed=True)
        if own:
            heartbeat(t, armed=False, system=245, component=190)
            say(t, mavlink.MAVLink_global_position_int_message(ms, 0, 0, 0, 0, 0, 0, 0, 0), system=9)
        if track.seq[n] != seq:
            seq = int(track.seq[n])
            say(t, mavlink.MAVLink_mission_current_message(seq))
        say(t, mavlink.MAVLink_system_time_message(int((boot_utc_s + t) * 1e6), ms))
        yaw = np.radians((track.yaw_deg[n] + 180) % 360 - 180)
        say(t, mavlink.MAVLink_attitude_message(ms, 0.0, 0.0, yaw, 0, 0, 0))
        amsl_mm = round((track.home_amsl_m + track.alt_m[n]) * 1000)
        vx = round(track.speed_m_s[n] * 100)
        rel_mm, heading = round(track.alt_m[n] * 1000), round(track.yaw_deg[n] * 100) % 36_000
        say(t, mavlink.MAVLink_global_position_int_message(ms, lat, lon, amsl_mm, rel_mm, 0, vx, 0, heading))
        while shots and shots[0] <= t:
            shots.pop(0)
            say(t, mavlink.MAVLink_camera_feedback_message(int((boot_utc_s + t) * 1e6), 0, 0, n % 65_536, lat, lon,
                                                           0.0, 0.0, 0, 0, 0, 0, 0, 0))  # fmt: skip
    heartbeat(track.t[-1] + 1, armed=False)
    return b"".join(parts)
