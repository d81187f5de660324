"""A zone written and read again is the same zone, in either format; through both, what both can hold."""

from datetime import UTC, datetime, time, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from geo import geozones
from geo.geozones.model import DAYS, EVENTS, PURPOSES, REASONS, RESTRICTIONS
from geo.types import LonLat

WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x9FFF, exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=30
)
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from(["", "en", "zh", "fr-BE"])), max_size=2).map(tuple)
OFFSETS = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))])
CLOCKS = st.builds(time, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), tzinfo=OFFSETS)
INSTANTS = st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=OFFSETS)
HEIGHTS = st.none() | st.integers(0, 4_000).map(lambda quarter: quarter / 4)
SHAPES = st.builds(lambda x, y, w, h: box(x, y, x + w, y + h), *[st.integers(1, 80)] * 2, *[st.integers(1, 5)] * 2)
CIRCLES = st.builds(
    geozones.Circle, st.builds(LonLat, st.integers(-180, 180), st.integers(-90, 90)), st.integers(1, 9_000).map(float)
)
REFERENCES = st.sampled_from(["AGL", "AMSL"])
VOLUMES = st.builds(geozones.Volume, SHAPES | CIRCLES, HEIGHTS, REFERENCES, HEIGHTS, REFERENCES)
MOMENTS = CLOCKS | st.sampled_from(EVENTS)
DAILY = st.builds(
    geozones.Daily, st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True).map(tuple), MOMENTS, MOMENTS
)
PERIODS = st.builds(geozones.Period, INSTANTS, INSTANTS, st.lists(DAILY, max_size=2).map(tuple))
OPTIONAL = st.none() | WORDS
AUTHORITIES = st.builds(
    geozones.Authority,
    st.none() | st.sampled_from(PURPOSES),
    TEXTS,
    TEXTS,
    TEXTS,
    OPTIONAL,
    OPTIONAL,
    OPTIONAL,
    OPTIONAL,
)
ZONES = st.builds(
    geozones.Geozone,
    WORDS,
    st.just("CHN"),
    st.sampled_from(RESTRICTIONS),
    st.lists(VOLUMES, min_size=1, max_size=2).map(tuple),
    TEXTS,
    st.sampled_from(["COMMON", "CUSTOMIZED", "Whatever"]),
    st.lists(WORDS, max_size=2).map(tuple),
    st.none() | st.integers(0, 99),
    st.lists(st.sampled_from(REASONS), max_size=3, unique=True).map(tuple),
    TEXTS,
    st.none() | st.booleans(),
    TEXTS,
    # One period that holds always is what saying nothing means.
    st.lists(PERIODS, max_size=2).map(tuple).filter(lambda periods: periods != (geozones.Period(),)),
    st.lists(AUTHORITIES, max_size=2).map(tuple),
    OPTIONAL,
)


def shape(zone):
    """A zone with its shapes in a form that compares: whatever corner a ring begins at."""
    return [v.shape if isinstance(v.shape, geozones.Circle) else v.shape.normalize().wkt for v in zone.volumes]


@given(st.lists(ZONES, min_size=1, max_size=2), st.sampled_from(geozones.FORMATS))
def test_written_and_read__the_same_where_nothing_is_listed_as_lost(zones, name):
    data, losses = geozones.write(zones, name)
    again = geozones.read(data)
    lost = {loss.zone for loss in losses}
    for before, after in zip(zones, again, strict=True):
        assert shape(before) == shape(after)
        if before.identifier not in lost:
            assert _plain(before) == _plain(after)
    assert all(loss.message(lang) for loss in losses for lang in ("en", "zh"))


def _plain(zone):
    return [getattr(zone, name) for name in zone.__slots__ if name != "volumes"]


@given(st.lists(ZONES, min_size=1, max_size=2), st.sampled_from(geozones.FORMATS), st.sampled_from(geozones.FORMATS))
def test_every_pair__written_once_more_loses_nothing_new(zones, first, second):
    once = geozones.read(geozones.write(zones, first)[0])
    twice = geozones.read(geozones.write(once, second)[0])
    data, losses = geozones.write(twice, second)
    assert {loss.what for loss in losses} <= {"language", "languages", "uspace_class", "open_end"}
    assert [shape(zone) for zone in geozones.read(data)] == [shape(zone) for zone in once]


@given(st.binary(max_size=200))
def test_any_bytes__zones_or_refusals(data):
    from schemas.refusals import RuleViolation

    for start in (b"", b'{"features":[{"geometry":[],', b'{"type":"FeatureCollection","features":['):
        try:
            geozones.read(start + data)
        except RuleViolation as violation:
            assert violation.render("zh")  # noqa: PT017
