"""From a route to its mission and its fence."""

import numpy as np
import pytest
from shapely.geometry import LineString

from flights.canonical import document_digest, items_of
from flights.mission import AGL_TOLERANCE_M, RouteSpec, compile_route
from flights.model import Command, Reference
from flights.path.profile import profile
from flights.path.track import LegKind
from geo.types import LonLat
from schemas.refusals import RuleViolation
from tests.missions import FlatGround
from tests.situations import DIGEST, MISSION, R1

HOME = LonLat(113.2545, 23.1250)


def spec(line=R1, alt_agl_m=100.0, home=HOME):
    return RouteSpec(LineString(line), alt_agl_m, home, speed_mps=8.0, trigger_distance_m=25.0)


class Hills:
    """Hills of 25 m every 800 m."""

    def heights_m(self, lons, lats):
        return 40.0 + 25.0 * np.sin((np.asarray(lons) - 113.25) * 800.0)


class TestCompile:
    def test_level_ground__climb_speed_line_camera_return(self):
        commands = [item.command for item in compile_route(spec(), FlatGround()).items]
        assert commands == [
            Command.NAV_TAKEOFF,
            Command.DO_CHANGE_SPEED,
            Command.NAV_WAYPOINT,
            Command.DO_SET_CAM_TRIGG_DIST,
            Command.NAV_WAYPOINT,
            Command.DO_SET_CAM_TRIGG_DIST,
            Command.NAV_WAYPOINT,
            Command.NAV_RETURN_TO_LAUNCH,
        ]

    def test_camera__on_along_the_line_only(self):
        items = compile_route(spec(), FlatGround()).items
        switched = [item.params[0] for item in items if item.command is Command.DO_SET_CAM_TRIGG_DIST]
        assert switched == [25.0, 0.0]
        path = profile(compile_route(spec(), FlatGround()).plan, FlatGround())
        assert path.route_m == pytest.approx(3073, abs=1)

    def test_hills__true_height_is_kept_there_and_back(self):
        path = profile(compile_route(spec(), Hills()).plan, Hills())
        for track in path.tracks:
            assert np.abs(track.alt_agl_m - 100.0).max() <= AGL_TOLERANCE_M + 0.1
        assert {track.kind for track in path.tracks} == set(LegKind)

    def test_heights_are_above_home__as_every_autopilot_understands(self):
        items = compile_route(spec(), Hills()).items
        assert {i.frame.reference for i in items if i.command.is_located} == {Reference.HOME}

    def test_home_at_the_beginning_of_the_line__compiles(self):
        path = profile(compile_route(spec(home=LonLat(*R1[0])), FlatGround()).plan, FlatGround())
        assert path.flown_m == pytest.approx(2 * 3073, abs=2)

    def test_same_route_twice__same_digest_other_height_other_digest(self):
        one, again = compile_route(spec(), Hills()), compile_route(spec(), Hills())
        assert one.digest == again.digest
        assert one.digest != compile_route(spec(alt_agl_m=100.01), Hills()).digest

    def test_document__is_what_the_digest_hashes(self):
        assert document_digest(MISSION) == DIGEST
        assert compile_route(spec(), FlatGround()).document()["items"][0][0] == Command.NAV_TAKEOFF

    def test_document_of_another_canon__not_read(self):
        with pytest.raises(ValueError, match="canon-1"):
            items_of(MISSION | {"canon": "canon-2"})

    def test_GD_16_2__ground_unknown_under_the_line__refused_there(self):
        class Edge:
            def heights_m(self, lons, lats):
                return np.where(np.asarray(lons) < 113.27, 10.0, np.nan)

        with pytest.raises(RuleViolation) as caught:
            compile_route(spec(), Edge())
        assert caught.value.refusals[0].place["coordinates"][0] == pytest.approx(113.27, abs=1e-3)

    def test_more_items_than_an_autopilot_stores__refused(self):
        crooked = [(113.25 + i * 1e-4, 23.12 + (i % 2) * 1e-4) for i in range(700)]
        with pytest.raises(RuleViolation) as caught:
            compile_route(spec(crooked), FlatGround())
        assert caught.value.refusals[0].rule == "mission.items"
