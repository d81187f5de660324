"""From labels to a model that may be used: labelled, trained, measured, approved by somebody else, withdrawn."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from geoalchemy2.shape import to_shape
from sqlalchemy import select, text

from schemas import tables as t
from schemas.clock import FixedClock
from schemas.refusals import RuleViolation
from sensing.decisions import assign_detection, confirm_detection, redraw_detection, reject_detection
from sensing.intake import Told
from sensing.learn import commands
from sensing.learn.labels import Mark, newest
from sensing.learn.sampling import lessons, opened
from sensing.learn.store import files, object_model, pixel_model
from sensing.learn.training import Wish, authority_for, taught, train_pixels
from sensing.pipeline import source_of
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.database.digging import PIT, add_item, ingest_pair
from tests.unit.sensing.ground import Ground, blob
from web import scenes
from web.cli.main import skywarden

LAKES = [blob(place, 16, n) for n, place in enumerate([(40, 40), (250, 60), (330, 300), (60, 300)])]
FIELDS = [blob(place, 14, 9 + n) for n, place in enumerate([(140, 60), (340, 140), (200, 340), (50, 180), (330, 40)])]


def ground() -> Ground:
    made = Ground(seed=8)
    for lake in LAKES:
        made.paint(lake, "water")
    return made


@pytest.fixture(scope="module")
def labelled(server, world_template, tmp_path_factory):
    """A database with a scene of lakes, labelled by O1, and a pit: name, directory, scene and detection."""
    from web.settings import Settings
    from web.wiring import Services

    name, folder = server.clone(world_template), tmp_path_factory.mktemp("labelled")
    services = Services(Settings(data_dir=folder), server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    path = ground().satellite(folder / "lakes.tif")
    told = Told(captured_at=datetime(2025, 6, 20, 3, tzinfo=UTC))
    scene = scenes.ingest(services, [path], told=told).scene.public_id
    with services.work(services.actor("O1")) as work:
        commands.label_places(work, scenes.shelf_of(services), scene, marks())
        work.commit()
    add_item(services.database)
    earlier, later = ingest_pair(services, folder)
    (detection,) = scenes.segment(services, later, before=earlier).detections
    with services.work() as work:
        assign_detection(work, detection, "O1")
        work.commit()
    services.close()
    yield name, folder, scene, detection
    server.drop(name)


@pytest.fixture(scope="module")
def taught_once(server, labelled):
    """The same database with a model that O1 trained: its name, and the model's public id."""
    from web.settings import Settings
    from web.wiring import Services

    name = server.clone(labelled[0])
    services = Services(Settings(data_dir=labelled[1]), server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    shelf, actor = scenes.shelf_of(services), services.actor("O1")
    with services.session() as session:
        wish = Wish(authority_id=authority_for(session, actor, None), purpose=TRAIN[1], licence=TRAIN[3])
        known = taught(session, wish.authority_id)
    with services.work(actor) as unit:
        number = commands.register_model(unit, train_pixels(shelf, known, wish)).public_id
        unit.commit()
    services.close()
    yield name, number
    server.drop(name)


@pytest.fixture
def database(clone, labelled, request):
    ready = "model" in request.fixturenames
    return clone(request.getfixturevalue("taught_once")[0] if ready else labelled[0])


@pytest.fixture
def model(taught_once):
    """The public id of a model that O1 trained and nobody approved; the database of the test holds it."""
    return taught_once[1]


@pytest.fixture
def services(database, clock, labelled):
    from web.settings import Settings
    from web.wiring import Services

    made = Services(Settings(data_dir=labelled[1]), database, clock)
    yield made
    made.close()


@pytest.fixture
def scene(labelled):
    return labelled[2]


@pytest.fixture
def shelf(services):
    return scenes.shelf_of(services)


@pytest.fixture
def cli(services, monkeypatch):
    # A command closes the connections of its services; those of the test stay open.
    monkeypatch.setattr("web.cli.common.build", lambda: replace(services))
    return lambda *words: CliRunner().invoke(skywarden, words, catch_exceptions=False)


def marks() -> list[Mark]:
    """Clicks in lakes and fields, and the whole of one lake and one field."""
    made = []
    for number, (name, shapes) in enumerate((("water", LAKES), ("none", FIELDS))):
        on_map = [ground().to_map(shape) for shape in shapes]
        made += [Mark(name, shape.centroid) for shape in on_map]
        made.append(Mark(name, on_map[number].buffer(-0.0002)))
    return made


TRAIN = ("--purpose", "open water", "--licence", "own imagery of the authority")


def trained(cli, *words: str, by: str = "O1") -> dict:
    told = cli("model", "train", *TRAIN, "--as", by, "--json", *words)
    assert told.exit_code == 0, told.output
    return json.loads(told.output)


def refused(call, *words) -> tuple[int, set[str]]:
    with pytest.raises(RuleViolation) as caught:
        call(*words)
    for lang in ("en", "zh"):
        caught.value.render(lang)
    return caught.value.status, {refusal.rule for refusal in caught.value.refusals}


# -- labels ---------------------------------------------------------------------------------------


def test_label__one_event_and_a_row_for_each_place(session):
    rows = session.scalars(select(t.Label)).all()
    assert {(row.kind, row.of_class) for row in rows} == {
        ("click", "water"),
        ("click", "none"),
        ("polygon", "water"),
        ("polygon", "none"),
    }
    (body,) = session.execute(text("SELECT body FROM ledger.event WHERE action = 'label.place'")).scalars()
    assert json.loads(bytes(body))["labels"] == {"none": 6, "water": 5}


def test_GD_43__place_in_a_privacy_zone_or_beside_the_scene__cannot_be_labelled(work, shelf, scene):
    places = [shapely.Point(113.27, 23.13), shapely.Point(0, 0), shapely.box(113.2697, 23.1297, 113.2703, 23.1303)]
    with work("O1") as unit:
        status, rules = refused(commands.label_places, unit, shelf, scene, [Mark("water", place) for place in places])
        assert (status, rules) == (422, {"label.outside"})
        with pytest.raises(RuleViolation) as caught:
            commands.label_places(unit, shelf, scene, [Mark("water", place) for place in places])
    assert len(caught.value.refusals) == 3


@pytest.mark.parametrize("person", ["F1", "X1", "SYSTEM"])
def test_label__by_somebody_who_does_not_review__refused(work, shelf, scene, person):
    with work(person) as unit:
        assert refused(commands.label_places, unit, shelf, scene, marks())[0] == 403


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"features": []}',
        '{"features": [{"properties": {"class": "Water"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]}',
        '{"features": [{"properties": {"class": "water"}, "geometry": {"type": "Line"}}]}',
        '{"features": [1, null, {"properties": null}]}',
    ],
)
def test_label__file_that_is_none__refused(cli, scene, tmp_path, content):
    (tmp_path / "a.geojson").write_text(content)
    status, _ = refused(cli, "model", "label", scene, str(tmp_path / "a.geojson"), "--as", "O1")
    assert status == 422


