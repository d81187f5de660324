"""GD-20.1: a camera that tells of another place is stopped; one whose picture shows another view waits for a look."""

from __future__ import annotations

import re
from datetime import timedelta
from threading import Thread

import numpy as np
import pytest
from click.testing import CliRunner
from shapely.geometry import Point
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from geo.commands import block_where_due
from schemas import tables as t
from schemas.store import judge
from tests.conftest import Start
from tests.snapshots import blurred, jpeg, scene
from tests.stations import Pusher, add_station, issue_token
from tests.web.conftest import HTML, SAME_ORIGIN
from web.cli.common import State
from web.cli.device import device as device_command

CAMERA, HEALTH = "/registry/device/DV-A", "/sta/health"
TURNED = np.roll(scene(noise=9), 80, axis=1)  # an eighth of the picture to the side
FAR, NEAR = {"lon": "113.2604", "lat": "23.131"}, {"lon": "113.2600", "lat": "23.13108"}  # 41 m and 9 m away


@pytest.fixture(scope="module")
def watched(server, world_template):
    """DV-A, fixed and in use since 2025-07-01."""
    made = Start(server.clone(world_template))
    engine = server.database(made.database).admin_engine()
    with Session(engine) as session:
        add_station(session, "A", Point(113.26, 23.131))
        session.commit()
    engine.dispose()
    yield made
    server.drop(made.database)


@pytest.fixture
def beginning(watched):
    return watched


@pytest.fixture
def a(services, client):
    return Pusher(client, issue_token(services, "A"))


@pytest.fixture
def turned(a, clock):
    """The camera was turned between two of its pictures."""
    beat(a, scene())
    clock.advance(timedelta(minutes=5))
    assert beat(a, TURNED) == ["moved"]
    return a


def beat(pusher, picture=None, **place):
    data = jpeg(picture) if picture is not None else b""
    answer = pusher.client.post("/sta/heartbeat", data=data, headers=pusher.headers, query_string=place)
    assert answer.status_code == 201, answer.text
    return answer.get_json()["faults"]


def incidents(services):
    with services.session() as session:
        return session.scalars(select(t.Incident).order_by(t.Incident.observed_at)).all()


def device(services, name="DV-A"):
    with services.session() as session:
        return session.scalars(select(t.Device).where(t.Device.public_id == name)).one()


def answer(client, incident, said="The mast was wiped; it stands as it stood."):
    form = {"step": "answer", "kind": incident.public_id, "text": said}
    return client.post(CAMERA, data=form, headers={**SAME_ORIGIN, **HTML})


def page(client, path=HEALTH):
    found = client.get(path, headers=HTML)
    assert found.status_code == 200
    return found.text


def test_GD_20_1__place_41_m_away__an_incident_and_blocked_by_the_system(a, services, signed_in):
    assert beat(a, **FAR) == ["moved"]
    (row,) = incidents(services)
    assert (row.kind, row.reported_by, round(row.shift_m)) == ("moved", None, 41)
    assert [one.rpartition(" ")[2] for one in block_where_due(services.work)] == ["DV-A"]
    stopped = device(services)
    assert stopped.state == "blocked"
    assert "41 m" in stopped.state_reason
    beat(a, **FAR)
    assert len(incidents(services)) == 1  # what stands still in the wrong place is one incident
    shown = page(signed_in("H1"), CAMERA)
    assert "It tells of another place than its own. · 41 m from its place" in shown
    assert "the device itself" in shown


def test_GD_20_1__place_9_m_away__no_incident(a, services):
    assert beat(a, **NEAR) == []
    assert incidents(services) == []


def test_GD_20_1__turned_camera__an_incident_for_the_centre_and_not_stopped_on_a_machines_word(
    turned, services, signed_in, admin
):
    (row,) = incidents(services)
    assert (row.kind, row.reported_by, row.shift_m) == ("moved", None, None)
    assert list(block_where_due(services.work)) == []
    assert device(services).state == "active"
    centre = page(signed_in("C1"))
    assert "1 incident to look at" in centre
    assert "Its picture shows another view than before." in centre
    assert "1 incident to look at" in page(signed_in("C1"), "/registry")  # at the top of every desk
    assert "incident to look at" not in page(signed_in("O4"))
    assert "incident to look at" not in page(signed_in("O1"), "/registry")
    (told,) = admin.execute(
        "SELECT actor, convert_from(body, 'UTF8') FROM ledger.event WHERE action = 'device.report_incident'"
    ).fetchall()
    assert told[0].startswith("system")
    assert row.public_id in told[1]


