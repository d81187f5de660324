"""Signs of life, the queue of the command centre, and what is restricted: in no answer to anybody."""

import json
import re
from datetime import timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from shapely.geometry import Point
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing.sensors import beats, papers
from sensing.sensors.health import look
from tests.conftest import Start
from tests.snapshots import blurred, bomb, jpeg, scene
from tests.stations import Pusher, add_station, issue_token
from tests.web.conftest import HTML
from web.cli.common import State
from web.cli.device import device as device_command

GBT, RTSP = "44010000001320000017", "rtsp://10.20.30.40/canary-stream"
ONVIF = "urn:uuid:0badc0de-0000-4000-8000-00000000cafe"
SERIAL, ENTITY = "CANARY-SERIAL-17", "91440000CANARY017X"


@pytest.fixture(scope="module")
def watched(server, world_template):
    made = Start(server.clone(world_template))
    engine = server.database(made.database).admin_engine()
    with Session(engine) as session:
        one = add_station(session, "A", Point(113.26, 23.131))
        add_station(session, "B", Point(113.27, 23.135))
        one.serial_no = SERIAL
        session.add(
            t.SupervisedEntity(
                public_id="SE-1",
                origin="sample",
                registration_code=ENTITY,
                name="Canary Works (fictional)",
                address="17 Canary Road",
                entity_type="works",
                geom="SRID=4326;POINT(113.26 23.13)",
            )
        )
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


def beat(pusher, picture=None, **place):
    data = jpeg(picture) if picture is not None else b""
    answer = pusher.client.post("/sta/heartbeat", data=data, headers=pusher.headers, query_string=place)
    assert answer.status_code == 201, answer.text
    return answer.get_json()["faults"]


def ill(services):
    with services.session() as session:
        return {one.device: one.faults for one in beats.ill_devices(session, services.clock.now())}


def command(services, *arguments):
    state = State("en")
    state._services = services
    return CliRunner().invoke(device_command, list(arguments), obj=state)


def test_health__told_by_the_last_sign_of_life(a, services, clock):
    assert ill(services) == {"DV-A": ("offline",)}  # it holds a credential and was never heard
    assert beat(a, scene()) == []
    assert ill(services) == {}
    clock.advance(timedelta(minutes=5))
    assert beat(a, blurred(scene(noise=1))) == ["blurred"]
    assert ill(services) == {"DV-A": ("blurred",)}
    clock.advance(timedelta(minutes=5))
    assert beat(a, np.roll(scene(noise=2), 80, axis=1)) == ["moved"]
    assert beat(a, scene(noise=3)) == []
    clock.advance(timedelta(minutes=31))
    assert ill(services) == {"DV-A": ("offline",)}


def test_health__a_reading_is_a_sign_of_life_too(a, services, clock):
    stream = a.stream()
    assert a.batch(stream, [[clock.now().isoformat(), 1]]).status_code == 201
    assert ill(services) == {}


def test_GD_20_1__forty_metres_from_its_site__moved_and_nine_are_not(a, services):
    assert beat(a, lon="113.2600", lat="23.13108") == []
    assert beat(a, lon="113.2604", lat="23.131") == ["moved"]
    assert ill(services) == {"DV-A": ("moved",)}


def test_16__tells_of_another_place_and_then_of_none__still_moved_until_it_is_back(a, services, clock):
    steps = (
        ({"lon": "113.2604", "lat": "23.131"}, ["moved"]),
        ({}, ["moved"]),
        ({"lon": "113.2600", "lat": "23.13108"}, []),
        ({}, []),
    )
    for noise, (place, faults) in enumerate(steps):
        clock.advance(timedelta(minutes=5))
        assert beat(a, scene(noise=noise), **place) == faults
        assert ill(services) == ({"DV-A": ("moved",)} if faults else {})
    with services.session() as session:
        (incident,) = session.scalars(select(t.Incident)).all()
    assert incident.shift_m == pytest.approx(41, abs=1)