def test_sampling__reads_the_masked_copy_alone(services, shelf, scene, session):
    source = source_of(session, scene)
    originals = shelf.root / "originals"
    hidden = originals.rename(shelf.root / "elsewhere")
    try:
        with opened(shelf, source) as seen:
            assert seen.pixels(shapely.Point(113.27, 23.13)).count == 0
            assert seen.pixels(ground().to_map(LAKES[0])).count > 200
    finally:
        hidden.rename(originals)


# -- training, approval, use ----------------------------------------------------------------------


def test_train__knows_lakes_that_it_was_not_shown(cli, services, work, shelf, scene, session):
    told = trained(cli)
    held = told["metrics"]["held_out"]
    assert held["areas"] >= 8
    assert held["balanced_accuracy"] > 0.95
    assert told["metrics"]["districts"]["A1"]["places"] == 6
    assert told["metrics"]["calibration"]["after"]["ece"] <= told["metrics"]["calibration"]["before"]["ece"]
    with work("H1") as unit:
        commands.approve_model(unit, told["model"])
        unit.commit()
    with services.session() as reading, opened(shelf, source_of(reading, scene)) as seen:
        made = pixel_model(reading, shelf, told["model"])
        lake = seen.features(seen.pixels(ground().to_map(LAKES[3])), made.features)
    labels, confidence = made.predict(lake)
    assert (labels == made.classes.index("water")).mean() > 0.95
    assert confidence.mean() > 150


def test_train__again__the_same_file(cli, session, model):
    assert trained(cli)["sha256"] == session.scalars(select(t.ModelVersion.sha256).distinct()).one()


