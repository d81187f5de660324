"""Every column of every public view has a class of requirements.md 5.2 that lets the public read it (5.3).

The table below is 5.2 itself, as far as views read it: what anybody may read of each entity. A view may say a column in
other words; each says here whose it is. A column without a class fails, whoever adds it and whatever it holds.
"""

from __future__ import annotations

import pytest

from tests.conftest import _url

# Entity -> what 5.2 classes as public (or public once it is generalised, delayed, counted), word by word of 5.2.
PUBLIC = {
    "Authority": "id name level authority_type field jurisdiction_geom contact_person contact_address contact_channel",
    "SupervisionItem": "code name",
    "LegalBasis": "title article",
    "Device": "public_id platform category device_type purpose authority owner_type is_measuring_instrument status"
    " name calibrated_until activated_on discontinued_on kind",
    "DeviceSite": "geom place_text approval_number",
    "Evaluation": "outcome date",
    "Publication": "object_ref channel published_at receipt_id content_hash withdrawn_at earliest_activation round"
    " lead_days",
    "Signage": "text verified_at",
    "PrivacyZone": "id geom_generalised kind name buffer_m source valid_from valid_to height_band hours",
    "PatrolArea": "id geom code name purpose version height_band published_at effective_from suspended_on status",
    "DeploymentPoint": "id geom code name purpose place_text published_at effective_from suspended_on status",
    "PatrolRoute": "id code name line_generalised status effective_from suspended_on mission_hash",
    "Drone": "registration_no",
    "Flight": "id route date duration in_area deviation_class",
    "ZoneRequest": "id authority asked_in state decided_in reasons",
    "DataShareGrant": "id device authority item purpose period",
    "Announcement": "id object_ref kind announced_at text",
    "AnnualReport": "id authority year part due submitted",
    "Complaint": "counts_of_five_and_more kind month authority correction",
    "RulePack": "all",
    "AuditLog": "counts seals proofs",
    "CoverageGap": "coarse_coverage",
    "BaseMap": "all",
    "Bookkeeping": "origin recorded_on sequence number change_day",
}
_WHO = {
    "authority_id": "Authority.id",
    "authority_en": "Authority.name",
    "authority_zh": "Authority.name",
    "contact_address": "Authority.contact_address",
    "contact_channel": "Authority.contact_channel",
    "contact_person": "Authority.contact_person",
}
_LAW = {
    "item_code": "SupervisionItem.code",
    "item_name_en": "SupervisionItem.name",
    "item_name_zh": "SupervisionItem.name",
    "basis_title_en": "LegalBasis.title",
    "basis_title_zh": "LegalBasis.title",
    "basis_article": "LegalBasis.article",
}
_BOOKS = {
    "origin": "Bookkeeping.origin",
    "recorded_on": "Bookkeeping.recorded_on",
    "recorded_at": "Bookkeeping.recorded_on",
    "seq": "Bookkeeping.sequence",
    "at": "Bookkeeping.change_day",
    "n": "Bookkeeping.number",
}


def _words(entity: str, pairs: str) -> dict[str, str]:
    """`"a b=c"` is `{"a": "Entity.a", "b": "Entity.c"}`."""
    told = (pair.partition("=") for pair in pairs.split())
    return {column: f"{entity}.{word or column}" for column, _, word in told}


def _patrolled(entity: str) -> dict[str, str]:
    own = "place_text" if entity == "DeploymentPoint" else "alt_min_agl_m=height_band alt_max_agl_m=height_band"
    return _words(
        entity,
        "public_id=id code name_en=name name_zh=name purpose_en=purpose purpose_zh=purpose status effective_from"
        f" suspended_on published_on=published_at earliest_use=published_at geom geom_3857=geom {own}",
    ) | {"siting_approval_no": "DeviceSite.approval_number"}


