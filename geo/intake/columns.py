"""The names that columns have in files of bureaus, in English and Chinese, and how their cells are read."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date

from geo.intake.table import Table, Value
from schemas.refusals import Refusal, invalid, refuse

# The first column whose name stands here is taken; names are compared without case, blanks and hyphens.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "名称", "project", "项目名称", "企业名称", "单位名称", "地块名称", "设备名称", "机关名称"),
    "name_en": ("name_en", "english_name", "英文名称"),
    "name_zh": ("name_zh", "chinese_name", "中文名称"),
    "kind": ("kind", "type", "类型", "类别", "许可类型", "许可事项", "种类"),
    "number": ("permit_no", "number", "no", "许可证号", "许可证编号", "证号", "编号", "文号"),
    "holder": ("holder", "permit_holder", "持证单位", "权利人", "建设单位"),
    "valid_from": ("valid_from", "start_date", "有效期起", "有效期开始", "发证日期", "生效日期"),
    "valid_to": ("valid_to", "end_date", "expires", "有效期止", "有效期至", "到期日期", "截止日期"),
    "registration_code": ("registration_code", "credit_code", "uscc", "统一社会信用代码", "信用代码"),
    "address": ("address", "地址", "住所", "经营地址"),
    "code": ("code", "代码", "编码", "机关代码"),
    "level": ("level", "层级", "级别"),
    "authority_type": ("authority_type", "type", "类型", "机关类型"),
    "field": ("field", "领域", "执法领域"),
    "contact": ("contact", "phone", "telephone", "联系方式", "电话"),
    "contact_person": ("contact_person", "联系人"),
    "entity_type": ("entity_type", "type", "industry", "类型", "行业", "主体类型"),
    "buffer_m": ("buffer_m", "buffer", "缓冲距离"),
    "source": ("source", "来源"),
    "floor_agl_m": ("floor_agl_m", "floor", "下限真高", "下限高度"),
    "ceiling_agl_m": ("ceiling_agl_m", "ceiling", "上限真高", "上限高度"),
    "alt_min_agl_m": ("alt_min_agl_m", "alt_min", "最低真高", "下限真高", "下限高度"),
    "alt_max_agl_m": ("alt_max_agl_m", "alt_max", "最高真高", "上限真高", "上限高度"),
    "schedule": ("schedule", "hours", "时段", "开放时段", "生效时段"),
    "device_code": ("device_code", "gb28181_id", "国标编码", "设备编码", "设备国标编码"),
    "authority": ("authority", "authority_code", "department", "所属机关", "所属部门"),
    "device_type": ("device_type", "type", "设备类型", "类型"),
    "platform": ("platform", "平台"),
    "purpose": ("purpose", "用途", "监控目的"),
    "purpose_en": ("purpose_en",),
    "purpose_zh": ("purpose_zh",),
    "place_text": ("place_text", "place", "address", "设置地点", "位置", "地址"),
    "place_type": ("place_type", "场所类型"),
    "indoor": ("indoor", "室内"),
    "item": ("item", "item_code", "事项编码", "监管事项"),
    "model": ("model", "型号"),
    "serial_no": ("serial_no", "serial", "序列号", "设备编号"),
    "quality_certificate_no": ("quality_certificate_no", "certificate_no", "合格证号", "质检证书号"),
    "is_measuring_instrument": ("is_measuring_instrument", "measuring", "计量器具"),
    "calibration_valid_to": ("calibration_valid_to", "calibrated_until", "检定有效期至"),
    "sector_azimuth_deg": ("sector_azimuth_deg", "azimuth", "方位角"),
    "hfov_deg": ("hfov_deg", "hfov", "水平视场角", "视场角"),
    "range_m": ("range_m", "range", "作用距离", "监控距离", "可视距离", "监控半径", "范围"),
    "mast_m": ("mast_m", "mast", "杆高", "安装高度"),
    "target_m": ("target_m", "目标高度"),
    "lon": ("lon", "lng", "long", "longitude", "经度"),
    "lat": ("lat", "latitude", "纬度"),
    "wkt": ("wkt", "geom", "geometry", "the_geom", "shape", "几何"),
}

_DATE = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))(?:[T ].*)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_YES, _NO = frozenset({"1", "true", "yes", "y", "是"}), frozenset({"0", "false", "no", "n", "否"})
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# What a spreadsheet would run when somebody opens a list in which this stands; a telephone number is none.
_FORMULA = re.compile(r"[=@]|[+\-][A-Za-z_(=@\"]")
_LONGEST_TEXT = 1_000
# As the readers call a column whose name is blank.
_NAMELESS = re.compile(r"#\d+")
# Nothing that is supervised today goes back further; what is older is a slip of the pen.
_EARLIEST = date(1900, 1, 1)


def _norm(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().lstrip("\ufeff").lower())


def match(columns: Iterable[str], fields: Iterable[str], kept: Callable[[str], str] = str) -> dict[str, str]:
    """For each field the column that carries it, where there is one; no column carries two fields.

    `kept` gives a name as the file's format keeps it. Raises RuleViolation where what is left of a name that was
    cut could mean one field or another.
    """
    fields = tuple(fields)
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(_norm(column), column)
    _refuse_ambiguous(by_name, fields, kept)
    found: dict[str, str] = {}
    for field in fields:
        for name in SYNONYMS[field]:
            carrier = by_name.get(kept(name))
            if carrier is not None and carrier not in found.values():
                found[field] = carrier
                break
    return found


def left_aside(table: Table, columns: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of a table that carry no field of `columns` and no place, but for empty ones without a name."""
    placed = match(table.columns, ("lon", "lat")).values() if table.format == "CSV" else ()
    read = {*columns.values(), *placed}
    rest = (name for name in table.columns if name not in read)
    return tuple(
        name for name in rest if not _NAMELESS.fullmatch(name) or any(row.values.get(name) for row in table.rows)
    )


