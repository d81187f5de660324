"""Readers of plan files: what each format means, and what is refused by name and place."""

import json

import pytest

from flights.canonical import mission_digest
from flights.formats import read_plan, write_plan
from flights.model import Command, Frame, LonLat, Reference
from schemas.refusals import RuleViolation


def qgc_item(command=16, frame=3, params=(0, 0, 0, None, 23.125, 113.255, 100), **extra):
    return {"type": "SimpleItem", "command": command, "frame": frame, "params": list(params), **extra}


def qgc(*items, **mission):
    body = {"version": 2, "items": list(items), "plannedHomePosition": [23.125, 113.255, 20.0], **mission}
    document = {"fileType": "Plan", "version": 1, "mission": body}
    return json.dumps(document).encode()


def wpl(*lines):
    return ("QGC WPL 110\n" + "\n".join(lines) + "\n").encode()


def line(coordinates, **properties):
    geometry = {"type": "LineString", "coordinates": coordinates}
    return json.dumps({"type": "Feature", "properties": properties, "geometry": geometry}).encode()


HOME = "0\t1\t0\t16\t0\t0\t0\t0\t23.125\t113.255\t20\t1"
R1 = [[113.2550, 23.1250], [113.2850, 23.1250]]


def refused(data, name="plan"):
    with pytest.raises(RuleViolation) as caught:
        read_plan(data, name)
    return caught.value


