"""A simulated vehicle on a real socket for every test that asks for one."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from flights import commands, queries
from flights.formats import write_plan
from flights.ground import TERRAIN_FILE, open_ground
from flights.link.vehicle import VehicleLink
from flights.model import Frame
from flights.simulator.process import Simulator
from schemas import tables as t
from schemas.clock import SystemClock
from schemas.store.work import find
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.simulated import START, free_port, simulator
from tests.situations import R1, drawn
from tests.station import Station
from tests.world import HOME_AMSL_M

__all__ = ["START", "free_port", "simulator"]
END = TEN_ON_THE_FIRST_FLYING_DAY + timedelta(hours=2)


@pytest.fixture(autouse=True)
def _patient_aircraft(monkeypatch):
    """It gives up nobody who is held up by a busy machine; where it is to give up, a test says so."""
    monkeypatch.setattr("flights.simulator.transfer.GIVE_UP_REAL_S", 60.0)


@pytest.fixture
def simulated():
    """`simulated(**options)` starts a simulator and gives (simulator, URL) until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(simulator(**options))


@pytest.fixture
def station():
    """`station(**options)` starts a simulator and gives (simulator, station) until the test ends."""
    with contextlib.ExitStack() as stack:

        def make(**options: object) -> tuple[Simulator, Station]:
            running, url = stack.enter_context(simulator(**({"speed_up": 200.0} | options)))
            made = Station(url, key=options.get("key"))
            stack.callback(made.socket.close)
            return running, made

        yield make


@pytest.fixture
def connected(simulated):
    """`connected(**options)` starts a simulator and gives (simulator, link) until the test ends."""
    with contextlib.ExitStack() as stack:

        def make(**options: object) -> tuple[Simulator, VehicleLink]:
            running, url = simulated(**options)
            return running, stack.enter_context(VehicleLink.connect(url, SystemClock()))

        yield make


def geotiff(path, pixels, transform, crs):
    shape = {"count": pixels.shape[0], "height": pixels.shape[1], "width": pixels.shape[2], "dtype": pixels.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape) as out:
        out.write(pixels)
    return path


@pytest.fixture
def house(services):
    """The services over level ground."""
    level = np.full((1, 20, 20), HOME_AMSL_M, np.float32)
    where = Affine(0.01, 0.0, 113.20, 0.0, -0.01, 23.22)
    geotiff(services.data_dir / TERRAIN_FILE, level, where, "EPSG:4326")
    return services


@pytest.fixture
def under_clock(house):
    """The same house under another clock, closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda clock: stack.enter_context(contextlib.closing(house.with_clock(clock)))


@pytest.fixture
def filed(house, work):
    """A flight of F1 along R1, filed and checked, from ten to noon."""
    with work("F1") as unit:
        filing = commands.Filing(
            data=write_plan(drawn(R1, 100.0, Frame.GLOBAL_RELATIVE_ALT), ".plan"),
            name="r1.plan",
            route=find(unit.session, t.PatrolRoute, "R1"),
            inspection=find(unit.session, t.InspectionPlan, "IP-2025-1"),
            drone=queries.drone_named(unit.session, "DR1"),
            start=TEN_ON_THE_FIRST_FLYING_DAY,
            end=END,
        )
        number = commands.file_flight(unit, filing).public_id
        unit.commit()
    with open_ground(house.data_dir) as ground, work("SYSTEM") as unit:
        assert commands.precheck(unit, unit.get(t.Flight, number), ground) == []
        unit.commit()
    return number


@pytest.fixture
def cleared(house, work, filed):
    with open_ground(house.data_dir) as ground, work("H1") as unit:
        commands.clear(unit, unit.get(t.Flight, filed), ground)
        unit.commit()
    return filed


@pytest.fixture(scope="module")
def ortho(tmp_path_factory):
    """A coarse grey orthophoto around R1."""
    grey = np.full((3, 400, 2_000), 90, np.uint8)
    where = Affine(2e-5, 0.0, 113.2500, 0.0, -2e-5, 23.1290)
    return geotiff(tmp_path_factory.mktemp("ortho") / "ortho.tif", grey, where, "EPSG:4326")