def _refuse_ambiguous(by_name: Mapping[str, str], fields: Iterable[str], kept: Callable[[str], str]) -> None:
    meant: dict[str, set[str]] = {}
    for field in fields:
        for name in SYNONYMS[field]:
            if kept(name) != name:
                meant.setdefault(kept(name), set()).add(field)
    for part, could_be in meant.items():
        if part in by_name and len(could_be) > 1:
            raise invalid("layer.format", "layer.name_cut", measured=part, required=" / ".join(sorted(could_be)))


class Cells:
    """The cells of one row by field; every fault is collected, so that a row tells all of them."""

    def __init__(self, values: Mapping[str, Value], columns: Mapping[str, str]) -> None:
        self._values = values
        self._columns = columns
        self.refusals: list[Refusal] = []

    def text(self, field: str, *, required: bool = False) -> str | None:
        """A text of at most 1,000 characters, or None where the cell is blank."""
        column = self._columns.get(field)
        value = None if column is None else self._values.get(column)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a code that the file keeps in a column of numbers
        text = None if value is None else str(value).strip()
        if not text:
            if required:
                names = " / ".join(SYNONYMS[field])
                self.refusals.append(refuse("layer.field", "layer.field_missing", field=field, required=names))
            return None
        if len(text) > _LONGEST_TEXT or _UNSTORABLE.search(text):
            self.refusals.append(refuse("layer.field", "layer.text", field=field, required=_LONGEST_TEXT))
            return None
        if _FORMULA.match(text):
            self.refusals.append(refuse("layer.field", "layer.formula", field=field, measured=text[:60]))
            return None
        return text

    def in_both(self, field: str) -> tuple[str | None, str | None]:
        """A text in English and in Chinese, from a column for each or one for both; told where one is blank.

        A cell that is refused for what it says is not blank.
        """
        faults = len(self.refusals)
        said = self.text(field)
        is_blank = said is None and len(self.refusals) == faults
        made, lacks = [], False
        for lang in ("en", "zh"):
            faults = len(self.refusals)
            made.append(self.text(f"{field}_{lang}") or said)
            lacks |= is_blank and made[-1] is None and len(self.refusals) == faults
        if lacks:
            self.text(field, required=True)
        return made[0], made[1]

    def number(self, field: str, least: float = -math.inf, most: float = math.inf) -> float | None:
        """A finite number from `least` to `most`, or None where the cell is blank."""
        text = self.text(field)
        if text is None:
            return None
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(number):
            self.refusals.append(refuse("layer.field", "layer.number", field=field, measured=text[:60]))
            return None
        if not least <= number <= most:
            required = f"{least:g} – {most:g}"
            self.refusals.append(
                refuse("layer.field", "layer.range", field=field, measured=text[:60], required=required)
            )
            return None
        return number

    def day(self, field: str) -> date | None:
        """A date written year, month, day in any usual way, or None where the cell is blank."""
        text = self.text(field)
        if text is None:
            return None
        if found := _DATE.fullmatch(text):
            with contextlib.suppress(ValueError):  # such as a 30th of February
                day = date(*(int(part) for part in found.groups() if part))
                if day >= _EARLIEST:
                    return day
        self._wrong(field, text, "2025-06-01")
        return None

    def flag(self, field: str) -> bool:
        """Yes or no; a blank cell is no."""
        text = (self.text(field) or "no").lower()
        if text not in _YES | _NO:
            self._wrong(field, text, "yes / no")
        return text in _YES

    def word(self, field: str, words: Mapping[str, str], default: str | None = None) -> str | None:
        """A word of a closed list by any of its names; `default` where the cell is blank."""
        text = self.text(field, required=default is None)
        if text is None:
            return default
        known = words.get(text.lower())
        if known is None:
            self._wrong(field, text, ", ".join(sorted(set(words.values()))))
        return known

    def _wrong(self, field: str, measured: str, required: str) -> None:
        self.refusals.append(
            refuse("layer.field", "layer.value", field=field, measured=measured[:60], required=required)
        )

    def others(self) -> dict[str, Value]:
        """The cells of all columns that no field carries; what cannot be stored is left out."""
        carried = set(self._columns.values())
        kept = {name: value for name, value in self._values.items() if name not in carried and value is not None}
        return {
            name[:100]: value
            for name, value in kept.items()
            if not (isinstance(value, str) and (len(value) > _LONGEST_TEXT or _UNSTORABLE.search(value)))
            and not (isinstance(value, float) and not math.isfinite(value))
            and not _UNSTORABLE.search(name)
        }


def position(values: Mapping[str, Value], columns: Mapping[str, str]) -> list[float]:
    """Longitude and latitude from the cells of a row; raises RuleViolation where one is not a number."""
    made = []
    for field in ("lon", "lat"):
        text = str(values.get(columns[field]) or "").strip()
        if not _NUMBER.fullmatch(text):
            raise invalid("geometry.not_a_number", path=columns[field], measured=text[:40] or '""')
        made.append(float(text))
    return made