def test_GD_20_1__still_turned__one_incident_until_it_is_answered(turned, services, clock):
    for noise in range(3):
        clock.advance(timedelta(minutes=5))
        beat(turned, np.roll(scene(noise=20 + noise), 80, axis=1))
    assert len(incidents(services)) == 1


def test_GD_20_1__answered__gone_from_the_queue_and_the_new_view_is_what_counts(turned, services, clock, signed_in):
    (row,) = incidents(services)
    centre = signed_in("C1")
    assert answer(centre, row, " ").status_code == 422
    assert answer(signed_in("N1"), row).status_code == 403
    assert answer(centre, row).status_code == 303
    assert answer(centre, row).status_code == 409
    assert "incident to look at" not in page(centre)
    assert "The mast was wiped; it stands as it stood." in page(centre, CAMERA)
    clock.advance(timedelta(minutes=5))
    assert beat(turned, TURNED) == []
    clock.advance(timedelta(minutes=5))
    assert beat(turned, scene(noise=31)) == ["moved"]
    assert len(incidents(services)) == 2


def test_GD_20_1__found_tampered_with__stopped(turned, services, signed_in):
    form = {"step": "incident", "kind": "tamper", "text": "turned by hand", "lon": "", "lat": "", "at": ""}
    assert signed_in("C1").post(CAMERA, data=form, headers={**SAME_ORIGIN, **HTML}).status_code == 303
    assert len(list(block_where_due(services.work))) == 1
    assert "incident to look at" not in page(signed_in("C1"))  # what is stopped needs a repair


@pytest.mark.parametrize(
    "picture", [blurred(np.roll(scene(noise=1), 80, axis=1)), np.zeros((360, 640), np.uint8), scene(noise=4)]
)
def test_GD_20_1__blurred_black_or_well__no_incident(a, services, clock, picture):
    beat(a, scene())
    clock.advance(timedelta(minutes=5))
    beat(a, picture)
    assert incidents(services) == []


def test_GD_20_1__aircraft_elsewhere__is_no_incident(a, services, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET platform = 'uav', category = 'mobile' WHERE public_id = 'DV-A'")
    beat(a, **FAR)
    assert incidents(services) == []


@pytest.mark.parametrize("state", ["blocked", "maintenance", "published"])
def test_GD_20_1__not_in_use__is_no_incident(a, services, admin, state):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET state = %s WHERE public_id = 'DV-A'", [state])
    beat(a, **FAR)
    assert incidents(services) == []


def test_GD_20_1__two_signs_of_life_at_once__one_incident(a, services, app):
    pushers = [Pusher(app.test_client(), a.token) for _ in range(4)]
    threads = [Thread(target=beat, args=[one], kwargs=FAR) for one in pushers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(incidents(services)) == 1


def test_GD_20_2__answer__plain_sql_cannot_change_it(turned, services, signed_in):
    (row,) = incidents(services)
    assert answer(signed_in("C1"), row).status_code == 303
    for change in ("UPDATE core.incident_answer SET text = 'x'", "DELETE FROM core.incident_answer"):
        with services.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
            connection.execute(text(change))
        assert "permission denied" in str(caught.value) or judge.translate(caught.value).refusals[0].rule == "GD-20.2"


def test_command__answers_by_its_number(turned, services):
    (row,) = incidents(services)
    state = State("zh")
    state._services = services
    told = ["answer", "DV-A", row.public_id, "--text", "已查看", "--as", "C1"]
    done = CliRunner().invoke(device_command, told, obj=state)
    assert done.exit_code == 0, done.output
    assert re.search("DV-A", done.output)
    with services.session() as session:
        assert session.scalars(select(t.IncidentAnswer.text)).one() == "已查看"


def test_page__in_chinese__says_what_the_camera_says(turned, signed_in):
    told = signed_in("C1").get(HEALTH, headers={**HTML, "Accept-Language": "zh"}).text
    assert "画面" in told
    assert "Its picture" not in told
    assert "to look at" not in told
