"""The card of a model as one page to print: static, without a script, its diagrams drawn here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from schemas.words import words
from sensing.reasons import in_languages
from sensing.words import name

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Model card",
        "pixel": "pixel model",
        "object": "re-ranker of finds",
        "authority": "authority",
        "sample": "made of sample data",
        "reason": "Reason",
        "trained": "Trained",
        "approved": "approved",
        "by": "by",
        "comma": ", ",
        "stop": ".",
        "purpose": "What it is for, and what it must not be used for",
        "tells": "It tells apart:",
        "banned": "It must never be used for",
        "lead": "What it says is a lead for a qualified officer, never a fact, and never a decision.",
        "held": "On ground that it did not learn from",
        "held_how": "Whole areas were held out, never pixels of the same field: {count} samples of {areas} areas.",
        "accuracy": "Right in {:.0%} of them, every class counted alike.",
        "auc": "An accepted find is scored above a rejected one in {:.0%} of pairs.",
        "unmeasured": "Not measured: every class lies in one area alone.",
        "no_area": "Not measured, for lack of a second area:",
        "class": "Class",
        "pixels": "Samples",
        "precision": "Right when said",
        "recall": "Said when right",
        "kept": "If all were isolated: {accepted_kept} of {accepted} accepted finds stay, "
        "{rejected_kept} of {rejected} rejected ones too.",
        "decisions": "Decisions",
        "reliability": "Whether its confidence means what it says",
        "reliability_how": "On the diagonal, what is said with 80 % confidence is right in 80 % of cases. "
        "The area of a dot is the share of samples.",
        "before": "before calibration",
        "after": "after calibration",
        "ece": "calibration error",
        "way_none": "On areas that were held out no correction made confidences truer, so they stay as they came.",
        "way_temperature": "Confidences are corrected by one temperature, which made them truer on areas held out.",
        "way_isotonic": "Confidences are corrected step by step, which made them truer on areas held out.",
        "way_platt": "Scores are corrected by one curve, which made them truer on areas held out.",
        "by_district": "The same, by district",
        "said": "confidence",
        "was": "right",
        "districts": "False alarms by district",
        "districts_pixel": "Of labelled places that are nothing of interest, those that the model made something. The "
        "interval holds the rate with 95 % certainty.",
        "districts_object": "Of finds that officers rejected, those that would still be shown. The interval holds the "
        "rate with 95 % certainty.",
        "district": "District",
        "places": "Places",
        "alarms": "False alarms",
        "rate": "Rate",
        "interval": "Interval",
        "none": "None was measured.",
        "data": "What it learned from",
        "licence": "Licence of the training data",
        "labels": "{} labels:",
        "unseen": "{} of them speak of places that are hidden or void by now and taught nothing.",
        "scene": "Scene",
        "sensor": "Sensor",
        "captured": "Taken",
        "gsd": "Pixel, m",
        "label_count": "Labels",
        "masked": "Masked copy",
        "hard": "Rejected finds that teach what is nothing of interest, by the officers' reasons:",
        "file": "The file",
        "features": "Made of:",
    },
    "zh": {
        "title": "模型说明卡",
        "pixel": "像元模型",
        "object": "线索排序模型",
        "authority": "机关",
        "sample": "使用样例数据训练",
        "reason": "理由",
        "trained": "训练于",
        "approved": "批准于",
        "by": "经办人",
        "comma": "、",
        "stop": "。",
        "purpose": "用途与禁止用途",
        "tells": "可区分：",
        "banned": "严禁用于：",
        "lead": "模型结果只是供有资格的执法人员审核的线索，不是事实，更不是决定。",
        "held": "在未参与训练的区域的表现",
        "held_how": "按整块区域留出，同一地块的像元绝不分开使用：{areas} 个区域，{count} 个样本。",
        "accuracy": "各类别同等计权，正确率 {:.0%}。",
        "auc": "在 {:.0%} 的比对中，被采纳线索的评分高于被驳回线索。",
        "unmeasured": "未能测量：每个类别都只分布在一个区域。",
        "no_area": "因缺少第二个区域而未能测量：",
        "class": "类别",
        "pixels": "样本数",
        "precision": "查准率",
        "recall": "查全率",
        "kept": "若均为孤立线索：{accepted} 处被采纳线索保留 {accepted_kept} 处，"
        "{rejected} 处被驳回线索保留 {rejected_kept} 处。",
        "decisions": "审核数",
        "reliability": "置信度是否可信",
        "reliability_how": "落在对角线上表示：置信度为 80% 的结果中有 80% 正确。圆点面积为样本占比。",
        "before": "校准前",
        "after": "校准后",
        "ece": "校准误差",
        "way_none": "在留出区域上，任何校正都未使置信度更可信，因此保持原值。",
        "way_temperature": "置信度按单一温度校正，在留出区域上更可信。",
        "way_isotonic": "置信度按保序分段校正，在留出区域上更可信。",
        "way_platt": "评分按单一曲线校正，在留出区域上更可信。",
        "by_district": "各辖区的可信度",
        "said": "置信度",
        "was": "实际正确率",
        "districts": "各辖区误报率",
        "districts_pixel": "标注为无异常的地点中，被模型误判的地点。区间为 95% 置信区间。",
        "districts_object": "被执法人员驳回的线索中，仍会显示的线索。区间为 95% 置信区间。",
        "district": "辖区",
        "places": "地点数",
        "alarms": "误报数",
        "rate": "误报率",
        "interval": "区间",
        "none": "未测量。",
        "data": "训练数据",
        "licence": "训练数据使用许可",
        "labels": "共 {} 条标注：",
        "unseen": "其中 {} 条所指地点现已遮蔽或无数据，未参与训练。",
        "scene": "影像",
        "sensor": "传感器",
        "captured": "拍摄日期",
        "gsd": "像素（米）",
        "label_count": "标注数",
        "masked": "遮蔽后副本",
        "hard": "作为反例的被驳回线索（按驳回理由）：",
        "file": "模型文件",
        "features": "输入特征：",
    },
}
_BANNED = {
    "face_recognition": {"en": "recognising faces or persons", "zh": "识别人脸或人员"},
    "emotion": {"en": "reading emotions", "zh": "识别情绪"},
    "protected_traits": {"en": "inferring protected traits", "zh": "推断受保护的个人特征"},
    "legal_decision": {"en": "any decision with legal effect", "zh": "作出任何具有法律效力的决定"},
}
_TAUGHT = {
    "click": {"en": "clicks", "zh": "点击"},
    "polygon": {"en": "polygons", "zh": "面状标注"},
    "accept": {"en": "accepted finds", "zh": "采纳线索"},
    "reject": {"en": "rejected finds", "zh": "驳回线索"},
    "edit": {"en": "redrawn finds", "zh": "重绘线索"},
}
_SENSORS: Mapping[str, Mapping[str, str]] = {
    "uav": {"en": "drone", "zh": "无人机"},
    "satellite": {"en": "satellite", "zh": "卫星"},
    "aerial": {"en": "aerial survey", "zh": "航空测量"},
}
_NONE = {"en": "nothing of interest", "zh": "无异常"}
_TEMPLATES = Path(__file__).parent / "templates"
# A diagram of fewer samples than this would show chance.
FEWEST = 20
_LEFT, _TOP, _SIDE = 34, 8, 200


def page(card: Mapping[str, Any], lang: str) -> str:
    """The card as a whole HTML page that needs nothing else."""
    return _drawn("model_card.html", card, lang)


def body(card: Mapping[str, Any], lang: str) -> Markup:
    """The sections of the card, for a page of the platform."""
    return Markup(_drawn("model_card_body.html", card, lang))


def _drawn(template: str, card: Mapping[str, Any], lang: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "share": lambda value: f"{value:.0%}",
        "word": lambda word: class_word(word, lang),
        "banned": lambda word: _BANNED.get(word, {}).get(lang, word),
        "taught": lambda word: _TAUGHT.get(word, {}).get(lang, word),
        "sensor": lambda word: _SENSORS.get(word, {}).get(lang, word),
        # A reason of the list is told in words; one in an officer's own words stays as it was given.
        "given": lambda code: in_languages(code, code)[lang],
    }
    metrics = card["metrics"]
    return environment.get_template(template).render(
        card=card,
        lang=lang,
        w=WORDS[lang],
        state=words()["state"][card["state"]][lang],
        held=metrics.get("held_out", {"count": 0}),
        districts=metrics.get("districts", {}),
        taught=metrics.get("taught", {"kinds": {}, "hard_negatives": {}}),
        unseen=metrics.get("labels_unseen", 0),
        plots=_plots(metrics.get("calibration", {}), lang),
        way=metrics.get("calibration", {}).get("way"),
        local=_local_plots(metrics.get("districts", {}), lang),
    )


def class_word(word: str, lang: str) -> str:
    """A class in a language: kinds of findings are told in words, a bureau's own words stay as they are."""
    return _NONE[lang] if word == "none" else name(word, lang)


