"""A flight in progress: who may watch, what the page and its stream tell, who may order and clear."""

import json
from datetime import timedelta

import pytest
from shapely import Point
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from geo import shapes
from schemas import tables as t
from schemas.store.work import find
from tests.conftest import Start
from tests.database.flying import START, airborne, aloft, prechecked, row
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.plans import flat_ground
from web.pilot import stream as streams
from web.pilot import watching
from web.public.database import public_connection


@pytest.fixture(scope="module")
def flown(server, world_template, tmp_path_factory):
    made = aloft(server, world_template, tmp_path_factory.mktemp("flown"))
    yield made
    server.drop(made.database)


@pytest.fixture
def beginning(request, world_template):
    """Tests that ask for a flight begin with it in the air; the others with none."""
    return request.getfixturevalue("flown") if "flight" in request.fixturenames else Start(world_template)


@pytest.fixture
def flight(flown):
    return flown.flight


@pytest.fixture
def another_pilot(admin):
    """O3 flies as well, for the same authority."""
    admin.execute(
        "INSERT INTO core.role_assignment (id, public_id, person_id, role, authority_id, valid_from, origin)"
        " SELECT gen_random_uuid(), 'RA-PILOT2', p.id, 'pilot', r.authority_id, r.valid_from, r.origin"
        " FROM core.person p JOIN core.role_assignment r ON r.person_id = p.id WHERE p.code = 'O3' LIMIT 1"
    )
    return "O3"


def tell(services, number, *events):
    """What a gateway writes of a flight."""
    with Session(services.engine) as db:
        flight = find(db, t.Flight, number)
        for kind, body in events:
            db.add(t.FlightEvent(flight_id=flight.id, kind=kind, body=body))
            db.flush()
        db.commit()


def seen(services, number, count=3, **changes):
    """Positions along R1, one a second."""
    with Session(services.engine) as db:
        flight = find(db, t.Flight, number)
        for i in range(count):
            values = {
                "flight_id": flight.id,
                "received_at": START + timedelta(seconds=i),
                "boot_ms": 1000 * i,
                "geom": shapes.element(Point(113.26 + i * 1e-4, 23.125)),
                "alt_rel_home_m": 100.0,
                "alt_amsl_m": 112.0,
                "conformance": "activated",
                "cross_track_m": float(i),
                "along_m": 10.0 * i,
            }
            db.add(t.TelemetryPoint(**values | changes))
        db.commit()


def told(response):
    """The events of a text/event-stream."""
    blocks = [
        dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        for block in response.get_data(as_text=True).split("\n\n")
    ]
    return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


@pytest.fixture
def brief_streams(monkeypatch):
    """Streams that end after a moment instead of twenty seconds."""
    monkeypatch.setattr(streams, "STREAM_S", 0.3)


def test_watch__own_flight__map_track_and_orders(signed_in, services, flight):
    seen(services, flight)
    page = signed_in("F1").get(f"/pilot/flight/{flight}/watch", headers=HTML)
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    assert 'value="return"' in text
    assert "As published" in text


@pytest.mark.parametrize("code", ["H1", "C1"])
def test_watch__head_and_command_centre_of_the_authority__may(signed_in, flight, code):
    assert signed_in(code).get(f"/pilot/flight/{flight}/watch").status_code == 200


@pytest.mark.parametrize("path", ["watch", "track.json", "events"])
def test_watch__another_pilot__404(signed_in, flight, path, another_pilot):
    assert signed_in(another_pilot).get(f"/pilot/flight/{flight}/{path}").status_code == 404


def test_watch__nobody_signed_in__401(client, flight):
    assert client.get(f"/pilot/flight/{flight}/events").status_code == 401


def test_track__columns_in_order__without_the_implausible(signed_in, services, flight):
    seen(services, flight)
    seen(services, flight, 1, implausible=True, geom=shapes.element(Point(0.5, 0.5)))
    track = signed_in("F1").get(f"/pilot/flight/{flight}/track.json").json
    assert track["cross_m"] == [0.0, 1.0, 2.0]
    assert track["state"] == ["activated"] * 3
    assert track["t"] == sorted(track["t"])
    assert len(set(map(len, track.values()))) == 1


def test_track__no_position_yet__empty_columns(signed_in, flight):
    track = signed_in("F1").get(f"/pilot/flight/{flight}/track.json").json
    assert set(map(len, track.values())) == {0}


def test_stream__what_was_told__in_order_with_ids(signed_in, services, flight, brief_streams):
    tell(services, flight, ("step", {"step": "airborne"}), ("position", {"lon": 113.26, "lat": 23.125}))
    answer = signed_in("F1").get(f"/pilot/flight/{flight}/events")
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    events = told(answer)
    assert [kind for kind, _ in events] == ["step", "position"]
    assert events[0][1]["body"] == {"step": "airborne"}


def test_stream__from_the_last_event_on__tells_only_what_is_new(signed_in, services, flight, brief_streams):
    tell(services, flight, ("step", {"step": "airborne"}), ("gap", {"seconds": 4}))
    client = signed_in("F1")
    first = told(client.get(f"/pilot/flight/{flight}/events"))[0][1]["id"]
    again = told(client.get(f"/pilot/flight/{flight}/events", headers={"Last-Event-ID": str(first)}))
    assert [kind for kind, _ in again] == ["gap"]


