"""The simulated autopilot: settling, checks, arming, modes, the mission, the fence, the failsafes."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.airframe import Airframe, Place, Wish
from flights.simulator.battery import Battery
from flights.simulator.fence import Fence, FenceType
from flights.simulator.mischief import Mischief
from flights.simulator.mission import Ground, MissionRun
from flights.simulator.options import Options
from flights.simulator.params import DEFAULTS, MOST_DISARM_DELAY_S, Parameters
from flights.simulator.station import StationWatch
from flights.simulator.steering import Steering
from flights.simulator.storage import Stored

# Seconds after the start, as measured on ArduCopter 4.5 and 4.6.
GPS_FIX_S = 10.0
EKF_ORIGIN_S = 20.0
CHECKS_S = 23.5
EKF_POSITION_S = 41.3
SETTLING = ((EKF_ORIGIN_S, "EKF3 IMU0 origin set"), (EKF_POSITION_S, "EKF3 IMU0 is using GPS"))

RETURN_HEIGHT_REACHED_M = 0.5
TOUCHDOWN_M = 0.05
# Battery failsafe actions.
FAILSAFE_LAND = 1
# The failsafe for a lost ground station: its action, and the option to fly a mission on.
STATION_LAND = 5
STATION_GO_ON = 2
ARM_IN_AUTO = 1
BREACH_NAMES = {
    FenceType.ALT_MAX: "Max Alt",
    FenceType.CIRCLE: "Circle",
    FenceType.POLYGON: "Polygon",
}
# The bits of FENCE_STATUS.breach_type, the gravest last.
BREACH_TYPES = {
    FenceType.ALT_MAX: mavlink.FENCE_BREACH_MAXALT,
    FenceType.CIRCLE: mavlink.FENCE_BREACH_BOUNDARY,
    FenceType.POLYGON: mavlink.FENCE_BREACH_BOUNDARY,
}


class Mode(IntEnum):
    """Flight modes of ArduCopter that the simulator flies."""

    STABILIZE = 0
    AUTO = 3
    GUIDED = 4
    LOITER = 5
    RTL = 6
    LAND = 9
    BRAKE = 17


ARMABLE = frozenset({Mode.STABILIZE, Mode.GUIDED, Mode.LOITER})


class Autopilot:
    """State and behaviour; `say` sends a text to the ground, `shoot` takes a picture.

    One that starts again (`before`) keeps its parameters and its charge, and stands where it was, or fell to.
    """

    def __init__(
        self,
        options: Options,
        ground: Ground,
        say: Callable[[int, str], None],
        shoot: Callable[[], None],
        *,
        before: Autopilot | None = None,
    ) -> None:
        self.params: Parameters = (
            Parameters({"DISARM_DELAY": _patience_s(options)}) if before is None else before.params
        )
        self.home = _stands_at(options, ground, before)
        self.airframe = Airframe(self.home, options.wind_m_s, options.wind_from_deg)
        charge_pct = options.battery_pct if before is None else before.battery.percent
        sag_pct = options.faults.battery_sag_pct
        self.battery: Battery = Battery(charge_pct, options.endurance_s, options.wind_m_s, sag_pct)
        self.mischief = Mischief(options.faults, self.airframe, self.battery, say)
        self.fence = Fence(self.params, self.home)
        self.station = StationWatch(self.params)
        self.mission = MissionRun(self.airframe, self.params, ground, self.home, self._reached)
        self.mode = Mode.STABILIZE
        self.armed = False
        self.now_s = 0.0
        self.reached: list[int] = []
        self.breach = FenceType(0)
        self.breach_count = 0
        self._ground = ground
        self._say = say
        self._shoot = shoot
        self._steering = Steering(self.airframe, self.params)
        self._hold_at = self.home
        self._return_amsl_m = 0.0
        self._loiter_until_s: float | None = None
        self._photo_at_m = 0.0
        self._landed_at_s: float | None = 0.0
        self._failsafe_done = 0
        self._armed_at_s = 0.0
        self._settled = 0
        self._paused = False
        self._taking_off = False

    # -- what the ground sees -----------------------------------------------------------------------

    @property
    def height_m(self) -> float:
        """Height above the home."""
        return self.airframe.place.amsl_m - self.home.amsl_m

    @property
    def has_position(self) -> bool:
        """Whether the position filter uses GPS."""
        return self.now_s >= EKF_POSITION_S

    @property
    def flight_s(self) -> float | None:
        """Seconds since arming, None while it is disarmed."""
        return self.now_s - self._armed_at_s if self.armed else None

    @property
    def reported_place(self) -> Place:
        """Where it says that it is."""
        return self.mischief.reported(self.airframe.place)

    @property
    def landed_state(self) -> int:
        """MAV_LANDED_STATE."""
        if not self.armed or self.airframe.on_ground:
            return int(mavlink.MAV_LANDED_STATE_ON_GROUND)
        going_down = self.mode is Mode.LAND or self.mission.landing is not None
        return int(mavlink.MAV_LANDED_STATE_LANDING if going_down else mavlink.MAV_LANDED_STATE_IN_AIR)

    def home_item(self) -> Stored:
        """The home as item 0 of the mission."""
        return Stored(
            mavlink.MAV_CMD_NAV_WAYPOINT,
            mavlink.MAV_FRAME_GLOBAL,
            (0.0, 0.0, 0.0, 0.0),
            round(self.home.lat * 1e7),
            round(self.home.lon * 1e7),
            round(self.home.amsl_m * 100) / 100,
        )

    def failed_checks(self) -> list[str]:
        """What stands against arming, in ArduPilot's words."""
        failed = []
        if self.now_s < GPS_FIX_S:
            failed.append("GPS 1: Bad fix")
        if self.now_s < EKF_ORIGIN_S:
            failed.append("AHRS: EKF3 not started")
        elif self.now_s < CHECKS_S:
            failed.append("AHRS: not using configured AHRS type")
        if self.mission.needs_terrain and not self._ground.has_terrain:
            failed.append("waiting for terrain data")
        if self.battery.action(self.params):
            failed.append("Battery 1 low capacity failsafe")
        if self.fence.enabled and (breach := self.fence.breaches(self.airframe.place)):
            failed.append(f"Vehicle breaching {_names(breach)} fence")
        return failed

    # -- orders ---------------------------------------------------------------------------------------

    def arm(self) -> int:
        """Tries to arm; a MAV_RESULT."""
        if self.armed:
            return int(mavlink.MAV_RESULT_ACCEPTED)
        failed = self.failed_checks()
        if not self.has_position and self.mode is not Mode.STABILIZE:
            failed.append("Need Position Estimate")
        in_auto = self.mode is Mode.AUTO and self.params.bit("AUTO_OPTIONS", ARM_IN_AUTO)
        if self.mode not in ARMABLE and not in_auto:
            failed.append(f"{self.mode.name} mode not armable")
        for reason in failed:
            self._say(mavlink.MAV_SEVERITY_CRITICAL, f"Arm: {reason}")
        if failed:
            return int(mavlink.MAV_RESULT_FAILED)
        self.armed, self._landed_at_s, self._failsafe_done = True, self.now_s, 0
        self._armed_at_s, self._hold_at = self.now_s, self.airframe.believed
        return int(mavlink.MAV_RESULT_ACCEPTED)

    def disarm(self) -> int:
        """Disarms on the ground; a MAV_RESULT."""
        if self.armed and not self.airframe.on_ground:
            return int(mavlink.MAV_RESULT_FAILED)
        if self.armed:
            self.mission.rewind()
        self.armed = False
        self.airframe.stand()
        self.mission.camera.every_m, self.mission.camera.now = 0.0, False
        return int(mavlink.MAV_RESULT_ACCEPTED)

    def set_mode(self, number: int) -> int:
        """Changes the mode; a MAV_RESULT."""
        try:
            mode = Mode(number)
        except ValueError:
            return int(mavlink.MAV_RESULT_FAILED)
        if mode is Mode.AUTO and self.mission.is_empty:
            return int(mavlink.MAV_RESULT_FAILED)
        if mode is Mode.AUTO and self.armed and self.airframe.on_ground and not self.mission.starts_with_takeoff:
            self._say(mavlink.MAV_SEVERITY_WARNING, "Auto: Missing Takeoff Cmd")
            return int(mavlink.MAV_RESULT_FAILED)
        self._enter(mode)
        return int(mavlink.MAV_RESULT_ACCEPTED)

    def start_mission(self) -> int:
        """Starts the mission of an armed vehicle; a MAV_RESULT."""
        return self.set_mode(Mode.AUTO)

    def take_off(self, height_m: float) -> int:
        """Climbs from the ground in GUIDED to a height above home; a MAV_RESULT."""
        if self.mode is not Mode.GUIDED or not self.armed or not self.airframe.on_ground or not height_m > 0:
            return int(mavlink.MAV_RESULT_FAILED)
        here = self.airframe.place
        self._hold_at, self._taking_off = Place(here.lat, here.lon, self.home.amsl_m + height_m), True
        return int(mavlink.MAV_RESULT_ACCEPTED)

    def pause(self, *, go_on: bool) -> int:
        """Stops within the mission, or goes on with it, without leaving AUTO; a MAV_RESULT."""
        if self.mode is not Mode.AUTO or self.mission.returning or self.mission.landing is not None:
            return int(mavlink.MAV_RESULT_FAILED)
        self._paused, self._hold_at = not go_on, self.airframe.believed
        return int(mavlink.MAV_RESULT_ACCEPTED)

    def _enter(self, mode: Mode) -> None:
        self.mode, self._hold_at = mode, self.airframe.believed
        self._loiter_until_s, self._paused, self._taking_off = None, False, False
        if mode is Mode.AUTO:
            self.mission.start(self.now_s)
        elif mode is Mode.RTL:
            self._start_return()

    def _start_return(self) -> None:
        wanted = self.home.amsl_m + self.params["RTL_ALT"] / 100
        self._return_amsl_m = max(wanted, self.airframe.place.amsl_m)
        self._hold_at = self.airframe.believed
        self._loiter_until_s = None

    # -- time -----------------------------------------------------------------------------------------

    def step(self, dt_s: float) -> None:
        """Lets `dt_s` pass."""
        self.now_s += dt_s
        self._settle()
        routed = self.mode is Mode.AUTO and not self.mission.returning and self.mission.landing is None
        self.mischief.step(dt_s, self.flight_s, follows_route=routed)
        if not self.armed:
            return
        was_returning = self.mission.returning
        wish = self._wish()
        if self.mission.returning and not was_returning:
            self._start_return()
        self.airframe.step(wish, dt_s, self.now_s, self._steering.accel_m_s2)
        self.battery.drain(dt_s)
        self._picture()
        self._watch_fence()
        self._watch_battery()
        self._watch_station()
        self._watch_ground()

    def _wish(self) -> Wish:
        if self.mode is Mode.RTL:
            return self._go_home()
        if self.mode is Mode.LAND:
            return self._steering.land(self.height_m, self._hold_at)
        if self.mode is not Mode.AUTO:
            stands = self.airframe.on_ground and not self._taking_off
            return Wish() if stands else self._steering.hold(self._hold_at)
        if self._paused:
            return self._steering.hold(self._hold_at)
        wish = self.mission.step(self.now_s)
        if self.mission.returning:
            return self._go_home()
        if self.mission.landing is not None:
            return self._steering.land(self.height_m, self.mission.landing)
        if self.mission.complete:
            self._enter(Mode.LOITER)
        return wish

    def _go_home(self) -> Wish:
        """Up to the return height, home, wait, and down."""
        over = Place(self.home.lat, self.home.lon, self._return_amsl_m)
        if self._loiter_until_s is not None:
            if self.now_s < self._loiter_until_s:
                return self._steering.hold(over)
            return self._steering.land(self.height_m, self.home)
        if self.airframe.place.amsl_m < self._return_amsl_m - RETURN_HEIGHT_REACHED_M:
            return self._steering.hold(Place(self._hold_at.lat, self._hold_at.lon, self._return_amsl_m))
        if self._steering.has_arrived(over):
            self._loiter_until_s = self.now_s + self.params["RTL_LOIT_TIME"] / 1000
        return self._steering.hold(over)

    def _picture(self) -> None:
        camera = self.mission.camera
        due = camera.every_m > 0 and self.airframe.flown_m - self._photo_at_m >= camera.every_m
        if camera.now or due:
            camera.now = False
            self._photo_at_m = self.airframe.flown_m
            self._shoot()

    def _watch_fence(self) -> None:
        if not self.fence.enabled:
            self.breach = FenceType(0)
            return
        breach = self.fence.breaches(self.airframe.place)
        fresh = breach & ~self.breach
        self.breach = breach
        if not fresh or self.airframe.on_ground:
            return
        self.breach_count += 1
        self._say(mavlink.MAV_SEVERITY_NOTICE, f"{_names(fresh)} fence breached")
        if self.params["FENCE_ACTION"] >= 1 and self.mode not in (Mode.RTL, Mode.LAND):
            self._enter(Mode.RTL)

    def _watch_battery(self) -> None:
        action = self.battery.action(self.params)
        if action == self._failsafe_done or action == 0 or self.mode is Mode.LAND:
            return
        self._failsafe_done = action
        self._say(mavlink.MAV_SEVERITY_WARNING, "Battery 1 is low")
        if action == FAILSAFE_LAND:
            self._enter(Mode.LAND)
        elif self.mode is not Mode.RTL:
            self._enter(Mode.RTL)

    def _watch_station(self) -> None:
        """Comes home when its own ground station falls silent."""
        if self.airframe.on_ground or not self.station.falls_silent(self.now_s):
            return
        if self.mode is Mode.AUTO and self.params.bit("FS_OPTIONS", STATION_GO_ON):
            self._say(mavlink.MAV_SEVERITY_WARNING, "GCS Failsafe - Continuing Auto Mode")
            return
        self._say(mavlink.MAV_SEVERITY_WARNING, "GCS Failsafe")
        if self.mode not in (Mode.RTL, Mode.LAND):
            self._enter(Mode.LAND if self.params["FS_GCS_ENABLE"] == STATION_LAND else Mode.RTL)

    def _settle(self) -> None:
        """Tells how far the position filter has come."""
        while self._settled < len(SETTLING) and self.now_s >= SETTLING[self._settled][0]:
            self._say(mavlink.MAV_SEVERITY_INFO, SETTLING[self._settled][1])
            self._settled += 1

    def _watch_ground(self) -> None:
        """Disarms after touch-down, and after idling on the ground."""
        if not self.airframe.on_ground:
            self._landed_at_s = None
            return
        if self._landed_at_s is None:
            descending = self.mode in (Mode.RTL, Mode.LAND, Mode.AUTO)
            self._landed_at_s = self.now_s
            if descending and self.height_m <= TOUCHDOWN_M:
                self.disarm()
        elif self.now_s - self._landed_at_s >= self.params["DISARM_DELAY"] > 0:
            self.disarm()

    def _reached(self, seq: int) -> None:
        self.reached.append(seq)


def _patience_s(options: Options) -> float:
    """How long it idles armed. However fast its time runs, who starts the mission lives in the real one."""
    return min(DEFAULTS["DISARM_DELAY"] * max(options.speed_up, 1.0), MOST_DISARM_DELAY_S)


def _stands_at(options: Options, ground: Ground, before: Autopilot | None) -> Place:
    if before is not None:
        place = before.airframe.place
        return Place(place.lat, place.lon, before.home.amsl_m)
    amsl_m = options.home_amsl_m
    if amsl_m is None:
        amsl_m = ground.ground_m(options.home_lat, options.home_lon)
    return Place(options.home_lat, options.home_lon, amsl_m)


def _names(breach: FenceType) -> str:
    return "/".join(name for kind, name in BREACH_NAMES.items() if kind in breach)
