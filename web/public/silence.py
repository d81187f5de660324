"""Nothing here, or nobody has said anything: which authority answers for a place, and whether it has published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from geo.wording import placed
from web.i18n import day, gettext, in_words
from web.public.records import Words


@dataclass(frozen=True)
class Publisher:
    """An authority, whom to ask there, how much it has published, and when last."""

    public_id: str
    name: Words
    person: Words
    address: Words
    contact: str
    subjects: int
    last: date | None


def publishers(public: Connection) -> list[Publisher]:
    """All authorities, those that have published first."""
    rows = public.execute(
        text(
            "SELECT a.public_id, a.name_en, a.name_zh, coalesce(a.contact_person, ''), a.contact_address, "
            "a.contact_channel, v.subjects, v.last_on "
            "FROM public_map.authorities a JOIN public_map.authority_areas v ON v.public_id = a.public_id "
            "ORDER BY NOT v.published, a.name_en, a.public_id"
        )
    )
    return [
        Publisher(public_id, {"en": en, "zh": zh}, placed(person), placed(address), contact, int(n), last)
        for public_id, en, zh, person, address, contact, n, last in rows
    ]


def answering(public: Connection, lon: float, lat: float) -> str | None:
    """The authority whose area holds the place (EPSG:4326), the smallest of several; None outside of all.

    Where several have the very same ground, one that has published speaks for it.
    """
    return public.execute(
        text(
            "SELECT public_id FROM public_map.authority_areas WHERE ST_Covers(geom, ST_Point(:lon, :lat, 4326)) "
            "ORDER BY round(ST_Area(geom)::numeric, 9), NOT published, public_id LIMIT 1"
        ),
        {"lon": lon, "lat": lat},
    ).scalar_one_or_none()


def told(public: Connection, lon: float, lat: float) -> str:
    """Where nothing watches a place: what that means, in one sentence."""
    whose = answering(public, lon, lat)
    one = next((each for each in publishers(public) if each.public_id == whose), None)
    if one is None:
        return gettext("No authority of this map answers for this place: it cannot say what watches there.")
    if not one.subjects:
        return gettext(
            "%(who)s, which answers for this place, has not published anything: what watches here is not known.",
            who=in_words(one.name),
        )
    return gettext(
        "%(who)s answers for this place and last published on %(date)s.", who=in_words(one.name), date=day(one.last)
    )
