"""Photos handed in with a flight: placed on its track, quarantined where they saw too much, kept from whoever looks."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import ExifTags, Image
from pyproj import Geod
from shapely import box
from sqlalchemy import select

from flights.photos import intake as gateway_frames
from flights.photos.files import read_photo
from geo import shapes
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.store.work import find
from tests.database.flying import cleared, new_zone
from tests.database.test_flights_verdict import LAT, LON, UTC0, along_r1, log, run  # noqa: F401 - fixtures
from web import intake, scenes

GEOD = Geod(ellps="WGS84")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" drone-dji:GimbalPitchDegree="%.2f"'
    b' drone-dji:CalibratedFocalLength="%.3f"/></rdf:RDF></x:xmpmeta>'
)


def photo(folder, number, at_s, lon, lat, *, pitch=-90.0, xmp=True):
    taken = datetime.fromtimestamp(at_s, UTC)
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: f"{taken:%Y:%m:%d %H:%M:%S}",
        ExifTags.Base.SubsecTimeOriginal: f"{taken.microsecond // 1000:03d}",
        ExifTags.Base.OffsetTimeOriginal: "+00:00",
    }
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: (int(lat), int(lat * 60 % 60), lat * 3600 % 60),
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: (int(lon), int(lon * 60 % 60), lon * 3600 % 60),
    }
    path = folder / f"P{number:04d}.jpg"
    about = {"xmp": XMP % (pitch, 40 / 2 / np.tan(np.radians(35)))} if xmp else {}
    Image.new("RGB", (40, 30), (number % 256, 0, 0)).save(path, exif=exif, **about)
    return path


@pytest.fixture
def landed(work, run, log, services, tmp_path):  # noqa: F811
    """A declared flight with a photo for every release of its log, and the folder of photos."""

    def make(camera_ahead_s=0.0, name="card", off_m=0.0, **photo_options):
        number = cleared(work)
        told = run("judge", log(number, off_m=off_m), "--flight", number, "--declare-flown", "--as", "F1")
        assert told.exit_code == 0, told.output
        track, _ = along_r1(services, number)
        folder = tmp_path / name
        folder.mkdir()
        for n, shot in enumerate(track.shots):
            place = np.interp(shot, track.t, track.lon)
            photo(folder, n, UTC0 - track.t[0] + shot + camera_ahead_s, place, LAT, **photo_options)
        return number, folder

    return make


def frames(session, number):
    flight = find(session, t.Flight, number)
    chosen = select(t.FlightFrame).where(t.FlightFrame.flight_id == flight.id).order_by(t.FlightFrame.captured_at)
    return list(session.scalars(chosen))


def hand_in(services, number, folder):
    return gateway_frames.hand_in(services, number, folder, actor=services.actor("F1"))


def test_photos__along_r1__placed_with_footprint_and_error(landed, services, session):
    number, folder = landed()
    taken = hand_in(services, number, folder)
    assert taken.quarantined == {}
    rows = frames(session, number)
    assert len(rows) == taken.photos > 30
    for row in rows:
        west, south, east, north = shapes.polygon(row.footprint).bounds
        assert GEOD.inv(LON, south, LON, north)[2] == pytest.approx(140, abs=1)
        assert GEOD.inv(west, LAT, east, LAT)[2] == pytest.approx(105, abs=1)
        assert row.alt_agl_m == pytest.approx(100, abs=0.1)
        assert (row.heading_deg, row.gimbal_pitch_deg) == (pytest.approx(90), -90)
        assert 3 < row.position_error_m < 15
        assert row.pose["track"] == "bin"
        assert row.pose["exif_apart_m"] < 3
        assert row.pose["ground"] == "terrain"


def test_photos__camera_clock_ahead__offset_found_and_stated(landed, services, session):
    number, folder = landed(camera_ahead_s=1.3)
    hand_in(services, number, folder)
    pose = frames(session, number)[5].pose
    assert pose["time_offset_s"] == pytest.approx(1.3, abs=0.2)
    assert pose["time_offset_source"] == "releases"
    assert pose["time_matched"] > 30


def test_GD_15__photo_of_a_privacy_zone__quarantined_and_not_handed_on(landed, services, session, past_the_judge):
    number, folder = landed()
    new_zone(past_the_judge, box(113.2700, 23.1254, 113.2704, 23.1256))
    taken = hand_in(services, number, folder)
    rows = frames(session, number)
    held = [row for row in rows if row.quarantined]
    assert taken.quarantined == {"zone": len(held)}
    assert 1 <= len(held) <= 5
    assert {row.quarantine_reason for row in held} == {"zone"}
    files = sorted(folder.glob("*.jpg"))
    with services.work(services.actor("F1")) as work:
        usable = intake._usable(work, files, number)
    assert {file.name for file in files} - {file.name for file in usable} == {row.file_name for row in held}
    with pytest.raises(RuleViolation) as caught:
        scenes.ingest(services, [folder / held[0].file_name], flight_id=number)
    assert caught.value.refusals[0].text == "frames.quarantined"


def test_GD_36_1__footprint_beyond_the_area__quarantined(landed, services, session):
    # The middle third is flown 500 m south of the line; the area ends 54 m further on, and the camera sees 70 m.
    number, folder = landed(off_m=-500.0)
    taken = hand_in(services, number, folder)
    assert set(taken.quarantined) == {"area"}
    assert taken.photos / 4 < taken.quarantined["area"] < taken.photos / 2


def test_photos__horizon_in_the_picture__unplaced(landed, services):
    number, folder = landed(pitch=-31.0)
    taken = hand_in(services, number, folder)
    assert taken.quarantined == {"unplaced": taken.photos}


def test_photos__behind_the_track__unplaced(landed, services, session):
    number, folder = landed()
    photo(folder, 200, UTC0 + 3000, 113.27, LAT)
    assert hand_in(services, number, folder).quarantined == {"unplaced": 1}
    odd = frames(session, number)[-1]
    assert (odd.footprint, odd.position_error_m, odd.quarantine_reason) == (None, None, "unplaced")


def test_photo__hostile_xmp__numbers_and_nothing_else(tmp_path):
    path = photo(tmp_path, 1, UTC0, 113.27, LAT)
    data = path.read_bytes().replace(b'GimbalPitchDegree="-90.00"', b'GimbalPitchDegree="1e9999"')
    path.write_bytes(data)
    assert read_photo(path).held.pitch_deg is None
