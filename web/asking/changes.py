"""What changed on the public map, one sentence each; feeds and mails tell the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.orm import Session

from web import words
from web.i18n import catalogue
from web.words import N_

CHANGES: Mapping[str, str] = {
    "announced": N_("announced, not yet in use"),
    "in_use": N_("in use"),
    "paused": N_("paused"),
    "resumed": N_("in use again"),
    "stopped": N_("stopped by a check"),
    "given_up": N_("out of use"),
    "moved": N_("moved or changed"),
    "withdrawn": N_("announcement withdrawn"),
    "word": N_("its notice was worded anew"),
    "zone_added": N_("new privacy zone"),
    "zone_ended": N_("privacy zone ended"),
}
SUBJECTS: Mapping[str, str] = {
    "device": N_("Monitoring device"),
    "patrol_area": N_("Patrol area"),
    "deployment_point": N_("Deployment point"),
    "patrol_route": N_("Patrol route"),
    "privacy_zone": N_("Privacy zone"),
}
BRANCHES: Mapping[str, str] = {
    "device": "device",
    "patrol_area": "area",
    "deployment_point": "point",
    "patrol_route": "route",
    "privacy_zone": "zone",
}
_COLUMNS = "c.seq, c.at, c.subject_kind, c.public_id, c.change, c.on_day, c.kind, c.title_en, c.title_zh"


@dataclass(frozen=True)
class Change:
    """One change of what everybody sees, with its number in the publication sequence; `on_day` is the legal day."""

    seq: int
    at: datetime
    subject_kind: str
    public_id: str
    change: str
    on_day: date
    kind: str | None
    title_en: str | None
    title_zh: str | None

    @property
    def path(self) -> str:
        """The page of what changed."""
        return f"/{BRANCHES.get(self.subject_kind, 'device')}/{self.public_id}"

    def title(self, lang: str) -> str:
        """What it is: `Camera Qinghe Road (DV-7K3Q2M)`."""
        name = (self.title_zh if lang == "zh" else self.title_en) or self.title_en or ""
        # The names of areas, routes and zones say what they are; those of devices do not.
        kind = words.DEVICE_TYPES.get(self.kind or "") or ("" if name else SUBJECTS.get(self.subject_kind, ""))
        what = f"{tell(lang, kind) if kind else ''} {name}".strip()
        return f"{what}（{self.public_id}）" if lang == "zh" else f"{what} ({self.public_id})"

    def sentence(self, lang: str) -> str:
        """What happened to it, and on which day."""
        happened = tell(lang, CHANGES.get(self.change, self.change))
        told = {"what": self.title(lang), "happened": happened, "day": self.on_day.isoformat()}
        return tell(lang, N_("%(what)s: %(happened)s, %(day)s"), **told)


def tell(lang: str, message: str, **values: object) -> str:
    """A message in a language, where nobody reads a page at this moment."""
    said = catalogue(lang).gettext(message)
    return said % values if values else said


@dataclass(frozen=True)
class Filter:
    """Which changes somebody wants; `shape` is GeoJSON of EPSG:4326, empty words mean all."""

    shape: str = ""
    authority: str = ""
    subject_kind: str = ""


def latest(public: Connection, wanted: Filter, *, before: int | None, most: int) -> list[Change]:
    """The newest changes before a number of the sequence, the newest first; those of one number stay together."""
    limits = {"before": 2**62 if before is None else before, "most": most}
    statement = f"""
        SELECT {_COLUMNS} FROM public_map.changes c WHERE c.seq < :before {_where(wanted)}
        ORDER BY c.seq DESC FETCH FIRST :most ROWS WITH TIES
    """
    return _read(public, text(statement), _values(wanted) | limits)


def between(db: Session, wanted: Filter, after: int, up_to: int, most: int) -> list[Change]:
    """The changes after one number of the sequence up to another, the oldest first."""
    statement = f"""
        SELECT {_COLUMNS} FROM public_map.changes c WHERE c.seq > :after AND c.seq <= :up_to {_where(wanted)}
        ORDER BY c.seq, c.public_id, c.change LIMIT :most
    """
    return _read(db, text(statement), _values(wanted) | {"after": after, "up_to": up_to, "most": most})


def _where(wanted: Filter) -> str:
    # Every piece is a text of this module; what readers give goes in as values.
    parts = {
        "shape": "AND ST_Intersects(c.geom, ST_SetSRID(ST_GeomFromGeoJSON(:shape), 4326))",
        "authority": "AND c.authority_id = :authority",
        "subject_kind": "AND c.subject_kind = :subject_kind",
    }
    return " ".join(part for name, part in parts.items() if getattr(wanted, name))


def _values(wanted: Filter) -> dict[str, str]:
    names = ("shape", "authority", "subject_kind")
    return {name: getattr(wanted, name) for name in names if getattr(wanted, name)}


def _read(source: Connection | Session, statement: TextClause, values: dict[str, Any]) -> list[Change]:
    return [Change(**row) for row in source.execute(statement, values).mappings()]
