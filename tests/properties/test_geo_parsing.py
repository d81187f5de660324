"""Whatever a stranger sends, the readers answer with a geometry or with a refusal, and nothing else."""

import contextlib
import json

import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shapely.geometry import mapping

from geo.geojson import parse_document, parse_geometry
from schemas.refusals import RuleViolation

KINDS = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
numbers = st.one_of(
    st.floats(-200, 200),
    st.integers(-200, 200),
    st.sampled_from([float("nan"), float("inf"), 10**400, True, None, "113", 1e-300]),
)


def refused_or(read, statuses):
    """What `read` returns, or None when it was refused properly."""
    with contextlib.suppress(RuleViolation):
        return read()
    with pytest.raises(RuleViolation) as caught:
        read()
    assert caught.value.status in statuses
    for lang in ("en", "zh"):
        json.dumps(caught.value.render(lang), allow_nan=False).encode()
    return None


positions = st.lists(numbers, max_size=4)
coordinates = st.recursive(positions, lambda inner: st.lists(inner, max_size=5), max_leaves=30)
geometries = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*KINDS, "GeometryCollection", "Circle", "", None, 3]),
        "coordinates": coordinates | st.text(max_size=5) | st.none(),
        "geometries": st.just([]),
        "crs": st.none() | st.text(max_size=10) | st.just({"properties": None}),
    },
)

# What is nearly sound, and now and then is: of what is anything at all, nothing ever is.
near = st.tuples(st.floats(-181, 181), st.floats(-91, 91)).map(list)
rings = st.lists(near, min_size=2, max_size=5).map(lambda ring: [*ring, ring[0]])
lines = st.lists(near, min_size=1, max_size=5)
of_kind = {
    "Point": near | st.tuples(near, numbers).map(lambda place: [*place[0], place[1]]),
    "MultiPoint": lines,
    "LineString": lines,
    "MultiLineString": st.lists(lines, max_size=3),
    "Polygon": st.lists(rings, max_size=2),
    "MultiPolygon": st.lists(st.lists(rings, max_size=2), max_size=2),
}
nearly_sound = st.sampled_from(KINDS).flatmap(
    lambda kind: st.fixed_dictionaries({"type": st.just(kind), "coordinates": of_kind[kind]})
)


@given(nearly_sound | geometries | st.text(max_size=5) | st.none() | coordinates)
@example({"type": "Point", "coordinates": [180.0, -90.0]})
@example({"type": "LineString", "coordinates": [[-180.0, 90.0], [180.0, 90.0]]})
@example({"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 1]]]})
@settings(max_examples=300)
def test_geometry__anything__is_valid_or_refused(obj):
    made = refused_or(lambda: parse_geometry(obj, allow=KINDS), {422})
    if made is None:
        return
    assert made.is_valid
    assert not made.is_empty
    assert not made.has_z
    west, south, east, north = made.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90


json_texts = st.text(alphabet='{}[]"\\,:eE+-.0123456789NaInfty ud8', max_size=60)
# A member whose value may be one of JSON, and whose text may hold anything that can be escaped.
members = st.tuples(
    st.text(max_size=5).map(json.dumps), json_texts | numbers.map(json.dumps) | st.text().map(json.dumps)
)


@given(st.binary(max_size=200) | st.one_of(json_texts, members.map("{%s: %s}".__mod__)).map(str.encode))
@settings(max_examples=500)
def test_document__any_bytes__an_object_or_a_refusal(data):
    document = refused_or(lambda: parse_document(data), {400, 413, 422})
    if document is None:
        return
    assert isinstance(document, dict)
    # Whatever was taken can be stored and told: as UTF-8, with finite numbers and without NUL.
    assert b"\x00" not in json.dumps(document, allow_nan=False, ensure_ascii=False).encode()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abc[]{}"\\', max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abc", max_size=3), json_values, max_size=4), st.booleans())
def test_document__lawful_json__read_back_unchanged(document, ascii_only):
    assert parse_document(json.dumps(document, ensure_ascii=ascii_only).encode()) == document


@given(st.floats(-179, 178), st.floats(-80, 79), st.floats(0.0001, 0.5), st.floats(0.0001, 0.5))
def test_geometry__a_sound_polygon__comes_back_unchanged(west, south, width_deg, height_deg):
    box = shapely.box(west, south, west + width_deg, south + height_deg)
    decoded = json.loads(json.dumps(mapping(box)))
    assert parse_geometry(decoded, allow={"Polygon"}).equals(box)
