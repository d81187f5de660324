"""What a check had to assume, because neither the file nor an option said it: told with its reason, en and zh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Why a value was assumed, by what stands in `Assumed.because`.
_REASONS: Mapping[str, Mapping[str, str]] = {
    "first_place": {"en": "the first place of the plan", "zh": "计划中的第一个位置"},
    "no_return": {"en": "the plan ends without one", "zh": "计划末尾没有返航"},
    "no_alt_frame": {"en": "no alt_frame in the file", "zh": "文件未写明 alt_frame"},
    "height_zero": {
        "en": "these items say 0, which keeps the height before",
        "zh": "这些项的高度为 0，沿用之前的高度",
    },
    "as_computed": {
        "en": "QGroundControl computed these heights above its own terrain; they are flown above sea level",
        "zh": "这些高度由 QGroundControl 按其地形计算，按平均海平面高度飞行",
    },
    "clamp_to_ground": {
        "en": "the file lays the line on the ground, so its heights do not count",
        "zh": "文件将线贴在地面上，其中的高度不计",
    },
    "no_altitude_mode": {
        "en": "the file names no altitude mode, which means on the ground",
        "zh": "文件未写明高度模式，默认贴地",
    },
    "not_flown": {"en": "drawn beside the line, not flown", "zh": "仅为线旁的标绘，不飞行"},
    "in_file_order": {"en": "the file draws no line between them", "zh": "文件未在这些点之间画线"},
    "from_template": {
        "en": "template.kml gives each height above the ellipsoid and above sea level",
        "zh": "template.kml 同时给出椭球高与海拔高",
    },
    "by_take_off": {
        "en": "template.kml gives the heights above the take-off point that waylines.wpml has above the ellipsoid",
        "zh": "template.kml 给出相对起飞点的高度，waylines.wpml 为对应的椭球高",
    },
    "own_sensor": {
        "en": "the aircraft follows the surface by its own sensor",
        "zh": "飞行器依靠自身传感器仿地飞行",
    },
    "dji_takeoff": {"en": "how a DJI aircraft begins a mission", "zh": "DJI 飞行器任务的起始方式"},
    "dji_curve": {
        "en": "a DJI aircraft turns there in a curve, which is taken as a spline",
        "zh": "DJI 飞行器在该处曲线转弯，按样条曲线处理",
    },
    "dji_heading": {
        "en": "it turns the aircraft, not the path",
        "zh": "只改变机头朝向，不改变航迹",
    },
    "dji_ignored": {"en": "it changes neither path nor view", "zh": "不影响航迹和视野"},
    "heights_in_file": {"en": "the file gives heights; the option is not used", "zh": "文件已有高度，不使用该选项"},
    "aircraft": {"en": "aircraft {aircraft}", "zh": "飞行器 {aircraft}"},
    "no_endurance": {
        "en": "aircraft {aircraft} has none on record; it is not judged",
        "zh": "飞行器 {aircraft} 未登记续航时间，不作判断",
    },
    "autopilot_default": {"en": "the autopilot's default", "zh": "自动驾驶仪默认值"},
    "slowest": {"en": "no aircraft is named, so the slowest", "zh": "未指明飞行器，按最慢计算"},
    "usual_aircraft": {"en": "the first aircraft in use", "zh": "首架在用飞行器"},
    "option_over_file": {"en": "the option; the file says {said}", "zh": "采用选项，文件为 {said}"},
    "not_the_aircraft": {"en": "as asked; aircraft {aircraft} has {said}", "zh": "按要求，飞行器 {aircraft} 为 {said}"},
}
# Values in words; all others are numbers, names and places.
_VALUES_ZH: Mapping[str, str] = {
    "as in the file": "以文件为准",
    "not known": "未知",
    "straight to home": "直线返回起飞点",
    "terrain": "地面以上",
}


@dataclass(frozen=True, slots=True)
class Assumed:
    """A value that neither the file nor an option gave; `because` names the reason, `facts` what it mentions."""

    name: str
    value: str | float
    because: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def source(self, lang: str = "en") -> str:
        """Where the value comes from, in words."""
        return _REASONS[self.because][lang].format(**self.facts)

    def shown(self, lang: str = "en") -> str | float:
        """The value, in words where it is one."""
        return _VALUES_ZH.get(self.value, self.value) if lang == "zh" and isinstance(self.value, str) else self.value

    def render(self, lang: str = "en") -> dict[str, str | float]:
        """The assumption as a JSON object; the value stays the same in every language."""
        return {"name": self.name, "value": self.value, "source": self.source(lang)}
