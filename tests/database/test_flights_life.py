"""From the upload to the public log: what the record demands, and how a flight ends that nobody leads any more."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from geoalchemy2.shape import to_shape
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from shapely.geometry import Point, box
from sqlalchemy import select

from flights import commands
from flights import record as gateway_record
from flights.photos import intake as gateway_frames
from geo import shapes
from schemas import tables as t
from schemas.refusals import RuleViolation
from tests.database.flying import (
    GROUND,
    airborne,
    change,
    cleared,
    do,
    new_zone,
    prechecked,
    read_back,
    refused,
    row,
    rules,
    texts,
    upload,
    uploaded,
)


def report(unit, flight, *, landed=False):
    """Three positions of a flight along R1, a second apart, the last of them now."""
    for second in (0, 1, 2):
        unit.session.add(
            t.TelemetryPoint(
                flight_id=flight.id,
                received_at=unit.now - timedelta(seconds=2 - second),
                boot_ms=second * 1000,
                geom=shapes.element(Point(113.255 + second / 1e4, 23.125)),
                alt_rel_home_m=100.0,
                alt_amsl_m=112.0,
                implausible=False,
            )
        )
    unit.session.flush()
    if landed:
        commands.mark_landed(unit, flight, tlog=["0" * 64])


def report_only(work, number):
    """Stores positions as the gateway does, which is no command."""
    with work("SYSTEM") as unit:
        report(unit, unit.get(t.Flight, number))
        unit.session.commit()


class TestUpload:
    def test_DC_1__only_of_a_cleared_flight(self, work):
        assert texts(refused(work, "F1", upload, prechecked(work))) == {"machine.unknown_transition"}

    @pytest.mark.parametrize("wrong", ["mission_digest", "fence_digest"])
    def test_DC_1__vehicle_holds_something_else__refused(self, work, wrong):
        def lie(unit, flight):
            commands.mark_uploaded(unit, flight, GROUND, replace(read_back(unit, flight), **{wrong: "0" * 64}))

        assert texts(refused(work, "F1", lie, cleared(work))) == {"flight.vehicle_differs"}

    def test_DC_1__two_flights_of_one_aircraft_at_one_time__the_database_refuses(self, work, past_the_judge):
        uploaded(work)
        change(past_the_judge, "UPDATE core.flight_volume SET freed_at = now()")  # which would refuse it before
        with pytest.raises(RuleViolation) as caught:
            uploaded(work)
        assert rules(caught.value) == {"DC-1"}


class TestTakeOff:
    def test_DC_1__a_zone_after_the_upload__the_fence_on_board_is_old__refused(self, work, past_the_judge):
        number = uploaded(work)
        new_zone(past_the_judge, box(113.28, 23.135, 113.281, 23.136))
        assert texts(refused(work, "F1", commands.mark_airborne, number, GROUND)) == {"flight.vehicle_differs"}

    def test_GD_16_1__outside_the_window__refused(self, work, clock):
        number = uploaded(work)
        clock.advance(timedelta(hours=2))
        assert texts(refused(work, "F1", commands.mark_airborne, number, GROUND)) == {"flight.not_in_window"}


class TestBatteryChange:
    """The aircraft comes down on the way and flies on: one flight, one mission."""

    def test_DC_1__flies_on__began_when_it_first_took_off(self, work, session, clock):
        number = airborne(work)
        began = clock.now()
        clock.advance(timedelta(minutes=9))
        do(work, "SYSTEM", commands.mark_set_down, number, "battery at 24 %")
        assert row(session, number).state == "uploaded"
        clock.advance(timedelta(minutes=5))
        do(work, "F1", commands.mark_airborne, number, GROUND)
        session.expire_all()
        flight = row(session, number)
        assert (flight.state, flight.airborne_at) == ("airborne", began)

    def test_state_reason__without_a_reason__refused(self, work):
        assert rules(refused(work, "SYSTEM", commands.mark_set_down, airborne(work), " ")) == {"state.reason"}

    def test_state_role__by_the_pilot__refused(self, work):
        violation = refused(work, "F1", commands.mark_set_down, airborne(work), "battery")
        assert rules(violation) == {"state.role"}

    def test_GD_16_1__the_window_is_over_meanwhile__stays_down(self, work, clock):
        number = airborne(work)
        do(work, "SYSTEM", commands.mark_set_down, number, "battery")
        clock.advance(timedelta(hours=2))
        assert texts(refused(work, "F1", commands.mark_airborne, number, GROUND)) == {"flight.not_in_window"}


class TestEnd:
    def test_GD_16_3__strayed__closed_only_with_an_explanation(self, work, session, clock):
        number = airborne(work)
        clock.advance(timedelta(minutes=12))
        assert texts(refused(work, "SYSTEM", commands.mark_landed, number)) == {"flight.no_track"}
        do(work, "SYSTEM", report, number, landed=True)
        far = commands.Deviation(lateral_m=49.8, vertical_m=3.0, stayed_inside=True)
        do(work, "F1", commands.mark_ingested, number, far)
        assert texts(refused(work, "F1", commands.close, number)) == {"flight.deviation_unexplained"}
        do(work, "F1", commands.close, number, note="a gust near the river")
        flight = row(session, number)
        assert (flight.state, flight.deviation_note) == ("closed", "a gust near the river")
        assert flight.during.upper == flight.landed_at

    def test_abort__by_the_pilot_with_a_reason(self, work, session):
        number = uploaded(work)
        do(work, "F1", commands.mark_aborted, number, "link lost")
        assert row(session, number).state == "aborted"


def landed(work, clock, **report_of):
    """A flight that came down, judged as the gateway judges it."""

    def land(unit, flight):
        report(unit, flight, landed=True)
        flight.vehicle = {"report": {"lateral_m": 2.0, "vertical_m": 1.0, "stayed_inside": True} | report_of}

    number = airborne(work)
    clock.advance(timedelta(minutes=12))
    do(work, "SYSTEM", land, number)
    return number


def photo(path, shade, heading=(90, 1)):
    """A photo as a camera writes it; `heading` is a fraction."""
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: "2025:07:02 02:05:00",
        ExifTags.Base.OffsetTimeOriginal: "+00:00",
    }
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: (23.0, 7.0, 30.0),
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: (113.0, 16.0, 12.0),
        ExifTags.GPS.GPSImgDirection: IFDRational(*heading),
    }
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (32, 32), (shade, 0, 0)).save(path, exif=exif)


class TestIngest:
    def frames(self, session, number):
        chosen = select(t.FlightFrame).where(t.FlightFrame.flight_id == row(session, number).id)
        return session.scalars(chosen.order_by(t.FlightFrame.file_name)).all()

    def test_photos_and_deviation__one_command_one_event(self, work, services, session, clock, tmp_path):
        photo(tmp_path / "a.jpg", 10)
        photo(tmp_path / "b.jpg", 20, heading=(0, 0))
        (tmp_path / "copy of a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
        number = landed(work, clock)
        assert gateway_frames.ingest(services, number, tmp_path, actor=services.actor("F1")) == 2
        assert row(session, number).state == "ingested"
        assert [(f.file_name, f.heading_deg) for f in self.frames(session, number)] == [("a.jpg", 90), ("b.jpg", None)]

    def test_GD_20_2__somebody_who_flies_nothing__not_one_photo_is_entered(
        self, work, services, session, clock, tmp_path
    ):
        photo(tmp_path / "a.jpg", 10)
        number = landed(work, clock)
        with pytest.raises(RuleViolation) as caught:
            gateway_frames.ingest(services, number, tmp_path, actor=services.actor("O1"))
        assert caught.value.status == 403
        assert self.frames(session, number) == []

    def test_photo_of_another_flight__refused(self, work, services, session, clock, tmp_path):
        photo(tmp_path / "a.jpg", 10)
        gateway_frames.ingest(services, landed(work, clock), tmp_path, actor=services.actor("F1"))
        second = landed(work, clock)
        with pytest.raises(RuleViolation) as caught:
            gateway_frames.ingest(services, second, tmp_path, actor=services.actor("F1"))
        assert rules(caught.value) == {"frames.known"}
        assert row(session, second).state == "landed"

    def test_GD_16_3__left_its_area_for_one_position_of_many__on_record(self, work, services, session, clock):
        number = landed(work, clock, share_inside=1.0, stayed_inside=False)
        gateway_frames.ingest(services, number, None, actor=services.actor("F1"))
        assert row(session, number).stayed_inside is False


class TestAbandon:
    """The gateway was killed: the flight is in the air on paper, and its aircraft could fly no other."""

    def test_flight_that_somebody_follows__refused(self, work, services):
        number = airborne(work)
        report_only(work, number)
        with pytest.raises(RuleViolation) as caught:
            gateway_record.abandon(services, number, "power cut", actor=services.actor("F1"))
        assert texts(caught.value) == {"flight.still_led"}

    def test_flight_that_nobody_follows__aborted_with_what_was_recorded(self, work, services, session, clock):
        number = airborne(work)
        report_only(work, number)
        folder = gateway_record.record_folder(services, number)
        folder.mkdir(parents=True)
        for name, content in (("20250702T0200Z-a.tlog", b"first try"), ("20250702T0210Z-b.tlog", b"flown")):
            (folder / name).write_bytes(content)
        clock.advance(timedelta(minutes=2))
        gateway_record.abandon(services, number, "power cut", actor=services.actor("F1"))
        flight = row(session, number)
        assert (flight.state, flight.state_reason) == ("aborted", "power cut")
        assert flight.tlog_sha256 == hashlib.sha256(b"flown").hexdigest()
        assert to_shape(flight.flown_track).bounds == pytest.approx((113.255, 23.125, 113.2552, 23.125))
        assert airborne(work) != number

    def test_flight_that_never_left__aborted_without_a_record(self, work, services, session):
        number = uploaded(work)
        gateway_record.abandon(services, number, "rain", actor=services.actor("F1"))
        flight = row(session, number)
        assert (flight.state, flight.tlog_sha256, flight.flown_track) == ("aborted", None, None)

    def test_somebody_who_flies_nothing__refused(self, work, services):
        with pytest.raises(RuleViolation) as caught:
            gateway_record.abandon(services, uploaded(work), "rain", actor=services.actor("O1"))
        assert caught.value.status == 403
