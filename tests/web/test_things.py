"""SensorThings over HTTP: who may push and read what, and what the answers look like."""

import json
from datetime import timedelta

import pytest
from shapely.geometry import Point
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from schemas import tables as t
from sensing.sensors import tokens
from tests.conftest import Start, opened
from tests.stations import NOON, PROPERTY, SENSOR, STREAM, Pusher, add_station, hours, issue_token
from tests.web.conftest import SAME_ORIGIN
from tests.web.test_errors import problem_of
from web.app import create_app


@pytest.fixture(scope="module")
def stationed(server, world_template, tmp_path_factory):
    """The world with three stations: A and B of one authority, C of another."""
    made = Start(server.clone(world_template), tmp_path_factory.mktemp("stations"))
    engine = server.database(made.database).admin_engine()
    with Session(engine) as session:
        add_station(session, "A", Point(113.26, 23.131))
        add_station(session, "B", Point(113.27, 23.135))
        add_station(session, "C", Point(113.28, 23.136), authority="A2")
        add_station(session, "W", Point(113.28, 23.137), state="published")
        session.commit()
    engine.dispose()
    yield made
    server.drop(made.database)


@pytest.fixture
def beginning(stationed):
    return Start(stationed.database)


@pytest.fixture
def a(services, client):
    return Pusher(client, issue_token(services, "A"))


@pytest.fixture
def b(services, client):
    return Pusher(client, issue_token(services, "B"))


def rule_of(answer):
    return problem_of(answer)["refusals"][0]["rule"]


def count(services):
    with services.session() as session:
        return session.scalar(select(func.count()).select_from(t.Observation))


def test_start__lists_the_eight_sets_and_what_is_conformed_to(a):
    told = a.get("").get_json()
    assert len(told["value"]) == 8
    assert all(one["url"].startswith("http://localhost/sta/v1.1/") for one in told["value"])
    assert any("data-array" in one for one in told["serverSettings"]["conformance"])


def test_thing__is_the_device_of_the_register(a):
    (thing,) = a.read("/Things", expand="Locations,Datastreams")["value"]
    assert thing["@iot.id"] == "DV-A"
    assert thing["Locations"][0]["location"] == {"type": "Point", "coordinates": [113.26, 23.131]}
    assert thing["Datastreams"] == []
    assert thing["HistoricalLocations@iot.navigationLink"].endswith("/Things('DV-A')/HistoricalLocations")


def test_thing__sent__refused(a):
    answer = a.post("/Things", {"name": "mine", "description": "x"})
    assert (answer.status_code, rule_of(answer)) == (409, "GD-09.2")


def test_deep_insert__one_request__series_sensor_property_and_first_reading(a, services):
    body = STREAM | {"Observations": [{"phenomenonTime": "2025-07-01T00:00:00Z", "result": 4}]}
    answer = a.post("/Datastreams", body)
    assert answer.status_code == 201
    link = answer.headers["Location"].removeprefix("http://localhost/sta/v1.1")
    told = a.read(link, expand="Sensor,ObservedProperty,Thing,Observations($count=true)")
    assert told["Sensor"]["metadata"] == SENSOR["metadata"]
    assert told["ObservedProperty"]["definition"] == PROPERTY["definition"]
    assert told["Thing"]["@iot.id"] == "DV-A"
    assert told["Observations"][0]["result"] == 4.0
    assert told["Observations@iot.count"] == 1
    assert told["phenomenonTime"] == "2025-07-01T00:00:00Z/2025-07-01T00:00:00Z"
    with services.session() as session:
        events = session.scalars(text("SELECT count(*) FROM ledger.event WHERE action = 'things.create'")).one()
    assert events == 1


def test_observed_property__same_definition__is_one(a, b):
    for one in (a, b):
        one.stream()
    assert len(a.read("/ObservedProperties")["value"]) == 1


def test_reading__over_its_series__201_with_link(a):
    stream = a.stream()
    answer = a.post(
        f"/Datastreams({stream})/Observations", {"result": 3, "phenomenonTime": "2025-07-01T01:00:00+08:00"}
    )
    assert answer.status_code == 201
    told = a.read(answer.headers["Location"].removeprefix("http://localhost/sta/v1.1"))
    assert told["phenomenonTime"] == "2025-06-30T17:00:00Z"
    assert told["resultQuality"] == "valid"
    feature = a.read(f"/Observations({told['@iot.id']})/FeatureOfInterest")
    assert feature["feature"]["coordinates"] == [113.26, 23.131]


