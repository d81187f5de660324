"""Every MAVLink command of a plan is known by its meaning or refused by its name; what QGroundControl says twice."""

import json

import pytest
from pymavlink.dialects.v20 import common

from flights.canonical import mission_document
from flights.formats import convert, read_plan
from flights.model import MISSION_COMMANDS, Command, Frame, LonLat, Reference
from flights.path.walk import walk
from flights.simulator.storage import ItemRefused, store_mission_item
from schemas.refusals import RuleViolation
from tests.unit.flights.test_formats import HOME, qgc, qgc_item, wpl

PLACE = (23.125, 113.255)


def refused(data, name="plan"):
    with pytest.raises(RuleViolation) as caught:
        read_plan(data, name)
    return caught.value


def unplaced(command, *params):
    return qgc_item(command, 2, [*params, *[0] * (7 - len(params))])


def stops_of(*items):
    """The stops behind the take-off of a plan that flies from one place to another between `items`."""
    plan = read_plan(qgc(qgc_item(22), *items, qgc_item(16, 3, (0, 0, 0, None, 23.13, 113.26, 80)), unplaced(20)))
    return walk(plan).stops[2:]


class TestCommands:
    def test_every_command_of_the_definition__known_or_refused_by_its_name(self):
        known = {int(command) for command in MISSION_COMMANDS}
        for code, entry in common.enums["MAV_CMD"].items():
            if code in known or entry.name.endswith("ENUM_END"):
                continue
            for data in (qgc(qgc_item(22), qgc_item(code)), wpl(HOME, f"1 0 3 {code} 0 0 0 0 23.1 113.2 50 1")):
                refusal = refused(data).refusals[0]
                assert refusal.rule == "plan.command"
                assert all(entry.name in refusal.message(lang) for lang in ("en", "zh"))

    @pytest.mark.parametrize(
        ("command", "params"),
        [
            (178, (2, 1)),
            (178, (3, 20)),
            (93, (0, 0, 0, 0)),
            (93, (-1, 22, 0, 0)),
            (93, (0, -1, 30, -1)),
        ],
    )
    def test_speed_of_climb_or_time_of_day__refused_by_name(self, command, params):
        refusal = refused(qgc(qgc_item(22), unplaced(command, *params))).refusals[0]
        assert refusal.rule == "plan.command"
        assert Command(command).mavlink_name in refusal.message()
        assert "climb" in refusal.message()
        assert "升降" in refusal.message("zh")

    @pytest.mark.parametrize("params", [(5, 0, 0, 0), (0, -1, -1, -1), (-1, -1, -1, -1)])
    def test_wait_of_seconds__taken(self, params):
        assert read_plan(qgc(qgc_item(22), unplaced(93, *params))).items[1].command is Command.NAV_DELAY

    def test_every_number__known_or_refused_by_its_name(self):
        known = {int(command) for command in MISSION_COMMANDS}
        for code in [
            *range(1, 300),
            400,
            *range(500, 540),
            *range(1000, 1003),
            *range(2000, 2600),
            3000,
            *range(5000, 5101),
            31000,
            42600,
        ]:
            item = qgc_item(code, 3, (0, 0, 0, 0, *PLACE, 50))
            try:
                read_plan(qgc(qgc_item(22), item))
                assert code in known
            except RuleViolation as violation:
                refusal = violation.refusals[0]
                if refusal.rule == "plan.command":
                    assert refusal.params["name"].startswith("MAV_CMD")
                    assert all(refusal.message(lang) and refusal.fix(lang) for lang in ("en", "zh"))
                else:
                    assert code in known, refusal

    @pytest.mark.parametrize(
        ("code", "name", "text"),
        [
            (84, "MAV_CMD_NAV_VTOL_TAKEOFF", "plan.command_path"),
            (85, "MAV_CMD_NAV_VTOL_LAND", "plan.command_path"),
            (189, "MAV_CMD_DO_LAND_START", "plan.command_path"),
            (181, "MAV_CMD_DO_SET_RELAY", "plan.command_payload"),
            (183, "MAV_CMD_DO_SET_SERVO", "plan.command_payload"),
            (204, "MAV_CMD_DO_MOUNT_CONFIGURE", "plan.command_pointing"),
            (213, "MAV_CMD_NAV_SET_YAW_SPEED", "plan.command_path"),
            (2510, "MAV_CMD_LOGGING_START", "plan.command_unknown"),
            (31999, "MAV_CMD 31999", "plan.command_unknown"),
        ],
    )
    def test_refused_commands__named(self, code, name, text):
        refusal = refused(qgc(qgc_item(22), unplaced(code))).refusals[0]
        assert (refusal.params["name"], refusal.text) == (name, text)

    @pytest.mark.parametrize(
        "item",
        [
            qgc_item(195, 3, (0, 0, 0, 0, None, None, None)),
            qgc_item(195, 3, (0, 0, 0, 0, *PLACE, None)),
            qgc_item(195, 3, (2, 0, 0, 0, *PLACE, 0)),
            qgc_item(201, 3, (1, 0, 0, 0, 0, 0, 0)),
            qgc_item(201, 3, (2, 5, 0, 0, *PLACE, 0)),
            qgc_item(201, 3, (3, 0, 0, 0, 0, 0, 0)),
            qgc_item(203, 2, (0, 2, 0, 0, 1, 0, 0)),
            qgc_item(203, 2, (0, 0, 0, 0, 23.5, 0, 0)),
            qgc_item(205, 2, (-90, 0, 0, 0, 0, 0, 4)),
            qgc_item(1000, 2, (None, 0, 0, 0, 0, 0, 0)),
            qgc_item(1000, 2, (-90, 0, 5, 0, 0, 0, 0)),
            qgc_item(1000, 2, (-90, 0, 0, 0, 16, 0, 0)),
            qgc_item(1000, 2, (-90, 0, 0, 0, 0, 0, 2)),
        ],
    )
    def test_pointing_that_cannot_be_foretold__refused(self, item):
        assert refused(qgc(qgc_item(22), item)).refusals[0].text == "plan.command_pointing"

    def test_shutter__carried_to_every_format_that_has_commands(self):
        plan = read_plan(qgc(qgc_item(22), qgc_item(203, 2, (0, 0, 0, 0, 1, 7, 0))))
        assert plan.items[1].numbers == (1, 7)
        for name in ("plan", "wpl"):
            again = read_plan(convert(plan, name).data)
            assert mission_document(again.items) == mission_document(plan.items)
        assert plan.items[1].wire().x == 1

    def test_mount_control__written_with_the_mode_in_which_its_angles_count(self):
        plan = read_plan(qgc(qgc_item(22), unplaced(205, -45)))
        assert json.loads(convert(plan, "plan").data)["mission"]["items"][1]["params"][6] == 2
        assert convert(plan, "wpl").data.splitlines()[-1].split()[10] == b"2.00000000"

    @pytest.mark.parametrize(
        "command",
        [
            Command.DO_SET_ROI_LOCATION,
            Command.DO_SET_ROI_NONE,
            Command.DO_SET_ROI,
            Command.NAV_LOITER_TO_ALT,
            Command.DO_GIMBAL_MANAGER_PITCHYAW,
            Command.DO_SET_CAM_TRIGG_INTERVAL,
        ],
    )
    def test_command_that_the_simulator_does_not_fly__unsupported_not_forgotten(self, command):
        class Message:
            param1 = param2 = param3 = param4 = z = 0.0
            x = y = 1
            frame = 3

        Message.command = int(command)
        with pytest.raises(ItemRefused) as caught:
            store_mission_item(Message)
        assert caught.value.result == 3


