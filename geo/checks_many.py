"""Guards that judge many subjects at once: those that pass are found in sets, the others are asked one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from sqlalchemy import select, text

from geo.checks_common import item_refusals, place_has_rules
from geo.checks_device import outside_private_places as one_outside_private_places
from geo.checks_device import place_of_device
from geo.zones import MOST_BUFFER_M
from schemas.machine import Contexts
from schemas.refusals import Refusal
from schemas.store.places import rule_shape
from schemas.tables import SupervisionItem

Answers = Sequence[Iterable[Refusal]]


def places_have_rules(contexts: Contexts) -> Answers:
    """GD-02.1: as `place_has_rules`."""
    where = np.array([rule_shape(contexts.session, subject) for subject in contexts.subjects], dtype=object)
    jurisdiction = contexts.pack.jurisdiction.geometry
    shapely.prepare(jurisdiction)
    return [
        () if covered else place_has_rules(contexts.of(subject))
        for subject, covered in zip(contexts.subjects, shapely.covers(jurisdiction, where), strict=True)
    ]


def items_cited(contexts: Contexts) -> Answers:
    """IR-1, LF-10: as `item_cited`."""
    wanted = {subject.item_id for subject in contexts.subjects} - {None}
    found = select(SupervisionItem).where(SupervisionItem.id.in_(wanted))
    items = {item.id: item for item in contexts.session.scalars(found)} if wanted else {}
    return [item_refusals(contexts.of(subject), items.get(subject.item_id)) for subject in contexts.subjects]


# The bound on buffers lets the index find the zones; what a device sees reaches a little beyond its range, because a
# sector is drawn by chords around its arc (geo.footprint.sector).
_NEAR = text("""
    SELECT DISTINCT p.place FROM unnest(CAST(:lons AS float8[]), CAST(:lats AS float8[]), CAST(:reach_m AS float8[]))
        WITH ORDINALITY AS p (lon, lat, reach_m, place)
    JOIN core.privacy_zone z ON ST_DWithin(
        z.geom::geography, ST_SetSRID(ST_MakePoint(p.lon, p.lat), 4326)::geography, :most_m + p.reach_m)
    WHERE ST_DWithin(z.geom::geography, ST_SetSRID(ST_MakePoint(p.lon, p.lat), 4326)::geography,
                     z.buffer_m + :extra_m + p.reach_m)
      AND z.valid_from <= :at AND (z.valid_to IS NULL OR z.valid_to > :at)
""")
_SEEN_BEYOND_RANGE = 1.01


def outside_private_places(contexts: Contexts) -> Answers:
    """GD-15: as the check of one device; only those near a zone are looked at one by one."""
    places = [place_of_device(contexts.session, device) for device in contexts.subjects]
    extra_m = contexts.pack["privacy.buffer_m"]
    found = contexts.session.scalars(
        _NEAR,
        {
            "lons": [place.at.lon for place in places],
            "lats": [place.at.lat for place in places],
            "reach_m": [_SEEN_BEYOND_RANGE * (place.range_m or 0.0) + 1.0 for place in places],
            "extra_m": extra_m,
            "most_m": MOST_BUFFER_M + extra_m,
            "at": contexts.now,
        },
    )
    near = {place - 1 for place in found}
    barred = contexts.pack["privacy.prohibited_place_types"]
    return [
        one_outside_private_places(contexts.of(device)) if number in near or place.place_type in barred else ()
        for number, (device, place) in enumerate(zip(contexts.subjects, places, strict=True))
    ]
