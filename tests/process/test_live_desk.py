"""The live page of a flight, with the web, the gateway and the aircraft as processes of their own."""

from __future__ import annotations

import contextlib
import html
import http.client
import json
import re
import time
from collections import Counter
from itertools import pairwise
from urllib.parse import urlencode

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink
from sqlalchemy.orm import Session

from schemas.clock import ScaledClock
from schemas.tables import Person
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import free_port, simulator
from tests.process.flying import Seen, prompt_s, until
from tests.process.led import command_process, gateway_process
from web.identity import sessions
from web.identity.request_identity import EXPIRY

SPEED = 40.0
# The web is started anew while it flies, which takes a busy machine half a minute.
SLOWER = 15.0
HIGH_M = 80.0


@pytest.fixture
def living(under_clock, request):
    return under_clock(ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, getattr(request, "param", SPEED)))


class Desk:
    """A browser's part, without the browser: one signed-in person on the pages of a server process."""

    def __init__(self, house, port, person):
        self._port = port
        with Session(house.engine) as db:
            person_id = db.query(Person.id).filter(Person.code == person).scalar()
            self._cookie = f"sid={sessions.start(db, person_id, house.clock.now(), EXPIRY)}"
            db.commit()

    @contextlib.contextmanager
    def ask(self, method, path, **form):
        talk = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        headers = {"Cookie": self._cookie, "Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with contextlib.closing(talk):
            talk.request(method, path, body=urlencode(form) if form else None, headers=headers)
            with contextlib.closing(talk.getresponse()) as answer:
                yield answer

    def page(self, number):
        """What the live page of a flight begins with."""
        with self.ask("GET", f"/pilot/flight/{number}/watch") as answer:
            assert answer.status == 200
            config = re.search(r'id="map"[^>]* data-config="([^"]*)"', answer.read().decode())
        return json.loads(html.unescape(config[1]))

    @contextlib.contextmanager
    def stream(self, number, since):
        """The events of a flight after one, as they come: (id, kind, body)."""
        with self.ask("GET", f"/pilot/flight/{number}/events?since={since}") as answer:
            assert answer.status == 200
            yield told(answer)


def told(answer):
    for line in answer:
        if line.startswith(b"data: "):
            event = json.loads(line.removeprefix(b"data: "))
            yield event["id"], event["kind"], event["body"]


@contextlib.contextmanager
def web(house, port):
    """The pages, served by a process."""
    with command_process(house, "serve", "--port", str(port), "--workers", "1") as running:
        running.await_line("The pages:")
        until(lambda: reachable(port))
        yield running


def reachable(port):
    talk = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(talk), contextlib.suppress(OSError):
        talk.request("GET", "/privacy")
        return talk.getresponse().status == 200
    return False


@pytest.fixture
def pages(living, cleared):
    """The port of the pages, which are up before anybody flies: the flight does not last until a busy machine is."""
    port = free_port()
    with web(living, port):
        yield port


@pytest.fixture
def flying(living, cleared):
    """A flight in the air, led by a gateway process: what is seen of it, and the aircraft."""
    seen = Seen(living, cleared)
    with (
        simulator(speed_up=living.clock.factor, start_time=living.clock.now()) as (running, url),
        gateway_process(living, url) as gateway,
    ):
        gateway.await_line("Serves")
        seen.order("fly")
        until(lambda: running.autopilot.height_m > HIGH_M)
        yield seen, running, gateway


@pytest.mark.parametrize("living", [SLOWER], indirect=True)
def test_P3__web_killed_in_flight__the_flight_does_not_notice_and_the_page_comes_back(living, flying):
    seen, running, gateway = flying
    port = free_port()
    with web(living, port) as first:
        desk = Desk(living, port, "F1")
        assert desk.page(seen.number)["flight"]["live"]
        with desk.stream(seen.number, 0) as events:
            known = next(number for number, kind, _ in events if kind == "position")
            first.kill()
            killed_at = living.clock.now()
            for number, _, _ in suppressed(events):
                known = number
    assert not reachable(port)
    time.sleep(1.5)
    with web(living, port):
        back_at = living.clock.now()
        # The same browser is signed in still, and told what it missed, from the last event that it had.
        page = desk.page(seen.number)
        assert page["flight"]["live"]
        assert page["track"]["t"][-1] > killed_at.timestamp() * 1000
        with desk.stream(seen.number, known) as events:
            missed = next(number for number, kind, _ in events if kind == "position")
            assert missed == next_position(seen, known)
        with desk.stream(seen.number, page["last"]) as events:
            assert next(body for _, kind, body in events if kind == "position")["state"] == "activated"
    assert running.autopilot.mode.name == "AUTO"
    assert gateway.process.poll() is None
    assert seen.events("gap") == []
    between = [p.received_at for p in seen.points() if killed_at <= p.received_at <= back_at]
    assert len(between) > 10
    assert max((b - a).total_seconds() for a, b in pairwise(between)) / SLOWER < prompt_s()


def suppressed(events):
    """Events until the line breaks off."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        yield from events


def next_position(seen, after):
    with seen.house.session() as session:
        rows = session.connection().exec_driver_sql(
            "SELECT min(e.id) FROM core.flight_event e JOIN core.flight f ON f.id = e.flight_id"
            " WHERE f.public_id = %s AND e.id > %s AND e.kind = 'position'",
            (seen.number, after),
        )
        return rows.scalar()


def commands_in(path):
    """What was ordered of the aircraft, and what it acknowledged, by the raw record."""
    log = mavutil.mavlink_connection(str(path), dialect="ardupilotmega")
    with contextlib.closing(log):
        found = list(iter(lambda: log.recv_match(type=["COMMAND_LONG", "COMMAND_INT", "COMMAND_ACK"]), None))
    sent = Counter(message.command for message in found if message.get_type() != "COMMAND_ACK")
    answered = Counter(message.command for message in found if message.get_type() == "COMMAND_ACK")
    return sent, answered


@pytest.mark.parametrize("person", ["F1", "C1"])
def test_order__from_the_live_page__carried_out_once_with_its_own_acknowledgement_and_shown(
    living, pages, flying, person
):
    seen, _, _ = flying
    desk = Desk(living, pages, person)
    last = desk.page(seen.number)["last"]
    path = f"/pilot/flight/{seen.number}/order"
    with desk.ask("POST", path, kind="return", reason="smoke over the river") as posted:
        assert (posted.status, posted.getheader("Location")) == (303, f"/pilot/flight/{seen.number}/watch")
    with desk.stream(seen.number, last) as events:
        shown = []
        for _, kind, body in events:
            if kind in ("order", "ack"):
                shown.append((kind, body.get("outcome", body.get("mode"))))
                if body.get("outcome") == "done":
                    break
    assert shown == [("order", "taken"), ("ack", "RTL"), ("order", "done")]
    listed = [event["body"] for event in desk.page(seen.number)["events"] if event["kind"] == "order"]
    assert [(body["order"], body["outcome"], body["reason"]) for body in listed] == [
        ("return", "taken", "smoke over the river"),
        ("return", "done", "smoke over the river"),
    ]
    until(lambda: seen.flight().state == "uploaded")
    check_order(living, seen, person, listed[1])


def check_order(house, seen, person, body):
    answer = seen.answer(body["id"])
    assert answer.outcome == "done"
    assert (answer.taken_at - answer.ordered_at).total_seconds() < prompt_s()
    assert answer.detail["ack"]["by"] == "NAV_RETURN_TO_LAUNCH"
    assert answer.detail["ack"]["tries"] == 1
    with house.session() as session:
        assert session.get(Person, answer.ordered_by).code == person
    (raw,) = (house.data_dir / "flights" / seen.number).glob("*.tlog")
    sent, answered = commands_in(raw)
    assert sent[mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH] == 1
    assert answered[mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH] == 1
