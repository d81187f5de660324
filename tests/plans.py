"""Plans of every kind that a file may hold, for properties: every command, frame, fence and habit."""

from __future__ import annotations

from hypothesis import strategies as st

from flights.model import (
    E7,
    LOOKED_AT,
    MISSION_COMMANDS,
    Command,
    Fence,
    FenceCircle,
    FencePolygon,
    Frame,
    Home,
    Plan,
    PlanItem,
    RallyPoint,
)
from geo.types import LonLat

PLACES = st.builds(
    lambda lon, lat: LonLat(lon / E7, lat / E7),
    st.integers(-1_790_000_000, 1_790_000_000),
    st.integers(-850_000_000, 850_000_000),
).filter(lambda at: max(map(abs, at)) >= 0.001)
NEAR = st.builds(
    lambda lon, lat: LonLat(lon / E7, lat / E7),
    st.integers(1_132_000_000, 1_133_000_000),
    st.integers(231_000_000, 232_000_000),
)
FRAMES = st.sampled_from([Frame.GLOBAL, Frame.GLOBAL_RELATIVE_ALT, Frame.GLOBAL_TERRAIN_ALT_INT])
HEIGHTS_M = st.integers(-40_000, 500_000).map(lambda cm: cm / 100)
NUMBERS = st.integers(-100_000, 100_000).map(lambda milli: milli / 1000)
OPTIONAL = st.one_of(st.none(), NUMBERS)
PARAMS = st.tuples(*[OPTIONAL] * 4)


@st.composite
def mission_items(draw, count, places=PLACES):
    """One item that a reader takes, of any command."""
    command = draw(st.sampled_from(sorted(MISSION_COMMANDS)))
    if command is Command.DO_JUMP:
        target = float(draw(st.integers(1, count)))
        return PlanItem(command, Frame.MISSION, (target, draw(NUMBERS), 0.0, 0.0))
    if command is Command.DO_CHANGE_SPEED:
        return PlanItem(
            command, Frame.MISSION, (draw(st.sampled_from([None, 0.0, 1.0])), *draw(st.tuples(*[OPTIONAL] * 3)))
        )
    if command is Command.NAV_DELAY:
        return PlanItem(command, Frame.MISSION, (abs(draw(NUMBERS)) + 0.001, *draw(st.tuples(*[OPTIONAL] * 3))))
    if command is Command.DO_DIGICAM_CONTROL:
        numbers = (draw(st.integers(0, 1)), draw(st.integers(0, 255)))
        return PlanItem(command, Frame.MISSION, (draw(NUMBERS), 0.0, 0.0, draw(NUMBERS)), numbers=numbers)
    if command is Command.DO_GIMBAL_MANAGER_PITCHYAW:
        return PlanItem(command, Frame.MISSION, (draw(NUMBERS), draw(OPTIONAL), 0.0, 0.0))
    if command in LOOKED_AT:
        at = draw(places)
        return PlanItem(command, draw(FRAMES), (0.0, *draw(st.tuples(*[OPTIONAL] * 3))), at, draw(HEIGHTS_M))
    if not command.is_located:
        return PlanItem(command, Frame.MISSION, draw(PARAMS))
    at = draw(st.one_of(st.none(), places))
    return PlanItem(command, draw(FRAMES), draw(PARAMS), at, draw(HEIGHTS_M))


HOMES = st.builds(Home, PLACES, st.one_of(st.none(), HEIGHTS_M))
FENCES = st.builds(
    Fence,
    st.lists(
        st.builds(FencePolygon, st.lists(PLACES, min_size=3, max_size=6, unique=True).map(tuple), st.booleans()),
        max_size=2,
    ).map(tuple),
    st.lists(st.builds(FenceCircle, PLACES, st.integers(1, 900).map(float), st.booleans()), max_size=2).map(tuple),
)
RALLIES = st.lists(st.builds(RallyPoint, PLACES, HEIGHTS_M), max_size=2).map(tuple)
POSITIVE = st.integers(1, 3_000).map(lambda cm: cm / 100)


@st.composite
def plans(draw):
    """Any plan: a take-off and items of any kind, with or without everything else."""
    count = draw(st.integers(1, 8))
    items = [PlanItem(Command.NAV_TAKEOFF, Frame.GLOBAL_RELATIVE_ALT, at=draw(PLACES), alt_m=30.0)]
    items += [draw(mission_items(count)) for _ in range(count - 1)]
    optional = st.one_of(st.none(), POSITIVE)
    home, fence, rally = draw(st.one_of(st.none(), HOMES)), draw(FENCES), draw(RALLIES)
    return Plan(tuple(items), home, fence, rally, speed_mps=draw(optional), hfov_deg=draw(optional))


_USUAL = st.sampled_from(
    [
        PlanItem(Command.DO_CHANGE_SPEED, params=(1.0, 7.5, -1.0, 0.0)),
        PlanItem(Command.DO_SET_CAM_TRIGG_DIST, params=(20.0, 0.0, 1.0, 0.0)),
        PlanItem(Command.DO_SET_CAM_TRIGG_DIST),
        PlanItem(Command.DO_SET_CAM_TRIGG_INTERVAL, params=(2.0, 0.0, 0.0, 0.0)),
        PlanItem(Command.DO_MOUNT_CONTROL, params=(-90.0, 0.0, None, 0.0)),
        PlanItem(Command.IMAGE_START_CAPTURE, params=(0.0, 0.0, 1.0, 0.0)),
        PlanItem(Command.NAV_DELAY, params=(5.0, -1.0, -1.0, -1.0)),
        PlanItem(Command.CONDITION_YAW, params=(90.0, 0.0, 1.0, 0.0)),
    ]
)


@st.composite
def flights(draw):
    """A usual flight: take-off, waypoints at one kind of height near each other, camera, return."""
    frame = draw(st.sampled_from([Frame.GLOBAL, Frame.GLOBAL_RELATIVE_ALT, Frame.GLOBAL_TERRAIN_ALT]))
    heights = st.integers(500, 12_000).map(lambda cm: cm / 100)
    items = []
    for at in draw(st.lists(NEAR, min_size=2, max_size=6, unique=True)):
        command = draw(st.sampled_from([Command.NAV_WAYPOINT, Command.NAV_WAYPOINT, Command.NAV_SPLINE_WAYPOINT]))
        items.append(PlanItem(command, frame, (0.0, 0.0, 0.0, None), at, draw(heights)))
        items += draw(st.lists(_USUAL, max_size=2))
    home = Home(draw(NEAR), draw(heights))
    takeoff = PlanItem(Command.NAV_TAKEOFF, frame, (0.0, 0.0, 0.0, None), home.at, draw(heights))
    end = draw(st.sampled_from([Command.NAV_RETURN_TO_LAUNCH, Command.NAV_LAND]))
    last = PlanItem(end, Frame.GLOBAL_RELATIVE_ALT if end is Command.NAV_LAND else Frame.MISSION, alt_m=0.0)
    return Plan((takeoff, *items, last), home, speed_mps=draw(st.one_of(st.none(), POSITIVE)))
