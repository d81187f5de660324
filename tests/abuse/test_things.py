"""Whatever is sent to SensorThings, the answer is stated: never a 5xx, never a leak (rows 2, 14, 26, 62, 75)."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point
from sqlalchemy.orm import Session

from tests.conftest import Start, opened
from tests.stations import NOON, Pusher, add_station, hours, issue_token
from tests.web.test_errors import LEAKS
from web.app import create_app

CALM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = [
    *("result", "phenomenonTime", "Datastream/name", "parameters/x", "FeatureOfInterest/feature", "id", "nothing"),
    *("eq", "ne", "gt", "lt", "and", "or", "not", "add", "sub", "mul", "div", "mod", "(", ")", ",", "'a'", "'", "null"),
    *("1", "-1e300", "1e308", "0", "true", "2025-07-01T00:00:00Z", "9999-12-31", "geography'POINT (1 1)'", "now()"),
    *("length(", "substringof(", "year(", "round(", "geo.distance(", "st_within(", "\x00", "'; DROP TABLE x --"),
]
conditions = st.one_of(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), st.text(max_size=40))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def station(server, world_template, tmp_path_factory):
    made = Start(server.clone(world_template), tmp_path_factory.mktemp("things"))
    engine = server.database(made.database).admin_engine()
    with Session(engine) as session:
        add_station(session, "A", Point(113.26, 23.131))
        session.commit()
    engine.dispose()
    with opened(server, made) as services:
        pusher = Pusher(create_app(services).test_client(), issue_token(services, "A"))
        pusher.number = pusher.stream()
        assert pusher.batch(pusher.number, hours(3, float)).status_code == 201
        yield pusher
    server.drop(made.database)


def stated(answer):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        for refusal in answer.get_json(force=True)["refusals"]:
            assert not LEAKS.search(refusal["rule"] + refusal["fix"])


@CALM
@given(condition=conditions)
@example(condition="phenomenonTime eq 9999-12-31T23:59:59-14:00")
@example(condition="round(1e308 mul 1e308) gt 1")
@example(condition="result mod 1e-300 eq 0")
@example(condition="parameters/x gt 1 or parameters/x eq 'a' or parameters/x/y eq null")
@example(condition="geo.distance(Datastream/Thing/Locations/location, geography'POINT (113 23)') lt 1e9")
@example(condition="length(Datastream/unitOfMeasurement/symbol) gt 0")
def test_row_75__any_condition__stated(station, condition):
    stated(station.get("/Observations", **{"$filter": condition}))


@CALM
@given(order=conditions, expand=conditions, select=conditions)
@example(order="null", expand="", select="")
@example(order="true desc, 'a', 1, 2025-01-01T00:00:00Z", expand="", select="")
@example(order="1 add 1, not true, length('a')", expand="", select="")
def test_row_75__any_other_option__stated(station, order, expand, select):
    for name, value in (("$orderby", order), ("$expand", expand), ("$select", select)):
        stated(station.get("/Datastreams", **{name: value}))


@CALM
@given(body=json_values, path=st.sampled_from(["Observations", "CreateObservations", "Datastreams", "Sensors"]))
@example(
    body=[{"Datastream": {"@iot.id": 2**70}, "components": ["result"], "dataArray": [[1]]}], path="CreateObservations"
)
@example(body={"result": 1, "Datastream": {"@iot.id": True}}, path="Observations")
def test_any_document__stated(station, body, path):
    stated(station.post(f"/{path}", body))


@CALM
@given(
    row=st.lists(json_values, max_size=3),
    components=st.lists(st.sampled_from(["result", "phenomenonTime", "validTime", "parameters", "x"]), max_size=3),
)
@example(row=[1, "0001-01-01T00:00:00+14:00"], components=["result", "phenomenonTime"])
@example(row=[1, f"{NOON.isoformat()}/0001-01-01T00:00:00Z"], components=["result", "phenomenonTime"])
@example(row=[1, "9999-12-31T23:59:59-14:00/9999-12-31T23:59:59-15:00"], components=["result", "validTime"])
@example(row=[1, {"clientId": "\ud800"}], components=["result", "parameters"])
def test_any_row_of_a_data_array__stated(station, row, components):
    stated(station.batch(station.number, [row], components))
