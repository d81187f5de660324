"""Who acts in the district: authorities, offices and the qualifications they hold. No person has a name."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

JURISDICTION = [[113.205, 23.085], [113.335, 23.085], [113.335, 23.170], [113.205, 23.170], [113.205, 23.085]]
PROVINCE = [[112.9, 22.9], [113.7, 22.9], [113.7, 23.5], [112.9, 23.5], [112.9, 22.9]]
NEIGHBOUR = [[113.335, 23.085], [113.45, 23.085], [113.45, 23.170], [113.335, 23.170], [113.335, 23.085]]

AUTHORITIES: tuple[dict[str, Any], ...] = (
    {
        "code": "P0",
        "parent": None,
        "level": "province",
        "name_en": "Provincial Department of Ecology and Environment (fictional)",
        "name_zh": "省生态环境厅（虚构）",
        "ring": PROVINCE,
    },
    {
        "code": "C0",
        "parent": "P0",
        "level": "city",
        "name_en": "City Bureau of Ecology and Environment (fictional)",
        "name_zh": "市生态环境局（虚构）",
        "ring": PROVINCE,
    },
    {
        "code": "A1",
        "parent": "C0",
        "level": "county",
        "name_en": "Qinghe District Ecology and Environment Bureau (fictional)",
        "name_zh": "清河区生态环境局（虚构）",
        "ring": JURISDICTION,
    },
    {
        "code": "A2",
        "parent": "C0",
        "level": "county",
        "name_en": "Donghe District Ecology and Environment Bureau (fictional)",
        "name_zh": "东河区生态环境局（虚构）",
        "ring": NEIGHBOUR,
    },
)

ROLE_TITLES = {
    "officer": ("Officer", "执法人员"),
    "unit_head": ("Unit head", "单位负责人"),
    "legal_reviewer": ("Legal reviewer", "法制审核人员"),
    "technical_reviewer": ("Technical reviewer", "技术审核人员"),
    "provincial_approver": ("Provincial approver", "省级审批人员"),
    "pilot": ("Pilot", "飞手"),
    "planner": ("Planner", "规划人员"),
    "party": ("Party", "当事人"),
    "supervisor": ("Supervisor", "监督人员"),
    "command_centre": ("Command centre", "指挥中心"),
    "data_admin": ("Data administrator", "数据管理人员"),
}

PEOPLE = (
    ("O1", "officer", "A1"),
    ("O2", "officer", "A1"),
    ("O3", "officer", "A1"),
    ("O4", "officer", "A2"),
    ("H1", "unit_head", "A1"),
    ("L1", "legal_reviewer", "A1"),
    ("T1", "technical_reviewer", "A1"),
    ("P1", "provincial_approver", "P0"),
    ("F1", "pilot", "A1"),
    ("N1", "planner", "A1"),
    ("X1", "party", "A1"),
    ("S1", "supervisor", "A1"),
    ("C1", "command_centre", "A1"),
    ("D1", "data_admin", "A1"),
)


def people(today: date) -> list[dict[str, Any]]:
    """The fourteen people of the fixtures; O3's certificate has lapsed, the others outlast `today`."""
    lasts = max(date(2026, 12, 31), today + timedelta(days=365))
    rows = []
    for code, role, authority in PEOPLE:
        title_en, title_zh = ROLE_TITLES[role]
        row: dict[str, Any] = {
            "code": code,
            "role": role,
            "authority": authority,
            "name_en": f"{title_en} {code} (fictional)",
            "name_zh": f"{title_zh}{code}（虚构）",
            "qualifications": [],
        }
        if role == "officer":
            until = date(2025, 4, 30) if code == "O3" else lasts
            row["qualifications"].append(("enforcement", date(2023, 1, 1).isoformat(), until.isoformat()))
        if role == "pilot":
            row["qualifications"].append(("uas_licence", date(2024, 3, 1).isoformat(), lasts.isoformat()))
        rows.append(row)
    return rows


LEGAL_BASES = (
    {
        "code": "LB-ECO",
        "level": "law",
        "article": "0",
        "title_en": "Environmental protection statute (placeholder, to be confirmed by a lawyer)",
        "title_zh": "环境保护法律（占位，待法律人员确认）",
    },
    {
        "code": "LB-WATER",
        "level": "law",
        "article": "0",
        "title_en": "Water pollution statute (placeholder, to be confirmed by a lawyer)",
        "title_zh": "水污染防治法律（占位，待法律人员确认）",
    },
    {
        "code": "LB-LAND",
        "level": "administrative_regulation",
        "article": "0",
        "title_en": "Land use regulation (placeholder, to be confirmed by a lawyer)",
        "title_zh": "土地利用法规（占位，待法律人员确认）",
    },
)

ITEMS = (
    ("ECO-01", "LB-ECO", "Inspection of pollution sources", "污染源检查"),
    ("ECO-02", "LB-WATER", "Inspection of discharges into water", "水体排污检查"),
    ("ECO-03", "LB-ECO", "Inspection of air quality and open burning", "大气与露天焚烧检查"),
    ("ECO-04", "LB-LAND", "Inspection of excavation and building in protected zones", "保护区内开挖与建设检查"),
    ("ECO-05", "LB-ECO", "Inspection of noise", "噪声检查"),
    # What imagery may suggest is supervised under items that bear the codes of the rule pack's catalogue.
    ("illegal_excavation", "LB-LAND", "Excavation without permit", "未经许可采挖"),
    ("illegal_building", "LB-LAND", "Building in a protected zone", "保护区内违法建设"),
    ("open_burning", "LB-ECO", "Open burning", "露天焚烧"),
    ("open_burning_flames", "LB-ECO", "Open burning, while it burns", "正在发生的露天焚烧"),
    ("open_burning_smoke", "LB-ECO", "Open burning, by its smoke", "露天焚烧（烟羽）"),
    ("illegal_discharge", "LB-WATER", "Discharge that discolours water", "违法排污致水体变色"),
    ("vegetation_clearance", "LB-LAND", "Clearing of vegetation in a protected zone", "保护区内毁坏植被"),
    ("uncovered_soil", "LB-ECO", "Uncovered soil that raises dust", "裸露土地扬尘"),
    ("land_conversion", "LB-LAND", "Farmland turned into something else", "擅自改变耕地用途"),
    ("open_dumping", "LB-ECO", "Open dumping of waste", "露天倾倒固体废物"),
    ("algal_bloom", "LB-WATER", "Bloom of algae in open water", "水体藻华"),
    ("black_odour_water", "LB-WATER", "Black and odorous water", "黑臭水体"),
)
