"""What a format cannot carry of a plan: listed, never dropped silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flights.model import Command, Plan

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "command": {"en": "not in this format: {detail}", "zh": "此格式不支持：{detail}"},
    "became_waypoint": {"en": "written as plain waypoints: {detail}", "zh": "写为普通航点：{detail}"},
    "fence": {"en": "the geofence ({detail} areas)", "zh": "地理围栏（{detail} 个区域）"},
    "rally": {"en": "the rally points ({detail})", "zh": "集结点（{detail} 个）"},
    "home": {"en": "the home position", "zh": "起飞点位置"},
    "home_chosen": {
        "en": "the format needs a home; the first place of the plan was written",
        "zh": "格式要求起飞点，写入了计划中的第一个位置",
    },
    "home_height": {"en": "that the altitude of home is not known; 0 was written", "zh": "起飞点海拔未知，写为 0"},
    "speed": {"en": "the speed of {detail} m/s", "zh": "速度 {detail} 米/秒"},
    "speed_chosen": {
        "en": "the format needs a speed; {detail} m/s was written",
        "zh": "格式要求速度，写为 {detail} 米/秒",
    },
    "heading": {
        "en": "that the nose does not point along the path",
        "zh": "机头不沿航迹方向",
    },
    "camera": {"en": "the camera angle of {detail}°", "zh": "相机视角 {detail}°"},
    "defaults": {
        "en": "that values are left to the autopilot; 0 was written for {detail} of them",
        "zh": "由飞控决定的数值，其中 {detail} 个写为 0",
    },
    "heights": {"en": "all heights: {detail}", "zh": "全部高度：{detail}"},
    "height_reference": {
        "en": "what the heights are measured from: written {detail}",
        "zh": "高度基准：写为 {detail}",
    },
    "height_kept": {
        "en": "heights of 0, which keep the height before; that height was written ({detail})",
        "zh": "高度 0（沿用之前的高度），写为之前的高度（{detail} 项）",
    },
    "here": {"en": "items at the place where the aircraft is then ({detail})", "zh": "以当时位置为准的项（{detail}）"},
    "repeated": {
        "en": "waypoints on the same place as the one before ({detail})",
        "zh": "与前一航点重合的航点（{detail}）",
    },
    "waiting": {"en": "waiting times at {detail} waypoints", "zh": "{detail} 个航点的停留时间"},
    "details": {"en": "radius or heading at {detail} waypoints", "zh": "{detail} 个航点的半径或航向"},
    "takeoff": {"en": "the take-off as planned; {detail} was written", "zh": "原计划的起飞方式，写为 {detail}"},
    "drone_chosen": {
        "en": "the format needs a drone model; {detail} was written, choose yours when importing",
        "zh": "格式要求机型，写为 {detail}，导入时请选择实际机型",
    },
    "rewritten": {
        "en": "the order and form of the steps; they are written as this format has them",
        "zh": "各步骤的顺序和形式，按此格式的写法写入",
    },
}


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that a written file does not carry; `detail` counts or names it."""

    what: str
    detail: str = ""

    def message(self, lang: str = "en") -> str:
        """What is lost, in words."""
        return _TEXTS[self.what][lang].format(detail=self.detail)

    def render(self, lang: str = "en") -> dict[str, str]:
        """The loss as a JSON object."""
        return {"what": self.what, "detail": self.detail, "message": self.message(lang)}


@dataclass(frozen=True, slots=True)
class Written:
    """A plan in the bytes of a format, with everything that those do not carry."""

    data: bytes
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Carried:
    """What a format can hold of a plan, and what it cannot."""

    plan: Plan
    losses: tuple[Loss, ...] = ()


def beside_the_line(plan: Plan) -> list[Loss]:
    """The losses of a format that holds neither fence nor rally points."""
    found = nose(plan)
    areas = len(plan.fence.polygons) + len(plan.fence.circles)
    if areas:
        found.append(Loss("fence", str(areas)))
    if plan.rally:
        found.append(Loss("rally", str(len(plan.rally))))
    return found


def nose(plan: Plan) -> list[Loss]:
    """The loss of where the nose points, which only DJI's own files say, and none that are written here."""
    return [] if plan.nose_follows else [Loss("heading")]


def camera_and_speed(plan: Plan, *, speed: bool = True) -> list[Loss]:
    """The losses of a format that does not say what the aircraft is like."""
    found = []
    if plan.speed_mps is not None and speed:
        found.append(Loss("speed", f"{plan.speed_mps:g}"))
    if plan.hfov_deg is not None:
        found.append(Loss("camera", f"{plan.hfov_deg:g}"))
    return found


def counted(what: str, commands: Iterable[Command]) -> list[Loss]:
    """One loss for each command among those, with how often it occurs."""
    names = Counter(command.mavlink_name for command in commands)
    return [Loss(what, f"{name} ({count})") for name, count in sorted(names.items())]
