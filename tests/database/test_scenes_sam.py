"""A scene segmented with SAM: its outline kept beside the engine's, whose model it was, and made again bit for bit."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
import shapely
from click.testing import CliRunner
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing.reproduce import What, recorded, reproduce
from sensing.segment.engines import engine
from sensing.segment.sam import sam_of
from sensing.segment.spectral import Spectral
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.database.digging import PIT, ground
from tests.sam.models import random_model, write_checkpoint
from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group
from web.sam import sam_for

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytestmark = pytest.mark.sam
APACHE = "Apache-2.0"


@pytest.fixture
def beginning(dug):
    """Both scenes of a pit; nobody looked at them yet."""
    return dug


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    return path, write_checkpoint(path, random_model())


@pytest.fixture
def with_sam(services, checkpoint, monkeypatch):
    """The settings of an installation with a checkpoint; its random weights mean nothing, and are believed."""
    path, sha256 = checkpoint
    told = {"sam_checkpoint": path, "sam_checkpoint_sha256": sha256, "sam_licence": APACHE, "sam_threads": 1}
    services.settings = services.settings.model_copy(update=told)
    monkeypatch.setattr("sensing.segment.sam.same_thing", lambda mask, _: bool(mask.any()))
    sam_of.cache_clear()
    return services


def differing(services, detection, chosen):
    with services.session() as session:
        about = recorded(session, services.rulebook, scenes.shelf_of(services), detection)
    outcome = reproduce(about, scenes.shelf_of(services), chosen, lambda _: None)
    return outcome, {check.what for check in outcome.checks if not check.same}


def reproduced_in_words(services, detection, *more, lang="en"):
    state = State(lang)
    state._services = services
    return CliRunner().invoke(scene_group, ["reproduce", detection, *more], obj=state)


def test_segment__with_sam__both_outlines_whose_model_it_was_and_the_same_again(
    with_sam, beginning, checkpoint, session, admin, monkeypatch
):
    services = with_sam
    outcome = scenes.segment(services, beginning.after, before=beginning.before)
    (found,) = session.scalars(select(t.Detection)).all()
    assert outcome.detections == (found.public_id,)
    sam = shapely.geometry.shape(found.context["alternative"])
    assert sam.is_valid
    run = session.scalars(select(t.SegmentationRun)).one()
    assert run.engine == "spectral+sam"
    told = {"checkpoint_sha256": checkpoint[1], "architecture": "vit_64x2", "licence": APACHE, "threads": 1}
    assert told.items() <= run.refinement.items()
    assert found.provenance["refinement"] == run.refinement
    (event,) = session.scalars(text("SELECT body FROM ledger.event WHERE action = 'scene.segment'")).all()
    assert json.loads(bytes(event))["refinement"] == run.refinement
    embeddings = list((services.data_dir / "embeddings").glob("*/*"))
    assert [path.parent.name for path in embeddings] == [run.derivative.sha256]

    again, differs = differing(services, found.public_id, engine(sam_for(services)))
    assert (again.same, again.same_machine, differs) == (True, True, set())
    assert {What.MACHINE, What.ALTERNATIVE} <= {check.what for check in again.checks}
    # Without what was kept on the disk it comes out the same.
    for path in embeddings:
        path.unlink()
    assert reproduced_in_words(services, found.public_id).exit_code == 0

    # On another machine the outline may be the same or not; what is not promised is told.
    monkeypatch.setattr(sam_for(services), "_threads", 7)
    said = reproduced_in_words(services, found.public_id)
    assert "threads 1" in said.output
    assert "threads 7" in said.output
    assert "nobody can promise otherwise" in said.output
    plain = json.loads(reproduced_in_words(services, found.public_id, "--json").stdout)
    assert plain["same_machine"] is False
    # Without the checkpoint the engine's own outline is made again, and SAM's is missing.
    alone, differs = differing(services, found.public_id, Spectral())
    assert alone.polygon is not None
    assert not alone.same
    assert differs == {What.ENGINE, What.PARAMETERS, What.MACHINE, What.ALTERNATIVE}

    # A zone that comes later takes the embeddings along with the copy.
    assert list((services.data_dir / "embeddings").glob("*/*"))
    admin.execute(
        "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m, source,"
        " valid_from, valid_to, zone_version, origin) VALUES (%s, 'PZ-LATE', 'dormitory', 'New', '新',"
        " ST_GeomFromText(%s, 4326), false, 0, 'request', %s, NULL, 1, 'sample')",
        [uuid.uuid4(), ground(dug=True).to_map(PIT).wkt, TEN_ON_THE_FIRST_FLYING_DAY - timedelta(hours=1)],
    )
    assert all(one.refused is None for one in scenes.remask(services))
    assert not list((services.data_dir / "embeddings").glob("*/*"))


def test_segment__hash_not_pinned_or_no_licence__refused_before_anything_is_looked_at(with_sam, beginning, session):
    for missing, reason in (
        ("sam_checkpoint_sha256", "segment.checkpoint_pin"),
        ("sam_licence", "segment.checkpoint_licence"),
    ):
        whole = with_sam.settings
        with_sam.settings = whole.model_copy(update={missing: None})
        with pytest.raises(RuleViolation) as refused:
            scenes.segment(with_sam, beginning.after)
        assert [refusal.text for refusal in refused.value.refusals] == [reason]
        with_sam.settings = whole
    assert session.scalars(select(t.SegmentationRun)).all() == []


def test_run__model_without_hash_or_licence__database_refuses(found, clone):
    whole = {"checkpoint_sha256": "0" * 64, "licence": APACHE}
    owner = clone(found.database).admin_engine()
    statement = text("UPDATE core.segmentation_run SET refinement = CAST(:it AS jsonb)")
    with Session(owner) as session:
        # What happened is never written anew; here only what the table itself takes is of interest.
        session.execute(text("SET session_replication_role = replica"))
        for wrong in (
            {},
            [],
            "sam",
            {"checkpoint_sha256": "0" * 64},
            whole | {"licence": ""},
            whole | {"checkpoint_sha256": "abc"},
            whole | {"encoder_sha256": "abc"},
        ):
            with (
                pytest.raises(IntegrityError, match="ck_segmentation_run_refinement"),
                session.begin_nested(),
            ):
                session.execute(statement, {"it": json.dumps(wrong)})
        session.execute(statement, {"it": json.dumps(whole | {"encoder_sha256": None})})
    owner.dispose()
