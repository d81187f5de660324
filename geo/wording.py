"""What the public is told of a device, an area, a route or a point, in sentences and in both languages (GD-14).

A channel may print these as they are; what counts is the content that the publication carries (geo/content.py).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from sqlalchemy.orm import Session

from geo.notices import Published
from schemas.refusals import LANGUAGES
from schemas.rules import RulePack
from schemas.tables import Authority, DeploymentPoint, Device, DeviceSite, LegalBasis, PatrolArea, SupervisionItem

_NOTHING = {"en": "—", "zh": "—"}
_BETWEEN = " · "


@cache
def _texts() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("geo").joinpath("wording.toml").read_text(encoding="utf-8"))


def notice_text(session: Session, subject: Published, pack: RulePack) -> dict[str, str]:
    """The notice that a subject will be used, `{"en", "zh"}`."""
    return _told("notice", subject.__tablename__, facts(session, subject, pack))


def stop_text(session: Session, subject: Published, pack: RulePack, kind: str, today: str) -> dict[str, str]:
    """The announcement that use has ended: `kind` is discontinued, suspended or retired; for somebody to edit."""
    return _told("stop", kind, facts(session, subject, pack) | {"today": dict.fromkeys(LANGUAGES, today)})


def _told(area: str, key: str, said: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    pattern = _texts()[area][key]
    return {lang: pattern[lang].format(**{name: words[lang] for name, words in said.items()}) for lang in LANGUAGES}


def facts(session: Session, subject: Published, pack: RulePack) -> dict[str, dict[str, str]]:
    """What is said of a subject, each in both languages."""
    authority = subject.authority or session.get_one(Authority, subject.authority_id)
    item_id = getattr(subject, "item_id", None)
    item = session.get(SupervisionItem, item_id) if item_id else None
    basis = session.get(LegalBasis, item.legal_basis_id) if item else None
    days = str(pack["publication.lead_days"])
    address = placed(authority.contact_address)
    return {
        "authority": _pair(authority, "name"),
        "contact": {lang: f"{address[lang]}, {authority.contact_channel}" for lang in LANGUAGES},
        "days": dict.fromkeys(LANGUAGES, days),
        "item": _pair(item, "name") if item else _NOTHING,
        "basis": _basis(basis),
        **_own(session, subject),
    }


def _basis(basis: LegalBasis | None) -> dict[str, str]:
    if basis is None:
        return _NOTHING
    return {"en": f"{basis.title_en}, art. {basis.article}", "zh": f"{basis.title_zh}第{basis.article}条"}


def _own(session: Session, subject: Published) -> dict[str, dict[str, str]]:
    if isinstance(subject, Device):
        site = subject.site or session.get_one(DeviceSite, subject.site_id)
        kind = subject.device_type if subject.platform == "fixed" else subject.platform
        name = {lang: f"{_texts()['kind'][kind][lang]} {subject.name}" for lang in LANGUAGES}
        said = {"kind": dict(_texts()["kind"][kind]), "name": name, "purpose": _pair(subject, "purpose")}
        return said | {"place": placed(site.place_text)}
    if isinstance(subject, DeploymentPoint):
        return {
            "name": _pair(subject, "name"),
            "purpose": _pair(subject, "purpose"),
            "place": placed(subject.place_text),
        }
    if isinstance(subject, PatrolArea):
        return {"name": _pair(subject, "name"), "purpose": _pair(subject, "purpose")} | {
            "low": _metres(subject.alt_min_agl_m),
            "high": _metres(subject.alt_max_agl_m),
        }
    area = subject.area or session.get_one(PatrolArea, subject.area_id)
    said = {"name": _pair(subject, "name"), "area": _pair(area, "name"), "purpose": _pair(area, "purpose")}
    return said | {"high": _metres(subject.alt_agl_m)}


def placed(text: str) -> dict[str, str]:
    """The words for a place: one text for both languages, or `English · Chinese`."""
    english, between, chinese = text.partition(_BETWEEN)
    return {"en": english, "zh": chinese if between else english}


def _pair(row: Any, name: str) -> dict[str, str]:  # noqa: ANN401
    # The stop of a purpose would meet that of the sentence which it stands in.
    return {lang: str(getattr(row, f"{name}_{lang}")).rstrip(".。 ") for lang in LANGUAGES}


def _metres(height_m: float) -> dict[str, str]:
    return dict.fromkeys(LANGUAGES, f"{height_m:g}")