def test_train__one_ledger_event_and_what_GD_05_2_asks_for(cli, session):
    number = trained(cli)["model"]
    row = session.scalars(select(t.ModelVersion)).one()
    assert (row.public_id, row.state, row.purpose, row.licence) == (number, "trained", TRAIN[1], TRAIN[3])
    assert len(row.label_ids) == 11
    assert row.sources[0]["licence"] == TRAIN[3]
    assert len(row.sources[0]["derivative_sha256"]) == 64
    assert {"face_recognition", "emotion", "protected_traits"} <= set(row.banned_uses)
    actions = session.execute(text("SELECT action FROM ledger.event ORDER BY id")).scalars().all()
    assert actions[-1] == "model.register"


def test_train__without_a_label_that_was_a_mistake(cli, session):
    mistake, *rest = session.scalars(select(t.Label.public_id).order_by(t.Label.recorded_at)).all()
    trained(cli, "--without", mistake)
    assert session.scalars(select(t.ModelVersion.label_ids)).one() == sorted(rest)
    assert refused(cli, "model", "train", *TRAIN, "--without", "TL-NONE", "--as", "O1")[0] == 404


@pytest.mark.parametrize("person", ["F1", "X1", "H1"])
def test_train__by_somebody_who_may_not__refused(cli, person):
    assert refused(cli, "model", "train", *TRAIN, "--as", person)[0] == 403


def test_train__without_labels__refused(cli, database):
    engine = database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM core.label"))
    engine.dispose()
    assert refused(cli, "model", "train", *TRAIN, "--as", "O1")[1] == {"model.no_labels"}


def test_train__undocumented__refused(cli):
    told = ("model", "train", "--purpose", " ", "--licence", "", "--as", "O1")
    assert refused(cli, *told)[1] == {"GD-05.2"}


def test_GD_05_2__model_before_approval_or_after_withdrawal__is_not_used(cli, services, shelf, model):
    with services.session() as session:
        assert refused(pixel_model, session, shelf, model) == (409, {"GD-05.2"})
    assert refused(cli, "model", "ask", "SC-1", "--model", model)[0] in (404, 409)
    assert cli("model", "approve", model, "--as", "T1").exit_code == 0
    with services.session() as session:
        assert pixel_model(session, shelf, model).classes == ("none", "water")
    assert cli("model", "withdraw", model, "--reason", "worse than before", "--as", "H1").exit_code == 0
    with services.session() as session:
        assert refused(pixel_model, session, shelf, model) == (409, {"GD-05.2"})
        assert refused(pixel_model, session, shelf, "MV-NONE")[0] == 404


def test_GD_05_2__author__does_not_approve_his_own(cli):
    number = trained(cli, by="T1")["model"]
    assert refused(cli, "model", "approve", number, "--as", "T1") == (409, {"GD-05.2"})
    assert cli("model", "approve", number, "--as", "H1").exit_code == 0


@pytest.mark.parametrize("person", ["O2", "F1", "D1"])
def test_GD_05_2__approved_by_somebody_who_may_not__refused(cli, model, person):
    assert refused(cli, "model", "approve", model, "--as", person)[0] == 403


def test_model__refused__stays_so(cli, model):
    assert refused(cli, "model", "refuse", model, "--reason", " ", "--as", "H1")[1] == {"state.reason"}
    assert cli("model", "refuse", model, "--reason", "too few lakes", "--as", "H1").exit_code == 0
    assert refused(cli, "model", "approve", model, "--as", "T1")[1] == {"state.machine"}


def test_GD_05_2__never_measured_elsewhere__cannot_be_approved(cli, database):
    engine = database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        # One lake and one field remain, so nothing can be held out.
        connection.execute(
            text(
                "DELETE FROM core.label WHERE public_id NOT IN (SELECT public_id FROM core.label"
                " WHERE kind = 'polygon')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO core.label SELECT gen_random_uuid(), public_id || 'x', recorded_at, origin, kind,"
                " of_class, geom, scene_id, authority_id, person_id, detection_id, reason FROM core.label"
            )
        )
    engine.dispose()
    told = trained(cli)
    assert told["metrics"]["held_out"]["count"] == 0
    assert refused(cli, "model", "approve", told["model"], "--as", "H1") == (409, {"GD-05.2"})


