"""The survey generator: what a camera sees from a height, where lines run, and what is refused."""

import json
import math
import uuid
from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Polygon, box

from flights.check.precheck import check_plan
from flights.check.situation import Options
from flights.formats import read_plan, write_plan
from flights.ground import UnknownGround
from flights.model import Command
from flights.path.profile import profile
from flights.path.track import LegKind
from flights.survey.camera import CameraModel, camera_named, cameras
from flights.survey.generate import generate
from flights.survey.spec import Around, SurveySpec
from geo.footprint import Camera
from geo.types import LonLat
from geo.zones import Zone, distance_m, hits
from schemas.limits import limit
from schemas.refusals import RuleViolation
from tests.missions import FlatGround
from tests.situations import PA1, Z1, ZONE, local, situation

P4P = camera_named("dji-phantom-4-pro")
HOME = LonLat(113.2645, 23.1262)
# 87 ha with a hole, beside and over the bath-house Z1.
AREA = Polygon(
    [(113.262, 23.125), (113.2725, 23.126), (113.2735, 23.133), (113.264, 23.134)],
    [[(113.266, 23.1285), (113.2675, 23.1285), (113.2675, 23.13), (113.266, 23.13)]],
)
PLAIN = box(113.262, 23.123, 113.266, 23.126)
AROUND = Around(FlatGround(), (ZONE,), 0.0, PA1)


def spec(area=AREA, **asked):
    return SurveySpec(area, **({"camera": P4P, "alt_agl_m": 60.0, "speed_mps": 6.0} | asked))


def refused(around=AROUND, **asked):
    with pytest.raises(RuleViolation) as caught:
        generate(spec(**asked), around)
    return caught.value.refusals[0]


class Hills:
    """Ground that rises and falls by 80 m over a kilometre."""

    def heights_m(self, lons, lats):
        return 40 + 40 * np.sin(np.asarray(lons) * 640) * np.cos(np.asarray(lats) * 500)


class Cliff:
    """A step of 60 m on the meridian of the zone's western side."""

    def heights_m(self, lons, _lats):
        return np.where(np.asarray(lons) < 113.2685, 70.0, 10.0)


# --- camera ----------------------------------------------------------------------------------------------


def test_camera__phantom_4_pro_at_60_m__as_worked_by_hand():
    assert P4P.gsd_cm(60) == pytest.approx(1.645, abs=0.001)
    assert P4P.footprint_m(60) == pytest.approx((90.0, 60.0))
    assert (P4P.spacing_m(60, 0.8), P4P.trigger_m(60, 0.8)) == pytest.approx((18.0, 12.0))
    assert P4P.alt_agl_m(P4P.gsd_cm(83.7)) == pytest.approx(83.7)


def test_camera__portrait__short_side_across():
    assert P4P.portrait.footprint_m(60) == pytest.approx((60.0, 90.0))
    assert P4P.portrait.gsd_cm(60) == pytest.approx(P4P.gsd_cm(60))
    assert P4P.portrait.portrait == P4P


def test_camera__of_an_angle__as_the_checks_see_it():
    camera = CameraModel.of_angle(70.0, (1400, 1050))
    assert camera.hfov_deg == pytest.approx(70.0)
    assert camera.view().half_width_m(100.0) == pytest.approx(70.02, abs=0.01)
    assert camera.footprint_m(100.0)[0] == pytest.approx(140.04, abs=0.01)


def test_cameras__all__have_a_source_and_a_sound_geometry():
    for code, camera in cameras().items():
        assert camera.source, code
        assert camera_named(camera.name.upper()) is camera
        assert 5 < camera.hfov_deg < 100
        # The pixels of a camera are square to a few per cent, or a number is mistyped.
        across, along = (size / pixels for size, pixels in zip(camera.sensor_mm, camera.image_px, strict=True))
        assert across == pytest.approx(along, rel=0.03), code


@pytest.mark.parametrize("image", [(0, 100), (100, -1)])
def test_camera__impossible__refused(image):
    with pytest.raises(RuleViolation, match=r"survey\.camera"):
        CameraModel.of_angle(70.0, image)


@pytest.mark.parametrize("hfov_deg", [0.0, -1.0, 151.0, math.nan])
def test_camera__impossible_angle__refused(hfov_deg):
    with pytest.raises(RuleViolation, match="camera_angle"):
        CameraModel.of_angle(hfov_deg, (100, 100))


def test_camera__unknown__refused_with_those_that_are_known():
    with pytest.raises(RuleViolation) as caught:
        camera_named("Kodak Brownie")
    assert "dji-phantom-4-pro" in caught.value.refusals[0].fix("en")