class TestWhereTheCameraLooks:
    def test_nothing_said__not_known(self):
        (stop,) = stops_of()
        assert (stop.gimbal_pitch_deg, stop.gimbal_yaw_deg, stop.roi, stop.roi_alt_m) == (None,) * 4

    def test_mount_and_gimbal__angles_on_the_leg_that_follows(self):
        assert stops_of(unplaced(205, -45, 0, 30))[0].gimbal_pitch_deg == -45
        assert stops_of(unplaced(205, -45, 0, 30))[0].gimbal_yaw_deg == 30
        assert stops_of(unplaced(1000, -89.6, 12.9))[0].gimbal_pitch_deg == -89, "ArduPilot keeps whole degrees"
        assert stops_of(unplaced(1000, -60, None))[0].gimbal_yaw_deg is None

    @pytest.mark.parametrize(
        "item", [qgc_item(195, 3, (0, 0, 0, 0, *PLACE, 5)), qgc_item(201, 0, (3, 0, 0, 0, *PLACE, 5))]
    )
    def test_region_of_interest__its_place_and_height_and_no_stop(self, item):
        (stop,) = stops_of(item)
        assert (stop.roi, stop.roi_alt_m) == (LonLat(113.255, 23.125), 5)
        assert stop.roi_reference is (Reference.HOME if item["command"] == 195 else Reference.AMSL)
        assert stop.at == LonLat(113.26, 23.13)

    @pytest.mark.parametrize("item", [unplaced(197), qgc_item(201, 3, (0, 0, 0, 0, 0, 0, 0))])
    def test_no_region_any_more__what_was_told_last_holds(self, item):
        roi = qgc_item(195, 3, (0, 0, 0, 0, *PLACE, 5))
        assert stops_of(roi, item)[0].roi is None
        assert stops_of(unplaced(205, -45), roi)[0].gimbal_pitch_deg is None
        assert stops_of(roi, unplaced(205, -45))[0].roi is None

    def test_photos_by_time__the_camera_is_on(self):
        assert stops_of(unplaced(214, 2))[0].camera_on
        assert not stops_of(unplaced(214, 2), unplaced(214, 0))[0].camera_on

    def test_loiter_to_altitude__climbs_when_it_is_there(self):
        there, above, _ = stops_of(qgc_item(31, 3, (0, 0, 0, 0, 23.128, 113.258, 40)))
        assert there.at == above.at == LonLat(113.258, 23.128)
        assert (there.alt_m, above.alt_m) == (100, 40)

    def test_hover_at_the_first_place__counted_once(self):
        data = qgc(qgc_item(16, 3, (30, 0, 0, None, *PLACE, 50)), qgc_item(16, 3, (0, 0, 0, None, 23.13, 113.26, 50)))
        assert sum(stop.hover_s for stop in walk(read_plan(data)).stops) == 30


