"""Whatever a stranger sends, the answer is stated: never a 5xx, never a leak (promises P19, P30)."""

import io
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.test_errors import LEAKS

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
numbers = st.one_of(
    st.integers().map(str), st.floats().map(str), st.sampled_from(["1e999", "-0", "0x10", "٣", "1_000"])
)
values = st.one_of(words, numbers)
keys = st.one_of(st.sampled_from(["layer", "q", "kind", "state", "page"]), words)
branches = st.one_of(st.sampled_from(["device", "area", "route", "zone", "data", "tiles", "static"]), words)
KINDS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", "text/xml"]


def stated(answer):
    assert answer.status_code < 500
    if answer.mimetype == "application/problem+json":
        assert answer.status_code >= 400
        assert not LEAKS.search("".join(refusal["rule"] for refusal in answer.get_json(force=True)["refusals"]))


@CALM
@given(lon=values, lat=values, q=values)
@example(lon="113.27", lat="23.13", q="")
@example(lon="180", lat="-90", q="")
@example(lon="", lat="", q="90,180")
def test_home__any_question__stated(reader, lon, lat, q):
    stated(reader.get("/", query_string={"lon": lon, "lat": lat, "q": q}))


@CALM
@given(
    query=st.dictionaries(
        st.one_of(st.sampled_from(["layer", "q", "kind", "state", "page"]), words), values, max_size=4
    )
)
@example(query={"page": "10000", "q": "\\%_"})
def test_list__any_filter__stated(reader, query):
    stated(reader.get("/list", query_string=query))


@CALM
@given(
    branch=st.one_of(st.sampled_from(["device", "area", "route", "zone", "data", "tiles", "static"]), words),
    rest=values,
)
def test_any_path__stated(reader, branch, rest):
    # Encoded as a client would; an empty first segment would be a host of its own.
    stated(reader.get(f"/{quote(branch) or '-'}/{quote(rest)}", headers=HTML))


@CALM
@given(z=values, x=values, y=values)
@example(z="16", x="65535", y="65535")
@example(z="0", x="0", y="0")
def test_tile__any_address__stated(reader, z, x, y):
    answer = reader.get(f"/tiles/devices/{z}/{x}/{y}.mvt")
    stated(answer)
    assert len(answer.data) < 500_000


@CALM
@given(
    form=st.fixed_dictionaries({"at": values, "minutes": values, "route": values, "drone": values}),
    data=st.one_of(st.binary(max_size=300), words.map(str.encode)),
    name=st.sampled_from(["a.plan", "a.waypoints", "a.geojson", "a.txt", "a"]),
)
def test_pilot_check__any_form_and_file__stated(reading_as, form, data, name):
    body = {**form, "plan": (io.BytesIO(data), name)}
    stated(reading_as("F1").post("/pilot/check", data=body, headers=SAME_ORIGIN))


@pytest.mark.parametrize("body", [b"", b"\x00" * 100, b"a=1&" * 5000, b"{}", b"--x\r\n\r\n--x--", b"%ff%fe=%00"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/account/sign-in", "F1"),
        ("/pilot/check", "F1"),
        ("/review", "O1"),
        ("/review/DT-1", "O1"),
        ("/list", "F1"),
        ("/nowhere", "F1"),
    ],
)
def test_post__any_body_of_any_kind__stated(reading_as, path, code, kind, body):
    answer = reading_as(code).post(path, data=body, content_type=kind, headers=SAME_ORIGIN)
    stated(answer)
    assert answer.status_code != 403, "the body was never read"