def test_trigger__faster_than_the_camera__refused_with_the_speed_that_would_do():
    refusal = refused(front=0.8, speed_mps=8.0)
    assert (refusal.rule, refusal.measured, refusal.required) == ("survey.trigger", "1.50 s", "2 s")
    assert refusal.params["speed"] == "6.0"
    assert generate(spec(front=0.8, speed_mps=6.0), AROUND).stats.trigger_m == 12.0


# --- lines -----------------------------------------------------------------------------------------------


def test_survey__plain_rectangle__lines_spacing_and_coverage():
    survey = generate(spec(PLAIN, side=0.8), Around(FlatGround()))
    assert survey.stats.angle_deg == pytest.approx(90.0, abs=0.5)
    # 332 m from south to north at 18 m a line.
    assert survey.stats.lines == math.ceil(332.3 / 18)
    assert survey.stats.covered > 0.999
    assert survey.stats.area_m2 == pytest.approx(410 * 332, rel=0.01)
    assert survey.stats.photos == pytest.approx(19 * (410 / 15 + 1), rel=0.02)


def test_survey__plan__is_an_ordinary_one_with_photos_on_the_lines_alone():
    plan = generate(spec(home=HOME), AROUND).plan
    commands = [item.command for item in plan.items]
    assert (commands[0], commands[-1]) == (Command.NAV_TAKEOFF, Command.NAV_RETURN_TO_LAUNCH)
    switched = [item.params[0] > 0 for item in plan.items if item.command is Command.DO_SET_CAM_TRIGG_DIST]
    assert switched == [True, False] * (len(switched) // 2)
    assert plan.items[-2].at == plan.items[0].at


@pytest.mark.parametrize("suffix", [".plan", ".waypoints"])
def test_survey__written_and_read__is_the_same_mission(suffix):
    plan = generate(spec(home=HOME), AROUND).plan
    again = read_plan(write_plan(plan, suffix), f"survey{suffix}")
    assert [item.at for item in again.items] == [item.at for item in plan.items]
    assert [item.alt_m for item in again.items if item.at] == [item.alt_m for item in plan.items if item.at]


def test_survey__angle_given__lines_have_it():
    survey = generate(spec(PLAIN, angle_deg=30.0), Around(FlatGround()))
    (a, b) = shapely.get_coordinates(survey.lines.geoms[3])
    east, north = (b[0] - a[0]) * math.cos(math.radians(23.12)), b[1] - a[1]
    assert math.degrees(math.atan2(east, north)) % 180 == pytest.approx(30.0, abs=0.3)


def test_survey__cross_grid__two_directions():
    one, two = (generate(spec(PLAIN, cross=cross), Around(FlatGround())).stats for cross in (False, True))
    assert two.lines > one.lines * 1.5
    assert two.photo_length_m == pytest.approx(2 * one.photo_length_m, rel=0.15)


def test_survey__turnaround__flown_beyond_the_lines_without_photos():
    plain, far = (generate(spec(PLAIN, turnaround_m=metres), Around(FlatGround())) for metres in (0.0, 40.0))
    assert far.stats.photo_length_m == pytest.approx(plain.stats.photo_length_m)
    west, _, east, _ = far.ways.bounds
    assert (PLAIN.bounds[0] - west) * 102_400 == pytest.approx(40.0, abs=1.0)
    assert (east - PLAIN.bounds[2]) * 102_400 == pytest.approx(40.0, abs=1.0)


def test_survey__same_input__same_bytes():
    first, second = (write_plan(generate(spec(home=HOME), AROUND).plan, ".plan") for _ in range(2))
    assert first == second


def test_survey__narrow_field__one_line():
    assert generate(spec(box(113.262, 23.123, 113.266, 23.1232)), Around(FlatGround())).stats.lines == 1


def test_corridor__bent__parallel_passes_that_cover_it():
    river = LineString([(113.255, 23.125), (113.27, 23.1265), (113.28, 23.135)])
    survey = generate(spec(river, width_m=200.0), Around(FlatGround()))
    assert survey.stats.lines == math.ceil(200 / 31.5)
    assert survey.stats.covered > 0.995
    assert survey.stats.angle_deg is None


def test_corridor__zone_beside_it__cut_and_clear():
    river = LineString([(113.255, 23.1275), (113.285, 23.1305)])
    survey = generate(spec(river, width_m=150.0), AROUND)
    assert survey.stats.covered < 0.995
    assert clear(survey)


# --- privacy ---------------------------------------------------------------------------------------------


def clear(survey, camera=P4P, ground=None):
    path = profile(survey.plan, ground or FlatGround())
    return not hits(path.line(), (ZONE,)) and not hits(path.footprint(camera.view()), (ZONE,))


def test_GD_16_5__survey_over_a_zone__passes_the_check_itself():
    survey = generate(spec(home=HOME), AROUND)
    verdict = check_plan(survey.plan, situation(), at=local(), options=Options())
    assert "GD-16.5" not in {refusal.rule for refusal in verdict.refusals}
    assert "GD-16.3" not in {refusal.rule for refusal in verdict.refusals}
    (clearance,) = (c for c in verdict.clearances if c.zone == "PZ-Z1" and c.footprint_m is not None)
    assert 0 < clearance.footprint_m < 30
    # The zone is well inside the area: were it ignored, lines would cross it.
    without = generate(spec(home=HOME), Around(FlatGround(), (), 0.0, PA1))
    assert not clear(without)


def test_GD_16_5__whole_patrol_area__passes_the_check_itself():
    survey = generate(spec(PA1, alt_agl_m=100.0, home=LonLat(113.2545, 23.1250)), AROUND)
    verdict = check_plan(survey.plan, situation(), at=local(), options=Options())
    assert {refusal.rule for refusal in verdict.refusals} & {"GD-16.3", "GD-16.5"} == set()
    assert survey.stats.covered > 0.9


def test_GD_16_5__buffer_of_the_rules__kept():
    survey = generate(spec(home=HOME), Around(FlatGround(), (ZONE,), 35.0, PA1))
    seen = profile(survey.plan, FlatGround()).footprint(P4P.view())
    assert 35.0 < distance_m(seen, Z1) < 60.0


def test_GD_16_5__holes__neither_flown_over_nor_seen():
    hole = Polygon(AREA.interiors[0])
    path = profile(generate(spec(home=HOME), AROUND).plan, FlatGround())
    assert not path.footprint(P4P.view()).intersects(hole)


def test_survey__hole_that_is_not_private__seen_to_its_rim_and_not_flown_over():
    hole = Polygon(AREA.interiors[0])
    path = profile(generate(spec(home=HOME, holes_private=False), AROUND).plan, FlatGround())
    assert path.footprint(P4P.view()).intersects(hole)
    assert not path.line().intersects(hole)


def test_GD_16_5__over_hills__clear_at_the_height_that_is_flown():
    survey = generate(spec(home=HOME), Around(Hills(), (ZONE,), 0.0, PA1))
    assert clear(survey, ground=Hills())
    route = profile(survey.plan, Hills()).of(LegKind.ROUTE)
    heights_m = np.concatenate([track.alt_agl_m for track in route])
    assert 54.0 < heights_m.min() < heights_m.max() < 66.0
    assert survey.stats.gsd_worst_cm > survey.stats.gsd_cm


def test_GD_16_5__cliff_beside_the_zone__laid_out_for_it():
    survey = generate(spec(home=HOME), Around(Cliff(), (ZONE,), 0.0, PA1))
    assert clear(survey, ground=Cliff())


@pytest.mark.parametrize("by_the_rules", [True, False])
def test_GD_16_5__roll_margin__kept_too(by_the_rules):
    asked, rules = (0.0, 5.0) if by_the_rules else (5.0, 0.0)
    around = Around(FlatGround(), (ZONE,), 0.0, PA1, roll_margin_deg=rules)
    survey = generate(spec(home=HOME, roll_margin_deg=asked), around)
    camera = Camera(P4P.hfov_deg, P4P.vfov_deg, roll_margin_deg=5.0)
    assert not hits(profile(survey.plan, FlatGround()).footprint(camera), (ZONE,))


def test_GD_16_5__home_beside_the_zone__refused_with_its_place():
    refusal = refused(home=LonLat(113.2700, 23.1293))
    assert (refusal.rule, refusal.text) == ("GD-16.5", "survey.home")
    assert refusal.place["coordinates"] == (113.27, 23.1293)


def wall(west=113.2700, east=113.2701):
    """A zone that cuts the patrol area in two."""
    return Zone(uuid.uuid4(), "PZ-W", "home", box(west, 23.11, east, 23.15), 0.0, datetime(2025, 5, 1, tzinfo=UTC))


ACROSS = box(113.262, 23.124, 113.278, 23.128)


def test_GD_16_5__zone_from_rim_to_rim__only_the_side_of_home():
    around = Around(FlatGround(), (wall(),), 0.0, PA1)
    survey = generate(spec(ACROSS, home=LonLat(113.263, 23.125)), around)
    assert survey.lines.bounds[2] < wall().geom.bounds[0]
    assert 0.4 < survey.stats.behind < 0.6
    assert survey.stats.covered == pytest.approx(1 - survey.stats.behind, abs=0.1)
    far = generate(spec(ACROSS, home=LonLat(113.277, 23.125)), around)
    assert far.lines.bounds[0] > wall().geom.bounds[2]


def test_GD_16_5__gap_narrower_than_a_photo__no_way_and_where():
    gap = (box(113.27, 23.11, 113.2701, 23.1258), box(113.27, 23.1262, 113.2701, 23.15))
    zones = tuple(Zone(uuid.uuid4(), f"PZ-{n}", "home", shape, 0.0, ZONE.valid_from) for n, shape in enumerate(gap))
    refusal = refused(Around(FlatGround(), zones, 0.0, PA1), area=ACROSS, home=LonLat(113.263, 23.126))
    assert (refusal.rule, refusal.text) == ("GD-16.5", "survey.no_way")
    assert LineString(refusal.place["coordinates"]).intersects(shapely.union_all(gap).envelope)


def test_GD_16_5__ways_home_from_any_point__never_through_the_zone():
    survey = generate(spec(home=HOME), AROUND)
    home = survey.plan.home.at
    places = shapely.get_coordinates(survey.lines).tolist()
    assert not any(LineString([home, place]).intersects(Z1) for place in places)
    assert survey.stats.behind > 0.02


def test_survey__without_home__takes_off_where_most_is_free():
    chosen = generate(spec(), AROUND).stats.behind
    given = [generate(spec(home=home), AROUND).stats.behind for home in (HOME, LonLat(113.2645, 23.1333))]
    assert chosen <= min(given)


def test_corridor__that_comes_back_to_itself__its_inside_is_no_private_hole():
    loop = LineString([(113.262, 23.123), (113.266, 23.123), (113.266, 23.126), (113.262, 23.123)])
    assert generate(spec(loop, width_m=20.0), Around(FlatGround())).stats.covered > 0.95


def test_GD_16_5__everything_private__nothing_to_survey():
    refusal = refused(Around(FlatGround(), (wall(113.25, 113.29),), 0.0, PA1))
    assert refusal.rule == "survey.nothing"


def test_GD_16_5__sensitive_zone__laid_out_by_its_displayed_shape_alone():
    exact = box(113.26999, 23.12999, 113.27001, 23.13001)
    hidden = Zone(ZONE.id, ZONE.public_id, ZONE.kind, Z1, 0.0, ZONE.valid_from, exact_geom=exact)
    plans = [generate(spec(), Around(FlatGround(), (zone,), 0.0, PA1)).plan for zone in (ZONE, hidden)]
    assert plans[0] == plans[1]


def test_GD_16_2__ground_not_known__refused():
    assert refused(Around(UnknownGround(), (ZONE,), 0.0, PA1)).rule == "GD-16.2"


# --- too much --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"area": box(113.0, 23.0, 113.3, 23.3)}, "survey.area"),
        ({"area": box(113.25, 23.12, 113.29, 23.14), "side": 0.95}, "survey.lines"),
        (
            {"area": box(113.22, 23.11, 113.28, 23.16), "alt_agl_m": 100.0, "side": 0.9, "speed_mps": 2.0},
            "survey.lines",
        ),
        ({"area": LineString([(113.0, 23.0), (116.0, 23.0)]), "width_m": 10.0}, "plan.too_long"),
        ({"area": shapely.Point(113.265, 23.125).buffer(0.003, quad_segs=300)}, "survey.corners"),
    ],
)
def test_survey__too_large__refused_before_any_work(asked, rule):
    class Untouched:
        def heights_m(self, _lons, _lats):
            raise AssertionError("the ground was asked")

    assert refused(Around(Untouched()), **asked).rule == rule


