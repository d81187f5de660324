"""KML, KMZ and DJI WPML: which heights count, what flies, and what is refused because nobody can foretell it."""

from dataclasses import replace

import pytest

from flights.formats import convert, read_plan
from flights.model import Command, Home, LonLat, Reference
from flights.path.profile import profile
from flights.path.track import Look
from schemas.refusals import RuleViolation
from tests.files_kml import (
    action,
    config,
    group,
    kml,
    kmz,
    line,
    mission,
    placemark,
    point,
    template,
    waylines,
)
from tests.missions import FlatGround


def refused(data, name="plan.kml"):
    with pytest.raises(RuleViolation) as caught:
        read_plan(data, name)
    return caught.value


def texts(data):
    return {refusal.text for refusal in refused(data).refusals}


def assumed(plan):
    return {entry.because for entry in plan.assumed}


def commands(plan):
    return [int(item.command) for item in plan.items]


class TestKml:
    @pytest.mark.parametrize(
        ("mode", "reference"), [("relativeToGround", Reference.TERRAIN), ("absolute", Reference.AMSL)]
    )
    def test_altitude_mode__says_what_heights_are_measured_from(self, mode, reference):
        plan = read_plan(kml(line(mode=f"<altitudeMode>{mode}</altitudeMode>")))
        assert {item.frame.reference for item in plan.items} == {reference}
        assert [item.alt_m for item in plan.items] == [100, 100]
        assert plan.items[0].at == LonLat(113.255, 23.125)
        assert plan.assumed == ()

    @pytest.mark.parametrize(
        ("mode", "because"),
        [("", "no_altitude_mode"), ("<altitudeMode>clampToGround</altitudeMode>", "clamp_to_ground")],
    )
    def test_line_on_the_ground__has_no_heights_and_says_so(self, mode, because):
        plan = read_plan(kml(line(mode=mode)))
        assert [item.alt_m for item in plan.items] == [None, None]
        assert assumed(plan) == {because}

    def test_line_of_google_earth__tessellated_in_folders_with_styles__read(self):
        body = (
            "<name>a</name><Style id='s'><LineStyle><color>ff0000ff</color></LineStyle></Style><Folder><open>1</open>"
            + line("\n\t113.255,23.125,0 113.285,23.125,0 \n", "<tessellate>1</tessellate>")
            + "</Folder>"
        )
        for namespace in ("http://www.opengis.net/kml/2.2", "http://earth.google.com/kml/2.1"):
            assert len(read_plan(kml(body, namespace)).items) == 2

    def test_coordinates_with_blanks_after_commas__read(self):
        assert len(read_plan(kml(line("113.255, 23.125, 100  113.285 ,23.125 , 100"))).items) == 2

    def test_points_in_order__are_waypoints_and_say_so(self):
        plan = read_plan(kml(point("113.255,23.125,50") + point("113.285,23.125,60")))
        assert [item.alt_m for item in plan.items] == [50, 60]
        assert assumed(plan) == {"in_file_order"}

    def test_drawings_beside_the_line__told_not_flown(self):
        polygon = (
            "<Placemark><Polygon><outerBoundaryIs><LinearRing><coordinates>113,23 114,23 114,24 113,23</coordinates>"
        )
        polygon += "</LinearRing></outerBoundaryIs></Polygon></Placemark>"
        plan = read_plan(kml(line() + polygon + point("113.26,23.12,0")))
        assert len(plan.items) == 2
        assert [(a.value, a.because) for a in plan.assumed] == [("Point (1), Polygon (1)", "not_flown")]

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (line() + line(), "kml.lines"),
            ("", "kml.lines"),
            (point("113,23"), "kml.lines"),
            (line("113.255,23.125"), "geometry.line_short"),
            (line("113.255 23.125"), "kml.place"),
            (line("113,23,1,1 113.1,23"), "kml.place"),
            (line("113,nan,1 113.1,23,1"), "plan.not_finite"),
            (line("23.125,113.255,100 23.125,113.285,100"), "geometry.swapped"),
            (line("1132550000,231250000,100 1132850000,231250000,100"), "plan.scaled_up"),
            (line("179.9,1,50 -179.9,1,50"), "plan.antimeridian"),
            (line("113.255,23.125,100 113.285,23.125"), "plan.height_missing"),
            (line(mode="<altitudeMode>relativeToSeaFloor</altitudeMode>"), "kml.altitude_mode"),
            (point("113,23,5") + point("113.1,23,5", "<altitudeMode>absolute</altitudeMode>"), "kml.altitude_mode"),
        ],
    )
    def test_what_is_no_one_line__refused(self, body, text):
        assert texts(kml(body)) == {text}

    def test_kmz_of_google_earth__doc_kml_with_pictures__read(self):
        assert len(read_plan(kmz({"doc.kml": kml(line()), "files/icon.png": b"\x89PNG"}), "a.kmz").items) == 2

    @pytest.mark.parametrize("files", [{}, {"a.txt": b"x"}, {"a.kml": kml(line()), "b.kml": kml(line())}])
    def test_kmz_without_one_document__refused(self, files):
        assert refused(kmz({"z.png": b"x"} | files), "a.kmz").refusals[0].rule == "archive.content"


