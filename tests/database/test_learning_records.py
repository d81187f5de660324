"""GD-05.2 in the database: labels are final, models documented, approved by another person, and used only then."""

from __future__ import annotations

import json
import uuid

import psycopg
import pytest

PLACE = "SRID=4326;POINT(113.26 23.13)"
AREA = "SRID=4326;POLYGON((113.26 23.12,113.27 23.12,113.27 23.13,113.26 23.12))"
HASH = "a" * 64


@pytest.fixture
def people(plain):
    authority = plain.authority()
    return [
        plain.insert("person", code=code, name_en=code, name_zh=code, authority_id=authority) for code in ("T1", "H1")
    ]


@pytest.fixture
def scene(plain):
    return plain.insert(
        "scene",
        sha256=uuid.uuid4().hex * 2,
        size_bytes=1,
        file_name="a.tif",
        sensor="satellite",
        crs="EPSG:32649",
        gsd_m=10.0,
        header="{}",
        frame_hashes="[]",
    )


@pytest.fixture
def label(plain, people, scene):
    def make(**values):
        usual = {"kind": "click", "of_class": "water", "geom": PLACE, "scene_id": scene}
        return plain.insert("label", **(usual | {"authority_id": plain.authority(), "person_id": people[0]} | values))

    return make


@pytest.fixture
def model(plain, people):
    def make(state="trained", **values):
        usual = {
            "state": state,
            "version": 1,
            "kind": "pixel",
            "authority_id": plain.authority(),
            "author_id": people[0],
            "purpose": "water",
            "licence": "own imagery",
            "sources": json.dumps([{"scene": "SC-1"}]),
            "banned_uses": json.dumps(["emotion"]),
            "sha256": HASH,
            "size_bytes": 10,
            "classes": json.dumps(["none", "water"]),
            "features": json.dumps(["red"]),
            "label_ids": json.dumps(["TL-1"]),
            "scene_ids": json.dumps(["SC-1"]),
            "metrics": json.dumps({"held_out": {"count": 3}}),
        }
        if state in ("approved", "withdrawn"):
            usual |= {"approved_by": people[1], "approved_at": "2025-07-02T00:00Z"}
        if state in ("refused", "withdrawn"):
            usual |= {"closed_by": people[1], "closed_at": "2025-07-02T00:00Z", "reason": "no"}
        return plain.insert("model_version", **(usual | values))

    return make


@pytest.fixture
def run(plain, scene):
    def make(**models):
        derivative = plain.insert(
            "derivative",
            scene_id=scene,
            sha256=HASH,
            zone_hash=HASH,
            zone_ids="[]",
            masked_pixels=0,
            surviving_pixels=0,
            width=1,
            height=1,
            bands=1,
            band_roles="[]",
        )
        hashes = dict.fromkeys(("parameters_sha256", "rules_sha256", "labels_sha256"), HASH)
        more = {"engine": "spectral", "engine_version": "1", "coverage": "{}", "refused_kinds": "{}", "runtime_s": 1}
        return plain.insert("segmentation_run", derivative_id=derivative, **hashes, **more, **models)

    return make


# -- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "by"),
    [
        ({"kind": "guess"}, "ck_label_decision"),
        ({"of_class": "Water"}, "ck_label_of_class"),
        ({"of_class": "x" * 41}, "ck_label_of_class"),
        ({"of_class": ""}, "ck_label_of_class"),
        ({"geom": AREA}, "ck_label_shape"),
        ({"kind": "polygon"}, "ck_label_shape"),
        ({"kind": "accept", "geom": AREA, "reason": "seen"}, "ck_label_decision"),
        ({"geom": "SRID=4326;POINT(NaN 23)"}, "rule__DC-4__label_geom"),
        ({"geom": "SRID=4326;POINT(200 23)"}, "rule__DC-4__label_geom"),
        ({"kind": "polygon", "geom": "SRID=4326;POLYGON((0 0,1 1,1 0,0 1,0 0))"}, "rule__DC-4__label_geom"),
    ],
)
def test_label__that_makes_no_sense__refused(label, values, by):
    with pytest.raises(psycopg.errors.CheckViolation, match=by):
        label(**values)