def test_reading__sent_twice__is_one(a, services):
    stream = a.stream()
    body = {"Datastream": {"@iot.id": stream}, "result": 3, "phenomenonTime": "2025-07-01T00:00:00Z"}
    links = {a.post("/Observations", body).headers["Location"] for _ in range(2)}
    assert (len(links), count(services)) == (1, 1)
    a.post("/Observations", body | {"parameters": {"clientId": "second probe"}})
    assert count(services) == 2


@pytest.mark.parametrize("change", [{"result": 9.9}, {"resultQuality": "invalid"}])
def test_13__same_moment_of_another_value__409_and_the_first_stays(a, change):
    stream = a.stream()
    first = {"result": 7.1, "phenomenonTime": "2025-07-01T00:00:00Z"}
    assert a.post(f"/Datastreams({stream})/Observations", first).status_code == 201
    answer = a.post(f"/Datastreams({stream})/Observations", first | change)
    assert (answer.status_code, rule_of(answer)) == (409, "GD-20.2")
    (kept,) = a.read(f"/Datastreams({stream})/Observations")["value"]
    assert (kept["result"], kept["resultQuality"]) == (7.1, "valid")
    other = first | change | {"parameters": {"clientId": "second probe"}}
    assert a.post(f"/Datastreams({stream})/Observations", other).status_code == 201


def test_13__same_moment_of_another_value_in_an_array__error_in_its_place(a):
    stream = a.stream()
    first = a.batch(stream, hours(3, 7.1)).get_json()
    told = a.batch(stream, [*hours(2, 7.1), [hours(3)[2][0], 9.9], [hours(4)[3][0], 1], [hours(4)[3][0], 2]])
    assert told.status_code == 201
    assert told.get_json()[:2] == first[:2]
    assert [one == "error" for one in told.get_json()] == [False, False, True, False, True]


def test_13__series_with_two_values_of_one_moment__409_and_no_series(a):
    at = {"phenomenonTime": "2025-07-01T00:00:00Z"}
    answer = a.post("/Datastreams", STREAM | {"Observations": [at | {"result": 1}, at | {"result": 2}]})
    assert (answer.status_code, rule_of(answer)) == (409, "GD-20.2")
    assert a.read("/Datastreams")["value"] == []


def test_33__reading_of_1936_or_of_a_clock_that_began_anew__422_and_the_series_begins_later(a):
    stream = a.stream()
    for at in ("1936-05-01T00:00:00Z", "1970-01-01T00:00:10Z", "2000-01-01T00:00:00Z", "2020-06-01T00:00:00Z"):
        answer = a.post(f"/Datastreams({stream})/Observations", {"result": 1, "phenomenonTime": at})
        assert (answer.status_code, rule_of(answer)) == (422, "things.behind")
    told = a.batch(stream, [["1936-05-01T00:00:00Z", 1], ["2020-08-01T00:00:00Z", 2]]).get_json()
    assert [one == "error" for one in told] == [True, False]
    assert a.read(f"/Datastreams({stream})")["phenomenonTime"] == "2020-08-01T00:00:00Z/2020-08-01T00:00:00Z"