class TestQgc:
    def test_simple_items__read_in_order_with_home_and_speed(self):
        plan = read_plan(qgc(qgc_item(22), qgc_item(178, 2, (1, 8, -1, 0, 0, 0, 0)), hoverSpeed=6, vehicleType=2))
        assert [i.command for i in plan.items] == [Command.NAV_TAKEOFF, Command.DO_CHANGE_SPEED]
        assert plan.items[0].at == LonLat(113.255, 23.125)
        assert plan.items[0].params[3] is None
        assert plan.home.at == LonLat(113.255, 23.125)
        assert plan.speed_mps == 6

    def test_survey__embedded_items_are_taken_as_they_are(self):
        survey = {
            "type": "ComplexItem",
            "complexItemType": "survey",
            "TransectStyleComplexItem": {"Items": [qgc_item(), qgc_item(206, 2, (25, 0, 1, 0, 0, 0, 0))]},
        }
        plan = read_plan(qgc(qgc_item(22), survey, qgc_item(20, 2, (0,) * 7)))
        assert [int(i.command) for i in plan.items] == [22, 16, 206, 20]

    @pytest.mark.parametrize("style", [None, {}, {"Items": []}, {"Items": "x"}, []])
    def test_survey_without_items__refused(self, style):
        survey = {"type": "ComplexItem", "complexItemType": "survey", "TransectStyleComplexItem": style}
        found = refused(qgc(qgc_item(), survey)).refusals
        assert [r.rule for r in found] == ["plan.complex_item"]

    def test_complex_item_inside_a_complex_item__refused(self):
        inner = {"type": "ComplexItem", "TransectStyleComplexItem": {"Items": [qgc_item()]}}
        outer = {"type": "ComplexItem", "TransectStyleComplexItem": {"Items": [inner]}}
        assert refused(qgc(qgc_item(), outer)).status == 422

    def test_three_faults__all_three_named_with_their_places(self):
        found = refused(qgc(qgc_item(183), qgc_item(frame=1), qgc_item(), qgc_item(params=(0, 0)))).refusals
        assert [r.rule for r in found] == ["plan.command", "plan.frame", "plan.field"]
        assert "MAV_CMD_DO_SET_SERVO" in found[0].message()
        assert [r.params["path"].split("]")[0] for r in found] == [
            "mission.items[0",
            "mission.items[1",
            "mission.items[3",
        ]

    def test_jump__doJumpId_becomes_the_place_in_the_list(self):
        plan = read_plan(
            qgc(
                qgc_item(22, doJumpId=7),
                qgc_item(doJumpId=9),
                qgc_item(177, 2, (9, 2, 0, 0, 0, 0, 0), doJumpId=10),
            )
        )
        assert plan.items[2].params[:2] == (2.0, 2.0)

    def test_jump_to_nowhere__refused(self):
        data = qgc(qgc_item(doJumpId=1), qgc_item(177, 2, (4, 2, 0, 0, 0, 0, 0), doJumpId=2))
        assert refused(data).refusals[0].rule == "plan.jump_target"

    def test_jump_id_twice__refused(self):
        assert refused(qgc(qgc_item(doJumpId=1), qgc_item(doJumpId=1))).refusals[0].rule == "plan.jump_id"

    def test_lat_lon_swapped__refused_with_the_order(self):
        found = refused(qgc(qgc_item(params=(0, 0, 0, None, 113.255, 23.125, 100)))).refusals
        assert found[0].rule == "geometry.out_of_range"
        assert "latitude comes first" in found[0].fix()

    def test_number_as_text__refused_in_quotes(self):
        found = refused(qgc(qgc_item(params=(0, 0, 0, None, "23.1", 113.2, 50)))).refusals
        assert [r.measured for r in found] == ['"23.1"']

    def test_missing_height__read_as_missing(self):
        plan = read_plan(qgc(qgc_item(params=(0, 0, 0, None, 23.1, 113.2, None))))
        assert plan.items[0].alt_m is None

    def test_fence_and_rally__read(self):
        ring = [[23.12, 113.25], [23.14, 113.25], [23.14, 113.29], [23.12, 113.25]]
        document = json.loads(qgc(qgc_item()))
        document["geoFence"] = {
            "version": 2,
            "polygons": [{"version": 1, "inclusion": True, "polygon": ring}],
            "circles": [{"version": 1, "inclusion": False, "circle": {"center": [23.13, 113.27], "radius": 80}}],
        }
        document["rallyPoints"] = {"version": 2, "points": [[23.13, 113.26, 40]]}
        plan = read_plan(json.dumps(document).encode())
        assert len(plan.fence.polygons[0].ring) == 3
        assert [int(i.command) for i in plan.fence.items] == [5001, 5001, 5001, 5004]
        assert plan.rally[0].alt_rel_m == 40

    @pytest.mark.parametrize(
        ("part", "value"),
        [
            ("geoFence", {"version": 3, "zones": [1]}),
            ("geoFence", {"version": 2, "polygons": [], "circles": [], "breachReturn": [1, 2, 3]}),
            (
                "geoFence",
                {"version": 2, "polygons": [{"version": 1, "inclusion": 1, "polygon": []}], "circles": []},
            ),
            (
                "geoFence",
                {
                    "version": 2,
                    "polygons": [],
                    "circles": [{"version": 1, "inclusion": True, "circle": {"center": [1, 2], "radius": 0}}],
                },
            ),
            ("rallyPoints", {"version": 2, "points": [[1, 2]]}),
            ("mission", {"version": 1, "items": []}),
            ("mission", None),
            ("version", 2),
            ("version", True),
        ],
    )
    def test_other_version_or_shape__refused(self, part, value):
        document = json.loads(qgc(qgc_item())) | {part: value}
        assert refused(json.dumps(document).encode()).status == 422


