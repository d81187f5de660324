"""What a message of a citizen is about: a record of the map, named in the address as `device/DV-7K3Q2M`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from schemas.refusals import RuleViolation, not_found
from web import words
from web.i18n import gettext, in_words
from web.public import records
from web.public.layers import BY_BRANCH, DEVICES

# The branch of a record in addresses, and its kind in the database.
KINDS: Mapping[str, str] = {
    "device": "device",
    "area": "patrol_area",
    "point": "deployment_point",
    "route": "patrol_route",
    "zone": "privacy_zone",
    "flight": "flight",
}
_FLIGHT = text("""
    SELECT f.public_id, f.route_en, f.route_zh, f.flown_on, r.authority_id FROM public_map.flight_log f
    JOIN public_map.patrol_routes r ON r.public_id = f.route_id WHERE f.public_id = :name
""")


@dataclass(frozen=True)
class Subject:
    """A public record, by its branch and public id, with its words; `authority` answers for it, where one does."""

    branch: str
    public_id: str
    words: str
    path: str
    authority: str

    @property
    def kind(self) -> str:
        """Its kind in the database."""
        return KINDS[self.branch]

    @property
    def about(self) -> str:
        """As addresses and forms name it."""
        return f"{self.branch}/{self.public_id}"


def subject(public: Connection, about: str) -> Subject | None:
    """The record that is named, or None where none is; raises RuleViolation 404 for one that is not on the map."""
    if not about:
        return None
    branch, _, name = about.partition("/")
    if branch not in KINDS or not name or len(name) > 64 or "\0" in name:
        raise not_found("record.unknown", "web.object_unknown", measured=about[:40])
    if branch == "flight":
        return _flight(public, name)
    layer = BY_BRANCH[branch]
    found = records.one(public, layer, name)
    # A zone belongs to nobody: whoever asks says which authority is meant.
    kind = f"{words.device_type(found.kind)} " if layer is DEVICES else ""
    return Subject(branch, name, f"{kind}{in_words(found.title)} ({name})", found.path, found.authority_id or "")


def _flight(public: Connection, name: str) -> Subject:
    row = public.execute(_FLIGHT, {"name": name}).mappings().one_or_none()
    if row is None:
        raise not_found("record.unknown", "web.object_unknown", measured=name[:40])
    title = in_words({"en": row["route_en"], "zh": row["route_zh"]})
    said = gettext("Flight of %(route)s on %(day)s", route=title, day=row["flown_on"].isoformat())
    return Subject("flight", name, f"{said} ({name})", "/flights", row["authority_id"])


def subject_if_any(public: Connection, about: str) -> Subject | None:
    """The record that is named, or None where it is none of the map."""
    try:
        return subject(public, about)
    except RuleViolation:
        return None
