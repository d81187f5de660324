"""Where a flight would lead if it were broken off: ways home and to rally points, from any point of the path."""

from dataclasses import replace

import numpy as np
import pytest
from shapely.geometry import LineString, MultiPoint, Point, box, shape

from flights.check.situation import AirspaceArea, Clearance, Options, PublishedArea, PublishedRoute, Residential
from flights.model import Command, Frame, Home, LonLat, Plan, PlanItem, RallyPoint
from flights.path.profile import profile
from flights.path.ways import RALLY_LIMIT_M, RTL_ALT_M, fans, sampled
from geo import crs, measure
from tests.missions import FlatGround
from tests.situations import AREA, PA1, R1, ROUTE, Z1, ZONE, drawn, judged, local, situation

# A bow around Z1: the line and its footprint keep clear, the straight way home from its far end does not.
BOW = [(113.2600, 23.1300), (113.2600, 23.1250), (113.2800, 23.1250), (113.2800, 23.1300)]
HOME = Home(LonLat(*BOW[0]), 12.0)


def flown(line, *, alt_m=100.0, back=True, home=None, rally=()):
    """A plan along `line` and back the same way, so that no leg of it is a short cut."""
    way = [*line, *line[-2::-1]] if back else line
    items = [PlanItem(Command.NAV_WAYPOINT, Frame.GLOBAL_RELATIVE_ALT, at=LonLat(*p), alt_m=alt_m) for p in way]
    land = PlanItem(Command.NAV_LAND, Frame.GLOBAL_RELATIVE_ALT, at=LonLat(*way[-1]), alt_m=0.0)
    return Plan((*items, land), home or Home(LonLat(*line[0]), 12.0), rally=tuple(rally))


def judge(plan, at=None, options=None, **changes):
    return judged(plan, situation(**changes), at, options)


def texts(verdict):
    return {refusal.text for refusal in verdict.refusals} - {"flight.route_unmatched", "flight.route_none"}


def only(verdict, text):
    (found,) = [refusal for refusal in verdict.refusals if refusal.text == text]
    return found


class Hill:
    """A ridge of 80 m that lies between home and the far end, and level ground elsewhere."""

    def heights_m(self, lons, lats):
        return np.where(
            (np.asarray(lons) > 113.268) & (np.asarray(lons) < 113.272) & (np.asarray(lats) > 23.128), 92.0, 12.0
        )


class Step:
    """A plain that lies 60 m lower west of the bow's middle, north of its line."""

    def heights_m(self, lons, lats):
        return np.where(
            (np.asarray(lons) < 113.275) & (np.asarray(lons) > 113.262) & (np.asarray(lats) > 23.127), -28.0, 12.0
        )


class TestSmallHomes:
    def test_GD_16_5__way_home_low_over_a_house_between_two_samples__refused(self):
        """From the bow's last leg a straight way home leads over it at 50 m, between two of those that are sampled."""
        bow = replace(ROUTE, line=LineString(BOW), alt_agl_m=50.0)
        lon, lat = 113.2700001, 23.1287001
        house = Residential("House", box(lon - 1e-6, lat - 1e-6, lon + 1e-6, lat + 1e-6))
        found = judge(drawn(BOW, alt_m=50.0), residential=(house,), routes=(bow,), zones=())
        assert "flight.way_low_over_homes" in texts(found)


