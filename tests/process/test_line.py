"""Our line to a vehicle against the simulated one, over real sockets, clean and disturbed."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.canonical import fence_digest, mission_digest
from flights.link.errors import LinkLost, VehicleRefused
from flights.link.items import ListKind
from flights.link.vehicle import VehicleLink
from flights.model import Command, Fence, FenceCircle, FencePolygon, Frame, PlanItem, WireItem
from flights.simulator.options import Faults
from geo.types import LonLat
from schemas.clock import SystemClock
from schemas.refusals import RuleViolation
from tests.process.flying import until
from tests.simulated import free_port, in_its_thread

RELATIVE = Frame.GLOBAL_RELATIVE_ALT
AREA = (LonLat(113.25, 23.12), LonLat(113.29, 23.12), LonLat(113.29, 23.14), LonLat(113.25, 23.14))
ZONE = (LonLat(113.2695, 23.1295), LonLat(113.2705, 23.1295), LonLat(113.2705, 23.1305))


def mission(count: int) -> list[WireItem]:
    places = [LonLat(113.255 + 0.0003 * n, 23.125 + 1e-7 * n) for n in range(count - 2)]
    items = [PlanItem(Command.NAV_TAKEOFF, RELATIVE, at=places[0], alt_m=100.0)]
    items += [PlanItem(Command.NAV_WAYPOINT, RELATIVE, at=at, alt_m=100.07) for at in places]
    items += [PlanItem(Command.NAV_RETURN_TO_LAUNCH)]
    return [item.wire() for item in items]


def fence() -> list[WireItem]:
    shape = Fence(
        (FencePolygon(AREA, inclusion=True), FencePolygon(ZONE, inclusion=False)),
        (FenceCircle(LonLat(113.28, 23.135), 55.5, inclusion=False),),
    )
    return [item.wire() for item in shape.items]


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_DC_1__hundred_items__read_back_with_the_same_digest(connected, loss):
    running, link = connected(faults=Faults(loss=loss))
    items = mission(100)
    read = link.missions.put(ListKind.MISSION, items)
    assert read.digest == mission_digest(items)
    assert len(read.items) == 100
    assert len(running.autopilot.mission._items) == 101


@pytest.mark.parametrize("scheme", ["udp", "udpout"])
def test_DC_1__over_udp__read_back_with_the_same_digest(simulated, scheme):
    port = free_port(socket.SOCK_DGRAM)
    ours = {"udp": "udpout", "udpout": "udpin"}[scheme]
    _, _ = simulated(listen=f"{scheme}:127.0.0.1:{port}")
    with VehicleLink.connect(f"{ours}:127.0.0.1:{port}", SystemClock()) as link:
        items = mission(20)
        assert link.missions.put(ListKind.MISSION, items).digest == mission_digest(items)


def test_DC_1__final_acknowledgement_lost__read_back_decides(connected):
    _, link = connected(faults=Faults(mute_final_ack=True))
    items = mission(5)
    assert link.missions.put(ListKind.MISSION, items).digest == mission_digest(items)


def test_DC_1__item_moved_by_half_a_metre__refused(connected):
    _, link = connected(faults=Faults(tamper_item=7))
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.MISSION, mission(12))
    assert [r.rule for r in refused.value.refusals] == ["mission.mismatch"]
    assert refused.value.status == 409
    assert "item 7" in refused.value.refusals[0].message()


def test_DC_1__fence__read_back_with_the_same_digest(connected):
    running, link = connected()
    read = link.missions.put(ListKind.FENCE, fence())
    assert read.digest == fence_digest(fence())
    assert running.autopilot.params["FENCE_TOTAL"] == 10  # two more than the items of the protocol
    assert link.missions.put(ListKind.FENCE, []).items == ()


def test_DC_1__second_mission_shorter__nothing_of_the_first_remains(connected):
    _, link = connected()
    link.missions.put(ListKind.MISSION, mission(30))
    assert len(link.missions.put(ListKind.MISSION, mission(4)).items) == 4


def test_mission__denied__refused_with_the_reason(connected, monkeypatch):
    monkeypatch.setattr("flights.link.mission.RETRY_PAUSE_S", 0.01)
    _, link = connected(faults=Faults(deny_mission=True))
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.MISSION, mission(5))
    assert refused.value.refusals[0].rule == "mission.refused"
    assert refused.value.refusals[0].measured == "DENIED"


def test_mission__unknown_command__refused_by_name(connected):
    _, link = connected()
    wrong = mission(5)[2]._replace(command=31_000)
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.MISSION, [*mission(5)[:2], wrong])
    assert refused.value.refusals[0].measured == "UNSUPPORTED"


@pytest.mark.parametrize(
    "wrong",
    [{"x": 910_000_000}, {"y": -1_800_000_001}, {"x": 23, "y": 113}, {"z": float("nan")}, {"frame": 1}],
    ids=["latitude", "longitude", "degrees", "height", "local frame"],
)
def test_mission__item_that_an_autopilot_might_take_silently__never_sent(connected, wrong):
    running, link = connected()
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.MISSION, [mission(5)[0], mission(5)[1]._replace(**wrong)])
    assert refused.value.refusals[0].rule == "mission.unsendable"
    assert "item 2" in refused.value.refusals[0].message()
    assert len(running._mission.items) == 1


def test_mission__latitude_out_of_range__refused_by_the_vehicle(connected, monkeypatch):
    monkeypatch.setattr("flights.link.mission.unsendable", lambda _items: [])
    _, link = connected()
    wrong = mission(5)[1]._replace(x=910_000_000)
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.MISSION, [wrong])
    assert refused.value.refusals[0].measured == "INVALID_PARAM5_X"


def test_fence__two_vertices__refused_with_the_vehicles_words(connected, monkeypatch):
    monkeypatch.setattr("flights.link.mission.RETRY_PAUSE_S", 0.01)
    _, link = connected()
    flat = [item._replace(param1=2.0) for item in fence()[:2]]
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.FENCE, flat)
    assert "vertex count" in refused.value.refusals[0].message()


def other_station_writes(running):
    """ArduPilot lets one ground station write at a time."""
    count = mavlink.MAVLink_mission_count_message(1, 1, 5, 0)
    count._header.srcSystem, count._header.srcComponent = 255, 190
    in_its_thread(running, lambda: running._mission.handle(count))


def test_mission__second_station_writing__denied(connected, monkeypatch):
    monkeypatch.setattr("flights.link.mission.RETRY_PAUSE_S", 0.01)
    monkeypatch.setattr("flights.simulator.transfer.GIVE_UP_REAL_S", 60.0)
    running, link = connected()
    other_station_writes(running)
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.MISSION, mission(3))
    assert refused.value.refusals[0].measured == "DENIED"


def test_mission__second_station_gives_up__ours_tries_again(connected, monkeypatch):
    monkeypatch.setattr("flights.simulator.transfer.GIVE_UP_REAL_S", 0.5)
    running, link = connected()
    other_station_writes(running)
    assert len(link.missions.put(ListKind.MISSION, mission(3)).items) == 3


def test_parameters__set_through_dronekit__read_back(connected):
    _, link = connected(faults=Faults(loss=0.1))
    assert link.set_parameter("FENCE_ALT_MAX", 117.5) == 117.5
    assert link.vehicle.parameters.get("FENCE_ALT_MAX", wait_ready=False) == 117.5
    assert link.read_parameter("FENCE_TYPE") == 7


def test_parameters__unknown_name__refused(connected, monkeypatch):
    monkeypatch.setattr("flights.link.vehicle.PARAMETER_REPEAT_S", 0.02)
    _, link = connected()
    with pytest.raises(VehicleRefused) as refused:
        link.read_parameter("NO_SUCH_NAME")
    assert refused.value.refusals[0].rule == "link.parameter"


def test_command__refused__with_the_vehicles_words(connected):
    """Arming before a position is known; the reason comes in a text of its own."""
    _, link = connected(speed_up=1.0)
    with pytest.raises(VehicleRefused) as refused:
        link.vehicle.armed = True
    assert "Bad fix" in refused.value.refusals[0].message()
    assert not link.vehicle.armed


def test_command__unknown_to_the_vehicle__refused(connected):
    _, link = connected()
    with pytest.raises(VehicleRefused, match="UNSUPPORTED"):
        link.commands.run(mavlink.MAV_CMD_DO_FLIGHTTERMINATION, 1.0)


def test_command__acknowledgement_of_another_order__not_taken_for_ours(connected, monkeypatch):
    monkeypatch.setattr("flights.link.commands.REPEAT_S", 0.2)
    monkeypatch.setattr("flights.link.commands.REASON_S", 0.05)
    monkeypatch.setattr("flights.link.commands.TRIES", 30)
    _, link = connected(faults=Faults(loss=0.3))
    for _ in range(5):
        link.commands.run(mavlink.MAV_CMD_RUN_PREARM_CHECKS)
        with pytest.raises(VehicleRefused, match=r"link\.command_refused: "):
            link.commands.run(mavlink.MAV_CMD_MISSION_START, 1.0, 0.0)


def test_link__dronekit_mission_upload__not_reachable(connected):
    """Its upload reports success for rejected missions, so it is cut off, not merely unused."""
    _, link = connected()
    from dronekit import Command as DronekitCommand

    link.vehicle.commands.add(DronekitCommand(0, 0, 0, 3, 16, 0, 1, 0, 0, 0, 0, 23.1, 113.2, 50))
    with pytest.raises(AttributeError, match="waypoint_clear_all_send"):
        link.vehicle.commands.upload()


def test_link__nobody_there__refused():
    with pytest.raises(VehicleRefused) as refused:
        VehicleLink.connect(f"tcp:127.0.0.1:{free_port()}", SystemClock())
    assert refused.value.refusals[0].rule == "link.unreachable"


def test_link__silent_port__no_heartbeat(monkeypatch):
    monkeypatch.setattr("flights.link.vehicle.HEARTBEAT_WAIT_S", 0.2)
    with pytest.raises(LinkLost) as lost:
        VehicleLink.connect(f"udpin:127.0.0.1:{free_port(socket.SOCK_DGRAM)}", SystemClock())
    assert lost.value.refusals[0].rule == "link.no_heartbeat"
    assert lost.value.status == 503


def test_link__vehicle_gone__lost_and_found_again(connected, monkeypatch):
    monkeypatch.setattr("flights.link.vehicle.SILENCE_LIMIT_S", 0.3)
    monkeypatch.setattr("flights.link.connection.REOPEN_EVERY_S", 0.05)
    running, link = connected()
    in_its_thread(running, running._wire.hang_up)
    link.wait(lambda: link.connection.counts["link.closed"] == 1, 60, "link.not_ready")
    before = link.connection.counts["accepted"]
    link.wait(lambda: link.connection.counts["accepted"] > before, 600, "link.not_ready")
    running.stop()
    with pytest.raises(LinkLost):
        link.wait(lambda: False, 1e9, "link.not_ready")


def heartbeat(system: int, autopilot: int = mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, kind: int = 2):
    return mavlink.MAVLink_heartbeat_message(kind, autopilot, 0, 0, 3, 3), mavlink.MAVLink(None, system, 1)


@pytest.fixture
def listening(monkeypatch):
    """A listening line and a function that sends it raw bytes from a socket of its own."""
    monkeypatch.setattr("flights.link.vehicle.HEARTBEAT_WAIT_S", 120.0)
    port = free_port(socket.SOCK_DGRAM)
    links: list[VehicleLink] = []
    made = threading.Thread(target=lambda: links.append(VehicleLink.connect(f"udpin:127.0.0.1:{port}", SystemClock())))
    made.start()
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]

    def send(data: bytes, who: int = 0) -> None:
        sockets[who].sendto(data, ("127.0.0.1", port))

    message, codec = heartbeat(1)
    while not links:
        send(message.pack(codec))
        time.sleep(0.02)
    made.join()
    yield links[0], send
    links[0].close()
    for each in sockets:
        each.close()


def settled(link: VehicleLink, reason: str, count: int) -> bool:
    deadline = time.monotonic() + 120
    while link.connection.counts[reason] < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return link.connection.counts[reason] >= count


def test_link__other_system_id__dropped_and_counted(listening):
    link, send = listening
    message, codec = heartbeat(66)
    send(message.pack(codec))
    assert settled(link, "link.identity", 1)
    assert link.connection.target_system == 1


SERIAL = mavlink.MAVLink_open_drone_id_basic_id_message(0, 0, [0] * 20, 1, 2, b"SN-1".ljust(20, b"\0"))


def of_module(heard) -> list[str]:
    return [kind for component, kind in heard if component != 1]


def test_link__remote_id_module_of_the_vehicle__heard_with_its_own_messages_alone(listening):
    link, send = listening
    module = mavlink.MAVLink(None, 1, mavlink.MAV_COMP_ID_ODID_TXRX_1)
    others = [
        heartbeat(1)[0],
        mavlink.MAVLink_heartbeat_message(mavlink.MAV_TYPE_ODID, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, 3, 3),
        mavlink.MAVLink_global_position_int_message(9_999_000, 1, 1, 0, 0, 0, 0, 0, 0),
        mavlink.MAVLink_statustext_message(0, b"land now"),
        mavlink.MAVLink_command_ack_message(400, 0),
        mavlink.MAVLink_mission_ack_message(245, 190, 0),
    ]
    heard = []
    link.connection.forward(lambda message: heard.append((message.get_srcComponent(), message.get_type())))
    for message in [*others, SERIAL]:
        send(message.pack(module))
    assert settled(link, "link.identity", len(others))
    send(SERIAL.pack(module))
    until(lambda: len(of_module(heard)) == 2)
    assert of_module(heard) == ["OPEN_DRONE_ID_BASIC_ID"] * 2
    assert link.telemetry.vehicle_s is None


@pytest.mark.parametrize(("system", "component"), [(66, 236), (66, 1), (1, 154), (1, 239), (1, 190)])
def test_link__remote_id_of_anybody_else__dropped(listening, system, component):
    link, send = listening
    send(SERIAL.pack(mavlink.MAVLink(None, system, component)))
    assert settled(link, "link.identity", 1)


def test_link__remote_id_module_speaks_on_without_the_autopilot__still_silent(listening):
    link, send = listening
    heard = []
    link.connection.forward(lambda message: heard.append((message.get_srcComponent(), message.get_type())))
    time.sleep(0.3)
    silent_s = link.connection.silence_s
    send(SERIAL.pack(mavlink.MAVLink(None, 1, mavlink.MAV_COMP_ID_ODID_TXRX_1)))
    until(lambda: of_module(heard))
    assert link.connection.silence_s >= silent_s > 0.2


def test_link__mavlink_1_frame__dropped(listening):
    link, send = listening
    message, codec = heartbeat(1)
    send(message.pack(codec, force_mavlink1=True))
    assert settled(link, "link.mavlink1", 1)


def test_link__random_bytes__no_exception_leaves_the_link(listening):
    import random

    link, send = listening
    noise = random.Random(7)
    for _ in range(400):
        send(noise.randbytes(noise.randrange(1, 300)))
        send(b"\xfd" + noise.randbytes(40))
    message, codec = heartbeat(1)
    send(message.pack(codec))
    assert settled(link, "link.garbage", 100)
    assert link.connection._thread.is_alive()
    assert link.connection.counts["listener.error"] == 0


def test_link__other_source_port__neither_heard_nor_answered(listening):
    """One vehicle is pinned; ten thousand strangers on the port are not ten thousand recipients."""
    link, send = listening
    before = link.connection.counts["accepted"]
    message, codec = heartbeat(1)
    for _ in range(20):
        send(message.pack(codec), who=1)
    # What the vehicle says behind them is heard, and it alone.
    send(message.pack(codec))
    assert settled(link, "accepted", before + 1)
    assert link.connection.counts["accepted"] == before + 1


def test_link__not_an_arducopter__refused(monkeypatch):
    monkeypatch.setattr("flights.link.vehicle.HEARTBEAT_WAIT_S", 120.0)
    port = free_port(socket.SOCK_DGRAM)
    message, codec = heartbeat(1, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    stop = threading.Event()

    def beat():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not stop.wait(0.05):
                out.sendto(message.pack(codec), ("127.0.0.1", port))

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        with pytest.raises(VehicleRefused) as refused:
            VehicleLink.connect(f"udpin:127.0.0.1:{port}", SystemClock())
    finally:
        stop.set()
        beating.join()
    assert refused.value.refusals[0].rule == "link.not_copter"


@pytest.mark.parametrize("url", ["", "tcp:", "tcp:host", "tcp:h:0", "tcp:h:99999", "http://x:1", "udp:a b:1", "/etc/x"])
def test_link__bad_address__refused_as_such(url):
    with pytest.raises(RuleViolation) as refused:
        VehicleLink.connect(url, SystemClock())
    assert refused.value.refusals[0].rule == "link.url"
    assert refused.value.status == 422
