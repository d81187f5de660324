"""Whole short flights of the simulated vehicle, told over the real protocol."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import rasterio
from PIL import ExifTags, Image
from pymavlink.dialects.v20 import ardupilotmega as mavlink
from rasterio.transform import Affine

from flights.link import sequence, telemetry
from flights.link.errors import VehicleRefused
from flights.link.recorder import Recorder
from flights.link.sequence import Orders
from flights.link.vehicle import VehicleLink
from flights.model import Command, Fence, FencePolygon, Frame, PlanItem
from geo.types import LonLat
from schemas.clock import SystemClock
from sensing import photo
from tests.process import followed
from tests.process.conftest import START

HOME = LonLat(113.2545, 23.1250)
RELATIVE = Frame.GLOBAL_RELATIVE_ALT
AREA = (LonLat(113.25, 23.12), LonLat(113.29, 23.12), LonLat(113.29, 23.14), LonLat(113.25, 23.14))


def orders(*places: LonLat, alt_m=60.0, every_m=40.0, ring=AREA, alt_max_m=80.0, zone=()) -> Orders:
    items = [
        PlanItem(Command.NAV_TAKEOFF, RELATIVE, at=HOME, alt_m=alt_m),
        PlanItem(Command.DO_CHANGE_SPEED, params=(1.0, 12.0, -1.0, 0.0)),
        PlanItem(Command.DO_SET_CAM_TRIGG_DIST, params=(every_m, 0.0, 1.0, 0.0)),
        *(PlanItem(Command.NAV_WAYPOINT, RELATIVE, at=place, alt_m=alt_m) for place in places),
        PlanItem(Command.DO_SET_CAM_TRIGG_DIST),
        PlanItem(Command.NAV_RETURN_TO_LAUNCH),
    ]
    polygons = [FencePolygon(ring, inclusion=True)]
    polygons += [FencePolygon(zone, inclusion=False)] if zone else []
    fence = [item.wire() for item in Fence(tuple(polygons)).items]
    return Orders([item.wire() for item in items], fence, alt_max_m, 5_000.0, 3_600.0)


def fly(link: VehicleLink, asked: Orders, stop=lambda: None):
    samples = []
    prepared = sequence.prepare(link, asked)
    sequence.wait_ready(link)
    followed.verify(link, prepared)
    sequence.arm(link)
    sequence.start(link)
    return followed.follow(link, asked, samples.append, stop), samples


WAY = (LonLat(113.2550, 23.1250), LonLat(113.2580, 23.1250), LonLat(113.2580, 23.1262))


@pytest.fixture
def ortho(tmp_path):
    """A synthetic orthophoto around the home, 0.5 m, whose colour tells the place; its west half is missing."""
    path = tmp_path / "ortho.tif"
    width, height = 1200, 1000
    from pyproj import Transformer

    easting, northing = Transformer.from_crs(4326, 32649, always_xy=True).transform(*HOME)
    west, north = easting - 20, northing + height / 4
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    bands = np.stack([columns // 5, rows // 4, np.full_like(rows, 200)]).astype(np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=3, dtype="uint8", crs="EPSG:32649",
        transform=Affine(0.5, 0.0, west, 0.0, -0.5, north),
    ) as out:  # fmt: skip
        out.write(bands)
    return path


def test_flight__mission_flown__landed_with_pictures(connected, ortho, tmp_path):
    frames = tmp_path / "frames"
    running, link = connected(ortho=ortho, frames=frames, wind_m_s=5.0)
    end, samples = fly(link, orders(*WAY))
    assert end.outcome is followed.Outcome.LANDED
    assert end.reason is None
    assert not link.vehicle.armed
    highest = max(sample.alt_rel_home_m for sample in samples)
    assert highest == pytest.approx(60.0, abs=1.0)
    assert samples[-1].alt_rel_home_m == pytest.approx(0.0, abs=0.1)
    assert abs(samples[-1].lon - HOME.lon) < 2e-5
    leg = [s for s in samples if 113.2555 < s.lon < 113.2575 and s.mission_seq <= 5]
    assert max(abs(s.lat - 23.125) for s in leg) * 110_750 < 0.8
    pictures = sorted(frames.glob("*.jpg"))
    assert len(pictures) == end.pictures == running.pictures
    assert len(pictures) >= 10
    assert not list(frames.glob("*.part"))
    check_picture(pictures[5], link, samples)


def check_picture(path, link, samples):
    with Image.open(path) as image:
        exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
        gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        xmp = image.info["xmp"].decode()
        assert image.size == (1400, 1050)
        pixels = np.asarray(image)
    assert exif[ExifTags.Base.OffsetTimeOriginal] == "+00:00"
    assert exif[ExifTags.Base.DateTimeOriginal].startswith(f"{START:%Y:%m:%d}")
    lon = sum(float(part) / 60**n for n, part in enumerate(gps[ExifTags.GPS.GPSLongitude]))
    lat = sum(float(part) / 60**n for n, part in enumerate(gps[ExifTags.GPS.GPSLatitude]))
    near = min(samples, key=lambda s: abs(s.lon - lon) + abs(s.lat - lat))
    assert abs(near.lon - lon) < 3e-5
    taken = f"{link.telemetry.utc(near.boot_ms):%H:%M}"
    assert exif[ExifTags.Base.DateTimeOriginal][11:16] == taken
    assert 'drone-dji:GimbalPitchDegree="-90.00"' in xmp
    assert f'drone-dji:RelativeAltitude="+{60}' in xmp or 'RelativeAltitude="+59' in xmp
    read = photo.read(path)
    assert (read.lon, read.lat) == pytest.approx((lon, lat))
    assert read.heading_deg == pytest.approx(90, abs=2)
    assert read.gimbal_pitch_deg == -90
    assert read.alt_amsl_m - read.alt_above_takeoff_m == pytest.approx(12.0, abs=0.02)
    assert read.taken.endswith("+00:00")
    # The aircraft flies east, so the top of the picture is east and its left is north.
    column, row = centre_of_ortho(lon, lat)
    red, green, _ = pixels[525, 700]
    assert abs(int(red) - column // 5) <= 2
    assert abs(int(green) - row // 4) <= 2
    assert int(pixels[100, 700, 0]) > int(red) > int(pixels[950, 700, 0])
    assert int(pixels[525, 100, 1]) < int(green) < int(pixels[525, 1300, 1])


def centre_of_ortho(lon, lat):
    from pyproj import Transformer

    project = Transformer.from_crs(4326, 32649, always_xy=True).transform
    (east, north), (home_e, home_n) = project(lon, lat), project(*HOME)
    return (east - home_e + 20) * 2, (home_n + 250 - north) * 2


def test_flight__waypoint_beyond_the_fence__turned_back_on_board(connected):
    """ArduPilot accepts a mission that leaves its fence; the fence holds in the air."""
    ring = (LonLat(113.25, 23.12), LonLat(113.256, 23.12), LonLat(113.256, 23.14), LonLat(113.25, 23.14))
    _, link = connected()
    end, samples = fly(link, orders(*WAY, ring=ring))
    assert end == followed.End(followed.Outcome.ABORTED, "fence_breach", end.pictures)
    assert max(s.lon for s in samples) < 113.2564
    assert "Polygon fence breached" in link.telemetry.recent_texts()


def test_flight__privacy_zone_in_the_way__turned_back_on_board(connected):
    zone = (LonLat(113.2565, 23.1245), LonLat(113.2570, 23.1245), LonLat(113.2570, 23.1255), LonLat(113.2565, 23.1255))
    _, link = connected()
    end, _ = fly(link, orders(*WAY, zone=zone))
    assert end.reason == "fence_breach"


def test_flight__too_high_for_the_fence__turned_back_on_board(connected):
    _, link = connected()
    end, samples = fly(link, orders(*WAY, alt_m=60.0, alt_max_m=50.0))
    assert end.reason == "fence_breach"
    assert max(s.alt_rel_home_m for s in samples) < 55


def test_prepare__what_the_vehicle_said_of_its_checks_before_it_was_written_to__counts_no_more(connected, monkeypatch):
    _, link = connected()
    sequence.request_streams(link)
    link.wait(lambda: link.telemetry.prearm_ok, 60.0, "link.not_ready")
    # Nothing more is heard of its checks.
    monkeypatch.delitem(telemetry._HANDLERS, "SYS_STATUS")
    sequence.prepare(link, orders(*WAY))
    assert not link.telemetry.prearm_ok


def test_flight__home_outside_the_fence__not_armed(connected, monkeypatch):
    monkeypatch.setattr("flights.link.sequence.READY_LIMIT_S", 60.0)
    ring = (LonLat(113.26, 23.12), LonLat(113.29, 23.12), LonLat(113.29, 23.14))
    running, link = connected()
    with pytest.raises(VehicleRefused) as refused:
        fly(link, orders(*WAY, ring=ring))
    assert refused.value.refusals[0].rule == "link.not_ready"
    assert not running.autopilot.armed


def test_flight__battery_runs_low__comes_home_by_itself(connected):
    _, link = connected(battery_pct=25.0, endurance_s=600.0)
    end, samples = fly(link, orders(LonLat(113.2550, 23.1250), LonLat(113.2850, 23.1250)))
    assert end.outcome is followed.Outcome.ABORTED
    assert end.reason == "ended_early"
    assert "Battery" in link.telemetry.recent_texts()
    assert abs(samples[-1].lon - HOME.lon) < 2e-5


def test_flight__operator_stops_it__comes_home(connected):
    _, link = connected()
    high = []

    def stop():
        return "operator" if link.telemetry.furthest_seq >= 4 else high.append(1)

    end, _ = fly(link, orders(*WAY), stop)
    assert end.reason == "operator"
    assert not link.vehicle.armed


def test_flight__mission_changed_after_upload__not_armed(connected):
    running, link = connected()
    asked = orders(*WAY)
    prepared = sequence.prepare(link, asked)
    items = running._mission.items
    items[4] = items[4].moved(0.5)
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert refused.value.refusals[0].rule == "mission.mismatch"
    assert not running.autopilot.armed


def test_flight__lossy_line__flown_all_the_same(connected):
    from flights.simulator.options import Faults

    _, link = connected(faults=Faults(loss=0.05), speed_up=60.0)
    end, samples = fly(link, orders(*WAY))
    assert end.outcome is followed.Outcome.LANDED
    assert len(samples) > 100


def test_recorder__flight__readable_as_tlog(simulated, tmp_path):
    """The record is the format that every ground station reads, with what was sent and what was heard."""
    import hashlib

    from pymavlink import mavutil

    _, url = simulated()
    path = tmp_path / "flight.tlog"
    recorder = Recorder(path, SystemClock())
    with VehicleLink.connect(url, SystemClock(), recorder=recorder) as link:
        sequence.identify(link)
    digest = recorder.close()
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert recorder.close() == digest
    log = mavutil.mavlink_connection(str(path))
    try:
        kinds = set()
        while (message := log.recv_msg()) is not None:
            kinds.add(message.get_type())
            assert abs(message._timestamp - SystemClock().now().timestamp()) < timedelta(minutes=5).seconds
    finally:
        log.close()
    assert {"HEARTBEAT", "COMMAND_LONG", "COMMAND_ACK", "AUTOPILOT_VERSION"} <= kinds


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_simulator__number_that_is_none__denied_and_it_lives_on(connected, number):
    _, link = connected()
    with pytest.raises(VehicleRefused) as refused:
        link.commands.run(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, number, 1.0)
    assert refused.value.refusals[0].measured == "DENIED"
    link.connection.codec.param_set_send(0, 0, b"FENCE_TYPE", number, mavlink.MAV_PARAM_TYPE_REAL32)
    assert link.read_parameter("FENCE_TYPE") == 7
