"""Search for all that is public at once: numbers and names of records, places, authorities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import render_template
from sqlalchemy import Connection, text

from web import words
from web.i18n import gettext, ngettext
from web.permissions import Audience, Permission, Section
from web.public.asked import one_word, refuse_others
from web.public.database import public_connection
from web.public.layers import DEVICES, LAYERS, PRIVACY_ZONES
from web.public.records import literal

section = Section("search", __name__, Audience.PUBLIC)
MOST_HITS = 20
# Of each kind of hit so many at most, so that a hundred cameras of one name leave room for the place of that name.
MOST_OF_A_KIND = 8


@dataclass(frozen=True)
class Hit:
    """One thing of that name or number; `path` leads to it, `selects` is how the map's address names it."""

    what: str
    title: Mapping[str, str]
    about: str
    path: str
    kind: str = ""
    state: str = ""
    selects: str = ""


@section.page("/search", GET=Permission.BROWSE)
def search() -> str:
    """What goes by these words, as a page, and as the list below the search box."""
    refuse_others(("q", "lang"))
    with public_connection() as public:
        asked = one_word("q")
        hits = found(public, asked) if asked else []
    return render_template("public/search.html", asked=asked, hits=hits, said=told(hits))


def told(hits: list[Hit]) -> str:
    """How much was found, in words."""
    return ngettext("%(num)d found", "%(num)d found", len(hits)) if hits else gettext("Nothing goes by these words.")


def found(public: Connection, asked: str) -> list[Hit]:
    """Places, records and authorities, the closest first: what is called exactly so, then what begins so."""
    ranked = [*_places(public, asked), *_records(public, asked), *_authorities(public, asked)]
    ranked.sort(key=lambda one: one[0])
    return [hit for _, hit in ranked[:MOST_HITS]]


# 0 for exactly these words, 1 for a beginning, 2 for anywhere.
_RANK = (
    "CASE WHEN lower(:whole) IN (lower(number), lower(name_en), lower(name_zh)) THEN 0 "
    "WHEN number ILIKE :begin OR name_en ILIKE :begin OR name_zh ILIKE :begin THEN 1 ELSE 2 END"
)
_MATCH = "number ILIKE :begin OR name_en ILIKE :some OR name_zh ILIKE :some"


def _rows(public: Connection, source: str, asked: str) -> list[tuple[int, dict[str, str]]]:
    rows = public.execute(
        text(
            f"SELECT *, {_RANK} AS place FROM ({source}) AS s WHERE {_MATCH} "
            "ORDER BY place, length(name_en), name_en, number LIMIT :most"
        ),
        {
            "whole": asked,
            "begin": f"{literal(asked)}%",
            "some": f"%{literal(asked)}%",
            "most": MOST_OF_A_KIND,
        },
    )
    return [(int(row["place"]), dict(row)) for row in rows.mappings()]


def _places(public: Connection, asked: str) -> list[tuple[int, Hit]]:
    source = (
        "SELECT DISTINCT ON (name_en, name_zh) '' AS number, name_en, name_zh, kind FROM public_map.base_features "
        "WHERE name_en IS NOT NULL OR name_zh IS NOT NULL ORDER BY name_en, name_zh, rank"
    )
    return [
        (place, Hit("place", _named(row), gettext("Place"), f"/?{urlencode({'q': _named(row)['en']})}"))
        for place, row in _rows(public, source, asked)
    ]


def _records(public: Connection, asked: str) -> list[tuple[int, Hit]]:
    hits = []
    for layer in LAYERS.values():
        source = (
            f"SELECT public_id AS number, title_en AS name_en, title_zh AS name_zh, kind, state FROM {layer.select}"
        )
        for place, row in _rows(public, source, asked):
            state = "" if layer is PRIVACY_ZONES else words.state(row["state"])
            what = words.device_type(row["kind"]) if layer is DEVICES else words.layer(layer.name)
            hits.append(
                (
                    place,
                    Hit(
                        layer.name,
                        _named(row) if row["name_en"] else words.in_both(words.ZONE_KINDS, row["kind"]),
                        " · ".join(filter(None, (what, state, row["number"]))),
                        f"{layer.path}/{row['number']}",
                        row["kind"] or layer.name,
                        row["state"],
                        f"{layer.branch}/{row['number']}",
                    ),
                )
            )
    return hits


def _authorities(public: Connection, asked: str) -> list[tuple[int, Hit]]:
    source = "SELECT public_id AS number, name_en, name_zh FROM public_map.authorities"
    return [
        (place, Hit("authority", _named(row), gettext("Authority"), f"/?{urlencode({'authority': row['number']})}"))
        for place, row in _rows(public, source, asked)
    ]


def _named(row: Mapping[str, str]) -> dict[str, str]:
    return {"en": row["name_en"] or row["name_zh"], "zh": row["name_zh"] or row["name_en"]}
