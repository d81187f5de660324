"""Readings over a real broker: acknowledged when stored, refused where another device's, none lost in a restart."""

import contextlib
import json
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from shapely.geometry import Point
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.store.cluster import Cluster
from schemas.store.engine import Database
from schemas.store.migrate import migrate
from tests.brokers import Device, broker, command, ingesting, until
from tests.conftest import Start
from tests.stations import NOON, Pusher, add_station, hours, issue_token
from tests.world import build_world
from web.app import create_app
from web.things.arriving import Hours
from web.things.mqtt import take


@pytest.fixture(scope="module")
def beginning(server, world_template):
    made = Start(server.clone(world_template))
    engine = server.database(made.database).admin_engine()
    stationed(engine)
    yield made
    server.drop(made.database)


def stationed(engine):
    with contextlib.closing(Session(engine)) as session:
        add_station(session, "A", Point(113.26, 23.131))
        add_station(session, "B", Point(113.27, 23.135))
        session.commit()
    engine.dispose()


@pytest.fixture
def two(services):
    """Two stations with a series each: clients over HTTP."""
    client = create_app(services).test_client()
    made = [Pusher(client, issue_token(services, name)) for name in "AB"]
    for one in made:
        one.number = one.stream()
    return made


@pytest.fixture
def connected(services, two, tmp_path):
    """A broker that knows them, our worker on it, and a device for each."""
    home = tmp_path / "broker"
    with broker(services, home) as port, ingesting(services, home, port) as running:
        devices = [Device(port, one.token.public_id, one.token.token) for one in two]
        yield running, home, port, devices
        for device in devices:
            device.close()


def count(services):
    with services.session() as session:
        return session.scalar(select(func.count()).select_from(t.Observation))


def reading(hour, value=1.0):
    return json.dumps({"phenomenonTime": (NOON + timedelta(hours=hour)).isoformat(), "result": value})


def test_readings__single_and_in_arrays__stored_once(services, two, connected):
    running, _, _, (a, _) = connected
    number = two[0].number
    for hour in range(5):
        a.publish(number, reading(hour, 50.0)).wait_for_publish(60)
    array = {"components": ["phenomenonTime", "result"], "dataArray": hours(10)}
    for _ in range(2):
        a.publish(number, json.dumps(array)).wait_for_publish(60)
    until(lambda: running.counted["stored"] == 25)
    assert count(services) == 10


def test_row_62__topic_of_another_device__refused_by_the_broker(services, two, connected):
    _, _, _, (a, b) = connected
    a.publish(two[1].number, reading(0)).wait_for_publish(60)
    until(lambda: a.refused == ["Not authorized"])
    b.publish(two[1].number, reading(0)).wait_for_publish(60)
    until(lambda: count(services) == 1)


def test_row_62__stranger_and_wrong_password__not_let_in(two, connected):
    _, _, port, _ = connected
    for user, password in (
        ("stranger", "x"),
        (two[0].token.public_id, "x"),
        (two[0].token.public_id, two[1].token.token),
    ):
        device = Device(port, user, password)
        device.close()
        assert device.let_in is False


def test_token__revoked__let_in_neither_by_the_broker_nor_by_us(services, two, connected):
    running, home, port, (a, _) = connected
    assert command(services, "token", "revoke", two[0].token.public_id, "--reason", "lost").exit_code == 0
    # The broker does not know yet; we ask ourselves.
    a.publish(two[0].number, reading(0)).wait_for_publish(60)
    until(lambda: running.counted["refused"] == 1)
    assert "read them" in command(services, "acl", "--out", home).output
    again = Device(port, two[0].token.public_id, two[0].token.token)
    again.close()
    assert again.let_in is False
    assert count(services) == 0


def test_message__that_is_no_reading__refused_and_the_next_is_stored(services, two):
    topic = f"v1.1/Datastreams({two[0].number})/Observations"
    broken = ["", "{", "[]", '{"result": NaN}', '{"result": "1"}', '{"result": 1, "phenomenonTime": "x"}']
    messages = [*((topic, body.encode()) for body in broken), ("v1.1/else", b"{}"), (topic, reading(0).encode())]
    with services.housekeeping() as session:
        told = take(session, messages, Hours(services.clock.now()))
    assert told == Counter(refused=7, stored=1)


def test_13__message_with_another_value_of_one_moment__refused_and_the_first_stays(services, two):
    topic = f"v1.1/Datastreams({two[0].number})/Observations"
    with services.housekeeping() as session:
        sent = [(topic, reading(0, value).encode()) for value in (7.1, 9.9, 7.1)]
        assert take(session, sent, Hours(services.clock.now())) == Counter(stored=2, refused=1)
    with services.session() as session:
        assert session.scalars(select(t.Observation.result)).all() == [7.1]


def test_message__naming_another_series_than_its_topic__refused(services, two):
    body = json.dumps({"result": 1, "Datastream": {"@iot.id": two[1].number}}).encode()
    with services.housekeeping() as session:
        told = take(session, [(f"v1.1/Datastreams({two[0].number})/Observations", body)], Hours(services.clock.now()))
    assert told["refused"] == 1


def test_P3__worker_away__the_broker_keeps_what_comes(services, two, tmp_path):
    home = tmp_path / "broker"
    with broker(services, home) as port:
        with ingesting(services, home, port):
            pass
        device = Device(port, two[0].token.public_id, two[0].token.token)
        for hour in range(10):
            device.publish(two[0].number, reading(hour)).wait_for_publish(60)
        device.close()
        assert count(services) == 0
        with ingesting(services, home, port):
            until(lambda: count(services) == 10)


class TestRestart:
    """On a server of its own, as durable as in life."""

    @pytest.fixture
    def cluster(self, tmp_path_factory):
        made = Cluster.for_checkout(tmp_path_factory.mktemp("checkout"))
        made.start()
        yield made
        made.remove()

    @pytest.fixture
    def database(self, cluster):
        made = Database.of_cluster(cluster, "skywarden")
        migrate(made)
        engine = made.admin_engine()
        with contextlib.closing(Session(engine)) as session:
            build_world(session)
            session.commit()
        stationed(engine)
        return made

    def test_P3__database_restarted_in_the_middle__none_lost_over_http_and_mqtt(
        self, services, two, connected, cluster
    ):
        _, _, _, (_, b) = connected
        batches, rows = 60, 50
        answers = []

        def push():
            client = Pusher(create_app(services).test_client(), two[0].token)
            for batch in range(batches):
                start = NOON - timedelta(days=30 + batch * 3)
                # A client keeps its readings until it hears 201.
                while True:
                    status = client.batch(two[0].number, hours(rows, float, start)).status_code
                    answers.append(status)
                    if status == 201:
                        break
                    assert status == 503
                    time.sleep(0.05)

        pushing = threading.Thread(target=push)
        pushing.start()
        for number in range(batches * rows):
            b.publish(two[1].number, reading(-number))
            if number == batches * rows // 3:
                until(lambda: answers.count(201) > 10)
                cluster.stop()
                time.sleep(0.5)
                cluster.start()
        pushing.join(200)
        assert not pushing.is_alive()
        assert 503 in answers
        until(lambda: count(services) == 2 * batches * rows)
