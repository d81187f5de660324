"""Readings from an MQTT broker, as SensorThings has it: topic `v1.1/Datastreams(ID)/Observations`. Touches the network.

A topic may begin with the name of the credential that wrote it, where the broker lets each write below its own alone
(`skywarden things acl --named`): then that very credential is asked for, and not only any of the device.

A message is acknowledged when its readings are committed, and not before: what the database could not take is kept
here while it is away, and sent again by the broker if this process ends. A message that no database would take is
logged and acknowledged, for sending it again would change nothing. Who may write to which topic is the broker's to
enforce (`skywarden things acl`); that the device has a living credential and is in use is asked here again.
"""

from __future__ import annotations

import queue
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from schemas.clock import Clock
from schemas.limits import limit
from schemas.refusals import RuleViolation, conflict, forbidden, invalid, too_large
from schemas.tables import DeviceToken
from sensing.sensors.store import Readings, store
from web.things.arriving import Hours, Series, add_array, add_reading, read_json, refuse_unused, series

TOPIC = re.compile(r"(?:(TK-[0-9A-Z]{1,20})/)?v1\.1/Datastreams\((\d{1,18})\)/Observations", re.ASCII)
SUBSCRIPTIONS = ("v1.1/+/Observations", "+/v1.1/+/Observations")
CLIENT_ID = "skywarden-ingest"
_AT_ONCE, _WAIT_S, _AWAY_S = 2_000, 0.05, 1.0
log = structlog.get_logger(__name__)


class House(Protocol):
    """What is needed of an installation; web/wiring.py's services are one."""

    clock: Clock

    def housekeeping(self) -> Any:  # noqa: ANN401 - a context manager of a Session
        """A committing session."""
        ...