class TestWpl:
    def test_line_0__is_home_as_ardupilot_writes_it(self):
        plan = read_plan(wpl(HOME, "1\t0\t3\t22\t0\t0\t0\t0\t0\t0\t20\t1", "2 0 10 16 0 0 0 0 23.13 113.26 60 1"))
        assert plan.home.alt_amsl_m == 20
        assert plan.items[0].at is None
        assert plan.items[1].frame.reference is Reference.TERRAIN

    def test_line_0_is_a_takeoff__an_item_and_no_home(self):
        plan = read_plan(wpl("0\t1\t3\t22\t0\t0\t0\t0\t23.125\t113.255\t20\t1"))
        assert plan.home is None
        assert len(plan.items) == 1

    def test_jump__means_the_line_with_that_index_with_home_and_without(self):
        places = [f"3\t16\t0\t0\t0\t0\t23.12{n}\t113.255\t20\t1" for n in (5, 6)]
        jump = "3\t177\t1\t2\t0\t0\t0\t0\t0\t1"
        with_home = read_plan(wpl(HOME, f"1\t0\t{places[0]}", f"2\t0\t{places[1]}", f"3\t0\t{jump}"))
        assert with_home.items[int(with_home.items[2].params[0]) - 1].at.lat == 23.125
        without = read_plan(wpl(f"0\t0\t{places[0]}", f"1\t0\t{places[1]}", f"2\t0\t{jump}"))
        assert without.items[int(without.items[2].params[0]) - 1].at.lat == 23.126

    def test_bom_blank_lines_comments_and_crlf__read(self):
        data = b"\xef\xbb\xbf" + wpl("# made by hand", "", HOME, "1 0 3 16 0 0 0 0 23 113 50 1").replace(b"\n", b"\r\n")
        assert len(read_plan(data).items) == 1

    @pytest.mark.parametrize(
        ("row", "rule"),
        [
            ("1 2 3 16 0 0 0 0 23 113 50 1", "plan.field"),
            ("2 0 3 16 0 0 0 0 23 113 50 1", "plan.field"),
            ("1 0 3 16 0 0 0 0 23 113 50", "plan.field"),
            ("1 0 3 16 0 0 0 0 23 113 50 1 9", "plan.field"),
            ("1 0 3 16 0 0 0 0 nan 113 50 1", "geometry.not_finite"),
            ("1 0 3 16 0 0 0 0 -INF 113 50 1", "geometry.not_finite"),
            ("1 0 3 16 0 0 0 0 1e999 113 50 1", "geometry.not_finite"),
            ("1 0 3 16 0 0 0 0 23 113 99999 1", "plan.field"),
            ("1 0 3 16 0 0 0 0 113 23 50 1", "geometry.out_of_range"),
            ("1 0 1 16 0 0 0 0 23 113 50 1", "plan.frame"),
            ("1 0 3 5001 4 0 0 0 23 113 50 1", "plan.command"),
            ("1 0 3 207 0 0 0 0 0 0 0 1", "plan.command"),
            ("1 0 3 9999 0 0 0 0 0 0 0 1", "plan.command"),
            ("1 0 3 1_6 0 0 0 0 23 113 50 1", "plan.field"),
        ],
    )
    def test_faulty_line__refused_with_its_number(self, row, rule):
        found = refused(wpl(HOME, row)).refusals
        assert [r.rule for r in found] == [rule]
        assert found[0].params["path"].startswith("line 3")

    @pytest.mark.parametrize("header", ["QGC WPL 100", "QGC WPL", "QGC WPL 110 x"])
    def test_other_version__refused(self, header):
        assert refused((header + "\n" + HOME).encode()).refusals[0].rule == "plan.version"


