"""The same pit at later dates: new, grown, persists, remedied; and never remedied where nobody could have seen it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import shapely
from click.testing import CliRunner
from geoalchemy2.shape import from_shape, to_shape
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from schemas import tables as t
from sensing.identity import Relation
from sensing.intake import Told
from sensing.sightings import history
from tests.database.digging import add_item
from tests.unit.sensing.ground import Ground, blob
from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group

# So little that the pit is in one piece on every day.
NOISE = 0.0015
SMALL, LARGE = blob((60, 60), 12, 3), blob((60, 60), 20, 3)


@pytest.fixture
def item(database):
    """The supervision item under which excavations fall."""
    add_item(database)


@pytest.fixture
def taken(services, tmp_path):
    """Takes in a scene of a day in June with a pit, or none; its public id."""

    def take(day: int, pit: shapely.Polygon | None) -> str:
        ground = Ground(seed=4, width=160, height=150)
        if pit is not None:
            ground.paint(pit, "pit")
        path = ground.satellite(tmp_path / f"{day}.tif", seed=day, noise=NOISE)
        told = Told(captured_at=datetime(2025, 6, day, 3, tzinfo=UTC))
        return scenes.ingest(services, [path], told=told).scene.public_id

    return take


@pytest.fixture
def dug(services, taken, item):
    """A day without a pit and one with it, looked at; the ids of the first scene and of the detection."""
    first = taken(1, None)
    (found,) = scenes.segment(services, taken(5, SMALL), before=first).detections
    return first, found


def relations(session) -> list[str]:
    return list(session.scalars(select(t.Sighting.relation).order_by(t.Sighting.recorded_at)))


def lives(session, public_id: str) -> list[Relation]:
    row = session.scalars(select(t.Detection).where(t.Detection.public_id == public_id)).one()
    return [moment.relation for moment in history(session, row)]


def told(session, public_id: str) -> list[str]:
    row = session.scalars(select(t.Detection).where(t.Detection.public_id == public_id)).one()
    return [moment.said().render("en") for moment in history(session, row)]


def test_first_look__new__and_every_candidate_is_kept(services, dug, session):
    assert relations(session) == ["new"]
    rows = session.scalars(select(t.CandidateRecord)).all()
    assert any(row.is_lead and row.violation == "illegal_excavation" for row in rows)
    assert all(row.verdict for row in rows)


def test_larger_pit__grown__with_the_figures_of_the_overlap(services, taken, dug, session):
    (later,) = scenes.segment(services, taken(9, LARGE), before=dug[0]).detections
    sighting = session.scalars(select(t.Sighting).where(t.Sighting.relation == "grown")).one()
    assert sighting.area_ratio > 1.25
    assert sighting.earlier_share > 0.9
    assert 0.2 < sighting.iou < 0.7
    assert lives(session, later) == lives(session, dug[1]) == [Relation.NEW, Relation.GROWN]
    assert told(session, later)[1].startswith("grown to ")
    # What grows is looked at sooner than what was there before, and says so.
    rows = {row.public_id: row for row in session.scalars(select(t.Detection))}
    assert rows[later].risk > rows[dug[1]].risk
    assert "risk.growth" in {line["key"] for line in rows[later].risk_trace}


@pytest.mark.parametrize(("lang", "words"), [("en", "and grown since: "), ("zh", "且已扩大：")])
def test_cli__larger_pit__told(services, taken, dug, lang, words):
    state = State(lang)
    state._services = services
    arguments = ["segment", taken(9, LARGE), "--before", dug[0]]
    told = CliRunner().invoke(scene_group, arguments, obj=state, catch_exceptions=False)
    assert words in told.output


def test_same_pit__persists__and_the_next_date_follows_the_last_one(services, taken, dug, session):
    (second,) = scenes.segment(services, taken(9, SMALL), before=dug[0]).detections
    (third,) = scenes.segment(services, taken(13, SMALL), before=dug[0]).detections
    assert relations(session) == ["new", "persists", "persists"]
    assert lives(session, second) == lives(session, third) == [Relation.NEW, Relation.PERSISTS, Relation.PERSISTS]


def test_filled_pit__remedied__once_and_only_once(services, taken, dug, session):
    later = taken(9, None)
    assert scenes.segment(services, later, before=dug[0]).remedied == (dug[1],)
    assert scenes.segment(services, later, before=dug[0]).remedied == ()
    gone = session.scalars(select(t.Sighting).where(t.Sighting.relation == "remedied")).one()
    assert gone.analysed_share == 1
    assert lives(session, dug[1]) == [Relation.NEW, Relation.REMEDIED]
    assert "nothing found any more" in told(session, dug[1])[1]


def test_pit_again_after_it_was_filled__new__and_its_history_says_so(services, taken, dug, session):
    scenes.segment(services, taken(9, None), before=dug[0])
    (again,) = scenes.segment(services, taken(13, SMALL), before=dug[0]).detections
    assert lives(session, again) == [Relation.NEW, Relation.REMEDIED, Relation.NEW]
    assert told(session, again)[2].startswith("found again")


def test_pit_that_stood_at_both_dates__no_change__not_remedied(services, taken, dug, session):
    """A look for change from a day on which the pit was there already shows nothing, and says nothing."""
    second = taken(9, SMALL)
    scenes.segment(services, second, before=dug[0])
    scenes.segment(services, taken(13, SMALL), before=second)
    assert "remedied" not in relations(session)


def test_place_not_looked_at__not_remedied(services, taken, dug, session, database):
    """The place of the pit is private on the later date: nobody saw that it is gone."""
    row = session.scalars(select(t.Detection)).one()
    zone = t.PrivacyZone(
        public_id="PZ-PIT",
        kind="clinic",
        name_en="Clinic (fictional)",
        name_zh="诊所（虚构）",
        geom=from_shape(to_shape(row.geom).centroid.buffer(0.0002), srid=4326),
        sensitive=False,
        source="fictional",
        valid_from=datetime(2025, 6, 8, tzinfo=UTC),
    )
    engine = database.admin_engine()
    with Session(engine) as admin:
        admin.execute(text("SET session_replication_role = replica"))
        admin.add(zone)
        admin.commit()
    engine.dispose()
    scenes.segment(services, taken(9, None))
    assert "remedied" not in relations(session)


def test_false_alarm__is_never_remedied(services, taken, dug, session, database):
    engine = database.admin_engine()
    with engine.begin() as admin:
        admin.execute(text("SET LOCAL session_replication_role = replica"))
        admin.execute(text("UPDATE core.detection SET state = 'false_alarm'"))
    engine.dispose()
    scenes.segment(services, taken(9, None), before=dug[0])
    assert relations(session) == ["new"]


@pytest.mark.parametrize(
    ("row", "by"),
    [
        ({"relation": "remedied", "earlier": True, "analysed_share": 0.99}, "looked_at"),
        ({"relation": "remedied", "analysed_share": 1.0}, "sides"),
        ({"relation": "remedied", "later": True, "earlier": True, "analysed_share": 1.0}, "overlap"),
        ({"relation": "persists", "later": True}, "sides"),
        ({"relation": "moved", "later": True}, "relation"),
        ({"relation": "remedied", "earlier": True, "analysed_share": float("nan")}, "looked_at"),
    ],
)
def test_database__what_cannot_be__refused(services, dug, session, row, by):
    found, run = session.scalars(select(t.Detection.id)).one(), session.scalars(select(t.SegmentationRun.id)).first()
    sides = {"detection_id": found if row.pop("later", False) else None}
    sides["earlier_id"] = found if row.pop("earlier", False) else None
    with services.housekeeping() as own, pytest.raises(IntegrityError, match=f"ck_sighting_{by}"):
        own.add(t.Sighting(run_id=run, **sides, **row))
        own.flush()


def test_candidates_and_sightings__once_written__stay(services, dug, database):
    engine = database.admin_engine()
    for statement in ("UPDATE core.candidate SET score = 0.1", "DELETE FROM core.sighting"):
        with engine.connect() as connection, pytest.raises(IntegrityError, match="is refused"):
            connection.execute(text(statement))
    engine.dispose()