class TestWpml:
    def test_pilot_mission__takes_off_flies_and_goes_home(self):
        plan = read_plan(mission(), "m.kmz")
        assert commands(plan) == [22, 178, 16, 178, 16, 20]
        assert [item.alt_m for item in plan.items if item.command.is_flown_to] == [60, 60, 60]
        assert {i.frame.reference for i in plan.items if i.command.is_flown_to} == {Reference.HOME}
        assert plan.speed_mps == 7
        assert [item.params[1] for item in plan.items if item.command is Command.DO_CHANGE_SPEED] == [8, 7]

    @pytest.mark.parametrize("version", ["1.0.2", "1.0.3", "1.0.4", "1.0.5", "1.0.6"])
    def test_known_versions__read(self, version):
        assert read_plan(mission(version=version)).source == "DJI WPML"

    @pytest.mark.parametrize("version", ["1.0.1", "1.0.7", "2.0.0"])
    def test_other_versions__refused(self, version):
        assert texts(mission(version=version)) == {"wpml.version"}

    @pytest.mark.parametrize(
        ("finish", "last"), [("goHome", 20), ("autoLand", 21), ("noAction", 16), ("gotoFirstWaypoint", 16)]
    )
    def test_finish_action__is_how_the_plan_ends(self, finish, last):
        plan = read_plan(mission(head=config(finish=finish)))
        assert commands(plan)[-1] == last
        places = [item.at for item in plan.items if item.command is Command.NAV_WAYPOINT]
        assert len(places) == (3 if finish == "gotoFirstWaypoint" else 2)

    @pytest.mark.parametrize(
        ("fly", "safe", "climb"), [("safely", 20, 60), ("pointToPoint", 20, 20), ("safely", 90, 90)]
    )
    def test_take_off__climbs_as_the_mission_says(self, fly, safe, climb):
        assert read_plan(mission(head=config(fly=fly, safe=safe))).items[0].alt_m == climb

    def test_heights_above_the_ellipsoid_alone__refused(self):
        assert texts(mission(mode="WGS84")) == {"wpml.ellipsoid"}
        assert texts(mission(mode="WGS84", with_template=template([(60, 60), (60, 60)], "aboveGroundLevel"))) == {
            "wpml.ellipsoid"
        }

    def test_heights_above_the_ellipsoid_with_egm96_beside__read_as_above_the_sea(self):
        plan = read_plan(mission(mode="WGS84", height=60, with_template=template([(60, 68.5), (60, 68.4)])))
        flown = [item for item in plan.items if item.command is Command.NAV_WAYPOINT]
        assert [(item.frame.reference, item.alt_m) for item in flown] == [
            (Reference.AMSL, 68.5),
            (Reference.AMSL, 68.4),
        ]
        assert "from_template" in assumed(plan)

    def test_heights_above_the_ellipsoid_with_take_off_beside__read_as_above_home(self):
        beside = template(
            [(60, 50), (60, 50)], "relativeToStartPoint", "<wpml:takeOffRefPoint>23.12,113.25,10</wpml:takeOffRefPoint>"
        )
        plan = read_plan(mission(mode="WGS84", with_template=beside))
        flown = [item for item in plan.items if item.command is Command.NAV_WAYPOINT]
        assert {(item.frame.reference, item.alt_m) for item in flown} == {(Reference.HOME, 50)}
        assert plan.home.at == LonLat(113.25, 23.12)
        assert plan.home.alt_amsl_m is None, "the file says it above the ellipsoid"

    def test_surface_following__above_the_terrain_and_says_by_what(self):
        plan = read_plan(mission(mode="realTimeFollowSurface"))
        assert plan.items[2].frame.reference is Reference.TERRAIN
        assert "own_sensor" in assumed(plan)

    @pytest.mark.parametrize(
        "beside",
        [
            template([(61, 68)] * 2),
            template([(60, 68)] * 2, places=((113.256, 23.125), (113.285, 23.125))),
            template([(60, 68)], places=((113.255, 23.125),)),
        ],
    )
    def test_template_and_waylines_differ__refused(self, beside):
        assert texts(mission(mode="WGS84", with_template=beside)) == {"wpml.differs"}

    def test_template_alone__refused_because_it_is_not_what_flies(self):
        data = kmz({"wpmz/template.kml": template([(60, 60), (60, 60)])})
        assert texts(data) == {"wpml.waylines"}

    def test_several_waylines__refused(self):
        marks = [placemark(0, 113.255, 23.125, 60), placemark(1, 113.285, 23.125, 60)]
        assert texts(kmz({"wpmz/waylines.wpml": waylines(marks, folders=5)})) == {"wpml.routes"}

    def test_survey_actions__camera_gimbal_and_hover_become_commands(self):
        at_first = group(
            action(
                "gimbalRotate", gimbalRotateMode="absoluteAngle", gimbalPitchRotateEnable=1, gimbalPitchRotateAngle=-90
            )
            + action("hover", hoverTime=3)
            + action("focus", isPointFocus=1)
        ) + group(action("takePhoto"), 0, 1, "multipleDistance", 22.5)
        at_last = group(
            action("takePhoto") + action("rotateYaw", aircraftHeading=-90, aircraftPathMode="clockwise"), 1, 1
        )
        plan = read_plan(mission(at_first, at_last))
        assert commands(plan) == [22, 178, 16, 178, 205, 93, 206, 16, 206, 2000, 115, 20]
        by_command = {item.command: item.params for item in plan.items}
        assert by_command[Command.DO_MOUNT_CONTROL] == (-90, 0, None, 0)
        assert by_command[Command.CONDITION_YAW][0] == 270
        assert [i.params[0] for i in plan.items if i.command is Command.DO_SET_CAM_TRIGG_DIST] == [22.5, 0]
        assert "dji_ignored" in assumed(plan)

    @pytest.mark.parametrize(
        "name", ["orientedShoot", "accurateShoot", "panoShot", "gimbalEvenlyRotate", "megaphone", ""]
    )
    def test_actions_that_cannot_be_foretold__refused_by_name(self, name):
        refusal = refused(mission(group(action(name)))).refusals[0]
        assert (refusal.text, refusal.measured) == ("wpml.action", name)

    def test_gimbal_that_turns_between_points__refused(self):
        assert texts(mission(group(action("gimbalEvenlyRotate"), 0, 1, "betweenAdjacentPoints"))) == {"wpml.action"}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (">followWayline<", ">fixed<"),
            (">followWayline<", ">towardPOI<"),
            (">aircraft<", ">north<"),
        ],
    )
    def test_nose_or_gimbal_turned_otherwise__a_tilted_camera_may_look_anywhere(self, old, new):
        tilt = group(
            action(
                "gimbalRotate",
                gimbalRotateMode="absoluteAngle",
                gimbalPitchRotateEnable=1,
                gimbalPitchRotateAngle=-45,
                gimbalYawRotateEnable=1,
                gimbalYawRotateAngle=0,
                gimbalHeadingYawBase="aircraft",
            )
        )
        marks = [placemark(n, lon, 23.125, 60, tilt) for n, lon in enumerate((113.255, 113.285))]
        text = waylines(marks)
        along = read_plan(kmz({"wpmz/waylines.wpml": text}))
        assert profile(along, FlatGround()).tracks[-1].look == Look(-45.0, 0.0)
        assert old in text
        turned = read_plan(kmz({"wpmz/waylines.wpml": text.replace(old, new)}))
        assert "dji_heading" in assumed(turned)
        assert profile(turned, FlatGround()).tracks[-1].look == Look(-45.0, None)
        placed = replace(turned, home=Home(LonLat(113.25, 23.12), 5.0))
        for name in ("m.plan", "m.waypoints", "m.kmz", "m.kml", "m.geojson"):
            assert "heading" in {loss.what for loss in convert(placed, name).losses}

    def test_curves__splines_and_said(self):
        turn = "toPointAndPassWithContinuityCurvature"
        curved = placemark(1, 113.27, 23.13, 60, "<wpml:useStraightLine>0</wpml:useStraightLine>").replace(
            "toPointAndStopWithDiscontinuityCurvature", turn
        )
        marks = [placemark(0, 113.255, 23.125, 60), curved, placemark(2, 113.285, 23.125, 60)]
        plan = read_plan(kmz({"wpmz/waylines.wpml": waylines(marks)}))
        assert [i.command for i in plan.items if i.command.is_flown_to][2] is Command.NAV_SPLINE_WAYPOINT
        assert "dji_curve" in assumed(plan)
        straight = [mark.replace("Line>0<", "Line>1<") for mark in marks]
        assert Command.NAV_SPLINE_WAYPOINT not in {
            i.command for i in read_plan(kmz({"waylines.wpml": waylines(straight)})).items
        }

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("<wpml:index>1<", "<wpml:index>7<"),
            ("<wpml:executeHeight>60<", "<wpml:executeHeight>nan<"),
            ("<wpml:executeHeight>60</wpml:executeHeight>", ""),
            ("safely", "safely</wpml:flyToWaylineMode><wpml:x>"),
            ("goHome", "hover"),
            ("113.285,23.125", "23.125,113.285"),
            (">relativeToStartPoint<", ">EGM2008<"),
        ],
    )
    def test_one_thing_wrong__refused_with_its_place(self, old, new):
        marks = [placemark(0, 113.255, 23.125, 60), placemark(1, 113.285, 23.125, 60)]
        text = waylines(marks)
        assert old in text
        refusals = refused(kmz({"wpmz/waylines.wpml": text.replace(old, new)})).refusals
        assert all(refusal.message(lang) for refusal in refusals for lang in ("en", "zh"))

    def test_written_mission__opens_by_the_names_that_dji_asks_for(self):
        import zipfile
        from io import BytesIO

        written = convert(read_plan(kml(line(mode="<altitudeMode>relativeToGround</altitudeMode>"))), "m.kmz")
        with zipfile.ZipFile(BytesIO(written.data)) as archive:
            assert archive.namelist() == ["wpmz/template.kml", "wpmz/waylines.wpml"]
            assert b"realTimeFollowSurface" in archive.read("wpmz/waylines.wpml")
        assert {loss.what for loss in written.losses} == {"speed_chosen", "takeoff", "rewritten", "drone_chosen"}


def test_heights_above_home_without_its_altitude__kml_has_none_and_says_so():
    plan = read_plan(mission())
    written = convert(plan, "m.kml")
    assert {loss.what for loss in written.losses} == {"command", "heights"}
    assert {item.alt_m for item in read_plan(written.data).items} == {None}