class TestZones:
    def test_GD_16_5__way_home_through_a_zone__refused_with_the_place_on_the_way(self):
        refusal = only(judge(flown(BOW)), "flight.way_in_zone")
        assert refusal.rule == "GD-16.5"
        assert refusal.params["zone"] == "PZ-Z1"
        assert float(refusal.params["along"]) < measure.length_m(LineString(BOW))
        assert shape(refusal.place).equals(Z1)

    def test_GD_16_5__way_home_clear_of_the_zone__passes(self):
        assert texts(judge(flown(BOW[:3]))) == set()

    def test_GD_16_5__zone_refused_for_the_line__is_not_refused_again_for_the_way(self):
        found = judge(drawn([(113.2600, 23.1300), (113.2800, 23.1300)]))
        assert [r.text for r in found.refusals if r.rule == "GD-16.5"] == ["flight.line_in_zone"]

    @pytest.mark.parametrize(("buffer_m", "refused"), [(200.0, False), (330.0, True)])
    def test_GD_16_5__way_within_the_buffer_of_a_zone__refused(self, buffer_m, refused):
        """The way home along the line passes the zone 498 m away, minus the 70 m that the camera sees."""
        beside = replace(ZONE, geom=box(113.2695, 23.1220, 113.2705, 23.1222), buffer_m=buffer_m)
        narrow = judge(flown(BOW[1:3]), zones=(beside,), options=Options(hfov_deg=1.0))
        assert ("flight.line_in_zone" in texts(narrow)) is refused

    def test_GD_16_5__ways_from_any_point__same_zones_as_rays_every_ten_metres(self):
        rng = np.random.default_rng(7)
        line = [tuple(p) for p in np.column_stack([rng.uniform(113.252, 113.288, 12), rng.uniform(23.121, 23.139, 12)])]
        path = profile(flown(line, back=False), FlatGround())
        (fan,) = fans(path, ())
        at = np.column_stack([rng.uniform(113.25, 113.29, 300), rng.uniform(23.12, 23.14, 300)])
        zones = np.array([Point(p).buffer(2e-5) for p in at], dtype=object)
        met = set(fan.met(crs.to_metric(zones, fan.epsg), np.zeros(len(zones))))
        rays = [LineString([line[0], p]) for t in path.tracks for p in np.column_stack([t.lons, t.lats])]
        by_rays = {i for i, zone in enumerate(zones) if any(ray.intersects(zone) for ray in rays)}
        assert by_rays <= met
        # What only the triangles find lies between two rays.
        hull = MultiPoint([p for t in path.tracks for p in np.column_stack([t.lons, t.lats])]).convex_hull
        assert all(zones[i].intersects(hull) for i in met - by_rays)
        assert len(met - by_rays) < len(zones) / 10

    def test_GD_15__hidden_shape__is_not_what_a_way_is_refused_with(self):
        hidden = replace(ZONE, exact_geom=box(113.2698, 23.1298, 113.2702, 23.1302))
        shown, other = (
            only(judge(flown(BOW)), "flight.way_in_zone"),
            only(judge(flown(BOW), zones=(hidden,)), "flight.way_in_zone"),
        )
        assert shown.render() == other.render()


class TestArea:
    NOTCHED = PA1.difference(box(113.268, 23.127, 113.272, 23.1400))

    def test_GD_16_3__way_home_leaves_the_area__refused(self):
        notched = PublishedArea("PA-N", "N", self.NOTCHED, AREA.notice)
        verdict = judge(flown(BOW), areas=(notched,), zones=())
        refusal = only(verdict, "flight.way_outside")
        assert refusal.rule == "GD-16.3"
        assert shape(refusal.place).within(box(113.2679, 23.1269, 113.2721, 23.1401))
        assert texts(verdict) == {"flight.way_outside"}

    def test_GD_16_3__way_home_inside__passes(self):
        assert texts(judge(flown(BOW), zones=())) == set()

    def test_GD_16_3__line_outside__is_told_once(self):
        verdict = judge(drawn([(113.2550, 23.1250), (113.2950, 23.1250)]))
        assert [r.text for r in verdict.refusals if r.rule == "GD-16.3"] == ["flight.line_outside"]


