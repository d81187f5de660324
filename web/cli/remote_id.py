"""`skywarden remote-id`: what aircraft say of themselves, out of a telemetry log or of captured broadcasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import click

from flights.logs.record import Found
from flights.logs.remote import is_tlog, remote_ids_in
from flights.remote_id.broadcast import heard_in
from flights.remote_id.messages import (
    Authentication,
    BasicId,
    Location,
    Message,
    Module,
    OperatorId,
    SelfId,
    System,
    render,
)
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, refuse
from web.cli.common import as_json, echo_json, lang

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "BasicId": "{uas_id}  {id_type}, {aircraft}",
        "Location": "{status}  {at} ± {within_m}  {height_m} above {height_above}  {speed_m_s}  course {track_deg}",
        "SelfId": "{text}",
        "System": "operator at {operator_at} ({operator_from}), {aircraft_count} aircraft",
        "OperatorId": "{operator_id}",
        "Authentication": "kind {kind}, page {page}, {size} bytes, not verified",
        "Module": "{fitness}",
        "fit": "fit to identify the aircraft",
        "unfit": "NOT fit to identify the aircraft: {reason}",
        "unknown": "?",
        "refused": "byte {place}: {message}",
        "total": "Messages: {messages}; senders: {senders}; damaged frames: {refused}.",
    },
    "zh": {
        "BasicId": "{uas_id}  {id_type}，{aircraft}",
        "Location": "{status}  {at} ± {within_m}  {height_above}以上 {height_m}  {speed_m_s}  航向 {track_deg}",
        "SelfId": "{text}",
        "System": "运营人位于 {operator_at}（{operator_from}），{aircraft_count} 架",
        "OperatorId": "{operator_id}",
        "Authentication": "类别 {kind}，第 {page} 页，{size} 字节，未验证",
        "Module": "{fitness}",
        "fit": "可识别飞行器",
        "unfit": "无法识别飞行器：{reason}",
        "unknown": "？",
        "refused": "第 {place} 字节：{message}",
        "total": "消息 {messages} 条，发送方 {senders} 个，损坏的帧 {refused} 个。",
    },
}
NAMES = {
    "en": {
        BasicId: "aircraft", Location: "place", SelfId: "about", System: "operator", OperatorId: "operator id",
        Authentication: "proof", Module: "module",
    },
    "zh": {
        BasicId: "飞行器", Location: "位置", SelfId: "说明", System: "运营人", OperatorId: "运营人编号",
        Authentication: "认证", Module: "模块",
    },
}  # fmt: skip

CHINESE = {
    "serial_number": "序列号", "registration": "登记标志", "utm_uuid": "飞行编号", "session": "会话编号",
    "none": "未说明", "undeclared": "未说明", "ground": "地面", "airborne": "空中", "emergency": "紧急",
    "identification_failed": "识别失效", "take_off": "起飞点", "live": "实时", "fixed": "固定",
    "aeroplane": "固定翼", "multirotor": "多旋翼", "gyroplane": "旋翼机", "hybrid_lift": "复合翼",
    "glider": "滑翔机", "airship": "飞艇", "other": "其他",
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """One frame of either kind of file: when it came where that is known, from whom, what it says or what is wrong."""

    at: datetime | None
    sender: str
    place: int | None
    messages: tuple[Message, ...]
    refused: Refusal | None

    def render(self, language: str) -> dict[str, Any]:
        """The frame as a JSON object."""
        body: dict[str, Any] = {"at": self.at.isoformat() if self.at else None, "from": self.sender}
        if self.place is not None:
            body["byte"] = self.place
        body["said"] = [render(message) for message in self.messages]
        return body | ({"refused": self.refused.render(language)} if self.refused else {})


@click.command("remote-id")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--all", "every", is_flag=True, help="A line for each message, also where nothing has changed.")
@as_json
def remote_id(file: Path, every: bool, as_json: bool) -> None:
    """Shows the Remote ID (ASTM F3411, OpenDroneID) in FILE.

    FILE is a telemetry log (.tlog), captured Bluetooth or Wi-Fi frames (a packet, pcap, btsnoop), their bytes in
    hexadecimal, one packet a line, or bare messages. Nothing of it is stored; where an operator stands is data of a
    person. A message whose words stay the same is shown once, with how often it came.
    """
    frames = list(_frames(file))
    count = sum(len(frame.messages) for frame in frames)
    if not count:
        raise invalid("remote_id.none", name=file.name, measured=_why_none(frames))
    refused = [frame for frame in frames if frame.refused is not None]
    if as_json:
        heard = [frame.render(lang()) for frame in frames]
        echo_json({"file": file.name, "messages": count, "damaged": len(refused), "heard": heard})
        return
    words = WORDS[lang()]
    for line in _lines(frames, every=every):
        click.echo(line)
    for frame in refused:
        said = frame.refused.render(lang())["message"] if frame.refused else ""
        place = "?" if frame.place is None else frame.place
        click.echo("  ! " + words["refused"].format(place=place, message=said))
    senders = len({frame.sender for frame in frames if frame.messages})
    click.echo(words["total"].format(messages=count, senders=senders, refused=len(refused)))


def _frames(file: Path) -> Iterator[Said]:
    if is_tlog(file):
        for one in remote_ids_in(file, Found()):
            yield Said(one.received_at, one.source, None, one.messages, one.refused)
        return
    size, most = file.stat().st_size, limit("capture.bytes")
    if size > most:
        raise RuleViolation(
            Kind.TOO_LARGE, [refuse("remote_id.too_large", "remote_id.too_large", measured=size, required=most)]
        )
    for frame in heard_in(file.read_bytes()):
        yield Said(None, frame.carrier, frame.place, frame.messages, frame.refused)


def _why_none(frames: list[Said]) -> str:
    return next((str(one.refused.measured) for one in frames if one.refused is not None), "0")


def _lines(frames: list[Said], *, every: bool) -> Iterator[str]:
    """A line for each message; those that say the same, and the places of one sender, in one with their number."""
    counts: dict[tuple[str, type, str], int] = {}
    firsts: dict[tuple[str, type, str], tuple[Said, Message]] = {}
    for number, frame in enumerate(frames):
        for message in frame.messages:
            same = "" if isinstance(message, Location) else _text(message)
            key = (frame.sender, type(message), str(number) if every else same)
            counts[key] = counts.get(key, 0) + 1
            # Of the places the last is shown, of everything else when it came first.
            if key not in firsts or isinstance(message, Location):
                firsts[key] = (frame, message)
    for key, (frame, message) in firsts.items():
        at = f"{frame.at:%Y-%m-%d %H:%M:%S}Z" if frame.at else "-"
        times = f"  × {counts[key]}" if counts[key] > 1 else ""
        yield f"{at:<22}{frame.sender:<13}{_wide(NAMES[lang()][type(message)], 13)}{_text(message)}{times}"


def _text(message: Message) -> str:
    words = WORDS[lang()]
    values: dict[str, Any] = {name: _value(name, value) for name, value in render(message).items()}
    match message:
        case Module():
            values["fitness"] = words["fit" if message.is_fit else "unfit"].format(reason=message.reason or "?")
        case Authentication():
            values |= {"kind": message.kind, "size": len(message.data)}
    return words[type(message).__name__].format(**values)


def _wide(text: str, columns: int) -> str:
    """A text filled up to so many columns of a terminal, of which a Chinese character takes two."""
    taken = sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * max(columns - taken, 1)


def _value(name: str, value: Any) -> str:  # noqa: ANN401
    """A value with its unit; a question mark for what the standard calls unknown."""
    if value is None:
        return WORDS[lang()]["unknown"]
    if name in ("at", "operator_at"):
        return f"{value[1]:.5f} {value[0]:.5f}"
    for suffix, unit in (("_m_s", "m/s"), ("_deg", "°"), ("_m", "m")):
        if name.endswith(suffix):
            return f"{value:.1f} {unit}" if unit != "°" else f"{value:.0f}°"
    if name in ("uas_id", "operator_id", "text"):
        return str(value)
    known = CHINESE.get(str(value)) if lang() == "zh" else None
    return known or str(value).replace("_", " ")
