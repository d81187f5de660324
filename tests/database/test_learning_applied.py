"""The whole loop on real rows: a model proposes, officers decide, what they rejected ranks lower on the next scene."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import shapely
from geoalchemy2.shape import from_shape, to_shape
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.actors import SYSTEM
from schemas.clock import FixedClock
from schemas.refusals import RuleViolation
from sensing.commands import record_run
from sensing.decisions import (
    assign_detection,
    confirm_detection,
    redraw_detection,
    reject_detection,
    split_detection,
)
from sensing.intake import Told
from sensing.learn import commands
from sensing.learn.labels import Mark
from sensing.learn.sampling import lessons
from sensing.learn.training import Wish, authority_for, taught, train_objects, train_pixels
from sensing.pipeline import Bench, analyse, source_of, surroundings
from sensing.replay import Change, replay
from sensing.reproduce import What, recorded, reproduce
from sensing.segment.learned import CONFIDENCE
from sensing.segment.model import ENGINE, NEEDED, RANKED
from sensing.segment.spectral import Spectral
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.unit.sensing.ground import Ground, blob
from web import scenes
from web.settings import Settings
from web.wiring import Services

KIND = "black_water"
LAKES = [(40, 40), (250, 60), (330, 300), (60, 300), (390, 180)]
PONDS = [(140, 60), (340, 110), (200, 340), (50, 180), (330, 30), (120, 250)]
FIELDS = [(150, 150), (220, 200), (280, 350), (100, 110), (400, 330), (380, 60)]
WHY = "a fish pond"


def ground(seed: int, shift: int) -> Ground:
    """Lakes, and ponds that are their doubles."""
    made = Ground(seed=seed)
    for surface, places in (("water", LAKES), ("pond", PONDS)):
        for number, (column, row) in enumerate(places):
            made.paint(blob((column, row + shift), 13, number + seed), surface)
    return made


def ingested(services: Services, made: Ground, path, day: int) -> str:
    made.satellite(path, seed=day)
    told = Told(captured_at=datetime(2025, 6, day, 3, tzinfo=UTC))
    return scenes.ingest(services, [path], told=told).scene.public_id


def prepared(database) -> None:
    """The item under which black water falls, and water all over, so that the law looks everywhere."""
    engine = database.admin_engine()
    with Session(engine) as admin:
        basis = admin.scalars(select(t.LegalBasis)).first()
        names = {"name_en": "Black water", "name_zh": "黑臭水体", "legal_basis_id": basis.id}
        admin.add(t.SupervisionItem(public_id="SI-BLK", code="black_odour_water", **names))
        everywhere = from_shape(shapely.box(113.2, 23.0, 113.4, 23.2), srid=4326)
        admin.add(t.ContextFeature(public_id="CF-W", layer="water", name="Water (fictional)", geom=everywhere))
        admin.commit()
    engine.dispose()


def trained(services: Services, kind: str) -> str:
    """A model of what O1 taught, approved by H1."""
    shelf, actor = scenes.shelf_of(services), services.actor("O1")
    with services.session() as session:
        wish = Wish(authority_id=authority_for(session, actor, None), purpose="black water", licence="own imagery")
        known = taught(session, wish.authority_id)
    made = (train_pixels if kind == "pixel" else train_objects)(shelf, known, wish)
    with services.work(actor) as work:
        number = commands.register_model(work, made).public_id
        work.commit()
    with services.work(services.actor("H1")) as work:
        commands.approve_model(work, number)
        work.commit()
    return number


def is_pond(made: Ground, shape: shapely.Polygon, shift: int) -> bool:
    ponds = [made.to_map(blob((column, row + shift), 16, 1)) for column, row in PONDS]
    return any(shape.intersects(pond) for pond in ponds)


def holds(made: Ground, shape: shapely.Polygon, place: tuple[int, int]) -> bool:
    return shape.contains(made.to_map(shapely.Point(place)))


def decided(services: Services, made: Ground) -> None:
    """O1 takes on every find and rejects ponds; of the lakes one is cut in two, one redrawn, and all are accepted."""
    with services.session() as session:
        found = [(one.public_id, to_shape(one.geom)) for one in session.scalars(select(t.Detection))]
    for number, shape in found:
        do(services, assign_detection, number, "O1", by="SYSTEM")
        if is_pond(made, shape, 0):
            do(services, reject_detection, number, WHY)
            continue
        kept = [number]
        if holds(made, shape, LAKES[0]):
            west, south, east, north = shape.bounds
            line = shapely.LineString([((west + east) / 2, south - 0.001), ((west + east) / 2, north + 0.001)])
            kept = [part.public_id for part in do(services, split_detection, number, line, "two basins")]
        if holds(made, shape, LAKES[1]):
            mine = made.to_map(shapely.Point(LAKES[1]).buffer(9))
            do(services, redraw_detection, number, mine, "without its banks")
        for one in kept:
            do(services, confirm_detection, one, "dark and foul")


def do(services: Services, command, *words, by: str = "O1"):
    with services.work(SYSTEM if by == "SYSTEM" else services.actor(by)) as work:
        made = command(work, *words)
        work.commit()
    return made


@pytest.fixture(scope="module")
def loop(server, world_template, tmp_path_factory):
    """Everything once: a scene labelled, a pixel model, its finds decided, an object model, a second scene."""
    name, folder = server.clone(world_template), tmp_path_factory.mktemp("loop")
    services = Services(Settings(data_dir=folder), server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    prepared(services.database)
    first, second = ground(8, 0), ground(9, 6)
    one = ingested(services, first, folder / "one.tif", 10)
    marks = [Mark(KIND, first.to_map(shapely.Point(place).buffer(6))) for place in (*LAKES, *PONDS)]
    marks += [Mark("none", first.to_map(shapely.Point(place).buffer(8))) for place in FIELDS]
    with services.work(services.actor("O1")) as work:
        commands.label_places(work, scenes.shelf_of(services), one, marks)
        work.commit()
    made = SimpleNamespace(name=name, services=services, first=first, second=second, pixel=trained(services, "pixel"))
    made.by_pixels = scenes.segment(services, one)
    decided(services, first)
    made.object = trained(services, "object")
    two = ingested(services, second, folder / "two.tif", 20)
    made.scene, made.by_both = two, scenes.segment(services, two)
    yield made
    services.close()
    server.drop(name)


@contextmanager
def apart(loop, server):
    """The services of a copy of the database, so that the others find theirs as it was."""
    # A database is copied while nobody is connected.
    loop.services.close()
    name = server.clone(loop.name)
    services = Services(loop.services.settings, server.database(name), loop.services.clock)
    yield services
    services.close()
    server.drop(name)


def of_kind(found):
    return [one for one in found.verdicts if one.candidate.kind == KIND]


def test_pixel_model__approved__proposes_leads_and_is_named_in_the_run(loop):
    leads = [one for one in of_kind(loop.by_pixels) if one.is_lead]
    assert len(leads) >= 11
    assert all(CONFIDENCE in one.candidate.measures for one in leads)
    assert loop.by_pixels.models.names == {"pixel": loop.pixel}
    with loop.services.session() as session:
        held = {one.public_id: one.id for one in session.scalars(select(t.ModelVersion))}
        run = session.get_one(t.SegmentationRun, loop.by_pixels.run.id)
        assert (run.pixel_model_id, run.object_model_id) == (held[loop.pixel], None)
        both = session.get_one(t.SegmentationRun, loop.by_both.run.id)
        assert (both.pixel_model_id, both.object_model_id) == (held[loop.pixel], held[loop.object])


def test_rejected_double__is_ranked_lower_on_the_next_scene_and_is_no_lead(loop):
    finds = of_kind(loop.by_both)
    ponds = [one for one in finds if is_pond(loop.second, one.candidate.geom, 6)]
    lakes = [one for one in finds if one not in ponds]
    assert len(ponds) >= 5
    assert len(lakes) >= 5
    assert max(one.candidate.score for one in ponds) < min(one.candidate.score for one in lakes)
    assert not any(one.is_lead for one in ponds)
    assert all(one.is_lead for one in lakes)
    # Without the officers' decisions all of them were leads, and what the engine had said is still there.
    assert all(one.candidate.measures[ENGINE] > 0.5 for one in ponds)


def test_parts_and_redrawn_outlines__teach_both_models_on_request(loop):
    with loop.services.session() as session:
        labels = session.scalars(select(t.Label).where(t.Label.detection_id.is_not(None))).all()
        parts = set(session.scalars(select(t.Derivation.detection_id)))
        models = {one.kind: one for one in session.scalars(select(t.ModelVersion))}
        known = taught(session, models["object"].authority_id)
    of_parts = {one.public_id for one in labels if one.detection_id in parts}
    (redrawn,) = [one for one in labels if one.kind == "edit"]
    assert len(of_parts) == 2
    assert of_parts <= set(models["object"].label_ids)
    assert models["object"].metrics["taught"]["hard_negatives"] == {WHY: 6}
    shapes = [lesson for lesson in lessons(known.labels) if known.labels[lesson.label].public_id == redrawn.public_id]
    # The outline of the officer, and what he left out as nothing of interest.
    assert {lesson.of_class for lesson in shapes} == {KIND, "none"}
    assert of_parts <= {known.labels[lesson.label].public_id for lesson in lessons(known.labels)}


def test_dropped__is_kept_as_a_candidate_with_the_words_why(loop):
    with loop.services.session() as session:
        rows = session.scalars(select(t.CandidateRecord).where(t.CandidateRecord.run_id == loop.by_both.run.id)).all()
    left = [row for row in rows if not row.is_lead and row.measures.get(RANKED, 1) < row.measures.get(NEEDED, 0)]
    assert len(left) >= 5
    for row in left:
        keys = [one["key"] for one in row.verdict]
        assert keys[-1] == "law.unlikely"
        assert "seen.ranked" in keys


def test_dropped__stays_so_when_the_rules_are_replayed(loop):
    services = loop.services
    with services.session() as session:
        pack = services.rules
        told = replay(session, scenes.shelf_of(services).root, pack, [loop.scene], lambda _: None).rows
    assert {one.change for one in told} == {Change.STAYS, Change.NEVER}


def test_finding__carries_the_hashes_of_the_models(loop):
    with loop.services.session() as session:
        hashes = {one.kind: one.sha256 for one in session.scalars(select(t.ModelVersion))}
        row = session.scalars(select(t.Detection).where(t.Detection.run_id == loop.by_both.run.id)).first()
        assert row.provenance["models"] == hashes
        assert row.score == pytest.approx(row.context["measures"][RANKED], abs=1e-4)
        body = session.execute(
            text("SELECT convert_from(body, 'UTF8')::jsonb -> 'models' FROM ledger.event WHERE subject_id = :run"),
            {"run": str(loop.by_both.run.id)},
        ).scalar_one()
        assert body == hashes


def test_without_models__other_inputs_and_nothing_of_theirs(loop, server):
    with apart(loop, server) as services:
        alone = scenes.segment(services, loop.scene, with_models=False)
        assert alone.models.names == {}
        assert alone.run.manifest_sha256 != loop.by_both.run.manifest_sha256
        assert not any(CONFIDENCE in one.candidate.measures for one in alone.verdicts)
        again = scenes.segment(services, loop.scene)
        assert again.run.manifest_sha256 == loop.by_both.run.manifest_sha256
        assert not again.detections


def test_withdrawn__not_used_again__and_findings_of_its_day_are_made_again_with_it(loop, server):
    with apart(loop, server) as services:
        for number in (loop.pixel, loop.object):
            with services.work(services.actor("H1")) as work:
                commands.withdraw_model(work, number, "a better one is coming")
                work.commit()
        assert scenes.segment(services, loop.scene).models.names == {}
        with services.session() as session:
            number = session.scalars(select(t.Detection).where(t.Detection.run_id == loop.by_both.run.id)).first()
            about = recorded(session, services.rulebook, scenes.shelf_of(services), number.public_id)
        outcome = reproduce(about, scenes.shelf_of(services), Spectral(), lambda _: None)
        assert outcome.same, [check for check in outcome.checks if not check.same]
        assert sum(check.what is What.MODELS for check in outcome.checks) == 2


def test_withdrawn_while_a_run_works__the_database_refuses_the_run(loop, server):
    with apart(loop, server) as services:
        with services.session() as session:
            source = source_of(session, loop.scene)
            context = surroundings(session, source)
        bench = Bench(scenes.shelf_of(services), services.rulebook, Spectral(), services.clock.now())
        analysis = analyse(replace(bench, models=loop.by_both.models), context, source, None, lambda _: None)
        with services.work(services.actor("H1")) as work:
            commands.withdraw_model(work, loop.pixel, "found wanting")
            work.commit()
        with services.work() as work, pytest.raises(RuleViolation) as caught:
            record_run(work, analysis)
        assert (caught.value.status, caught.value.refusals[0].rule) == (409, "GD-05.2")
