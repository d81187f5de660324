"""A finding as one page to print: static, without a script, its pictures inside; triage and no evidence."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from shapely.geometry import mapping, shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.measure import area_m2
from schemas.actors import Actor
from schemas.refusals import RuleViolation
from schemas.tables import Authority, Decision, Detection, Person, Scene
from schemas.words import words
from sensing.derived import outline_of
from sensing.origin import Origin, origin_of
from sensing.reasons import in_languages
from sensing.words import in_words, name
from web.desk import pictures, queries, sheet_readings
from web.desk.queries import Finding
from web.desk.sheet_words import WORDS
from web.desk.sides import Side
from web.i18n import current_language
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.wiring import Services

section = Section("desk_sheet", __name__, Audience.DESK)

_TEMPLATES = Path(__file__).parent.parent / "templates" / "desk"
# What fits on one page: of the rest the page says how much there is.
_TRACE_LINES, _LIST_LINES = 11, 4
# Letters of a line over the whole width, and of one over half of it; one of Chinese is as wide as two.
_WIDTH, _HALF = {"en": 112, "zh": 62}, {"en": 52, "zh": 28}
_LONGEST_REASON = {"en": 300, "zh": 150}
_BAR_SHARE = 1 / 3


@dataclass(frozen=True)
class Picture:
    """One image with what is drawn over it, in pixels of its square; `why_not` instead where it may not be shown."""

    label: str
    taken: str
    source: str
    data: str | None
    why_not: str | None


@dataclass(frozen=True)
class Bar:
    """A scale bar: its length in pixels of the picture and on the ground."""

    px: float
    told: str


@section.page("/review/<public_id>/sheet.html", GET=Permission.READ_DETECTIONS)
def printed(public_id: str) -> Response:
    """The page of a finding, to print or to keep: it stands by itself."""
    house = services()
    with house.session() as db:
        page = sheet(house, db, current_actor(), public_id, current_language())
    response = Response(page, mimetype="text/html")
    response.headers["Content-Disposition"] = f'inline; filename="{public_id}.html"'
    response.headers["Content-Security-Policy"] = _policy(page)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _policy(page: str) -> str:
    """Nothing but the page itself: the one style that stands in it, told by its hash, and pictures inside of it."""
    style = page[page.index("<style>") + len("<style>") : page.index("</style>")]
    told = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{told}'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def sheet(house: Services, db: Session, actor: Actor, public_id: str, lang: str) -> str:
    """The page of a finding in a language. Raises RuleViolation 404 when it is not the actor's to see."""
    row, said = queries.row_of(db, actor, public_id), WORDS[lang]
    found = queries.finding(db, actor, public_id, house.rulebook)
    if found.reading is None:
        found = _as_drawn(db, found, row)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    authority = db.get_one(Authority, row.authority_id)
    return environment.get_template("sheet.html").render(
        lang=lang,
        w=said,
        finding=found,
        kind=name(found.kind, lang),
        state=words()["state"][found.state][lang],
        sample=authority.origin == "sample",
        authority=authority.name_zh if lang == "zh" else authority.name_en,
        **_body(house, db, found, row, lang),
        trace=_cut([line[lang] for line in found.trace], _TRACE_LINES, _WIDTH[lang], lang),
        permits=_cut([_permit(one, lang) for one in row.context.get("permits", [])], _LIST_LINES, _HALF[lang], lang),
        history=_cut([_dated(one, lang) for one in found.history], _LIST_LINES, _HALF[lang], lang),
        basis=found.basis[lang] if found.basis else said["basis_unnamed"],
        decision=_decision(house, db, row, lang),
        now=_moment(house.clock.now(), house),
    )


def _body(house: Services, db: Session, found: Finding, row: Detection, lang: str) -> dict[str, Any]:
    """What a finding of readings and one of images have in different forms."""
    if found.reading is not None:
        facts = sheet_readings.facts(found, found.reading, row, house.zone, lang)
        return {"facts": facts, "hashes": sheet_readings.hashes(found.reading, row, lang), "pictures": []}
    return {
        "pictures": _pictures(house, db, found, lang),
        "outline": pictures.outline(found),
        "size": pictures.SIZE_PX,
        "bar": _bar(found),
        "facts": _facts(db, found, row, lang),
        "hashes": _hashes(db, row, lang),
    }


def _as_drawn(db: Session, found: Finding, row: Detection) -> Finding:
    """A finding with the outline that counts: an officer's, where one drew another than the engine."""
    outline = outline_of(db, row)
    if outline.equals_exact(shape(found.shape), 0.0):
        return found
    return replace(found, shape=mapping(outline), bounds=outline.bounds, area_m2=area_m2(outline))


def _cut(sentences: Sequence[str], lines: int, width: int, lang: str) -> list[str]:
    """Sentences as far as they fit into so many lines, and how many there are beyond."""
    kept: list[str] = []
    for number, sentence in enumerate(sentences):
        lines -= math.ceil(len(sentence) / width)
        # The last line is kept for what does not fit.
        if lines < (1 if number + 1 < len(sentences) else 0):
            return [*kept, WORDS[lang]["more"].format(n=len(sentences) - number)]
        kept.append(sentence)
    return kept