class TestGeoJson:
    def test_line_without_height__height_is_missing(self):
        plan = read_plan(line(R1))
        assert [i.alt_m for i in plan.items] == [None, None]

    def test_third_ordinate__above_terrain_and_said_so(self):
        plan = read_plan(line([[*p, 100] for p in R1]))
        assert plan.items[0].frame is Frame.GLOBAL_TERRAIN_ALT
        assert [a.name for a in plan.assumed] == ["alt_frame"]

    @pytest.mark.parametrize(("frame", "reference"), [("amsl", Reference.AMSL), ("home", Reference.HOME)])
    def test_alt_frame__is_taken_at_its_word(self, frame, reference):
        plan = read_plan(line([[*p, 100] for p in R1], alt_frame=frame))
        assert plan.items[1].frame.reference is reference
        assert plan.assumed == ()

    def test_property_alt_agl_m__height_above_ground(self):
        plan = read_plan(line(R1, alt_agl_m=90, speed_mps=8, hfov_deg=70, home=[113.255, 23.125]))
        assert (plan.items[0].alt_m, plan.speed_mps, plan.hfov_deg) == (90, 8, 70)
        assert plan.home.alt_amsl_m is None

    def test_zero_third_ordinate__is_no_height(self):
        assert read_plan(line([[*p, 0] for p in R1])).items[0].alt_m is None

    @pytest.mark.parametrize(
        ("data", "rule"),
        [
            (line([[*p, 90] for p in R1], alt_agl_m=90), "plan.height_twice"),
            (line([[*p, 90] for p in R1], alt_frame=[]), "plan.field"),
            (line(R1, alt_agl_m="90"), "plan.field"),
            (line(R1, hfov_deg=0), "plan.field"),
            (line(R1, home=[23.125, 113.255]), "geometry.out_of_range"),
            (line([[23.125, 113.255], [23.125, 113.285]]), "geometry.out_of_range"),
            (line([R1[0], R1[0]]), "geometry.degenerate"),
            (line([R1[0]]), "geometry.line_short"),
            (line([R1[0], [113.285, "23.125"]]), "geometry.not_a_number"),
            (line([[*R1[0], 5], R1[1]]), "geometry.dimension"),
            (b'{"type":"FeatureCollection","features":[]}', "plan.one_line"),
            (
                b'{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[]}}',
                "geometry.type",
            ),
            (b'{"type":"LineString","coordinates":[[1,1],[1,NaN]]}', "geometry.not_finite"),
            (line(R1, alt_frame="msl"), "plan.field"),
            (line(R1, alt_agl_m=90, alt_frame="amsl"), "plan.field"),
            (b'{"type":"Polygon"}', "geometry.type"),
            (b'{"type":"GeometryCollection","geometries":[]}', "geometry.type"),
            (b'{"type":"Feature","geometry":{"type":"Circle"}}', "geometry.type"),
            (b'{"type":"Feature","geometry":null}', "geometry.empty"),
            (b'{"type":"Feature","geometry":"LINESTRING(0 0,1 1)"}', "geometry.format"),
        ],
    )
    def test_faulty_line__refused(self, data, rule):
        assert refused(data).refusals[0].rule == rule

    def test_home_latitude_first__told_that_longitude_comes_first(self):
        assert "longitude first" in refused(line(R1, home=[23.125, 113.255])).refusals[0].fix()

    def test_collection_of_one__read(self):
        feature = json.loads(line(R1, alt_agl_m=100))
        data = json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()
        assert len(read_plan(data).items) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<gpx/>",
        b"\x00\x01",
        b"[]",
        b'{"a":1}',
        b'{"fileType":"Params"}',
    ],
)
def test_other_kind_of_file__415(data):
    assert refused(data, "x.kml").status == 415


def test_empty_mission__refused():
    assert refused(qgc()).refusals[0].rule == "plan.empty"
    assert refused(wpl(HOME)).refusals[0].rule == "plan.empty"


def test_write__unknown_suffix__refused():
    with pytest.raises(RuleViolation) as caught:
        write_plan(read_plan(line(R1, alt_agl_m=100)), ".docx")
    assert caught.value.status == 415


def test_same_route_in_three_formats__one_digest():
    plan = read_plan(line(R1, alt_agl_m=100))
    again = [read_plan(write_plan(plan, suffix)) for suffix in (".plan", ".waypoints", ".geojson")]
    assert {mission_digest(p.items) for p in again} == {mission_digest(plan.items)}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (wpl(HOME, "1 0 3 16 0 0 0 0 23 113 50"), "11 列，格式要求每行 12 列"),
        (qgc(qgc_item(params=(0, 0, 0, None, "23.1", 113.2, 50))), '为 "23.1"，格式要求为数字'),
        (qgc(qgc_item(params=(0, 0, 0))), "为 [...]，格式要求为含 7 个元素的列表"),
        (b'{"type": "FeatureCollection", "features": [null]}', "为 null，格式要求为对象"),
    ],
)
def test_value_that_the_format_does_not_have__said_in_chinese_throughout(data, words):
    assert words in refused(data).refusals[0].message("zh")
