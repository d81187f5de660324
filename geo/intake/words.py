"""The words that people write in the cells of a layer, in either language, and what each stands for."""

from __future__ import annotations

from collections.abc import Mapping

PERMIT_KINDS = {
    "quarry": ("采石", "采石场", "砂石开采"),
    "mining": ("采矿", "开采", "矿山"),
    "construction": ("施工", "建设", "建筑工程", "building"),
    "discharge": ("排污", "排放", "排水"),
    "logging": ("采伐", "伐木"),
    "burning": ("焚烧", "露天焚烧", "计划烧除", "野外用火"),
    "emission": ("废气", "废气排放", "大气排放"),
    "landfill": ("填埋", "填埋场", "消纳场"),
}
ZONE_KINDS = {
    "hotel_room": ("宾馆客房", "酒店客房", "旅馆客房"),
    "dormitory": ("公共宿舍", "集体宿舍", "宿舍"),
    "public_bathhouse": ("公共浴室", "浴室", "浴场"),
    "changing_room": ("更衣室",),
    "toilet": ("卫生间", "厕所", "公共厕所"),
    "mother_baby_room": ("母婴室", "公共母婴室"),
    "other": ("其他",),
    "requested": ("申请",),
}
LEVELS = {
    "province": ("省", "省级"),
    "city": ("市", "市级", "地级市"),
    "county": ("县", "县级", "区", "区级", "district"),
    "township": ("乡", "镇", "乡级", "街道"),
}
AUTHORITY_TYPES = {
    "government": ("政府", "人民政府"),
    "department": ("部门", "行政机关", "局"),
    "empowered_organisation": ("授权组织", "法律法规授权组织"),
    "delegated_organisation": ("委托组织", "受委托组织"),
}
DEVICE_WORDS = {
    "video": ("视频", "摄像头", "camera"),
    "radar": ("雷达",),
    "water_quality": ("水质",),
    "air": ("空气", "大气", "废气"),
    "noise": ("噪声",),
    "satellite_ref": ("卫星",),
}


def meanings(known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """What each word of a list stands for, the names of its entries among them."""
    return {name: word for word, names in known.items() for name in (word, *names)}