@dataclass(frozen=True)
class Broker:
    """Where the broker listens, and as whom we read there; `ca` is the authority of its certificate."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    ca: Path | None = None


class Ingest:
    """Takes messages from the broker and gives their readings to the database, until it is told to stop."""

    def __init__(self, house: House, broker: Broker) -> None:
        self._house = house
        self._waiting: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
        self.counted: Counter[str] = Counter()
        self.stopping = False
        self._subscription = threading.Event()
        # A session that outlives us: the broker keeps what comes while nobody is here.
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=CLIENT_ID,
            clean_session=False,
            manual_ack=True,
            reconnect_on_failure=True,
        )
        self._client.username_pw_set(broker.user, broker.password)
        if broker.ca is not None:
            self._client.tls_set(ca_certs=str(broker.ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self._client.reconnect_delay_set(min_delay=1, max_delay=10)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = lambda *_: log.warning("broker_away")
        self._client.on_message = lambda _client, _data, message: self._waiting.put(message)
        self._client.connect_async(broker.host, broker.port)

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:  # noqa: ANN401
        if reason.is_failure:
            log.error("broker_refuses", reason=str(reason))
            return
        client.subscribe([(topic, 1) for topic in SUBSCRIPTIONS])

    def _subscribed(self, *_: object) -> None:
        self._subscription.set()
        log.info("broker_connected")

    def listens(self) -> bool:
        """Whether the broker has taken our subscription."""
        return self._subscription.is_set()

    def stop(self, *_: object) -> None:
        """Take a signal."""
        self.stopping = True

    def run(self) -> None:
        """Works until `stop`; what is not committed then stays with the broker."""
        self._client.loop_start()
        try:
            while not self.stopping:
                batch = self._batch()
                if batch:
                    self._keep(batch)
        finally:
            self._client.disconnect()
            self._client.loop_stop()

    def _batch(self) -> list[MQTTMessage]:
        taken: list[MQTTMessage] = []
        try:
            taken.append(self._waiting.get(timeout=_WAIT_S))
            while len(taken) < _AT_ONCE:
                taken.append(self._waiting.get_nowait())
        except queue.Empty:
            pass
        return taken

    def _keep(self, batch: Sequence[MQTTMessage]) -> None:
        """Stores a batch, however often the database goes away meanwhile, and acknowledges it then."""
        while not self.stopping:
            try:
                with self._house.housekeeping() as session:
                    told = take(
                        session, [(one.topic, bytes(one.payload)) for one in batch], Hours(self._house.clock.now())
                    )
            except (OperationalError, InterfaceError) as error:
                log.warning("database_away", error=type(error).__name__)
                time.sleep(_AWAY_S)
                continue
            self.counted += told
            for one in batch:
                self._client.ack(one.mid, one.qos)
            return


def take(session: Session, messages: Sequence[tuple[str, bytes]], hours: Hours) -> Counter[str]:
    """Stores the readings of messages (topic, payload) in one batch; says how many were stored and how many refused."""
    counted: Counter[str] = Counter()
    numbers = {int(found[2]) for topic, _ in messages if (found := TOPIC.fullmatch(topic))}
    known = series(session, numbers) if numbers else {}
    living = _with_credential(session, known.values(), hours)
    readings = Readings()
    for topic, payload in messages:
        fresh = Readings()
        try:
            _read(fresh, _series_of(topic, known, living), payload, hours)
        except RuleViolation as refused:
            counted["refused"] += 1
            log.warning("reading_refused", topic=topic[:80], rules=sorted({one.rule for one in refused.refusals}))
            continue
        for name, values in fresh.columns.items():
            readings.columns[name] += values
    told = store(session, readings)
    for number, of, at in zip(
        told, readings.columns["datastream_id"], readings.columns["phenomenon_time"], strict=True
    ):
        if number is None:
            log.warning("reading_refused", series=of, at=at.isoformat(), rules=["GD-20.2"])
    counted["refused"] += told.count(None)
    counted["stored"] += len(told) - told.count(None)
    return counted


def _with_credential(session: Session, known: Any, hours: Hours) -> set[Any]:  # noqa: ANN401
    """The devices among those of some series that hold a living credential, and each with the name of every such."""
    devices = {one.device_id for one in known}
    rows = select(DeviceToken.device_id, DeviceToken.public_id).where(
        DeviceToken.device_id.in_(devices), DeviceToken.revoked_at.is_(None), DeviceToken.expires_at > hours.now
    )
    named = {(device, name) for device, name in session.execute(rows)} if devices else set()
    return named | {device for device, _ in named}


def _series_of(topic: str, known: dict[int, Series], living: set[Any]) -> Series:
    found = TOPIC.fullmatch(topic)
    of = known.get(int(found[2])) if found else None
    if found is None or of is None:
        raise invalid("things.topic", measured=topic[:80])
    if (of.device_id if found[1] is None else (of.device_id, found[1])) not in living:
        raise conflict("DC-1", "things.no_credential", name=of.device)
    refuse_unused(of)
    return of


def _read(readings: Readings, of: Series, payload: bytes, hours: Hours) -> None:
    """The readings of one message: one of the standard, or a data array of one series."""
    if len(payload) > limit("things.bytes"):
        raise too_large("things.rows", measured=len(payload), required=limit("things.bytes"))
    body = read_json(payload)
    if not isinstance(body, dict):
        raise invalid("things.member", name="payload", measured=type(body).__name__, required="object")
    named = body.get("Datastream")
    if named is not None and (not isinstance(named, dict) or named.get("@iot.id") != of.id):
        raise forbidden("things.foreign", measured=str(named)[:40], required=f"Datastreams({of.id})")
    if "dataArray" not in body:
        add_reading(readings, of, body, hours, feature=None)
        return
    rows, components = body["dataArray"], body.get("components")
    if not isinstance(rows, list) or not isinstance(components, list) or len(rows) > limit("things.rows"):
        raise invalid("things.member", name="dataArray", measured="–", required=f"≤ {limit('things.rows')}")
    if not all(add_array(readings, of, [str(name) for name in components], rows, hours)):
        raise invalid("things.member", name="dataArray", measured="…", required="[phenomenonTime, result]")