def test_batch__sent_twice__stored_once_and_answered_alike(a, services):
    stream = a.stream()
    first, second = (a.batch(stream, hours(20)) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.get_json() == second.get_json()
    assert count(services) == 20


def test_batch__unsound_rows__said_one_by_one(a, services):
    stream = a.stream()
    good, bad = NOON.isoformat(), "2025-07-01T00:00:00"
    rows = [[good, 1], [bad, 1], ["never", 1], [good, "1"], [good, True], [good], ["2099-01-01T00:00:00Z", 1], 7]
    told = a.batch(stream, rows).get_json()
    assert [one == "error" for one in told] == [False, *[True] * 7]
    assert count(services) == 1


def test_DC_4__result_that_is_no_finite_number__refused(a, services):
    stream = a.stream()
    for value in ("NaN", "Infinity", "-Infinity", "1e999", '"3"', "true", "null"):
        data = f'{{"Datastream": {{"@iot.id": {stream}}}, "result": {value}}}'
        assert a.client.post("/sta/v1.1/Observations", data=data, headers=a.headers).status_code == 422, value
    assert count(services) == 0


def test_DC_1__series_of_another_device__refused_alone_and_in_a_batch(a, b, services):
    stream = a.stream()
    reading = {"Datastream": {"@iot.id": stream}, "result": 3}
    assert b.post("/Observations", reading).status_code == 403
    assert b.batch(stream, hours(2)).status_code == 403
    assert b.post(f"/Datastreams({stream})/Observations", {"result": 3}).status_code == 404
    own = b.stream(name="own")
    told = b.post(f"/Datastreams({own})/Observations", reading)
    assert (told.status_code, rule_of(told)) == (403, "things.foreign")
    assert count(services) == 0


def test_series__with_the_sensor_of_another_device__refused(a, b):
    sensor = a.read(f"/Datastreams({a.stream()})/Sensor")["@iot.id"]
    assert b.post("/Datastreams", STREAM | {"Sensor": {"@iot.id": sensor}}).status_code == 404
    assert b.post("/Datastreams", STREAM | {"Thing": {"@iot.id": "DV-A"}}).status_code == 403


def test_GD_14_2__device_not_in_use__takes_no_readings(services, client):
    waiting = Pusher(client, issue_token(services, "W"))
    stream = waiting.stream()
    answer = waiting.batch(stream, hours(1))
    assert (answer.status_code, rule_of(answer)) == (409, "GD-14.2")
    assert count(services) == 0


def test_nobody__reads_and_pushes_nothing(client, a):
    stream = a.stream()
    for path in ("/sta/v1.1", "/sta/v1.1/Things", f"/sta/v1.1/Datastreams({stream})"):
        assert client.get(path).status_code == 401
    assert client.post("/sta/v1.1/Observations", json={"result": 1}).status_code == 401
    assert client.get("/sta/v1.1/Things", headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_token__basic_with_its_name__serves_and_another_name_does_not(a, client):
    assert client.get("/sta/v1.1/Things", auth=(a.token.public_id, a.token.token)).status_code == 200
    assert client.get("/sta/v1.1/Things", auth=("TK-ELSE", a.token.token)).status_code == 401


def test_token__revoked_or_expired__401(a, b, services, clock):
    with services.work() as work:
        tokens.revoke(work, a.token.public_id, "lost")
        work.commit()
    assert a.get("/Things").status_code == 401
    assert b.get("/Things").status_code == 200
    clock.advance(timedelta(days=31))
    assert b.get("/Things").status_code == 401


def test_token__of_one_device__sees_no_other(a, b):
    stream = b.stream()
    assert [one["@iot.id"] for one in a.read("/Things")["value"]] == ["DV-A"]
    assert a.get(f"/Datastreams({stream})").status_code == 404
    assert a.get("/Things('DV-B')/Datastreams").status_code == 404
    assert a.read("/Datastreams", filter="Thing/name eq 'B'")["value"] == []
    assert a.read("/ObservedProperties", expand="Datastreams")["value"][0]["Datastreams"] == []


def test_officer__sees_the_devices_of_the_own_authority_and_pushes_nothing(a, signed_in):
    a.stream()
    officer = signed_in("O1")
    told = officer.get("/sta/v1.1/Things?$orderby=name").get_json()["value"]
    assert [one["@iot.id"] for one in told] == ["DV-A", "DV-B", "DV-W"]
    answer = officer.post("/sta/v1.1/Observations", json={"result": 1}, headers=SAME_ORIGIN)
    assert answer.status_code == 403
    assert [one["@iot.id"] for one in signed_in("O4").get("/sta/v1.1/Things").get_json()["value"]] == ["DV-C"]


def test_GD_20_2__readings__are_neither_changed_nor_deleted(measured):
    for method in ("PUT", "PATCH", "DELETE"):
        answer = measured.client.open("/sta/v1.1/Observations(1)", method=method, headers=measured.headers)
        assert answer.status_code == 405


@pytest.fixture(scope="module")
def measured(server, stationed):
    """A station with a series of ten readings, 0 to 9, one an hour from noon; for tests that only read."""
    made = Start(server.clone(stationed.database), stationed.files)
    with opened(server, made) as services:
        pusher = Pusher(create_app(services).test_client(), issue_token(services, "A"))
        pusher.number = pusher.stream()
        assert pusher.batch(pusher.number, hours(10, float)).status_code == 201
        yield pusher
    server.drop(made.database)


def results(told):
    return [one["result"] for one in told["value"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("result gt 7", [8, 9]),
        ("result ge 3 and result lt 5", [3, 4]),
        ("result eq 1 or result eq 2 and result eq 3", [1]),
        ("(result eq 1 or result eq 2) and result ne 1", [2]),
        ("not (result gt 0)", [0]),
        ("result mod 5 eq 4", [4, 9]),
        ("result mul 2 add 1 eq 7", [3]),
        ("result div 0 eq 1", []),
        ("-1 lt result and result lt 1", [0]),
        ("phenomenonTime ge 2025-07-01T12:00:00Z", [8, 9]),
        ("phenomenonTime lt 2025-07-01T05:00:00+00:00", [0]),
        ("hour(phenomenonTime) eq 4", [0]),
        ("resultQuality eq 'invalid'", []),
        ("Datastream/ObservedProperty/name eq 'PM2.5' and result eq 6", [6]),
        ("Datastream/unitOfMeasurement/symbol eq 'ug/m3' and result eq 6", [6]),
        ("Datastream/Thing/Locations/name eq 'Site A (fictional)' and result lt 1", [0]),
        ("substringof('dust', Datastream/name) and result gt 8", [9]),
        ("validTime eq null and result eq 5", [5]),
        ("geo.distance(FeatureOfInterest/feature, geography'POINT (113.26 23.132)') lt 200 and result eq 2", [2]),
        ("st_within(FeatureOfInterest/feature, geography'POLYGON ((0 0, 9 0, 9 9, 0 0))')", []),
    ],
)
def test_filter__gives(measured, condition, expected):
    assert results(measured.read("/Observations", filter=condition, orderby="result")) == expected


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "result",
        "result gt",
        "result gt 'a'",
        "result gt 1)",
        "(result gt 1",
        "nothing eq 1",
        "result eq 1; DROP TABLE observation",
        "drop(result) eq 1",
        "length(result) eq 1",
        "length('a','b') eq 1",
        "result lt null",
        "name eq 'x",
        "Datastream eq 1",
        "Datastream/Observations/nothing eq 1",
        "phenomenonTime gt 2025-13-01T00:00:00Z",
        "geo.distance(FeatureOfInterest/feature, geography'POINT (1 95)') lt 1",
        "geo.distance(FeatureOfInterest/feature, geography'POINT (((((1 9') lt 1",
        "1e308 mul 1e308 gt 1",
        "not " * 40 + "true",
        "(" * 40 + "true" + ")" * 40,
        "result eq 1 or " * 200 + "true",
        "result eq ٣",
    ],
)
def test_filter__that_cannot_be_read__400_with_what_was_expected(measured, condition):
    answer = measured.get("/Observations", **{"$filter": condition})
    assert answer.status_code == 400
    assert problem_of(answer)["refusals"][0]["fix"].startswith("Expected here")