def _plots(calibration: Mapping[str, Any], lang: str) -> list[dict[str, Any]]:
    return [
        {
            "title": WORDS[lang][which],
            "ece": calibration[which]["ece"],
            "svg": diagram(calibration[which], WORDS[lang]),
        }
        for which in ("before", "after")
        if calibration.get(which)
    ]


def _local_plots(districts: Mapping[str, Any], lang: str) -> list[dict[str, Any]]:
    """The diagram of each district that has enough samples to say something."""
    told = {code: one.get("reliability") for code, one in districts.items()}
    return [
        {"title": code, "ece": found["ece"], "svg": diagram(found, WORDS[lang])}
        for code, found in told.items()
        if found and found["count"] >= FEWEST
    ]


def diagram(found: Mapping[str, Any], said: Mapping[str, str]) -> Markup:
    """A reliability diagram as SVG: share of right against confidence, both from 0 to 1."""
    count = max(int(found["count"]), 1)
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    parts = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#c9d0d8"/>',
        f'<path d="M{_LEFT} {_TOP + _SIDE}L{_LEFT + _SIDE} {_TOP}" stroke="#5b6470" stroke-dasharray="4 3"/>',
    ]
    for tick in ticks:
        x, y = _x(tick), _y(tick)
        parts.append(f'<text x="{x:.1f}" y="{_TOP + _SIDE + 13}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{_LEFT - 5}" y="{y + 3:.1f}" text-anchor="end">{tick:g}</text>')
    line = " ".join(f"{_x(one['score']):.1f},{_y(one['right']):.1f}" for one in found["bins"])
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1a5fb4"/>')
    for one in found["bins"]:
        radius = 2 + 10 * (one["count"] / count) ** 0.5
        title = f"{one['score']:.2f} → {one['right']:.2f} ({one['count']})"
        parts.append(
            f'<circle cx="{_x(one["score"]):.1f}" cy="{_y(one["right"]):.1f}" r="{radius:.1f}" fill="#1a5fb4" '
            f'fill-opacity="0.55"><title>{escape(title)}</title></circle>'
        )
    middle = _LEFT + _SIDE / 2
    parts.append(f'<text x="{middle}" y="{_TOP + _SIDE + 27}" text-anchor="middle">{escape(said["said"])}</text>')
    parts.append(
        f'<text x="10" y="{_TOP + _SIDE / 2}" text-anchor="middle" '
        f'transform="rotate(-90 10 {_TOP + _SIDE / 2})">{escape(said["was"])}</text>'
    )
    size = f"0 0 {_LEFT + _SIDE + 12} {_TOP + _SIDE + 34}"
    return Markup(f'<svg viewBox="{size}" role="img" aria-label="{escape(said["reliability"])}">{"".join(parts)}</svg>')


def _x(share: float) -> float:
    return _LEFT + _SIDE * share


def _y(share: float) -> float:
    return _TOP + _SIDE * (1 - share)