def test_15__devices_in_use_that_never_report__told_and_not_called_well(services, signed_in, client):
    silent = signed_in("O4").get("/sta/health", headers=HTML).text
    assert "All devices" not in silent
    assert "No device reports" in silent
    beat(Pusher(client, issue_token(services, "A")), scene())
    with services.session() as session:
        in_use = session.scalar(
            select(func.count())
            .select_from(t.Device)
            .join(t.Authority)
            .where(t.Device.state == "active", t.Authority.code == "A1")
        )
    page = signed_in("C1").get("/sta/health", headers=HTML).text
    assert f"1 of {in_use} devices in use report" in page
    assert "All devices that report are well" in page
    assert in_use > 1
    assert f"{in_use} in use report" in command(services, "health", "--as", "C1").output
    assert json.loads(command(services, "health", "--as", "C1", "--json").output)["reporting"] == 1


def test_beat__from_nowhere__422(a):
    for place in ({"lon": "113"}, {"lon": "x", "lat": "y"}, {"lon": "nan", "lat": "1"}, {"lon": "1", "lat": "95"}):
        assert a.client.post("/sta/heartbeat", headers=a.headers, query_string=place).status_code == 422


def test_beat__with_no_picture_or_no_credential__refused(a):
    assert a.client.post("/sta/heartbeat", data=b"<html>", headers=a.headers).status_code == 415
    assert a.client.post("/sta/heartbeat", data=jpeg(scene())).status_code == 401


@pytest.mark.parametrize(("data", "status"), [(jpeg(scene())[:2000], 422), (bomb(), 413)])
def test_snapshot__broken_or_a_bomb__refused_behind_the_wall_and_nothing_kept(a, services, data, status):
    answer = a.client.post("/sta/heartbeat", data=data, headers=a.headers)
    assert answer.status_code == status, answer.text
    assert not [path for path in (services.data_dir / "snapshots").rglob("*") if path.is_file()]


def test_snapshot__never_decoded_where_pages_are_served(a, monkeypatch):
    def opened(*_, **__):
        raise AssertionError("a stranger's picture was opened in the web process")

    monkeypatch.setattr("PIL.Image.open", opened)
    assert beat(a, scene(noise=7)) == []