def test_store__file_that_was_changed__is_not_used(cli, services, shelf, session, model):
    cli("model", "approve", model, "--as", "H1")
    path = files(shelf).get(session.scalars(select(t.ModelVersion.sha256)).one())
    sound = path.read_bytes()
    path.chmod(0o600)
    try:
        path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        with services.session() as session:
            assert refused(pixel_model, session, shelf, model)[1] == {"model.corrupt"}
            assert refused(object_model, session, shelf, model)[1] == {"model.corrupt"}
    finally:
        path.write_bytes(sound)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_card__one_page_without_scripts_or_links(cli, model, tmp_path, lang):
    out = tmp_path / "card.html"
    assert cli("--lang", lang, "model", "card", model, "--out", str(out)).exit_code == 0
    page = out.read_text(encoding="utf-8")
    # Before and after, and one for the district.
    assert page.count("<svg") == 3
    for word in ("<script", "http://", "https://", "href=", "src="):
        assert word not in page
    assert {"en": "never be used for", "zh": "严禁用于"}[lang] in page
    assert "A1" in page
    if lang == "zh":
        assert not {"satellite", "uav", "aerial"} & set(re.findall(r"<td>(\w+)</td>", page))
    document = json.loads(cli("model", "card", model, "--json").output)
    assert document["metrics"]["held_out"]["count"] > 0
    assert document["training_data"]["labels"] == 11


def test_cli__list__of_none(cli):
    assert "no models" in cli("model", "list").output


def test_cli__list_and_show(cli, model):
    assert model in cli("model", "list").output
    assert json.loads(cli("model", "list", "--json").output)[0]["state"] == "trained"
    assert "trained, not approved" in cli("model", "show", model).output
    assert refused(cli, "model", "show", "MV-NONE")[0] == 404


def test_ask__places_in_doubt_apart_from_what_is_known(cli, scene, session, tmp_path):
    out = tmp_path / "ask.geojson"
    told = json.loads(cli("model", "ask", scene, "--count", "4", "--out", str(out), "--as", "O1", "--json").output)
    assert json.loads(out.read_text())["features"] == told["features"]
    places = [shapely.Point(one["geometry"]["coordinates"]) for one in told["features"]]
    assert 1 <= len(places) <= 4
    known = [to_shape(row.geom) for row in session.scalars(select(t.Label))]
    assert all(place.distance(shape) > 0.0015 for place in places for shape in known)
    scores = [one["properties"]["score"] for one in told["features"]]
    assert scores == sorted(scores, reverse=True)
    # Answered and handed in, a question is a label.
    for one in told["features"]:
        one["properties"]["class"] = "none"
    out.write_text(json.dumps(told))
    assert cli("model", "label", scene, str(out), "--as", "O1").exit_code == 0


# -- decisions teach ------------------------------------------------------------------------------


@pytest.fixture
def detection(labelled):
    """A pit that was found and is assigned to O1."""
    return labelled[3]


@pytest.mark.parametrize(
    ("command", "kind", "of_class"),
    [(confirm_detection, "accept", "excavation"), (reject_detection, "reject", "none")],
)
def test_decision__leaves_a_label_with_who_and_why(work, detection, session, command, kind, of_class):
    with work("O1") as unit:
        command(unit, detection, " a licensed quarry ")
        unit.commit()
    row = session.scalars(select(t.Label).where(t.Label.kind == kind)).one()
    found = session.scalars(select(t.Detection)).one()
    assert (row.of_class, row.reason, row.detection_id) == (of_class, "a licensed quarry", found.id)
    assert to_shape(row.geom).equals(to_shape(found.geom))
    assert row.person_id == found.decided_by


def test_redraw__is_kept_beside_what_the_engine_drew(work, detection, session):
    mine = ground().to_map(PIT.buffer(3))
    with work("O1") as unit:
        row = redraw_detection(unit, detection, mine, "the spoil heap belongs to it")
        unit.commit()
    with work("O1") as unit:
        confirm_detection(unit, detection, "seen")
        unit.commit()
    found = session.scalars(select(t.Detection)).one()
    assert not to_shape(found.geom).equals(mine)
    rows = session.scalars(select(t.Label).where(t.Label.detection_id.is_not(None)).order_by(t.Label.recorded_at)).all()
    assert [one.kind for one in rows] == ["edit", "accept"]
    assert rows[0].public_id == row.public_id
    assert [(lesson.of_class, rows[lesson.label].kind) for lesson in lessons(rows) if lesson.of_class != "none"] == [
        ("excavation", "edit")
    ]