class TestQgcAltitudes:
    def item(self, mode, frame, height, altitude, amsl=None):
        params = (0, 0, 0, None, *PLACE, height)
        return qgc_item(16, frame, params, AltitudeMode=mode, Altitude=altitude, AMSLAltAboveTerrain=amsl)

    @pytest.mark.parametrize(("mode", "frame"), [(1, 3), (2, 0), (4, 10), (0, 3)])
    def test_said_twice_and_alike__read(self, mode, frame):
        plan = read_plan(qgc(self.item(mode, frame, 50, 50)))
        assert plan.items[0].frame is Frame(frame)
        assert plan.assumed == ()

    def test_computed_above_terrain__above_the_sea_and_said(self):
        plan = read_plan(qgc(qgc_item(22), self.item(3, 0, 112.5, 50, 112.5)))
        assert (plan.items[1].frame, plan.items[1].alt_m) == (Frame.GLOBAL, 112.5)
        assert [(a.name, a.value) for a in plan.assumed] == [("qgc_terrain", "2")]
        assert all(a.source(lang) for a in plan.assumed for lang in ("en", "zh"))

    @pytest.mark.parametrize(
        ("mode", "frame", "height", "altitude", "amsl", "text"),
        [
            (1, 0, 50, 50, None, "plan.altitude_mode"),
            (1, 3, 50, 60, None, "plan.altitude_mode"),
            (4, 3, 50, 50, None, "plan.altitude_mode"),
            (3, 0, 50, 50, None, "plan.altitude_open"),
            (3, 0, 50, 50, 112.5, "plan.altitude_mode"),
            (3, 3, 112.5, 50, 112.5, "plan.altitude_mode"),
            (7, 3, 50, 50, None, "plan.field"),
        ],
    )
    def test_said_twice_and_differently__refused(self, mode, frame, height, altitude, amsl, text):
        assert refused(qgc(self.item(mode, frame, height, altitude, amsl))).refusals[0].text == text