class TestHeights:
    def test_GD_16_5__way_home_into_a_ridge__refused(self):
        low = judge(flown(BOW, alt_m=60.0), ground=Hill(), zones=())
        assert only(low, "flight.way_low").measured == "-20 m"
        assert "flight.low_over_ground" not in texts(low)

    def test_GD_16_5__way_home_over_a_ridge_with_room__passes(self):
        assert "flight.way_low" not in texts(judge(flown(BOW, alt_m=95.0), ground=Hill(), zones=()))

    def test_GD_16_5__flight_near_the_ground__refused(self):
        assert only(judge(flown(BOW[1:3], alt_m=8.0)), "flight.low_over_ground").measured == "8 m"
        assert "flight.low_over_ground" not in texts(judge(flown(BOW[1:3], alt_m=10.0)))

    def test_GD_16_2__way_home_above_the_controlled_height_over_a_valley__refused(self):
        refusal = only(judge(flown(BOW), ground=Step(), zones=()), "flight.way_high")
        assert (refusal.rule, refusal.measured, refusal.required) == ("GD-16.2", "140 m", "120 m")

    def test_GD_16_2__way_home_above_the_controlled_height__passes_with_approval(self):
        held = Clearance("approval", "A-1", box(113.2, 23.1, 113.3, 23.2), 145.0, local(hour=9), local(hour=12))
        assert "flight.way_high" not in texts(judge(flown(BOW), ground=Step(), zones=(), clearances=(held,)))

    def test_GD_16_2__way_home_over_a_listed_place__refused_without_approval(self):
        water = AirspaceArea("drinking_water_source", "Reservoir", "approval", box(113.268, 23.128, 113.272, 23.131))
        assert only(judge(flown(BOW), airspace=(water,), zones=()), "flight.way_airspace").rule == "GD-16.2"
        held = Clearance("approval", "A-1", box(113.2, 23.1, 113.3, 23.2), 105.0, local(hour=9), local(hour=12))
        assert texts(judge(flown(BOW), airspace=(water,), zones=(), clearances=(held,))) == set()
        low = replace(held, alt_max_agl_m=95.0)
        assert "flight.way_airspace" in texts(judge(flown(BOW), airspace=(water,), zones=(), clearances=(low,)))

    def test_GD_16_5__way_home_low_over_homes__refused(self):
        village = Residential("Village", box(113.268, 23.128, 113.272, 23.131))
        low = replace(ROUTE, alt_agl_m=55.0)
        verdict = judge(flown(BOW, alt_m=55.0), residential=(village,), zones=(), routes=(low,))
        assert only(verdict, "flight.way_low_over_homes").measured == "55 m"
        assert "flight.way_low_over_homes" not in texts(judge(flown(BOW, alt_m=61.0), residential=(village,), zones=()))

    def test_RTL__a_low_aircraft_climbs_to_RTL_ALT_and_a_high_one_keeps_its_altitude(self):
        for alt_m, kept_m in ((10.0, RTL_ALT_M), (100.0, 100.0)):
            path = profile(flown(BOW, alt_m=alt_m), FlatGround())
            (fan,) = fans(path, ())
            assert np.allclose(sampled(path, fan).alt_agl_m, kept_m)

    def test_GD_16_2__ground_below_a_way_home_unknown__refused(self):
        class Gap:
            def heights_m(self, lons, lats):
                hole = (lons > 113.268) & (lons < 113.272) & (lats > 23.128) & (lats < 23.132)
                return np.where(hole, np.nan, 12.0)

        assert "flight.terrain_missing" in texts(judge(flown(BOW), ground=Gap(), zones=()))


class TestRally:
    def test_GD_16_5__way_to_the_nearest_rally_point_through_a_zone__refused(self):
        """The rally point lies behind a zone, 160 m from the line; home and its way do not."""
        rally = RallyPoint(LonLat(113.2700, 23.1264), 40.0)
        behind = replace(ZONE, geom=box(113.2699, 23.12595, 113.2701, 23.12605))
        narrow = Options(hfov_deg=20.0)
        assert texts(judge(flown(BOW[1:3]), zones=(behind,), options=narrow)) == set()
        found = judge(flown(BOW[1:3], rally=(rally,)), zones=(behind,), options=narrow)
        assert only(found, "flight.way_in_zone").params["refuge"] == "rally 1"

    def test_rally__further_away_than_the_autopilot_flies__is_not_flown_to(self):
        far = RallyPoint(LonLat(113.2700, 23.1290), 40.0)
        assert RALLY_LIMIT_M < 440
        path = profile(flown(BOW[1:3]), FlatGround())
        assert [fan.refuge.name for fan in fans(path, (far,))] == ["home"]

    def test_GD_16_3__rally_point_outside_the_area__refused(self):
        outside = RallyPoint(LonLat(113.2700, 23.1195), 40.0)
        line = [(113.2600, 23.1210), (113.2800, 23.1210)]
        assert only(judge(flown(line, rally=(outside,)), zones=()), "flight.way_outside").params["refuge"] == "rally 1"

    def test_rally__is_flown_to_at_its_own_height_where_that_is_higher(self):
        path = profile(flown(BOW[1:3], alt_m=30.0, rally=()), FlatGround())
        _, fan = fans(path, (RallyPoint(LonLat(113.2700, 23.1255), 80.0),))
        assert np.allclose(sampled(path, fan).alt_agl_m, 80.0)


def test_R1__every_way_home_is_clear():
    assert judge(drawn(R1)).ok


def test_published_route_of_a_bow__the_same_finding_as_for_a_file():
    """A route that was published is no excuse: the way home is judged for its mission too."""
    bow = PublishedRoute("RT-B", "B", LineString(BOW), 100.0, "0" * 64, ROUTE.notice)
    assert "flight.way_in_zone" in texts(judge(flown(BOW, back=False), routes=(bow,)))
