"""What is handed on of a finding, as data: each column with its Shapefile name and its meaning."""

from __future__ import annotations

from dataclasses import dataclass

# dBase: names of ten characters, texts of 254 bytes.
LONGEST_NAME, LONGEST_TEXT_BYTES = 10, 254


@dataclass(frozen=True)
class Column:
    """A column: its name in a GeoPackage, its name in a Shapefile, and what it says, in both languages."""

    name: str
    short: str
    en: str
    zh: str


COLUMNS = (
    Column("finding", "finding", "public id of the finding", "线索编号"),
    Column("kind", "kind", "what an engine took it for (code)", "类别代码"),
    Column("kind_en", "kind_en", "the kind in English", "类别（英文）"),
    Column("kind_zh", "kind_zh", "the kind in Chinese", "类别（中文）"),
    Column("violation", "violation", "the rule that it may break (code)", "可能违反的规则代码"),
    Column("state", "state", "state (code); accepting is triage, not evidence", "状态代码；采纳仅为初筛，不是证据"),
    Column("state_en", "state_en", "the state in English", "状态（英文）"),
    Column("state_zh", "state_zh", "the state in Chinese", "状态（中文）"),
    Column("authority", "authority", "code of the authority", "机关代码"),
    Column("item", "item", "code of the supervision item", "监管事项代码"),
    Column("score", "score", "how sure the engine was, 0 to 1", "识别置信度，0 至 1"),
    Column("risk", "risk", "points of 100 that order the queue", "排队风险分，满分 100"),
    Column("due", "due", "last day before the alert turns yellow", "预警转黄前的最后日期"),
    Column("area_m2", "area_m2", "square metres on the ellipsoid, of this outline", "本轮廓的椭球面积，平方米"),
    Column("outline", "outline", "who drew it: engine or officer", "轮廓来源：engine 引擎，officer 执法人员"),
    Column("made_from", "made_from", "what an officer cut or joined it from", "由执法人员自何线索拆分或合并"),
    Column("outline_sha256", "outl_sha", "SHA-256 of the outline that counts (WKB)", "有效轮廓（WKB）的 SHA-256"),
    Column("hidden", "hidden", "1 where a privacy zone hides a part of it", "1 表示部分轮廓被隐私区遮盖"),
    Column("formed_at", "formed_at", "when the finding was formed, UTC", "线索形成时间（UTC）"),
    Column("decided_at", "decided_at", "when it was decided, UTC", "决定时间（UTC）"),
    Column("decided_by", "decided_by", "code of the officer", "决定人员代码"),
    Column("reason", "reason", "the reason, as it was given", "理由"),
    Column("permits", "permits", "numbers of the permits that reach into it", "涉及的许可编号"),
    Column("scene", "scene", "public id of the scene", "影像编号"),
    Column("sensor", "sensor", "uav, satellite or aerial", "传感器类型"),
    Column("captured_at", "captured", "when the image was taken, UTC", "拍摄时间（UTC）"),
    Column("position_error_m", "pos_err_m", "how far a place in the image may lie off, metres", "影像位置误差，米"),
    Column("before_scene", "bef_scene", "public id of the earlier scene, of a pair", "前期影像编号（两期比对时）"),
    Column(
        "residual_px",
        "resid_px",
        "what remained between the dates when laid on each other, pixels",
        "两期套合残差，像素",
    ),
    Column(
        "window",
        "window",
        "column, row, width, height in the masked copy, pixels",
        "在遮罩副本中的列、行、宽、高，像素",
    ),
    Column("bands", "bands", "bands of that copy, in order", "副本波段，依次"),
    Column("scene_sha256", "scene_sha", "SHA-256 of the original", "原始影像 SHA-256"),
    Column("copy_sha256", "copy_sha", "SHA-256 of the masked copy that was looked at", "所分析遮罩副本 SHA-256"),
    Column("zone_hash", "zone_hash", "hash of the privacy zones burnt into that copy", "副本所遮盖隐私区的哈希"),
    Column("before_copy_sha256", "bef_sha", "SHA-256 of the earlier masked copy, of a pair", "前期遮罩副本 SHA-256"),
    Column("engine", "engine", "engine and version", "识别引擎及版本"),
    Column("parameters_sha256", "param_sha", "SHA-256 of the engine's parameters", "引擎参数 SHA-256"),
    Column(
        "stretch_sha256", "stret_sha", "SHA-256 of the scene's stretch: its range and tones", "影像拉伸参数 SHA-256"
    ),
    Column("features_sha256", "feat_sha", "SHA-256 of the code of features and engine", "特征与引擎代码 SHA-256"),
    Column(
        "pixel_model_sha256", "pix_sha", "SHA-256 of the pixel model, where one was applied", "所用像素模型 SHA-256"
    ),
    Column(
        "object_model_sha256", "obj_sha", "SHA-256 of the object model, where one was applied", "所用对象模型 SHA-256"
    ),
    Column("rules_sha256", "rules_sha", "SHA-256 of the rules", "规则 SHA-256"),
    Column("trace_en", "trace_en", "why it was found, sentence by sentence", "发现依据（英文）"),
    Column("trace_zh", "trace_zh", "the same in Chinese", "发现依据（中文）"),
)
