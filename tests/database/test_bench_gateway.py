"""The bench of the gateway's path sees to it that nothing is lost; and it notices when something is."""

import pytest

from bench import fleet, gateway

SECONDS = 2


@pytest.fixture
def vehicles():
    return fleet.vehicles(2, SECONDS)


@pytest.fixture
def gateways(database, tmp_path, vehicles):
    gateway.write_terrain(tmp_path, vehicles)
    made = gateway.Gateways(database, tmp_path, vehicles)
    yield made
    made.close()


def test_gateway_path__frames_and_positions__accepted_recorded_judged_and_stored(gateways, vehicles, admin, tmp_path):
    for _turn in range(2):
        gateways.prepare()
        assert gateways.fly() == [vehicle.frames for vehicle in vehicles]
        assert gateways.nothing_lost()
    states = admin.execute("SELECT conformance, count(*) FROM core.telemetry_point GROUP BY 1").fetchall()
    assert dict(states) == {"activated": 2 * (SECONDS * fleet.HERTZ - 1), None: 2}
    assert not list(tmp_path.glob("*.tlog"))


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM core.telemetry_point WHERE id = (SELECT max(id) FROM core.telemetry_point)",
        "UPDATE core.telemetry_point SET boot_ms = boot_ms + 1 WHERE boot_ms = 60500",
        "UPDATE core.telemetry_point SET geom = ST_Translate(geom, 0.0000002, 0) WHERE boot_ms = 60500",
        "UPDATE core.telemetry_point SET conformance = NULL WHERE boot_ms = 60500",
        "UPDATE core.telemetry_point SET implausible = NOT implausible WHERE boot_ms = 60500",
    ],
)
def test_gateway_path__one_position_lost_or_not_judged__noticed(gateways, admin, change):
    gateways.prepare()
    gateways.fly()
    admin.execute("SET session_replication_role = replica")
    admin.execute(change)
    assert not gateways.nothing_lost()


def test_gateway_path__one_frame_missing_in_the_raw_record__noticed(gateways):
    gateways.prepare()
    gateways.fly()
    one = gateways._followed[0].recorder.path
    one.write_bytes(one.read_bytes()[:-1])
    assert not gateways.nothing_lost()