def test_filter__quotes_in_a_text__stay_in_it(measured):
    assert measured.read("/Datastreams", filter="name eq 'it''s'' OR 1=1 --'")["value"] == []


def test_list__page_by_page__each_once_and_counted(measured):
    seen, link = [], "/sta/v1.1/Observations?$top=4&$count=true&$orderby=result desc&$filter=result gt 0&$select=result"
    while link:
        told = measured.client.get(link, headers=measured.headers).get_json()
        assert told["@iot.count"] == 9
        assert set(told["value"][0]) == {"result"}
        seen += results(told)
        link = told.get("@iot.nextLink", "").removeprefix("http://localhost")
    assert seen == [float(n) for n in range(9, 0, -1)]


def test_expand__inside_of_another__with_options_of_its_own(measured):
    expand = "Datastreams($select=name;$expand=Observations($top=2;$orderby=phenomenonTime desc;$select=result))"
    (thing,) = measured.read("/Things", expand=expand)["value"]
    (stream,) = thing["Datastreams"]
    assert stream["name"] == "fine dust"
    assert [one["result"] for one in stream["Observations"]] == [9.0, 8.0]
    further = measured.client.get(stream["Observations@iot.nextLink"], headers=measured.headers).get_json()
    assert results(further) == [7.0, 6.0]