def test_snapshots__only_what_is_compared_with_is_kept(a, services):
    for noise in range(5):
        beat(a, scene(noise=noise))
    with services.session() as session:
        seen = session.scalars(select(t.Heartbeat.snapshot_sha256).order_by(t.Heartbeat.id)).all()
    files = [path for path in (services.data_dir / "snapshots").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {seen[0], seen[-1]}
    assert all(path.stat().st_mode & 0o007 == 0 for path in files)


def test_command__tells_the_queue_to_the_centre_and_to_nobody_else(a, services):
    assert "offline" in command(services, "health", "--as", "C1").output
    assert json.loads(command(services, "health", "--json").output)["devices"][0]["device"] == "DV-A"
    assert command(services, "health", "--as", "O4").output.startswith("No device reports")
    assert isinstance(command(services, "health", "--as", "F1").exception, RuleViolation)


def test_page__lists_who_is_not_well_to_the_centre_and_shows_no_picture(a, services, signed_in, clock):
    beat(a, scene())
    clock.advance(timedelta(minutes=1))
    beat(a, blurred(scene(noise=1)))
    page = signed_in("C1").get("/sta/health", headers=HTML).text
    for told in ("1 device needs a look", "DV-A", "Blurred", "last heard"):
        assert told in page
    assert "<img" not in page.partition("<main")[2]
    assert "DV-A" not in signed_in("C1").get("/sta/health?fault=offline", headers=HTML).text
    assert signed_in("F1").get("/sta/health", headers=HTML).status_code == 403


def test_LX_12__view_that_too_few_devices_give__short_until_enough_are_well(a, services, clock):
    done = command(services, "view", "require", ENTITY, "--authority", "A1", "--position", "gate", "--as", "C1")
    view = re.search(r"VW-\w+", done.output)[0]
    assert command(services, "view", "give", "DV-A", view, "--as", "C1").exit_code == 0
    assert "0 of 1 views" in command(services, "health").output  # it was never heard
    beat(a, scene())
    assert "of 1 views" not in command(services, "health").output
    clock.advance(timedelta(hours=1))
    assert "0 of 1 views" in command(services, "health").output


def test_reference__of_no_known_form_or_with_a_password__refused_and_not_repeated(work):
    for kind, value in (
        ("gbt28181", "4401"),
        ("gbt28181", "\uff14\uff14" * 10),
        ("onvif", "urn:uuid:x"),
        ("rtsp", "rtsp://admin:secret@10.0.0.1/1"),
        ("rtsp", "http://10.0.0.1/"),
        ("rtsp", "rtsp://10.0.0.1/a b"),
        ("rtsp", "rtsp://10.9.8.7/secretstream?user=admin&password=hunter2"),
        ("rtsp", "rtsp://10.9.8.7/user=admin_password=hunter2_channel=1"),
        ("rtsp", "rtsp://10.9.8.7/stream#hunter2"),
    ):
        with work("C1") as unit, pytest.raises(RuleViolation) as refused:
            papers.record_reference(unit, unit.get(t.Device, "DV-A"), kind, value)
        assert value not in json.dumps(refused.value.render(), ensure_ascii=False)


@pytest.fixture
def planted(a, services):
    """Everything restricted about a device, known by its canaries."""
    for kind, value in (("gbt28181", GBT), ("onvif", ONVIF), ("rtsp", RTSP)):
        done = command(services, "reference", "DV-A", "--kind", kind, "--value", value, "--as", "C1")
        assert done.exit_code == 0, done.output
    beat(a, scene())
    assert a.batch(a.stream(name="canary-stream-name"), [["2025-07-01T00:00:00Z", 17.171717]]).status_code == 201
    with services.session() as session:
        seen = session.scalars(select(t.Heartbeat.snapshot_sha256)).one()
    return [GBT, ONVIF, RTSP, "canary-stream", "17.171717", SERIAL, ENTITY, seen, a.token.public_id, a.token.token]


def test_5_3__what_is_restricted__in_no_answer_to_the_public(client, planted):
    seen, waiting = set(), ["/", "/list", "/data", "/flights", "/device/DV-A", "/tiles/devices/0/0/0.mvt", "/sta/v1.1"]
    waiting += ["/data/devices.geojson", "/sta/v1.1/Things", "/sta/heartbeat", "/list?q=canary", f"/list?q={GBT}"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path, headers=HTML)
        assert answer.status_code < 500
        for canary in planted:
            # What was asked for may be told back in the field that it was typed into.
            told = answer.data.replace(path.partition("q=")[2].encode(), b"") if "q=" in path else answer.data
            assert canary.encode() not in told, (path, canary)
        if answer.mimetype == "text/html":
            found = re.findall(r'(?:href|src)="(/[^"#?]*)', answer.text)
            waiting += [link for link in found if not link.startswith(("/static/", "/account"))]
    assert len(seen) > 15


def test_5_3__references_and_snapshots__not_even_to_the_device_and_the_officer(a, planted, signed_in):
    restricted = [*planted[:3], SERIAL, planted[7]]
    paths = [f"/sta/v1.1/{name}?$expand=Datastreams" for name in ("Things", "Sensors", "ObservedProperties")]
    for path in [*paths, "/sta/v1.1/Locations", "/sta/v1.1/FeaturesOfInterest"]:
        answers = [a.client.get(path, headers=a.headers), signed_in("O1").get(path)]
        for answer in answers:
            assert answer.status_code == 200
            assert not [one for one in restricted if one in answer.text]


def test_5_3__references__not_in_the_ledger(planted, admin):
    bodies = b"".join(bytes(row[0]) for row in admin.execute("SELECT body FROM ledger.event").fetchall())
    assert not [one for one in planted[:3] if one.encode() in bodies]


def test_look__of_a_snapshot_over_http__as_of_the_file(a, services):
    beat(a, scene())
    with services.session() as session:
        kept = session.scalars(select(t.Heartbeat.looks)).one()
    assert kept["mean"] == pytest.approx(look(scene()).mean, abs=1)
