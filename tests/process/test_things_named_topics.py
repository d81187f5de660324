"""Topics that name the credential: a revoked one is refused at once, though its device holds another (DC-1, row 62)."""

import json
from collections import Counter
from datetime import timedelta

import pytest
from shapely.geometry import Point
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas import tables as t
from tests.brokers import Device, broker, command, ingesting, until
from tests.conftest import Start
from tests.stations import NOON, Pusher, add_station, issue_token
from web.app import create_app
from web.things.arriving import Hours
from web.things.mqtt import take


@pytest.fixture(scope="module")
def beginning(server, world_template):
    made = Start(server.clone(world_template))
    engine = server.database(made.database).admin_engine()
    with Session(engine) as session:
        add_station(session, "A", Point(113.26, 23.131))
        add_station(session, "B", Point(113.27, 23.135))
        session.commit()
    engine.dispose()
    yield made
    server.drop(made.database)


@pytest.fixture
def tokens(services):
    """Two credentials of A and one of B, and the series of each device."""
    client = create_app(services).test_client()
    made = [Pusher(client, issue_token(services, name)) for name in "AAB"]
    made[0].number = made[1].number = made[0].stream()
    made[2].number = made[2].stream()
    return made


def reading(hour):
    return json.dumps({"phenomenonTime": (NOON + timedelta(hours=hour)).isoformat(), "result": 1.0})


def topic(pusher, name=None):
    return f"{name or pusher.token.public_id}/v1.1/Datastreams({pusher.number})/Observations"


def count(services):
    with services.session() as session:
        return session.scalar(select(func.count()).select_from(t.Observation))


def taken(services, *messages):
    with services.housekeeping() as session:
        return take(session, [(name, body.encode()) for name, body in messages], Hours(services.clock.now()))


def test_DC_1__revoked_while_the_device_holds_another__refused_before_the_broker_knows(services, tokens, tmp_path):
    first, second, _ = tokens
    home = tmp_path / "broker"
    with broker(services, home) as port, ingesting(services, home, port) as running:
        assert "read them" in command(services, "acl", "--out", home, "--named").output
        old, new = (Device(port, one.token.public_id, one.token.token) for one in (first, second))
        for hour, (device, pusher) in enumerate(((old, first), (new, second))):
            device.client.publish(topic(pusher), reading(hour), qos=1).wait_for_publish(60)
        until(lambda: count(services) == 2)
        done = command(services, "token", "revoke", first.token.public_id, "--reason", "lost")
        assert done.exit_code == 0
        old.client.publish(topic(first), reading(2), qos=1).wait_for_publish(60)
        until(lambda: running.counted["refused"] == 1)
        new.client.publish(topic(second), reading(3), qos=1).wait_for_publish(60)
        until(lambda: count(services) == 3)
        # Neither below the name of the other nor below none: the broker lets each write below its own alone.
        old.client.publish(topic(second), reading(4), qos=1).wait_for_publish(60)
        old.publish(first.number, reading(5)).wait_for_publish(60)
        until(lambda: old.refused == ["Not authorized"] * 2)
        assert count(services) == 3
        for device in (old, new):
            device.close()


@pytest.mark.parametrize("name", ["TK-NONE", "tk-x", "TK-", "", "TK-A/TK-B"])
def test_topic__below_a_name_that_is_none__refused(services, tokens, name):
    assert taken(services, (topic(tokens[0], name or " "), reading(0))) == Counter(refused=1, stored=0)


def test_row_62__credential_of_another_device__refused(services, tokens):
    a, _, b = tokens
    messages = (topic(a, b.token.public_id), reading(0)), (topic(a), reading(0)), (topic(b), reading(0))
    assert taken(services, *messages) == Counter(refused=1, stored=2)


def test_DC_1__expired_credential_by_name__refused(services, tokens, clock):
    clock.advance(timedelta(days=91))
    assert taken(services, (topic(tokens[0]), reading(0)))["refused"] == 1


def test_list__without_names__has_the_topics_of_the_standard_alone(services, tokens, tmp_path):
    for named in (False, True):
        out = tmp_path / str(named)
        assert command(services, "acl", "--out", out, *(["--named"] if named else [])).exit_code == 0
        writes = [line for line in (out / "access").read_text().splitlines() if line.startswith("topic write")]
        assert len(writes) == 3
        assert all(line.startswith("topic write TK-") is named for line in writes)