def test_survey__too_many_items__refused():
    area = box(113.262, 23.121, 113.2640, 23.139)
    refusal = refused(area=area, side=0.9, angle_deg=90.0)
    assert (refusal.rule, refusal.required) == ("mission.items", limit("mission.items"))


@pytest.mark.parametrize(
    "asked",
    [
        {"alt_agl_m": math.nan},
        {"alt_agl_m": 0.0},
        {"front": 1.0},
        {"side": -0.1},
        {"speed_mps": math.inf},
        {"angle_deg": math.nan},
        {"width_m": 0.0},
    ],
)
def test_spec__out_of_range__refused(asked):
    with pytest.raises(RuleViolation, match=r"survey\.range"):
        spec(**asked)


def test_spec__several_out_of_range__all_told():
    with pytest.raises(RuleViolation) as caught:
        spec(alt_agl_m=0.0, side=2.0)
    assert len(caught.value.refusals) == 2


def test_spec__lens_that_sees_the_horizon_with_its_roll__refused():
    with pytest.raises(RuleViolation, match="camera_angle"):
        spec(camera=CameraModel.of_angle(150.0, (100, 100)), roll_margin_deg=15.0)


def test_corridor__without_a_width__refused():
    with pytest.raises(RuleViolation, match="width_m"):
        spec(LineString([(113.255, 23.125), (113.27, 23.1265)]))


def test_stats__rendered__is_json():
    body = generate(spec(), AROUND).stats.render()
    assert json.loads(json.dumps(body, allow_nan=False)) == body