_DEVICE = _words(
    "Device",
    "public_id name platform category device_type kind purpose_en=purpose purpose_zh=purpose owner_type status"
    " is_measuring_instrument calibrated_until activated_on discontinued_on state=status title=name",
) | {
    "published_on": "Publication.published_at",
    "earliest_activation": "Publication.earliest_activation",
    "sign_text": "Signage.text",
    "sign_checked_on": "Signage.verified_at",
    "aircraft_mark": "Drone.registration_no",
    "place_text": "DeviceSite.place_text",
    "siting_approval_no": "DeviceSite.approval_number",
    "geom": "DeviceSite.geom",
    "geom_3857": "DeviceSite.geom",
}
_ROUTE = _words(
    "PatrolRoute",
    "public_id=id code name_en=name name_zh=name status effective_from suspended_on mission_digest=mission_hash"
    " geom=line_generalised geom_3857=line_generalised",
) | _words(
    "PatrolArea",
    "area_id=id area_en=name area_zh=name purpose_en=purpose purpose_zh=purpose alt_min_agl_m=height_band"
    " alt_max_agl_m=height_band published_on=published_at earliest_use=published_at",
)
_ZONE = _words(
    "PrivacyZone",
    "public_id=id kind name_en=name name_zh=name source buffer_m valid_from valid_to floor_agl_m=height_band"
    " ceiling_agl_m=height_band schedule=hours geom=geom_generalised geom_3857=geom_generalised",
)
_PAST = _words(
    "Publication",
    "layer=object_ref kind=object_ref status=object_ref public_id=object_ref title_en=object_ref title_zh=object_ref"
    " subject_kind=object_ref change=object_ref on_day=published_at valid_from=published_at valid_to=withdrawn_at"
    " asserted=published_at geom=object_ref geom_3857=object_ref",
)
# View -> column -> whose it is.
VIEWS = {
    "authorities": _words(
        "Authority",
        "public_id=id name_en=name name_zh=name level authority_type field geom=jurisdiction_geom"
        " geom_3857=jurisdiction_geom",
    )
    | _WHO
    | {"published": "Publication.published_at", "last_on": "Publication.published_at"},
    "authority_areas": _words("Authority", "public_id=id name_en=name name_zh=name level geom=jurisdiction_geom")
    | _words("Publication", "published=published_at last_on=published_at subjects=object_ref"),
    "devices": _DEVICE | _WHO | _LAW,
    "device_points": _DEVICE | _WHO,
    "beginning": _PAST | {"earliest": "Publication.earliest_activation"},
    "device_names": _DEVICE | _WHO | _words("Device", "is_over=status stem=name digits=name number=name"),
    "patrol_areas": _patrolled("PatrolArea") | _WHO | _LAW,
    "deployment_points": _patrolled("DeploymentPoint") | _WHO | _LAW,
    "patrol_routes": _ROUTE | _WHO,
    "privacy_zones": _ZONE,
    "zone_requests": _words(
        "ZoneRequest", "public_id=id asked_in state decided_in reasons_en=reasons reasons_zh=reasons"
    )
    | _WHO,
    "device_grants": _words(
        "DataShareGrant",
        "public_id=id device_id=device purpose_en=purpose purpose_zh=purpose valid_from=period valid_to=period",
    )
    | _WHO
    | _LAW,
    "publications": _words(
        "Publication",
        "public_id=object_ref subject_kind=object_ref subject_id=object_ref round_no=round channel published_at"
        " published_on=published_at lead_days earliest_activation receipt_id content_sha256=content_hash withdrawn_at",
    ),
    "announcements": _words(
        "Announcement",
        "public_id=id subject_kind=object_ref subject_id=object_ref kind announced_at text_en=text text_zh=text",
    ),
    "flight_log": _words(
        "Flight",
        "public_id=id route_id=route route_en=route route_zh=route area_id=in_area area_en=in_area area_zh=in_area"
        " flown_on=date duration_min=duration stayed_inside=in_area flown=deviation_class"
        " flown_as_published=deviation_class",
    )
    | _WHO,
    "evaluations": _words("Evaluation", "outcome evaluated_on=date") | {"device_id": "Device.public_id"} | _WHO,
    "annual_reports": _words("AnnualReport", "public_id=id year part due_on=due submitted_on=submitted") | _WHO,
    "coverage": _words(
        "CoverageGap", "cell=coarse_coverage at_least=coarse_coverage geom=coarse_coverage geom_3857=coarse_coverage"
    ),
    "proofs": _words(
        "AuditLog",
        "statement=proofs position=proofs statements=proofs path=proofs event_line=proofs leaf_index=proofs"
        " leaf_count=proofs leaf_path=proofs seal_n=seals seal_line=seals checkpoint=seals signer=seals",
    )
    | _words("Publication", "subject_kind=object_ref subject_id=object_ref round_no=round content=content_hash")
    | {"began_on": "Device.activated_on"},
    "seals": _words("AuditLog", "line=seals"),
    "checkpoints": _words("AuditLog", "digest=seals sealed_at=seals signer=seals note=seals"),
    "checkpoint": _words("AuditLog", "checkpoint=seals sealed_at=seals"),
    "history": _PAST | _WHO,
    "changes": _PAST | _WHO,
    "sequence": {},
    "cells": _words("Bookkeeping", "layer=number x=number y=number"),
    "complaints": _words(
        "Complaint",
        "received_in=month kind received=counts_of_five_and_more replied=counts_of_five_and_more"
        " late=counts_of_five_and_more",
    )
    | _WHO,
    "corrections": _words(
        "Complaint",
        "public_id=correction about_kind=correction about_id=correction corrected_on=correction"
        " text_en=correction text_zh=correction",
    )
    | _WHO,
}
# Views whose every column is public by its entity, or whose columns are those of views above.
WHOLE = {"rule_packs": "RulePack", "base_features": "BaseMap", "installation": "BaseMap", "revision": "Bookkeeping"}


