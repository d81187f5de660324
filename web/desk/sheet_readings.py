"""What the page of a finding says where it came of readings: the window, what it rests on, and hashes of both."""

from __future__ import annotations

from datetime import datetime, tzinfo

from shapely.geometry import shape

from schemas.tables import Detection
from sensing.words import in_words
from web.desk.queries import Finding
from web.desk.readings import Reading
from web.desk.sheet_words import WORDS
from web.words import CHANNELS, in_both


def facts(found: Finding, reading: Reading, row: Detection, zone: tzinfo, lang: str) -> list[tuple[str, str]]:
    """Labels and values: where, when, how much beyond what, by which instrument, tested by whom, announced where."""
    said, middle = WORDS[lang], shape(found.shape).representative_point()
    risk = f"{row.risk} / 100" + (f" · {in_words(row.risk_trace[0])[lang]}" if row.risk_trace else "")
    window = f"{moment(reading.start, zone)} – {moment(reading.end, zone)}"
    seen = said["observed"].format(count=reading.readings, share=reading.share)
    told = [f"{in_both(CHANNELS, channel)[lang]} {moment(at, zone)}" for channel, at in reading.published]
    tested = f"{reading.certificate}, {reading.agency}, {said['valid_to'].format(reading.valid_to)}"
    return [
        (said["where"], f"{middle.y:.6f}° N, {middle.x:.6f}° E (WGS 84)"),
        (said["measured"], f"{reading.title[lang]}: {reading.value} ({said['limit'].format(reading.bound)})"),
        (said["window"], f"{window}; {seen}"),
        (said["device"], f"{reading.device_name} ({reading.device})"),
        (said["calibration"], tested if reading.certificate else "–"),
        (said["published"], "; ".join(told) or "–"),
        (said["risk"], risk),
        (said["item"], found.item[lang] if found.item else "–"),
    ]


def hashes(reading: Reading, row: Detection, lang: str) -> list[tuple[str, str]]:
    """What the finding was made from: the readings as they were judged, and the rules that judged them."""
    said, chain = WORDS[lang], row.provenance
    return [
        (f"{said['readings']} {chain['exceedance']}", reading.readings_sha256),
        (f"{said['rules']} {chain['limit']}", chain["rules_sha256"]),
    ]


def moment(at: datetime, zone: tzinfo) -> str:
    """A moment as it is printed."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %z}"
