"""What a run rests on is kept and told: the fit of two dates, how clouds were looked for, whose ground it was."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner
from shapely.geometry import box
from sqlalchemy import select

from geo.crs import to_wgs84
from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing.intake import Told
from tests.unit.sensing.ground import Ground
from tests.unit.sensing.pictures import write_safe, write_tif
from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group

CORNER = (731_400.0, 2_560_000.0)


@pytest.fixture
def beginning(dug):
    """Both scenes of a pit; nobody looked at them yet."""
    return dug


@pytest.fixture
def pair(dug):
    return dug.before, dug.after


def printed(services, *arguments, lang="en"):
    state = State(lang)
    state._services = services
    return CliRunner().invoke(scene_group, arguments, obj=state)


def test_run__keeps_the_fit_the_clouds_and_whose_ground(services, session, pair):
    run_id = scenes.segment(services, pair[1], before=pair[0]).run.id
    run = session.get_one(t.SegmentationRun, run_id)
    assert run.coregistration["residual_px"] < 1.0
    assert run.coregistration["agreeing"] >= 3
    assert run.coregistration["gsd_m"] == pytest.approx(10.0, rel=0.01)
    assert run.clouds["after"]["how"]["key"] == "cloud.by_nir"
    assert set(run.jurisdictions) == set(session.scalars(select(t.Authority.code)))
    share = run.jurisdictions["A1"]
    assert share["km2"]["analysed"] == pytest.approx(run.coverage["analysed"], rel=1e-3)
    assert 90 < share["analysed_percent"] < 100


@pytest.mark.parametrize(("lang", "words"), [("en", "what remains is"), ("zh", "残差")])
def test_cli__tells_the_residual_the_clouds_and_the_share(services, pair, lang, words):
    told = printed(services, "segment", pair[1], "--before", pair[0], lang=lang).output
    assert words in told
    assert {"en": "snow", "zh": "积雪"}[lang] in told
    assert "A1" in told


def test_single_date__has_no_fit(services, session, pair):
    run = scenes.segment(services, pair[1]).run
    assert run.coregistration is None
    assert set(run.clouds) == {"after"}


def test_clouds__of_the_product_itself__are_not_looked_at(services, session, tmp_path):
    """The classification of a Sentinel-2 product: shadow, clouds, cirrus and snow are; water is ground."""
    classes = np.full((1, 60, 60), 5, np.uint8)
    for row, code in enumerate((3, 8, 9, 10, 6, 11)):
        classes[0, 10 * row : 10 * row + 10, :30] = code
    planes = Ground(seed=4, width=120, height=120).reflectance(seed=1) * 10_000 + 1000
    bands = {name: planes[n : n + 1].astype(np.uint16) for n, name in enumerate(("B04", "B03", "B02", "B08"))}
    ids = []
    for day, shown in ((1, None), (21, classes)):
        product = write_safe(tmp_path / str(day), pixels=120, bands=bands, classes=shown)
        told = Told(captured_at=datetime(2025, 6, day, 3, tzinfo=UTC))
        ids.append(scenes.ingest(services, [product], told=told).scene.public_id)
    run = scenes.segment(services, ids[1], before=ids[0]).run
    each = 0.6 * 0.2
    assert run.coverage["cloud"] == pytest.approx(3 * each, abs=0.04)
    assert run.coverage["shadow"] == pytest.approx(each, abs=0.04)
    assert run.coverage["haze"] == pytest.approx(each, abs=0.04)
    assert run.coverage["analysed"] == pytest.approx(1.2**2 - 5 * each, abs=0.1)
    assert run.clouds["after"]["how"]["key"] == run.clouds["before"]["how"]["key"] == "cloud.classes"


def test_quality__of_landsat__is_what_is_not_looked_at(services, tmp_path):
    """Bands as they are stacked from Collection 2, the last one QA_PIXEL: fill, clouds, cirrus, shadow, snow."""
    hides = np.full((120, 120), 21824, np.uint16)
    for row, value in enumerate((1, 21826, 22280, 54596, 23888, 30048)):
        hides[20 * row : 20 * row + 20, :60] = value
    planes = np.rint(Ground(seed=4, width=120, height=120).reflectance(seed=1) * 10_000).astype(np.uint16)
    bands, ids = ("red", "green", "blue", "nir", "qa_pixel"), []
    for day, quality in ((1, np.full_like(hides, 21824)), (21, hides)):
        file = write_tif(tmp_path / f"LC09_{day}.tif", np.concatenate([planes, quality[None]]))
        told = Told(captured_at=datetime(2025, 6, day, 3, tzinfo=UTC), bands=bands)
        ids.append(scenes.ingest(services, [file], told=told).scene.public_id)
    run = scenes.segment(services, ids[1], before=ids[0]).run
    each = 0.6 * 0.2
    assert run.coverage["nodata"] == pytest.approx(each, abs=0.04)
    assert run.coverage["cloud"] == pytest.approx(3 * each, abs=0.04)
    assert run.coverage["haze"] == pytest.approx(each, abs=0.04)
    assert run.coverage["shadow"] == pytest.approx(each, abs=0.04)
    assert run.coverage["analysed"] == pytest.approx(1.2**2 - 6 * each, abs=0.1)
    assert run.clouds["after"]["how"]["key"] == "cloud.classes"


def test_quality__named_for_more_bands_than_there_are__refused(services, tmp_path):
    file = write_tif(tmp_path / "LC09.tif", np.ones((4, 60, 60), np.uint16))
    with pytest.raises(RuleViolation) as caught:
        scenes.ingest(services, [file], told=Told(bands=("red", "green", "blue", "nir", "qa_pixel")))
    assert [refusal.rule for refusal in caught.value.refusals] == ["scene.bands"]


def move_jurisdictions(admin, shape):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.authority SET jurisdiction = ST_Multi(ST_GeomFromText(%s, 4326))", [shape.wkt])


def test_ground_of_nobody__is_not_looked_at(services, pair, admin, session):
    move_jurisdictions(admin, box(100.0, 40.0, 101.0, 41.0))
    with pytest.raises(RuleViolation) as caught:
        scenes.segment(services, pair[1], before=pair[0])
    assert [refusal.rule for refusal in caught.value.refusals] == ["scene.jurisdiction"]
    assert session.scalars(select(t.SegmentationRun)).all() == []


def test_ground_of_others__is_not_looked_at_and_the_share_is_of_ones_own(services, pair, admin):
    west, north = CORNER
    move_jurisdictions(admin, to_wgs84(box(west - 100, north - 1600, west + 800, north + 100), 32649))
    run = scenes.segment(services, pair[1], before=pair[0]).run
    assert run.coverage["outside"] == pytest.approx(80 * 150 * 1e-4, rel=0.02)
    assert run.jurisdictions["A1"]["km2"]["outside"] == 0.0
    assert run.jurisdictions["A1"]["analysed_percent"] > 90