class TestQgcParts:
    def test_patterns__told_that_only_their_items_are_kept(self):
        pattern = {"type": "ComplexItem", "complexItemType": "survey", "version": 5}
        pattern["TransectStyleComplexItem"] = {
            "Items": [qgc_item(16), qgc_item(16, 3, (0, 0, 0, None, 23.13, 113.26, 80))]
        }
        plan = read_plan(qgc(qgc_item(22), pattern))
        assert len(plan.items) == 3
        nameless = {name: value for name, value in pattern.items() if name != "complexItemType"}
        assert [a.value for a in read_plan(qgc(qgc_item(22), nameless)).assumed] == ["null (1)"]
        assert [(a.name, a.value, a.because) for a in plan.assumed] == [("patterns", "survey (1)", "flattened")]

    @pytest.mark.parametrize(
        ("kind", "version", "read"),
        [
            ("survey", 2, True),
            ("survey", 5, True),
            ("survey", 6, False),
            ("survey", 1, False),
            ("CorridorScan", 2, True),
        ],
    )
    def test_complex_items__by_version(self, kind, version, read):
        inner = {"Items": [qgc_item()]}
        entry = {"type": "ComplexItem", "complexItemType": kind, "version": version, "TransectStyleComplexItem": inner}
        if read:
            assert len(read_plan(qgc(qgc_item(22), entry)).items) == 2
        else:
            assert refused(qgc(qgc_item(22), entry)).refusals[0].rule == "plan.version"

    @pytest.mark.parametrize(
        "kind", ["survey", "CorridorScan", "StructureScan", "fwLandingPattern", "vtolLandingPattern"]
    )
    def test_complex_item_without_its_items__refused_by_name(self, kind):
        refusal = refused(qgc(qgc_item(22), {"type": "ComplexItem", "complexItemType": kind, "version": 2})).refusals[0]
        assert (refusal.rule, refusal.params["name"]) == ("plan.complex_item", kind)

    def test_structure_scan_with_items_beside_its_shape__taken_as_they_are(self):
        entry = {"type": "ComplexItem", "complexItemType": "StructureScan", "version": 3, "Items": [qgc_item()]}
        assert len(read_plan(qgc(qgc_item(22), entry)).items) == 2

    @pytest.mark.parametrize("target", [9, 0, None, 1.5])
    def test_jump_to_an_id_that_nothing_carries__refused_with_the_id(self, target):
        jump = qgc_item(177, 2, (target, 1, 0, 0, 0, 0, 0), doJumpId=3)
        data = qgc(qgc_item(22, doJumpId=1), qgc_item(16, doJumpId=2), jump)
        refusal = refused(data).refusals[0]
        assert (refusal.rule, refusal.text) == ("plan.jump_target", "plan.jump_unnamed")

    def test_jump_where_nothing_has_an_id__refused(self):
        assert (
            refused(qgc(qgc_item(22), qgc_item(177, 2, (1, 1, 0, 0, 0, 0, 0)))).refusals[0].text == "plan.jump_unnamed"
        )

    def test_parts_that_other_programs_leave_out__read_as_empty(self):
        document = json.loads(qgc(qgc_item(22)))
        document |= {"geoFence": {}, "rallyPoints": {}}
        assert read_plan(json.dumps(document).encode()).fence.items == ()
        for empty in ({"version": 2, "polygons": []}, {"version": 1, "polygon": []}):
            document["geoFence"] = empty
            assert read_plan(json.dumps(document).encode()).fence.items == ()
        document["rallyPoints"] = {"version": 1, "points": []}
        assert read_plan(json.dumps(document).encode()).rally == ()

    @pytest.mark.parametrize(
        "part", [{"version": 1, "polygon": [[23, 113], [23, 114], [24, 113]]}, {"version": 1, "circles": [1]}]
    )
    def test_fence_of_another_version_that_holds_something__refused(self, part):
        document = json.loads(qgc(qgc_item(22)))
        document["geoFence"] = part
        assert refused(json.dumps(document).encode()).refusals[0].rule == "plan.version"

    def test_plan_without_a_home__written_with_one_and_said(self):
        plan = read_plan(qgc(qgc_item(22), plannedHomePosition=None))
        written = convert(plan, "x.plan")
        assert [loss.what for loss in written.losses] == ["home_chosen"]
        assert json.loads(written.data)["mission"]["plannedHomePosition"] == [*PLACE, None]