def test_stream__event_while_it_is_open__comes_at_once(services, work, monkeypatch):
    number = airborne(work)
    monkeypatch.setattr(streams, "STREAM_S", 10.0)
    with services.session() as db:
        flight = row(db, number)

    def events_after(event_id):
        from web.pilot.watching import events_after

        with services.session() as db:
            return events_after(db, flight, event_id)

    lines = streams.stream(services.engine, number, 0, events_after)
    assert next(lines).startswith("retry:")
    tell(services, number, ("link", {"state": "lost"}))
    assert "event: link" in next(lines)
    lines.close()


def test_stream__no_room__tells_and_ends_at_once(signed_in, services, flight, monkeypatch):
    tell(services, flight, ("gap", {"seconds": 4}))
    monkeypatch.setattr(streams._room, "acquire", lambda blocking: False)
    answer = signed_in("F1").get(f"/pilot/flight/{flight}/events")
    assert [kind for kind, _ in told(answer)] == ["gap"]
    assert f"retry: {streams.ASK_LATER_MS}" in answer.get_data(as_text=True)


@pytest.mark.parametrize("since", ["-1", "x", "1" * 19, "1e3"])
def test_stream__hostile_position__422(signed_in, flight, since):
    assert signed_in("F1").get(f"/pilot/flight/{flight}/events?since={since}").status_code == 422


OPERATOR_AT = [113.77123, 22.88456]
SAID = {"state": "match", "reasons": [], "ids": [], "operator_id": "OPERATOR-7", "operator_at": OPERATOR_AT}


@pytest.mark.parametrize("code", ["F1", "H1", "C1"])
def test_44__operators_place__told_to_whoever_may_watch_the_flight(signed_in, services, flight, code, brief_streams):
    tell(services, flight, ("remote_id", SAID | {"changed": True}))
    client = signed_in(code)
    ((kind, event),) = told(client.get(f"/pilot/flight/{flight}/events"))
    assert (kind, event["body"]["operator_at"]) == ("remote_id", OPERATOR_AT)
    assert "22.88456" in client.get(f"/pilot/flight/{flight}/watch", headers=HTML).get_data(as_text=True)


@pytest.mark.parametrize("path", ["watch", "events", "track.json"])
@pytest.mark.parametrize("code", ["O1", "N1", "D1", "S1"])
def test_44__operators_place__told_to_nobody_else_of_the_house(signed_in, services, flight, code, path):
    tell(services, flight, ("remote_id", SAID | {"changed": True}))
    answer = signed_in(code).get(f"/pilot/flight/{flight}/{path}")
    assert answer.status_code == 403
    assert "22.88456" not in answer.get_data(as_text=True)


def test_44__operators_place__out_of_reach_of_every_public_page(app, services, flight):
    """They all read as a role of the database that has no events of flights."""
    tell(services, flight, ("remote_id", SAID | {"changed": True}))
    with app.app_context(), public_connection() as public, pytest.raises(ProgrammingError, match="permission denied"):
        public.execute(text("SELECT body FROM core.flight_event"))


def test_remote_id__where_it_is_now__no_news_for_the_list(signed_in, services, flight):
    tell(services, flight, *(("remote_id", SAID | {"changed": n == 0, "n": n}) for n in range(3)))
    with services.session() as db:
        flying = row(db, flight)
        assert [event["body"]["n"] for event in watching.history(db, flying)] == [0]
        assert [event["body"]["n"] for event in watching.identities(db, flying)] == [0, 1, 2]


def test_board__airborne_first__with_its_last_place(signed_in, services, flight):
    seen(services, flight)
    rows = signed_in("H1").get("/pilot/air.json").json["flights"]
    assert [(one["id"], one["conformance"]) for one in rows] == [(flight, "activated")]
    assert rows[0]["lon"] == pytest.approx(113.2602)


def test_board__another_pilot__sees_none(signed_in, flight, another_pilot):
    assert signed_in(another_pilot).get("/pilot/air.json").json == {"flights": []}


def test_GD_16_1__unit_head_clears_from_the_board(signed_in, services, work):
    flat_ground(services.data_dir)
    number = prechecked(work)
    client = signed_in("H1")
    assert number in client.get("/pilot/air", headers=HTML).get_data(as_text=True)
    answer = client.post(f"/pilot/flight/{number}/clear", headers=SAME_ORIGIN)
    assert answer.status_code == 303
    with services.session() as db:
        assert row(db, number).state == "cleared"


def test_GD_16_1__pilot_clears_own_flight__403(signed_in, services, work):
    number = prechecked(work)
    assert signed_in("F1").post(f"/pilot/flight/{number}/clear", headers=SAME_ORIGIN).status_code == 403
    with services.session() as db:
        assert row(db, number).state == "precheck_passed"


def test_order__unknown_word__422(signed_in, flight):
    answer = signed_in("F1").post(f"/pilot/flight/{flight}/order", data={"kind": "explode"}, headers=SAME_ORIGIN)
    assert answer.status_code == 422


def test_order__own_flight__stands_in_the_queue(signed_in, services, flight):
    answer = signed_in("F1").post(
        f"/pilot/flight/{flight}/order", data={"kind": "return", "reason": "fog"}, headers=SAME_ORIGIN
    )
    assert answer.status_code == 303
    with services.session() as db:
        order = db.query(t.FlightOrder).one()
        assert (order.kind, order.params, order.taken_at) == ("return", {"reason": "fog"}, None)


def test_order__another_pilot__404(signed_in, services, flight, another_pilot):
    answer = signed_in(another_pilot).post(
        f"/pilot/flight/{flight}/order", data={"kind": "return"}, headers=SAME_ORIGIN
    )
    assert answer.status_code == 404
    with services.session() as db:
        assert db.query(t.FlightOrder).count() == 0
