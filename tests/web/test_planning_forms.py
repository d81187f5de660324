"""Whatever a planner or a reviewer sends, the answer is stated: never a 5xx."""

import io

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.drafting import get, plan, post, site

CALM = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.sampled_from(["1e999", "-0", "nan", "inf", "٣", "1_000", "0x10", "113,26", "1" * 400, "23.13", "113.26"])
SAID = st.one_of(WORDS, NUMBERS)


def stated(answer):
    assert answer.status_code < 500, answer.text[-300:]


@CALM
@given(lon=SAID, lat=SAID, azimuth=SAID, platform=SAID, number=st.one_of(WORDS, st.sampled_from(["1", "0", "99999"])))
@example(lon="180", lat="90", azimuth="0", platform="fixed", number="1")
@example(lon="1.5", lat="\x00", azimuth="0", platform="fixed", number="1")
def test_plan__any_site__stated(reading_as, lon, lat, azimuth, platform, number):
    one = site("1", lon=lon, lat=lat, sector_azimuth_deg=azimuth, hfov_deg="70", range_m="80", platform=platform)
    stated(post(reading_as("N1"), "/planner/plans/new", plan(one) | {"sites": [number, "1"]}))


@CALM
@given(shape=SAID, low=SAID, code=SAID, plan_id=st.one_of(st.just(""), SAID))
@example(shape="113.3 23.1\n" * 3, low="1", code="X", plan_id="")
@example(shape='{"type":"Polygon","coordinates":[[[1,1],[1,1],[1,1],[1,1]]]}', low="60", code="Y", plan_id="")
@example(shape='{"features":[{}]}', low="60", code="Z", plan_id="")
@example(shape="[" * 200, low="60", code="V", plan_id="")
@example(shape='{"a":' * 200, low="60", code="W", plan_id="")
@example(shape="\n".join(f"{113 + i / 1e6}, 23" for i in range(9_000)), low="60", code="U", plan_id="")
def test_area__any_corners__stated(reading_as, shape, low, code, plan_id):
    fields = {"code": code, "authority": "A1", "item": "ECO-01", "siting_plan": plan_id, "shape": shape}
    names = dict.fromkeys(("name_en", "name_zh", "purpose_en", "purpose_zh"), "x")
    heights = {"alt_min_agl_m": low, "alt_max_agl_m": "99"}
    answer = post(reading_as("N1"), "/planner/areas/new", fields | names | heights)
    stated(answer)
    # A plan that nobody knows ends the reading before the shape.
    assert plan_id or answer.status_code == 422


@CALM
@given(
    data=st.one_of(st.binary(max_size=200), WORDS.map(str.encode)),
    suffix=st.sampled_from(["csv", "geojson", "gpkg", "zip", "shp", ""]),
)
@example(data=b"lon,lat\n" + b"1,1\n" * 2_000, suffix="csv")
@example(data=(",".join(f"c{i}" for i in range(200)) + "\n").encode(), suffix="csv")
def test_import__any_file__stated(reading_as, data, suffix):
    body = {"title_en": "x", "title_zh": "x", "authority": "A1", "crs": "EPSG:4326"}
    for path in ("plans", "devices"):
        file = {"file": (io.BytesIO(data), f"f.{suffix}")}
        stated(post(reading_as("N1"), f"/planner/{path}/import", body | file))


@CALM
@given(kind=SAID, state=SAID, page=SAID, name=WORDS)
def test_lists__any_filter_and_name__stated(reading_as, kind, state, page, name):
    stated(get(reading_as("N1"), "/planner", kind=kind, state=state, page=page, mine=kind))
    stated(get(reading_as("L1"), "/reviews", kind=kind, task=state))
    stated(reading_as("L1").get("/reviews/plans/" + (name.replace("/", "") or "-"), headers=HTML))


@pytest.mark.parametrize("path", ["/planner/plans/SP-1/justify", "/reviews/plans/SP-1/return", "/planner/areas/PA1"])
@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"version=99999999999999999999", b"version=-1&reason=%00", b"a=1&" * 9_000]
)
def test_step__any_body__stated(reading_as, path, body):
    kind = "application/x-www-form-urlencoded"
    for code in ("N1", "H1"):
        stated(reading_as(code).post(path, data=body, content_type=kind, headers={**SAME_ORIGIN, **HTML}))
