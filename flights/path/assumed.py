"""What a check had to assume, because neither the file nor an option said it: told with its reason, en and zh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What was assumed, by `Assumed.name`.
_NAMES: Mapping[str, Mapping[str, str]] = {
    "action": {"en": "action at a waypoint", "zh": "航点动作"},
    "alt_agl_m": {"en": "height above ground, m", "zh": "离地高度（米）"},
    "alt_frame": {"en": "height reference", "zh": "高度基准"},
    "drawings": {"en": "drawings", "zh": "其他标绘"},
    "drone": {"en": "aircraft", "zh": "飞行器"},
    "endurance_min": {"en": "time in the air, min", "zh": "续航时间（分钟）"},
    "fence": {"en": "fence areas in the file", "zh": "文件中的围栏区域"},
    "gimbal yaw": {"en": "turn of the gimbal", "zh": "云台偏航"},
    "heading": {"en": "heading of the aircraft", "zh": "机头朝向"},
    "height_kept": {"en": "items at the height before", "zh": "沿用之前高度的项"},
    "heights": {"en": "heights", "zh": "高度"},
    "hfov_deg": {"en": "field of view, degrees", "zh": "相机水平视角（度）"},
    "home": {"en": "home", "zh": "起飞点"},
    "line": {"en": "line", "zh": "航线"},
    "patterns": {"en": "patterns", "zh": "图案项"},
    "qgc_terrain": {"en": "items at a computed height", "zh": "按计算高度飞行的项"},
    "return": {"en": "way back", "zh": "返航"},
    "rtl_alt_m": {"en": "height of a return, m above home", "zh": "返航高度（相对起飞点，米）"},
    "speed_mps": {"en": "speed, m/s", "zh": "速度（米/秒）"},
    "takeoff": {"en": "climb at take-off", "zh": "起飞爬升"},
    "turn": {"en": "turn at a waypoint", "zh": "航点转弯方式"},
}
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
        "en": "it turns the aircraft, not the path; a tilted camera is taken to look anywhere",
        "zh": "只改变机头朝向，不改变航迹；倾斜相机按可能朝向任意方向计算",
    },
    "own_fence": {
        "en": "it does not fly; the fence on board is made from the published area and the zones",
        "zh": "不随飞行使用；机载围栏由已公示区域和隐私区生成",
    },
    "flattened": {
        "en": "only the items in them are kept, which is what flies",
        "zh": "仅保留其中实际飞行的任务项",
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
    "from north": "以正北为基准",
    "not counted": "不计",
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

    def title(self, lang: str = "en") -> str:
        """What was assumed, in words."""
        return _NAMES[self.name][lang]

    def source(self, lang: str = "en") -> str:
        """Where the value comes from, in words."""
        return _REASONS[self.because][lang].format(**self.facts)

    def shown(self, lang: str = "en") -> str | float:
        """The value, in words where it is one."""
        return _VALUES_ZH.get(self.value, self.value) if lang == "zh" and isinstance(self.value, str) else self.value

    def render(self, lang: str = "en") -> dict[str, str | float]:
        """The assumption as a JSON object; the value stays the same in every language."""
        return {"name": self.name, "value": self.value, "source": self.source(lang)}