def _fitting(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _pictures(house: Services, db: Session, found: Finding, lang: str) -> list[Picture]:
    said = WORDS[lang]
    labels = {"before": said["before"], "after": said["after"] if found.before else said["taken"]}
    return [_picture(house, db, found, (side, labels[side.name]), lang) for side in (found.before, found.after) if side]


def _picture(house: Services, db: Session, found: Finding, about: tuple[Side, str], lang: str) -> Picture:
    side, label = about
    taken = _moment(side.taken, house) if side.taken else "–"
    source = f"{WORDS[lang][side.sensor]}, {side.gsd_m:.2g} m" if side.gsd_m else WORDS[lang][side.sensor]
    source += "" if side.compared else f" · {WORDS[lang]['only_shown']}"
    try:
        shown = queries.side_of(db, found, side.name, house.clock.now())
        png = pictures.png(house.data_dir, found, shown)
    except RuleViolation as refused:
        return Picture(label, taken, source, None, refused.refusals[0].message(lang))
    return Picture(label, taken, source, f"data:image/png;base64,{base64.b64encode(png).decode()}", None)


def _bar(found: Finding) -> Bar:
    """The longest round length that takes up to a third of the picture."""
    west, _, east, _ = pictures.window(found)
    middle = (found.bounds[1] + found.bounds[3]) / 2
    across_m = (east - west) * math.cos(math.radians(middle))
    most_m = across_m * _BAR_SHARE
    power = 10 ** math.floor(math.log10(most_m))
    length_m = max(step * power for step in (1, 2, 5) if step * power <= most_m)
    told = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    return Bar(length_m / across_m * pictures.SIZE_PX, told)


def _facts(db: Session, found: Finding, row: Detection, lang: str) -> list[tuple[str, str]]:
    said, scene = WORDS[lang], db.get_one(Scene, row.scene_id)
    middle = shape(found.shape).representative_point()
    error = said["error"].format(scene.position_error_m) if scene.position_error_m is not None else ""
    risk = f"{row.risk} / 100" + (f" · {in_words(row.risk_trace[0])[lang]}" if row.risk_trace else "")
    facts = [
        (said["where"], f"{middle.y:.6f}° N, {middle.x:.6f}° E (WGS 84){error}"),
        (said["area"], f"{found.area_m2:,.0f} m²{said['drawn'] if found.area_m2 != row.area_m2 else ''}"),
        (said["score"], f"{found.score:.2f}"),
        (said["risk"], risk),
        (said["item"], found.item[lang] if found.item else "–"),
    ]
    if found.flight:
        facts.append((said["flight"], f"{found.flight} · {found.route or ''}"))
    return facts


def _permit(one: Mapping[str, Any], lang: str) -> str:
    said, allows = WORDS[lang], one.get("allows")
    told = {"number": one.get("number") or one["id"], "allows": name(allows, lang) if allows else "–"}
    return said["permit"].format(**told, until=one.get("until") or "–", share=one["share"])


def _dated(one: queries.Dated, lang: str) -> str:
    return f"{one.taken:%Y-%m-%d}: {one.said[lang]}" if one.taken else str(one.said[lang])


def _hashes(db: Session, row: Detection, lang: str) -> list[tuple[str, str]]:
    """What the finding was made from: files, window and fit of the dates, and the rest by name and hash."""
    said, made = WORDS[lang], origin_of(db, row)
    run, none = made.run, "–"
    models = ", ".join(f"{kind} {sha}" for kind, sha in sorted(made.models.items())) or said["no_model"]
    earlier = []
    if made.before:
        scene, copy = made.before
        fit = made.fit_in_words
        earlier = [
            (f"{said['earlier']} {scene.public_id}", copy.sha256),
            (said["fit"], in_words(fit.dump())[lang] if fit else said["no_fit"]),
        ]
    return [
        (f"{said['scene']} {made.scene.public_id}", made.scene.sha256),
        (f"{said['copy']} {made.copy.public_id}", made.copy.sha256),
        (said["window_of"], _window(made, lang)),
        *earlier,
        (said["zones"], made.copy.zone_hash),
        (said["stretch"], run.stretch_sha256 or none),
        (said["features"], run.features_sha256 or none),
        (said["model"], models),
        (f"{said['parameters']} {run.engine} {run.engine_version}", run.parameters_sha256),
        (said["rules"], run.rules_sha256),
    ]


def _window(made: Origin, lang: str) -> str:
    """Where the finding lies in the copy, and in which bands it was looked at."""
    if made.window is None:
        return "–"
    column, row, width, height = made.window
    bands = ", ".join(made.copy.band_roles)
    return WORDS[lang]["window_told"].format(column=column, row=row, width=width, height=height, bands=bands)


def _decision(house: Services, db: Session, row: Detection, lang: str) -> str:
    last = db.scalars(
        select(Decision).where(Decision.detection_id == row.id).order_by(Decision.version.desc()).limit(1)
    ).one_or_none()
    if last is None:
        return WORDS[lang]["undecided"]
    person = db.get_one(Person, last.person_id)
    who = person.name_zh if lang == "zh" else person.name_en
    told = {"step": words()["step"][last.kind][lang], "who": f"{who} ({person.code})"}
    reason = _fitting(in_languages(last.code, last.reason)[lang], _LONGEST_REASON[lang])
    return WORDS[lang]["decided"].format(**told, at=_moment(last.decided_at, house), reason=reason)


def _moment(at: datetime, house: Services) -> str:
    return sheet_readings.moment(at, house.zone)