@pytest.mark.parametrize("current", ["2", "3"])
def test_orders_to_an_aircraft_in_a_waypoint_file__refused(current):
    refusal = refused(wpl(HOME, f"1 {current} 3 16 0 0 0 0 23.1 113.2 50 1")).refusals[0]
    assert (refusal.rule, refusal.params["path"]) == ("plan.field", "line 3 current")


@pytest.mark.parametrize(
    ("lat", "lon", "text"),
    [
        ("231250000", "1132550000", "plan.scaled_up"),
        ("0.0000023", "0.0000113", "plan.scaled_down"),
        ("113.255", "23.125", "plan.swapped"),
        ("91", "10", "plan.swapped"),
        ("91", "181", "plan.out_of_range"),
    ],
)
def test_coordinates_in_the_wrong_scale_or_order__refused_with_the_reason(lat, lon, text):
    for data in (
        wpl(HOME, f"1 0 3 16 0 0 0 0 {lat} {lon} 50 1"),
        qgc(qgc_item(params=(0, 0, 0, None, float(lat), float(lon), 50))),
    ):
        refusal = refused(data).refusals[0]
        assert (refusal.rule, refusal.text) == ("geometry.out_of_range", text)
        assert all(refusal.fix(lang) for lang in ("en", "zh"))


def test_files_of_other_planners__read_or_refused_for_a_stated_reason():
    """What ArduPilot's tests and QGroundControl's samples hold: delays at frame 0, heights of 0, photos, a survey."""
    mission = wpl(
        "0\t1\t0\t16\t0.000000\t0.000000\t0.000000\t0.000000\t-35.362881\t149.165222\t582.000000\t1",
        "1\t0\t3\t22\t0.000000\t0.000000\t0.000000\t0.000000\t-35.362881\t149.165222\t20.000000\t1",
        "2\t0\t3\t16\t0.000000\t0.000000\t0.000000\t0.000000\t-35.364652\t149.163501\t0.000000\t1",
        "3\t0\t3\t115\t640.000000\t20.000000\t1.000000\t1.000000\t0.000000\t0.000000\t0.000000\t1",
        "4\t0\t3\t19\t5.000000\t0.000000\t0.000000\t1.000000\t0.000000\t0.000000\t20.000000\t1",
        "5\t0\t0\t93\t60.000000\t0.000000\t0.000000\t0.000000\t0.000000\t0.000000\t0.000000\t1",
        "6\t0\t3\t177\t2.000000\t1.000000\t0.000000\t0.000000\t0.000000\t0.000000\t0.000000\t1",
        "7\t0\t3\t82\t0.000000\t0.000000\t0.000000\t0.000000\t-35.362845\t149.165666\t50.000000\t1",
        "8\t0\t0\t20\t0.000000\t0.000000\t0.000000\t0.000000\t0.000000\t0.000000\t0.000000\t1",
    ).replace(b"\n", b"\r\n")
    plan = read_plan(mission)
    assert len(plan.items) == 8
    for name in ("plan", "wpl"):
        assert mission_document(read_plan(convert(plan, name).data).items) == mission_document(plan.items)
    survey = {
        "TransectStyleComplexItem": {
            "CameraCalc": {"CameraName": "Manual (no camera specs)", "version": 1},
            "Items": [qgc_item(doJumpId=2), qgc_item(206, 2, (25, 0, 1, 0, 0, 0, 0), doJumpId=3)],
            "version": 1,
        },
        "complexItemType": "survey",
        "type": "ComplexItem",
        "version": 4,
    }
    speed_mode = qgc_item(530, 2, (0, 2, None, None, None, None, None), doJumpId=1)
    plan = read_plan(qgc(speed_mode, survey, firmwareType=12, globalPlanAltitudeMode=1))
    assert [int(item.command) for item in plan.items] == [530, 16, 206]
