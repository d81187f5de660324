"""Hands an aircraft its key, over a wire. Touches the network or a serial port.

SETUP_SIGNING carries the key as it is, so it goes where nobody else can listen: a serial or USB cable, or this
host itself. Nothing of it is recorded. The aircraft does not acknowledge it; it is heard instead, signing.
"""

from __future__ import annotations

import ipaddress
import time
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.connection import Connection
from flights.link.errors import LinkLost, VehicleRefused
from flights.link.keys import LINK_ID, Key
from flights.link.signing import Signature, stamp_of
from flights.link.transport import RELAY, Pipe, open_pipe, parse_url
from schemas.clock import SystemClock
from schemas.refusals import RuleViolation

IDENTIFY_S = 20.0
# A first copy may be lost on the wire; the same key twice is the same key.
COPIES = 3
PAUSE_S = 0.2


def wire_of(url: str) -> str:
    """How `url` reaches the aircraft, `serial` or `loopback`.

    Raises RuleViolation `link.url`, and VehicleRefused `key.not_local` for every way that leaves this host.
    """
    address = parse_url(url)
    if address.scheme == "serial":
        return "serial"
    try:
        local = address.scheme != RELAY and ipaddress.ip_address(address.host).is_loopback
    except ValueError:  # a name: whatever resolves it could say something else tomorrow
        local = False
    if not local:
        raise VehicleRefused.because("key.not_local", measured=url[:200])
    return "loopback"


def provision(url: str, key: Key, system_id: int) -> str:
    """Gives the aircraft `system_id` at `url` its key and hears it sign; returns the kind of wire.

    Raises VehicleRefused `key.not_local`, `link.unreachable`, `link.identity`, `link.armed`, `key.not_taken`;
    LinkLost.
    """
    wire = wire_of(url)
    connection = Connection(_open(url))
    try:
        with connection.listen("HEARTBEAT") as inbox:
            connection.start()
            connection.wait_identified(IDENTIFY_S)
            _require_standing(connection, inbox.get(IDENTIFY_S), system_id)
        for _ in range(COPIES):
            connection.codec.send(_setup(key))
            time.sleep(PAUSE_S)
    finally:
        connection.close()
    _hear_it_sign(url, key)
    return wire


def _open(url: str) -> Pipe:
    try:
        return open_pipe(url)
    except OSError as error:
        raise VehicleRefused.because("link.unreachable", url=url, measured=str(error)) from error


def _require_standing(connection: Connection, heartbeat: Any, system_id: int) -> None:  # noqa: ANN401
    if heartbeat is None:
        raise LinkLost.silent(IDENTIFY_S)
    if connection.target_system != system_id:
        raise VehicleRefused.because("link.identity", measured=connection.target_system, required=system_id)
    if heartbeat.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED:
        raise VehicleRefused.because("link.armed")


def _setup(key: Key) -> Any:  # noqa: ANN401
    stamp = stamp_of(SystemClock().now())
    return mavlink.MAVLink_setup_signing_message(0, 0, list(key.secret), stamp)


def _hear_it_sign(url: str, key: Key) -> None:
    connection = Connection(_open(url), signature=Signature(key.secret, LINK_ID))
    try:
        connection.start()
        connection.wait_identified(IDENTIFY_S)
    except RuleViolation as error:
        raise VehicleRefused.because("key.not_taken", measured=error.refusals[0].message()) from error
    finally:
        connection.close()
