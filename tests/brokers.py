"""A real mosquitto, with the files that our command writes, and clients of it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.simulated import free_port
from web.cli.common import State
from web.cli.things import READER, things
from web.things.mqtt import Broker, Ingest

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def command(services, *arguments: object):
    """`skywarden things ...`; its result."""
    state = State("en")
    state._services = services
    return CliRunner().invoke(things, [str(each) for each in arguments], obj=state)


@contextlib.contextmanager
def broker(services, home: Path) -> Iterator[int]:
    """A running broker; its port."""
    port = free_port()
    done = command(services, "acl", "--out", home, "--port", port)
    assert done.exit_code == 0, done.output
    process = subprocess.Popen(
        [MOSQUITTO, "-c", home / "mosquitto.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: _listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def until(happened, seconds: float = 120.0) -> None:
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


@contextlib.contextmanager
def ingesting(services, home: Path, port: int) -> Iterator[Ingest]:
    """Our worker on the broker."""
    secret = (home / "ingest.password").read_text()
    running = Ingest(services, Broker("127.0.0.1", port, READER, secret))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        until(running.listens)
        yield running
    finally:
        running.stop()
        thread.join(60)


class Device:
    """A client that publishes with a credential; `refused` are the reasons that the broker gave."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.refused: list[str] = []
        self.let_in: bool | None = None
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self.client.username_pw_set(user, password)
        self.client.max_queued_messages_set(0)
        self.client.on_publish = self._answered
        self.client.on_connect = self._connected
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        until(lambda: self.let_in is not None)

    def _connected(self, _client, _data, _flags, reason, _properties) -> None:
        self.let_in = not reason.is_failure

    def _answered(self, _client, _data, _mid, reason, _properties) -> None:
        if reason is not None and reason.is_failure:
            self.refused.append(str(reason))

    def publish(self, stream: int, body: str):
        return self.client.publish(f"v1.1/Datastreams({stream})/Observations", body, qos=1)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
