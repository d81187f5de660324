"""5.3: the coverage grid tells no single device: no direction, no range below half a kilometre, no secret."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.coverage_grid import cover_where_due
from schemas.store.engine import APP
from tests.classified import CLASSIFIED
from tests.database.plain import Plain

DEGREE_M = 111_320.0
# Places of devices, in metres east and north of the middle of the district, and how far each sees.
DEVICES = st.lists(
    st.tuples(st.integers(-1500, 1500), st.integers(-1500, 1500), st.floats(10, 2400)), min_size=1, max_size=7
)


@pytest.fixture
def engine(blank):
    made = blank.engine(APP)
    yield made
    made.dispose()


def place(east_m, north_m):
    lon = 113.26 + east_m / (DEGREE_M * math.cos(math.radians(23.13)))
    return f"SRID=4326;POINT({lon:.6f} {23.13 + north_m / DEGREE_M:.6f})"


@pytest.fixture
def unjudged(plain, root):
    """Rows that no rule judges: what is looked at here is the grid alone."""
    root.execute("SET session_replication_role = replica")
    return Plain(root)


@pytest.fixture
def grid(unjudged, root):
    """The grid over these devices, and nothing else; as {(x, y): at least}."""

    def make(devices, **more):
        root.execute("DELETE FROM core.device; DELETE FROM core.device_site")
        for east, north, range_m in devices:
            unjudged.device("active", place=place(east, north), range_m=range_m, **more)
        return {(x, y): n for x, y, n in root.execute("SELECT x, y, at_least FROM core.coverage_now")}

    return make


def reaches(device, cell):
    """Whether a disc of the next full half kilometre reaches a cell, worked out here and not by the database."""
    east, north, range_m = device
    lon, lat = (float(part) for part in place(east, north)[16:-1].split())
    x, y = 6378137 * math.radians(lon), 6378137 * math.log(math.tan(math.pi / 4 + math.radians(lat) / 2))
    radius = math.ceil(range_m / 500) * 500 / math.cos(math.radians(lat))
    dx = max(cell[0] * 500 - x, x - (cell[0] + 1) * 500, 0)
    dy = max(cell[1] * 500 - y, y - (cell[1] + 1) * 500, 0)
    return math.hypot(dx, dy) <= radius


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DEVICES, st.data())
def test_grid__however_it_is_compared__tells_no_range_below_500_m(grid, devices, data):
    before = grid(devices)
    chosen = data.draw(st.integers(0, len(devices) - 1))
    east, north, range_m = devices[chosen]
    low = math.ceil(range_m / 500) * 500 - 500
    other = data.draw(st.floats(low, low + 500, exclude_min=True))
    changed = [*devices[:chosen], (east, north, other), *devices[chosen + 1 :]]
    assert grid(changed) == before


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DEVICES)
def test_grid__every_cell__is_reached_by_three_and_more(grid, devices):
    found = grid(devices)
    for cell, at_least in found.items():
        assert sum(reaches(device, cell) for device in devices) >= at_least >= 3


@pytest.mark.parametrize("number", [1, 2])
def test_grid__of_one_or_two_devices__is_empty(grid, number):
    assert grid([(0, 0, 900.0)] * number) == {}


def test_grid__of_three__is_there(grid):
    found = grid([(0, 0, 900.0), (100, 0, 900.0), (0, 100, 900.0)])
    assert len(found) > 9
    assert set(found.values()) == {3}


def test_grid__direction__changes_nothing(grid):
    devices = [(0, 0, 900.0), (100, 0, 900.0), (0, 100, 900.0)]
    assert grid(devices, sector_azimuth_deg=10.0, hfov_deg=20.0) == grid(devices, sector_azimuth_deg=200.0)


def test_GD_14_6__grid__knows_no_secret_device(grid, unjudged, root):
    before = grid([(0, 0, 900.0), (100, 0, 900.0)])
    unjudged.device("active", place=place(0, 100), range_m=900.0, secret=True, **CLASSIFIED)
    assert before == {}
    assert root.execute("SELECT count(*) FROM core.coverage_now").fetchone() == (0,)


@pytest.mark.parametrize("values", [{"state": "registered"}, {"category": "mobile", "platform": "uav"}])
def test_grid__of_what_is_not_in_use_or_has_no_place__is_empty(grid, unjudged, root, values):
    grid([])
    state = values.pop("state", "active")
    for east in (0, 100, 200):
        unjudged.device(state, place=place(east, 0), range_m=900.0, **values)
    assert root.execute("SELECT count(*) FROM core.coverage_now").fetchone() == (0,)


def test_cover__where_nothing_changed__waits(grid, engine, root):
    grid([(0, 0, 900.0), (100, 0, 900.0), (0, 100, 900.0)])
    assert cover_where_due(engine)
    shown = root.execute("SELECT count(*), bool_and(ST_IsValid(geom)) FROM public_map.coverage").fetchone()
    assert shown[0] > 9
    assert shown[1]
    assert not cover_where_due(engine, wait_s=0)
    root.execute("UPDATE core.coverage_made SET seq = seq - 1")
    assert not cover_where_due(engine)
    assert cover_where_due(engine, wait_s=0)