def test_property__that_is_not_there__left_out_unless_asked_for(measured):
    (sensor,) = measured.read("/Sensors")["value"]
    assert "properties" not in sensor
    assert measured.read("/Sensors", select="properties")["value"] == [{"properties": None}]
    assert measured.read(f"/Sensors({sensor['@iot.id']})/properties") == {"properties": None}


def test_order__in_capitals_as_clients_in_the_field_write_it__served(measured):
    assert results(measured.read("/Observations", orderby="result DESC", top=2)) == [9.0, 8.0]


def test_expand__short_form_of_earlier_clients(measured):
    (stream,) = measured.read("/Datastreams", expand="Thing/Locations")["value"]
    assert stream["Thing"]["Locations"][0]["@iot.id"] == "ST-A"


@pytest.mark.parametrize(
    "options",
    [
        {"$expand": "Nothing"},
        {"$expand": "Datastream(((("},
        {"$expand": "Datastream/Thing/Datastreams/Thing/Datastreams"},
        {"$select": "secret"},
        {"$orderby": "nothing"},
        {"$top": "-1"},
        {"$top": "1e3"},
        {"$skip": "x"},
        {"$count": "yes"},
        {"$apply": "groupby"},
        {"sort": "name;drop"},
    ],
)
def test_options__unknown_or_unclear__400(measured, options):
    assert measured.get("/Observations", **options).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/Nothing",
        "/Things(1)",
        "/Datastreams('x')",
        "/Datastreams(999)",
        "/Observations(99999999999999999999)",
        "/Things/Datastreams",
        "/Datastreams(1)/Thing(1)",
        "/Observations(1)/result/more",
        "/Things('DV-A')/" + "Datastreams(1)/Thing/" * 6,
        "/Things('%00')",
    ],
)
def test_path__that_leads_nowhere__404(measured, path):
    assert measured.get(path).status_code == 404


def test_property__alone__as_json_as_value_and_as_references(measured):
    one = measured.read("/Observations", filter="result eq 3")["value"][0]["@iot.id"]
    assert measured.read(f"/Observations({one})/result") == {"result": 3.0}
    assert measured.get(f"/Observations({one})/result/$value").text == "3.0"
    assert measured.read(f"/Datastreams({measured.number})/Observations/$ref", top=1)["value"] == [
        {"@iot.selfLink": f"http://localhost/sta/v1.1/Observations({one - 3})"}
    ]


def test_body__too_large_or_no_json__said(a):
    stream = a.stream()
    assert a.batch(stream, [[NOON.isoformat(), 1]] * 50_001).status_code == 413
    for data, status in ((b"{", 400), (b"[" * 100_000, 422), (b"[]", 422), (b'{"result":' + b"1" * 5000 + b"}", 422)):
        assert a.client.post("/sta/v1.1/Observations", data=data, headers=a.headers).status_code == status
    assert a.post("/Sensors", SENSOR | {"name": "a\0b"}).status_code == 422
    assert a.post("/Sensors", json.loads(json.dumps(SENSOR | {"name": "\N{FACTORY}"}))).status_code == 201


def test_body__as_a_form__415_with_what_to_send(a):
    answer = a.client.post("/sta/v1.1/Sensors", data=SENSOR, headers=a.headers)
    assert (answer.status_code, rule_of(answer)) == (415, "things.json")


def test_moved_device__its_former_place_is_history(a, services, admin):
    (site,) = admin.execute(
        "INSERT INTO core.device_site (id, public_id, origin, geom, place_text, place_type, indoor) VALUES "
        "(gen_random_uuid(), 'ST-A2', 'sample', ST_SetSRID(ST_Point(113.3, 23.15), 4326), 'there', 'open_air', false) "
        "RETURNING id"
    ).fetchone()
    admin.execute("SET session_replication_role = origin")
    admin.execute("ALTER TABLE core.device DISABLE TRIGGER USER")
    admin.execute("ALTER TABLE core.device ENABLE TRIGGER keep_former_site")
    admin.execute("UPDATE core.device SET site_id = %s WHERE public_id = 'DV-A'", [site])
    told = a.read("/Things('DV-A')", expand="Locations,HistoricalLocations($expand=Locations)")
    assert [one["@iot.id"] for one in told["Locations"]] == ["ST-A2"]
    places = {one["Locations"][0]["@iot.id"] for one in told["HistoricalLocations"]}
    assert places == {"ST-A", "ST-A2"}