@pytest.fixture(scope="module")
def columns(server, empty_template):
    import psycopg

    with psycopg.connect(_url(server.database(empty_template).admin_url)) as root:
        rows = root.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public_map'"
        ).fetchall()
    found = {}
    for view, column in rows:
        found.setdefault(view, set()).add(column)
    return found


def classes_of(view):
    if view in VIEWS:
        return VIEWS[view] | {key: word for key, word in _BOOKS.items() if key not in VIEWS[view]}
    flat = view.removeprefix("open_")
    if view.startswith("open_") and flat in VIEWS:
        return classes_of(flat) | _FLAT
    return None


# What a flat copy says in one column of its own.
_FLAT = {
    "state": "Device.status",
    "status": "Device.status",
    "geom": "PatrolRoute.line_generalised",  # of a flight: the line of its route as the map shows it
    "earliest_on": "Publication.earliest_activation",
    "height_min_m": "PatrolArea.height_band",
    "height_max_m": "PatrolArea.height_band",
}


def test_5_3__every_column__is_of_a_public_class(columns):
    unclassed = {
        f"{view}.{column}"
        for view, names in columns.items()
        if view not in WHOLE
        for column in names - set(classes_of(view) or {})
    }
    assert not unclassed, (
        f"these columns of public views have no class in requirements.md 5.2: {sorted(unclassed)}; "
        "say in tests/web/test_public_columns.py whose each is, if the public may read it"
    )


def test_5_3__classes__are_those_that_the_table_lets_the_public_read():
    said = [(view, word) for view in VIEWS for word in VIEWS[view].values()]
    for view, word in [*said, *((view, word) for view in ("open",) for word in _FLAT.values())]:
        entity, _, field = word.partition(".")
        assert field in PUBLIC[entity].split(), (view, word)
    assert {*WHOLE.values()} <= {*PUBLIC}


def test_5_3__views_that_are_classed__are_there(columns):
    assert {*VIEWS, *WHOLE} <= {*columns}


@pytest.mark.parametrize(
    "restricted",
    ["azimuth", "hfov", "range_m", "serial", "model", "exact_geom", "sensitive", "secret", "token", "email"],
)
def test_5_3__restricted_words__are_in_no_view(columns, restricted):
    assert not [f"{view}.{name}" for view, names in columns.items() for name in names if restricted in name]