def test_GD_20_2__label__is_never_changed(plain, label, refused_by, root):
    label()
    label(kind="polygon", geom=AREA)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain.run("UPDATE core.label SET of_class = 'soil'")
    for statement in (
        "UPDATE core.label SET of_class = 'soil'",
        "DELETE FROM core.label",
        "TRUNCATE core.label CASCADE",
    ):
        with refused_by("GD-20.2"):
            root.execute(statement)


# -- model versions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"purpose": " "},
        {"licence": ""},
        {"sources": "[]"},
        {"banned_uses": "[]"},
        {"label_ids": "[]"},
        {"metrics": "{}"},
        {"sources": "{}"},
    ],
)
def test_GD_05_2__undocumented_model__refused(model, refused_by, values):
    with refused_by("GD-05.2"):
        model(**values)


def test_GD_05_2__approved_by_its_author_or_by_nobody__refused(model, people, refused_by):
    for values in ({"approved_by": people[0]}, {"approved_by": None}, {"author_id": None}, {"approved_at": "infinity"}):
        with refused_by("GD-05.2"):
            model("approved", **values)
    with refused_by("GD-05.2"):
        model(approved_by=people[1], approved_at="2025-07-02T00:00Z")
    model("approved")


@pytest.mark.parametrize("values", [{"closed_by": None}, {"reason": " "}, {"closed_at": "infinity"}])
@pytest.mark.parametrize("state", ["refused", "withdrawn"])
def test_model__closed_without_a_person_or_a_reason__refused(model, state, values):
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_model_version_closed"):
        model(state, **values)


@pytest.mark.parametrize(
    ("field", "value"), [("kind", "scene"), ("sha256", "A" * 64), ("size_bytes", 0), ("state", "used")]
)
def test_model__that_makes_no_sense__refused(model, field, value):
    with pytest.raises(psycopg.errors.CheckViolation, match=f"ck_model_version_{field}"):
        model(**{field: value})


@pytest.mark.parametrize(
    "change",
    ["sha256 = repeat('b', 64)", "metrics = '[1]'", "purpose = 'faces'", "author_id = NULL", "label_ids = '[1]'"],
)
def test_GD_20_2__what_was_registered__is_final(plain, model, refused_by, change):
    model()
    with refused_by("GD-20.2"):
        plain.run(f"UPDATE core.model_version SET {change}")


def test_GD_20_2__approver__is_final(plain, model, people, refused_by):
    model("approved")
    with refused_by("GD-20.2"):
        plain.run("UPDATE core.model_version SET approved_at = now()")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain.run("DELETE FROM core.model_version")


def test_P9__live_model__begins_trained_and_skips_nothing(plain, model, refused_by):
    plain.origin = "live"
    with refused_by("state.machine"):
        model("approved")
    model()
    with refused_by("state.machine"):
        plain.run(
            "UPDATE core.model_version SET state = 'withdrawn', closed_by = author_id, closed_at = now(), reason = 'x'"
        )


# -- use ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["trained", "refused", "withdrawn"])
@pytest.mark.parametrize("kind", ["pixel", "object"])
def test_GD_05_2__run_with_a_model_that_is_not_approved__refused(model, run, refused_by, kind, state):
    made = model(state, kind=kind)
    with refused_by("GD-05.2"):
        run(**{f"{kind}_model_id": made})


def test_GD_05_2__run_with_a_model_of_the_other_kind__refused(model, run, refused_by):
    with refused_by("GD-05.2"):
        run(object_model_id=model("approved"))


def test_GD_05_2__run_with_approved_models__taken_and_kept_after_withdrawal(plain, model, run, people):
    pixel, other = model("approved"), model("approved", kind="object")
    run(pixel_model_id=pixel, object_model_id=other)
    plain.run(
        "UPDATE core.model_version SET state = 'withdrawn', closed_by = %s, closed_at = now(), reason = 'x'"
        " WHERE id = %s",
        people[1],
        pixel,
    )
    assert plain.run("SELECT count(*) FROM core.segmentation_run WHERE pixel_model_id = %s", pixel) == [(1,)]
    run()
