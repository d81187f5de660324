"""A finding of readings, as the desk shows it: the window, its values against the limit, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.rules import Rulebook
from schemas.rules.readings import ReadingLimit
from schemas.tables import Calibration, Device, Exceedance, Observation, Publication
from sensing.words import in_words

WIDTH, HEIGHT = 640, 240
_EDGE = 28
_MOST_SHOWN = 1_500


@dataclass(frozen=True)
class Reading:
    """One window beyond its limit; `curve` and `bound_y` are in the pixels of a picture of WIDTH by HEIGHT."""

    title: Mapping[str, str]
    value: str
    bound: str
    start: datetime
    end: datetime
    share: str
    readings: int
    device: str
    device_name: str
    said: Mapping[str, str]
    certificate: str | None
    agency: str | None
    valid_to: Any
    published: Sequence[tuple[str, datetime]]
    rows: Sequence[tuple[datetime, float, str]]
    curve: Sequence[tuple[float, float]]
    bound_y: float
    readings_sha256: str


def reading_of(db: Session, beyond: Exceedance, rulebook: Rulebook, trace: Sequence[Mapping[str, Any]]) -> Reading:
    """What the desk shows of an exceedance; `trace` is what was said of it when it was found."""
    device = db.get_one(Device, beyond.device_id)
    test = db.get(Calibration, beyond.calibration_id) if beyond.calibration_id else None
    shown = select(Publication.channel, Publication.published_at).where(
        Publication.public_id.in_(beyond.publication_ids)
    )
    wanted = (
        select(Observation.phenomenon_time, Observation.result, Observation.quality)
        .where(
            Observation.datastream_id == beyond.datastream_id,
            Observation.phenomenon_time >= beyond.window_from,
            Observation.phenomenon_time < beyond.window_until,
            # What came after it was judged is no part of what was judged.
            Observation.received_at <= beyond.recorded_at,
        )
        .order_by(Observation.phenomenon_time)
    )
    rows = [(at, value, quality) for at, value, quality in db.execute(wanted.limit(_MOST_SHOWN))]
    limit = _limit(rulebook, beyond.limit_code)
    bound = beyond.most if beyond.most is not None and beyond.value > beyond.most else beyond.least
    assert bound is not None
    factor = limit.units.get(beyond.datastream.unit_symbol, 1.0) if limit else 1.0
    curve, bound_y = _drawn(rows, beyond, bound, factor)
    return Reading(
        title={"en": limit.title.en, "zh": limit.title.zh} if limit else dict.fromkeys(("en", "zh"), beyond.limit_code),
        value=f"{beyond.value:.4g} {beyond.unit}",
        bound=f"{bound:g} {beyond.unit}",
        start=beyond.window_from,
        end=beyond.window_until,
        share=f"{beyond.valid_share:.0%}",
        readings=beyond.readings,
        device=device.public_id,
        device_name=device.name,
        said=in_words(trace[0]),
        certificate=test.certificate_no if test else None,
        agency=test.agency if test else None,
        valid_to=test.valid_to if test else None,
        published=[(channel, at) for channel, at in db.execute(shown.order_by(Publication.published_at))],
        rows=rows,
        curve=curve,
        bound_y=bound_y,
        readings_sha256=beyond.readings_sha256,
    )


def _limit(rulebook: Rulebook, code: str) -> ReadingLimit | None:
    return next((one for pack in rulebook.packs for one in pack.reading_limits if one.code == code), None)


def _drawn(
    rows: Sequence[tuple[datetime, float, str]], beyond: Exceedance, bound: float, factor: float
) -> tuple[list[tuple[float, float]], float]:
    values = [value * factor for _, value, _ in rows]
    low, high = min([*values, bound, 0.0]), max([*values, bound])
    span_s = (beyond.window_until - beyond.window_from).total_seconds()

    def height(value: float) -> float:
        return round(HEIGHT - _EDGE - (value - low) / ((high - low) or 1.0) * (HEIGHT - 2 * _EDGE), 1)

    across = WIDTH - 2 * _EDGE
    curve = [
        (round(_EDGE + (at - beyond.window_from).total_seconds() / span_s * across, 1), height(value))
        for (at, _, _), value in zip(rows, values, strict=True)
    ]
    return curve, height(bound)
