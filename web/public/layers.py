"""The public layers: where each is read, and the columns that all pages share.

Only views of the schema `public_map` are named here, and only columns that anyone may see; whoever wants to
show more changes the view, which a test compares with the classes of requirements.md 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A public layer: its name, the branch of its pages, the filters it takes, and its columns in shared words."""

    name: str
    branch: str
    columns: Mapping[str, str]
    filters: tuple[str, ...]

    @property
    def path(self) -> str:
        """The branch of the URL tree that holds the records."""
        return f"/{self.branch}"

    @property
    def select(self) -> str:
        """The layer in shared words, as a subquery named `r`; a word without a column is null."""
        chosen = [f"{self.columns.get(word, f'NULL::{kind}')} AS {word}" for word, kind in WORDS.items()]
        return f"(SELECT {', '.join(chosen)} FROM public_map.{self.name}) AS r"

    @property
    def countable(self) -> str:
        """The same, as far as counting and ordering need it: of devices without the joins behind all other words."""
        if self.name != "devices":
            return self.select
        return "(SELECT p.*, p.title AS title_en, p.title AS title_zh FROM public_map.device_points AS p) AS r"

    @property
    def by_name(self) -> tuple[str, str]:
        """Where the layer is listed from, and in which order: what is over last, the others by their names.

        Of devices that order is kept by the database, and a page is the front of it.
        """
        if self.name != "devices":
            return self.select, BY_NAME
        source = "SELECT p.*, p.title AS title_en, p.title AS title_zh FROM public_map.device_names AS p"
        return f"({source}) AS r", "is_over, stem, digits, number, public_id"


# DV2 comes before DV10: the number that a name ends with counts as a number.
BY_NAME = (
    "(state IN ('retired', 'discontinued')), "
    r"regexp_replace(title_en, '\d+$', ''), length(substring(title_en FROM '\d+$')), title_en, public_id"
)

# The shared words and their types; what a layer does not know is null. A layer may say an instant for a date.
WORDS: Mapping[str, str] = {
    "public_id": "text",
    "kind": "text",
    "state": "text",
    "title_en": "text",
    "title_zh": "text",
    "place_text": "text",
    "authority_id": "text",
    "authority_en": "text",
    "authority_zh": "text",
    "contact_address": "text",
    "contact_channel": "text",
    "contact_person": "text",
    "purpose_en": "text",
    "purpose_zh": "text",
    "item_name_en": "text",
    "item_name_zh": "text",
    "basis_title_en": "text",
    "basis_title_zh": "text",
    "basis_article": "text",
    "published_on": "date",
    "earliest": "date",
    "since": "date",
    "ended": "date",
    "mark": "text",
    "approval": "text",
    "alt_min_agl_m": "float",
    "alt_max_agl_m": "float",
    "schedule": "jsonb",
    "area_id": "text",
    "area_en": "text",
    "area_zh": "text",
    "origin": "text",
    "recorded_on": "date",
    "geom": "geometry",
    "geom_3857": "geometry",
}


def _same(*words: str) -> dict[str, str]:
    return {word: word for word in words}


_WHO = _same(
    *("authority_id", "authority_en", "authority_zh", "contact_address", "contact_channel", "contact_person"),
    *("purpose_en", "purpose_zh"),
)
_LAW = _same("item_name_en", "item_name_zh", "basis_title_en", "basis_title_zh", "basis_article")
_PLACE = _same("public_id", "origin", "geom", "geom_3857")

DEVICES = Layer(
    "devices",
    "device",
    {
        **_PLACE,
        **_WHO,
        **_LAW,
        **_same("published_on", "recorded_on"),
        "kind": "CASE WHEN platform = 'uav' THEN 'drone' ELSE device_type END",
        "state": "status",
        "title_en": "name",
        "title_zh": "name",
        "place_text": "place_text",
        "earliest": "earliest_activation",
        "since": "activated_on",
        "ended": "discontinued_on",
        "mark": "coalesce(aircraft_mark, sign_text)",
        "approval": "siting_approval_no",
    },
    ("kind", "state"),
)
PATROL_AREAS = Layer(
    "patrol_areas",
    "area",
    {
        **_PLACE,
        **_WHO,
        **_LAW,
        **_same("published_on", "recorded_on", "alt_min_agl_m", "alt_max_agl_m"),
        "state": "status",
        "title_en": "name_en",
        "title_zh": "name_zh",
        "earliest": "earliest_use",
        "since": "effective_from",
        "ended": "suspended_on",
        "approval": "siting_approval_no",
    },
    ("state",),
)
DEPLOYMENT_POINTS = Layer(
    "deployment_points",
    "point",
    {
        **_PLACE,
        **_WHO,
        **_LAW,
        **_same("published_on", "recorded_on", "place_text"),
        # Its symbol is an outline as those of the devices are, of a kind of its own.
        "kind": "'deployment_point'",
        "state": "status",
        "title_en": "name_en",
        "title_zh": "name_zh",
        "earliest": "earliest_use",
        "since": "effective_from",
        "ended": "suspended_on",
        "approval": "siting_approval_no",
    },
    ("state",),
)
PATROL_ROUTES = Layer(
    "patrol_routes",
    "route",
    {
        **_PLACE,
        **_WHO,
        **_same("published_on", "recorded_on", "alt_min_agl_m", "alt_max_agl_m", "area_id", "area_en", "area_zh"),
        "state": "status",
        "title_en": "name_en",
        "title_zh": "name_zh",
        "earliest": "earliest_use",
        "since": "effective_from",
        "ended": "suspended_on",
    },
    ("state",),
)
PRIVACY_ZONES = Layer(
    "privacy_zones",
    "zone",
    {
        **_PLACE,
        **_same("schedule"),
        "kind": "kind",
        "alt_min_agl_m": "floor_agl_m",
        "alt_max_agl_m": "ceiling_agl_m",
        "state": "CASE WHEN valid_from > now() THEN 'in_notice_period' ELSE 'effective' END",
        "title_en": "name_en",
        "title_zh": "name_zh",
        "since": "valid_from",
        "ended": "valid_to",
    },
    ("kind",),
)
LAYERS: Mapping[str, Layer] = {
    layer.name: layer for layer in (DEVICES, PATROL_AREAS, DEPLOYMENT_POINTS, PATROL_ROUTES, PRIVACY_ZONES)
}
BY_BRANCH: Mapping[str, Layer] = {layer.branch: layer for layer in LAYERS.values()}