def test_redraw__elsewhere_unqualified_or_without_a_reason__refused(work, detection):
    far = ground().to_map(blob((150, 20), 5, 1))
    with work("O1") as unit:
        assert refused(redraw_detection, unit, detection, far, " ")[1] == {
            "detection.redrawn_elsewhere",
            "state.reason",
        }
    with work("O3") as unit:
        assert refused(redraw_detection, unit, detection, ground().to_map(PIT), "x")[1] == {"GD-30.1"}


def test_newest__rejected_after_it_was_redrawn__its_outline_counts_no_more(work, detection, session):
    with work("O1") as unit:
        redraw_detection(unit, detection, ground().to_map(PIT), "larger")
        unit.commit()
    with work("O1") as unit:
        reject_detection(unit, detection, "permitted")
        unit.commit()
    rows = session.scalars(select(t.Label).where(t.Label.detection_id.is_not(None)).order_by(t.Label.recorded_at)).all()
    assert [row.kind for row in newest(rows)] == ["reject"]


def test_objects__too_few_decisions__refused(cli, detection):
    assert refused(cli, "model", "train", "--kind", "object", *TRAIN, "--as", "O1")[1] == {"model.no_labels"}


def test_objects__trained_from_decisions_with_reasons_as_hard_negatives(
    cli, database, services, detection, shelf, work
):
    imitate_decisions(database)
    told = trained(cli, "--kind", "object")
    metrics = told["metrics"]
    assert metrics["samples"]["excavation"] == {"accepted": 4, "rejected": 5}
    assert metrics["taught"]["hard_negatives"] == {"a field": 5}
    assert metrics["held_out"]["auc"] is not None
    assert metrics["districts"]["A1"]["places"] == 5
    cli("model", "approve", told["model"], "--as", "H1")
    with services.session() as session:
        ranker = object_model(session, shelf, told["model"])
    assert ranker.kinds == ("building", "excavation")
    page = cli("model", "card", told["model"], "--out", str(shelf.root / "card.html"))
    assert page.exit_code == 0


def imitate_decisions(database) -> None:
    """Finds on lakes that were accepted and on fields that were rejected, as rows of the administrator."""
    engine = database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for number, (kind, answer, shape) in enumerate(
            [
                *(("excavation", "accept", one) for one in LAKES),
                *(("excavation", "reject", one) for one in FIELDS),
                ("building", "accept", LAKES[0]),
            ]
        ):
            values = {"n": number, "kind": kind, "answer": answer, "wkt": ground().to_map(shape).wkt}
            values |= {"of": "none" if answer == "reject" else kind, "why": "a field" if answer == "reject" else "seen"}
            connection.execute(
                text(
                    "WITH d AS (INSERT INTO core.detection (id, public_id, origin, recorded_at, state, version, run_id,"
                    " ordinal, scene_id, authority_id, kind, score, area_m2, geom, rule_trace, context, provenance,"
                    " formed_at) SELECT gen_random_uuid(), 'DT-X' || :n, 'live', now(), 'closed', 1, d.run_id,"
                    " 100 + :n, (SELECT scene_id FROM core.label LIMIT 1), d.authority_id, :kind, 0.5, 10,"
                    " ST_GeomFromText(:wkt, 4326), '[]', '{}', '{}', now() FROM core.detection d LIMIT 1 RETURNING *)"
                    " INSERT INTO core.label (id, public_id, origin, kind, of_class, geom, scene_id, authority_id,"
                    " person_id, detection_id, reason) SELECT gen_random_uuid(), 'TL-X' || :n, 'live', :answer, :of,"
                    " d.geom, d.scene_id, d.authority_id, (SELECT person_id FROM core.label LIMIT 1), d.id, :why FROM d"
                ),
                values,
            )
    engine.dispose()


def test_authority__of_an_actor_with_one_is_his_own(services, session):
    own = session.scalars(select(t.Authority.id).where(t.Authority.code == "A1")).one()
    assert authority_for(session, services.actor("O1"), None) == own
    assert len(taught(session, own).labels) == 11
    other = authority_for(session, services.actor("O1"), "A2")
    assert taught(session, other).labels == []
    province = authority_for(session, services.actor("O1"), "P0")
    assert len(taught(session, province).labels) == 11
    assert refused(authority_for, session, services.actor("O1"), "NOWHERE")[0] == 404
    assert np.isscalar(len(taught(session, own).sources))
