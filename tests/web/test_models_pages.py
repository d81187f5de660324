"""The pages of models: a scene labelled on its map, questions answered, a version asked for, judged and withdrawn."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
import shapely
from shapely.geometry import mapping
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.clock import FixedClock
from schemas.store import jobs
from schemas.store.jobs import Claim, Interrupted
from sensing.intake import Told
from sensing.learn import commands
from sensing.learn.jobs import JOBS
from sensing.learn.labels import Mark
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.unit.sensing.ground import Ground, blob
from tests.web.conftest import HTML, SAME_ORIGIN, _signed_in
from web import learning, scenes
from web.app import create_app
from web.models.differences import changes
from web.settings import Settings
from web.wiring import Services

LAKES = [(40, 40), (250, 60), (230, 200), (60, 190)]
FIELDS = [(140, 60), (150, 150), (20, 120), (280, 130), (100, 220)]
# Nobody said what these are.
DOUBTS = [((200, 120), "pond"), ((90, 90), "char"), ((180, 230), "outfall"), ((280, 190), "pond"), ((20, 20), "char")]
ASKED = {"kind": "pixel", "purpose": "open water", "licence": "own imagery"}


def ground() -> Ground:
    made = Ground(width=300, height=250, seed=8)
    for number, place in enumerate(LAKES):
        made.paint(blob(place, 14, number), "water")
    for number, (place, surface) in enumerate(DOUBTS):
        made.paint(blob(place, 12, 20 + number), surface)
    return made


@pytest.fixture(scope="module")
def taught(server, world_template, tmp_path_factory):
    """A database with a labelled scene, a model and its questions: name, directory, scene, model."""
    name, folder = server.clone(world_template), tmp_path_factory.mktemp("taught")
    services = Services(Settings(data_dir=folder), server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    made = ground()
    told = Told(captured_at=datetime(2025, 6, 20, 3, tzinfo=UTC))
    scene = scenes.ingest(services, [made.satellite(folder / "a.tif")], told=told).scene.public_id
    marks = [Mark("water", made.to_map(shapely.Point(place).buffer(6))) for place in LAKES]
    marks += [Mark("none", made.to_map(shapely.Point(place).buffer(8))) for place in FIELDS]
    with services.work(services.actor("O1")) as work:
        commands.label_places(work, scenes.shelf_of(services), scene, marks)
        work.commit()
    app = create_app(services)
    client = _signed_in(app, "O1")
    assert client.post("/models/train", data=ASKED, headers={**SAME_ORIGIN, **HTML}).status_code == 303
    answer = client.post(f"/models/ask/{scene}", data={"wanted": "questions"}, headers=SAME_ORIGIN)
    assert answer.status_code == 303, answer.text
    while learning.do_next(services):
        pass
    with services.session() as db:
        model = db.scalars(select(t.ModelVersion.public_id)).one()
    services.close()
    yield name, folder, scene, model
    server.drop(name)


@pytest.fixture
def database(taught, clone):
    return clone(taught[0])


@pytest.fixture
def services(taught, database, clock):
    made = Services(Settings(data_dir=taught[1]), database, clock)
    yield made
    made.close()


@pytest.fixture
def scene(taught):
    return taught[2]


@pytest.fixture
def model(taught):
    return taught[3]


def post(client, path, data, **more):
    return client.post(path, data=data, headers={**SAME_ORIGIN, **HTML}, **more)


def text_of(answer) -> str:
    return answer.get_data(as_text=True)


# -- labels ---------------------------------------------------------------------------------------


def test_label__drawn_on_the_map__is_kept_and_shown(signed_in, scene, services):
    client = signed_in("O1")
    page = text_of(client.get(f"/models/label/{scene}", headers=HTML))
    assert "algal" in page or "Possible" in page or "bloom" in page.lower()
    place = ground().to_map(shapely.Point(200, 40))
    feature = {"type": "Feature", "properties": {"class": "greenhouse"}, "geometry": mapping(place)}
    marks = json.dumps({"type": "FeatureCollection", "features": [feature]})
    answer = post(client, f"/models/label/{scene}", {"marks": marks})
    assert (answer.status_code, answer.location) == (303, f"/models/label/{scene}?done=1")
    assert "1 label was kept" in text_of(client.get(answer.location, headers=HTML))
    assert "greenhouse" in text_of(client.get(f"/models/label/{scene}", headers=HTML))
    with services.session() as db:
        assert db.scalars(select(t.Label.of_class).where(t.Label.kind == "click")).all() == ["greenhouse"]


def test_label__under_a_privacy_zone__refused_and_nothing_typed_is_lost(signed_in, scene):
    feature = {"type": "Feature", "properties": {"class": "water"}}
    feature["geometry"] = {"type": "Point", "coordinates": [113.27, 23.13]}
    marks = json.dumps({"type": "FeatureCollection", "features": [feature]})
    answer = post(signed_in("O1"), f"/models/label/{scene}", {"marks": marks})
    assert answer.status_code == 422
    assert "113.27" in text_of(answer)


@pytest.mark.parametrize("marks", ["", "{", '{"features": []}', '{"features": [{"type": "Feature"}]}'])
def test_label__what_is_none__refused(signed_in, scene, marks):
    assert post(signed_in("O1"), f"/models/label/{scene}", {"marks": marks}).status_code in (400, 422)


def test_tiles__of_the_masked_copy_alone__and_asked_for_anew(signed_in, scene):
    client = signed_in("O1")
    config = re.search(r'data-config="([^"]*)"', text_of(client.get(f"/models/label/{scene}", headers=HTML))).group(1)
    assert "tiles/{z}/{x}/{y}.png" in config
    answer = client.get(f"/models/label/{scene}/tiles/0/0/0.png")
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = client.get(f"/models/label/{scene}/tiles/0/0/0.png", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert client.get(f"/models/label/{scene}/tiles/3/9/9.png").status_code == 422


def test_scene_of_another_authority__is_unknown(signed_in, scene, admin):
    admin.execute("UPDATE core.scene SET authority_id = (SELECT id FROM core.authority WHERE code = 'A2')")
    client = signed_in("O1")
    for path in (f"label/{scene}", f"ask/{scene}", f"label/{scene}/tiles/0/0/0.png", f"ask/{scene}/LJ-1/0/near.png"):
        assert client.get(f"/models/{path}").status_code == 404
    assert f"/models/label/{scene}" not in text_of(client.get("/models", headers=HTML))


# -- questions ------------------------------------------------------------------------------------


def open_question(client, scene):
    page = text_of(client.get(f"/models/ask/{scene}", headers=HTML))
    job = re.search(r'name="job" value="([^"]+)"', page).group(1)
    return page, job, re.search(r'name="number" value="(\d+)"', page).group(1)


def test_question__answered_by_one_key__is_a_label_and_the_next_one_comes(signed_in, scene, services):
    client = signed_in("O1")
    page, job, number = open_question(client, scene)
    assert 'data-key="0"' in page
    assert 'data-key="s"' in page
    for view in ("near", "far"):
        picture = client.get(f"/models/ask/{scene}/{job}/{number}/{view}.png")
        assert (picture.status_code, picture.mimetype) == (200, "image/png")
    told = {"job": job, "number": number, "class": "water"}
    assert post(client, f"/models/ask/{scene}", told).status_code == 303
    with services.session() as db:
        (row,) = db.scalars(select(t.Label).where(t.Label.kind == "click"))
        assert row.of_class == "water"
    assert post(client, f"/models/ask/{scene}", told).status_code == 409
    assert open_question(client, scene)[2] != number


def test_question__skipped__teaches_nothing(signed_in, scene, services):
    client = signed_in("O1")
    _, job, number = open_question(client, scene)
    assert post(client, f"/models/ask/{scene}", {"job": job, "number": number, "class": "skip"}).status_code == 303
    with services.session() as db:
        assert db.scalars(select(t.Label).where(t.Label.kind == "click")).all() == []


@pytest.mark.parametrize("said", [{"class": "car"}, {"number": "99"}, {"number": "-1"}, {"job": "LJ-NONE"}])
def test_question__answer_that_is_none__refused(signed_in, scene, said):
    client = signed_in("O1")
    _, job, number = open_question(client, scene)
    told = {"job": job, "number": number, "class": "water"} | said
    assert post(client, f"/models/ask/{scene}", told).status_code in (404, 422)


# -- versions -------------------------------------------------------------------------------------


def test_version__page__card_and_decision(signed_in, model):
    page = text_of(signed_in("H1").get(f"/models/{model}", headers=HTML))
    assert page.count("<svg") >= 3
    assert "Approve: apply it to new scenes" in page
    assert "It is the first of its kind here." in page
    author = text_of(signed_in("O1").get(f"/models/{model}", headers=HTML))
    assert "Approve: apply it" not in author
    assert signed_in("H1").get(f"/models/{model}/card.html").status_code == 200
    assert "没有模型用于新影像" in text_of(signed_in("H1").get("/models?lang=zh", headers=HTML))


def test_version__approved_then_withdrawn__with_a_reason(signed_in, model, services):
    head = signed_in("H1")
    assert post(head, f"/models/{model}", {"decision": "approve"}).status_code == 303
    assert "applied to new scenes" in text_of(head.get("/models", headers=HTML))
    assert "1 model is applied to new scenes" in text_of(head.get("/models", headers=HTML))
    without = post(head, f"/models/{model}", {"decision": "withdraw", "reason": " "})
    assert without.status_code == 409
    assert post(head, f"/models/{model}", {"decision": "withdraw", "reason": "a better one"}).status_code == 303
    assert post(head, f"/models/{model}", {"decision": "approve"}).status_code == 409
    with services.session() as db:
        assert db.scalars(select(t.ModelVersion.state)).one() == "withdrawn"


@pytest.mark.parametrize("said", [{"decision": "refuse", "reason": ""}, {"decision": "use"}, {}])
def test_version__decision_that_is_none__refused_on_the_page(signed_in, model, said):
    answer = post(signed_in("H1"), f"/models/{model}", said)
    assert answer.status_code in (409, 422)
    assert "Nothing was recorded" in text_of(answer)


def test_version__against_the_one_before__what_came_and_what_it_changed(signed_in, services, scene):
    client = signed_in("O1")
    place = ground().to_map(shapely.Point(200, 40).buffer(5))
    with services.work(services.actor("O1")) as work:
        commands.label_places(work, scenes.shelf_of(services), scene, [Mark("none", place)])
        work.commit()
    assert post(client, "/models/train", ASKED).status_code == 303
    assert learning.do_next(services)
    with services.session() as db:
        newest = db.scalars(select(t.ModelVersion).order_by(t.ModelVersion.recorded_at.desc())).first().public_id
    page = text_of(client.get(f"/models/{newest}", headers=HTML))
    assert "+1 / −0" in page
    assert "Calibration error" in page


def test_version_of_another_authority__is_unknown(signed_in, model, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.model_version SET authority_id = (SELECT id FROM core.authority WHERE code = 'A2')")
    for path in (model, f"{model}/card.html"):
        assert signed_in("H1").get(f"/models/{path}").status_code == 404


# -- jobs -----------------------------------------------------------------------------------------


def test_training__asked_for_twice__the_second_is_told(signed_in, services):
    client = signed_in("O1")
    assert post(client, "/models/train", ASKED).status_code == 303
    answer = post(client, "/models/train", ASKED)
    assert answer.status_code == 409
    assert "under way" in text_of(answer)
    (first, *_) = client.get("/models/jobs.json").get_json()
    assert (first["state"], first["open"]) == ("waiting", True)
    assert learning.do_next(services)
    (first, *_) = client.get("/models/jobs.json").get_json()
    assert (first["state"], first["percent"], first["open"]) == ("done", 100, False)


def test_training__that_cannot_be_done__says_why_on_the_page(signed_in, services):
    client = signed_in("O1")
    assert post(client, "/models/train", ASKED | {"kind": "object"}).status_code == 303
    assert learning.do_next(services)
    page = text_of(client.get("/models", headers=HTML))
    assert "could not be done" in page
    assert "at least 10 are needed" in page


def test_training__without_purpose_or_of_no_kind__refused(signed_in):
    client = signed_in("O1")
    assert post(client, "/models/train", ASKED | {"purpose": " "}).status_code == 409
    assert post(client, "/models/train", ASKED | {"kind": "face"}).status_code == 422
    assert post(client, "/models/train", ASKED | {"licence": "x" * 600}).status_code == 422


def test_job__that_a_worker_left__is_taken_up_by_the_next_one(signed_in, services, admin):
    post(signed_in("O1"), "/models/train", ASKED)
    first = JOBS.take_next(services.housekeeping)
    assert first is not None
    assert JOBS.take_next(services.housekeeping) is None
    admin.execute("UPDATE core.learning_job SET beat_at = beat_at - interval '5 minutes' WHERE stage = 'working'")
    assert JOBS.take_next(services.housekeeping) == Claim(first.job_id, 2)


def test_job__worker_is_told_to_stop__waits_for_the_next_one(signed_in, services):
    post(signed_in("O1"), "/models/train", ASKED)

    def stop(_share):
        raise Interrupted

    with pytest.raises(Interrupted):
        learning.do_next(services, stop)
    with services.session() as db:
        assert db.scalars(select(t.LearningJob.stage).order_by(t.LearningJob.recorded_at.desc())).first() == "waiting"


def test_training__worker_was_silent_and_another_trains_by_now__its_model_is_not_entered(
    signed_in, services, admin, monkeypatch
):
    monkeypatch.setattr(jobs, "_TELL_EVERY_S", 3600.0)
    post(signed_in("O1"), "/models/train", ASKED)
    count = select(func.count()).select_from(t.ModelVersion)
    with services.session() as db:
        known = db.scalar(count)
    others = []

    def sleep_once(_share):
        if not others:
            admin.execute(
                "UPDATE core.learning_job SET beat_at = beat_at - interval '5 minutes' WHERE stage = 'working'"
            )
            others.append(JOBS.take_next(services.housekeeping))

    # The first worker learns of it only when its model is made.
    assert learning.do_next(services, sleep_once) == others[0].job_id
    with services.session() as db:
        job = db.get_one(t.LearningJob, others[0].job_id)
        assert (db.scalar(count), job.stage, job.model_id) == (known, "working", None)


@pytest.mark.parametrize(
    "change",
    [
        *("share = 'NaN'", "share = 1.5", "stage = 'lost'", "stage = 'done'", "result = '[]'"),
        *("kind = 'object'", "wish = '{}'"),
    ],
)
def test_job__row_that_makes_no_sense__the_database_refuses(signed_in, services, change):
    post(signed_in("O1"), "/models/train", ASKED)
    with Session(services.engine) as db, pytest.raises(IntegrityError):
        db.execute(text(f"UPDATE core.learning_job SET {change} WHERE stage = 'waiting'"))


# -- differences, pure ----------------------------------------------------------------------------


def card(**more):
    held = {"count": 10, "balanced_accuracy": 0.8, "classes": {"water": {"recall": 0.7, "precision": 0.9, "iou": 0.6}}}
    metrics = {"held_out": held, "calibration": {"after": {"ece": 0.1}}, "districts": {"A1": {"rate": 0.5}}}
    data = {"label_ids": ["TL-1", "TL-2"], "sources": [{"scene": "SC-1"}]}
    usual = {"sha256": "a", "classes": ["none", "water"], "features": ["red"], "training_data": data}
    return usual | {"metrics": metrics} | more


def test_changes__tell_what_is_better_and_what_is_worse():
    later = card(sha256="b", classes=["none", "soil"], training_data={"label_ids": ["TL-2", "TL-3"], "sources": []})
    later["metrics"] = {
        "held_out": {"balanced_accuracy": 0.9, "classes": {"soil": {"recall": 0.5}, "water": {"recall": 0.6}}},
        "calibration": {"after": {"ece": 0.2}},
        "districts": {"A1": {"rate": 0.25}},
    }
    told = changes(card(), later)
    assert (told.labels, told.scenes, told.classes) == ((1, 1), ((), ("SC-1",)), (("soil",), ("water",)))
    better = {(one.name, one.of): one.better for one in told.figures}
    assert better["balanced_accuracy", ""] is True
    assert better["ece", ""] is False
    assert better["recall", "water"] is False
    assert better["recall", "soil"] is None
    assert better["false_alarms", "A1"] is True
    assert changes(card(), card()).same_file
    assert all(one.better is None for one in changes(card(), card()).figures)
