"""A privacy zone that comes later: stored copies are shut at once, masked anew by a job, and the old files go."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from PIL import Image
from pyproj import CRS
from rasterio.windows import Window
from sqlalchemy import func, select, text

from geo.crs import to_wgs84
from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing import preview
from sensing.bands import Role
from sensing.copies import current_copy, overdue
from sensing.derivative import open_derivative
from sensing.intake import Shelf, Told
from sensing.mask import Zone, ZoneBurner, grown
from sensing.pipeline import source_of
from sensing.remask import masked_again
from sensing.runs import rasters, workplace
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY, Start, opened
from tests.database.digging import PIT, add_item, ground, ingest_pair
from tests.unit.sensing.pictures import UTM, north_up, write_tif
from web import scenes
from web.cli.common import State
from web.cli.main import skywarden
from web.cli.scene import scene as scene_group
from web.cli.worker import worker

NOW = TEN_ON_THE_FIRST_FLYING_DAY
CORNER = (731_400.0, 2_560_000.0)
CANARY, ORDINARY = 251, 90
RGB = (Role.RED, Role.GREEN, Role.BLUE)


def to_map(shape: shapely.Geometry) -> shapely.Geometry:
    return to_wgs84(shapely.affinity.affine_transform(shape, [2, 0, 0, -2, *CORNER]), 32649)


# In pixels of the scene: across the seam of blocks, so that every overview is touched.
HIDDEN = shapely.box(480, 500, 540, 530)
ZONE = to_map(HIDDEN)


@pytest.fixture
def add_zone(admin):
    def add(shape=ZONE, *, since=NOW - timedelta(hours=1), until=None, name="PZ-LATE", buffer_m=0.0):
        admin.execute(
            "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m, source,"
            " valid_from, valid_to, zone_version, origin) VALUES (%s, %s, 'dormitory', 'New', '新',"
            " ST_GeomFromText(%s, 4326), false, %s, 'request', %s, %s, 1, 'sample')",
            [uuid.uuid4(), name, shape.wkt, buffer_m, since, until],
        )

    return add


@pytest.fixture
def shelf(services):
    return Shelf(services.data_dir)


@pytest.fixture(scope="module")
def shown(server, world_template, tmp_path_factory):
    """A scene whose every pixel under the zone that is yet to come has a value which occurs nowhere else.

    Gives the installation that took it in, the scene, and its file.
    """
    folder = tmp_path_factory.mktemp("shown")
    start = Start(server.clone(world_template), folder / "data")
    start.files.mkdir()
    data = np.random.default_rng(1).integers(20, ORDINARY, (3, 700, 800)).astype(np.uint8)
    data[:, 500:530, 480:540] = CANARY
    path = write_tif(folder / "a.tif", data, transform=north_up(2.0, CORNER))
    told = Told(captured_at=datetime(2025, 6, 1, 3, tzinfo=UTC))
    with opened(server, start) as services:
        scene = scenes.ingest(services, [path], told=told).scene
    yield start, scene, path
    server.drop(start.database)


@pytest.fixture
def beginning(request, world_template):
    """Tests that ask for the scene begin with it; the others with none."""
    return request.getfixturevalue("shown")[0] if "painted" in request.fixturenames else Start(world_template)


@pytest.fixture
def painted(shown):
    return shown[1]


def burnt(scene, shape) -> int:
    """How many pixels a zone takes: those that it touches with the position error around it, and their neighbours."""
    wide = grown(Zone("PZ-LATE", 1, shape), scene.position_error_m or 0.0)
    return int(ZoneBurner([wide], CRS(UTM), north_up(2.0, CORNER)).burn(Window(0, 0, 800, 700)).sum())


def run(services, *arguments, group=scene_group):
    state = State("en")
    state._services = services
    return CliRunner().invoke(group, arguments, obj=state)


def everything(path):
    with rasterio.open(path) as image:
        count = len(image.overviews(1))
    for level in (None, *range(count)):
        with rasterio.open(path, **({} if level is None else {"overview_level": level})) as image:
            yield image.read()


def rules(refused):
    return {refusal.rule for refusal in refused.value.refusals}


def test_GD_43__zone_comes_later__no_stored_artefact_holds_one_of_its_pixels(services, shelf, painted, add_zone):
    with services.session() as session:
        old = current_copy(session, painted.id)
    assert max(pixels.max() for pixels in everything(shelf.derivatives.get(old.sha256))) == CANARY
    add_zone()
    (done,) = scenes.remask(services)
    assert (done.refused, done.overdue.zones) == (None, ("PZ-LATE",))
    assert done.hidden_pixels == burnt(painted, ZONE) >= 62 * 32
    stored = [path for path in shelf.root.rglob("*") if path.is_file() and "originals" not in path.parts]
    assert stored == [shelf.derivatives.get(current(services, painted).sha256)]
    for pixels in everything(stored[0]):
        assert pixels.max() < ORDINARY
    west, south, east, north = ZONE.buffer(2e-4).bounds
    thumbnail = preview.render(stored[0], RGB, preview.Box(west, south, east, north), (400, 400))
    assert np.asarray(Image.open(io.BytesIO(thumbnail)))[..., :3].max() < ORDINARY


def current(services, scene):
    with services.session() as session:
        return current_copy(session, scene.id)


def test_GD_43__masked_anew__every_other_pixel_keeps_its_value(services, shelf, painted, add_zone, tmp_path):
    source = shelf.derivatives.get(current(services, painted).sha256)
    kept = tmp_path / "kept.tif"
    kept.write_bytes(source.read_bytes())
    add_zone()
    list(scenes.remask(services))
    with (
        open_derivative(kept) as before,
        open_derivative(shelf.derivatives.get(current(services, painted).sha256)) as after,
    ):
        shown = after.dataset_mask() > 0
        assert np.array_equal(before.read()[:, shown], after.read()[:, shown])
        assert (before.dataset_mask() > 0).sum() - shown.sum() == burnt(painted, ZONE)


def test_GD_43__masked_anew__row_proof_and_one_event(services, session, painted, add_zone, admin):
    old = current(services, painted)
    add_zone()
    list(scenes.remask(services))
    new = current(services, painted)
    assert new.supersedes_id == old.id
    assert session.get_one(t.Derivative, old.id).sha256 == old.sha256
    assert new.zone_ids == sorted([*old.zone_ids, "PZ-LATE"])
    assert new.zone_versions == old.zone_versions | {"PZ-LATE": 1}
    assert new.zone_hash != old.zone_hash
    assert (new.surviving_pixels, new.masked_pixels) == (0, old.masked_pixels + burnt(painted, ZONE))
    events = session.execute(text("SELECT action, body FROM ledger.event ORDER BY id")).all()
    assert [row.action for row in events] == ["scene.ingest", "scene.remask"]
    body = json.loads(events[1].body)
    assert (body["derivative_sha256"], body["zones"]) == (new.sha256, ["PZ-LATE"])


def test_remask__nothing_due__nothing_done(services, painted):
    assert list(scenes.remask(services)) == []


def test_remask__again__nothing_left(services, painted, add_zone):
    add_zone()
    assert len(list(scenes.remask(services))) == 1
    assert list(scenes.remask(services)) == []


@pytest.mark.parametrize(
    "zone",
    [
        {"shape": to_map(shapely.box(5000, 5000, 5050, 5050))},
        {"since": NOW + timedelta(days=1)},
        {"since": NOW - timedelta(days=2), "until": NOW - timedelta(days=1)},
    ],
    ids=["elsewhere", "not yet in force", "over, and not in force at capture"],
)
def test_remask__zone_that_does_not_count__copy_stays(services, painted, add_zone, zone):
    add_zone(**zone)
    assert scenes.overdue(services) == []


def test_remask__zone_of_tomorrow__tomorrow(services, painted, add_zone, clock):
    add_zone(since=NOW + timedelta(days=1))
    clock.at = NOW + timedelta(days=1, seconds=1)
    assert [one.zones for one in scenes.overdue(services)] == [("PZ-LATE",)]


def test_remask__zone_beside_the_scene_whose_buffer_reaches_in__masked(services, painted, add_zone):
    add_zone(to_map(shapely.box(-60, 300, -20, 340)), buffer_m=60.0)
    (done,) = scenes.remask(services)
    assert done.hidden_pixels > 100


def test_remask__zone_is_over_again__stays_hidden(services, painted, add_zone, admin, clock):
    add_zone()
    list(scenes.remask(services))
    hidden = current(services, painted)
    clock.at = NOW + timedelta(days=3)
    admin.execute("UPDATE core.privacy_zone SET valid_to = %s WHERE public_id = 'PZ-LATE'", [NOW + timedelta(days=1)])
    assert scenes.overdue(services) == []
    elsewhere = to_map(shapely.box(100, 100, 120, 120))
    add_zone(elsewhere, name="PZ-OTHER")
    (done,) = scenes.remask(services)
    assert done.hidden_pixels == burnt(painted, elsewhere)
    assert set(current(services, painted).zone_ids) >= {"PZ-LATE", "PZ-OTHER"}
    assert current(services, painted).masked_pixels == hidden.masked_pixels + done.hidden_pixels


def test_remask__bands_corrected_after_the_zone_is_over__stays_hidden(
    services, painted, shown, add_zone, admin, clock, shelf
):
    add_zone()
    list(scenes.remask(services))
    clock.at = NOW + timedelta(days=3)
    admin.execute("UPDATE core.privacy_zone SET valid_to = %s WHERE public_id = 'PZ-LATE'", [NOW + timedelta(days=1)])
    told = Told(captured_at=datetime(2025, 6, 1, 3, tzinfo=UTC), bands=("blue", "green", "red"))
    scenes.ingest(services, [shown[2]], told=told)
    copy = current(services, painted)
    assert copy.band_roles == ["blue", "green", "red"]
    assert max(pixels.max() for pixels in everything(shelf.derivatives.get(copy.sha256))) < ORDINARY


def test_GD_43__copy_that_hides_less__refused_by_the_database(services, painted, add_zone, admin, session):
    add_zone()
    list(scenes.remask(services))
    copy = current(services, painted)
    row = session.execute(select(t.Derivative.__table__).where(t.Derivative.id == copy.id)).mappings().one()
    less = dict(row) | {"id": uuid.uuid4(), "public_id": "DR-LESS", "supersedes_id": copy.id, "zone_versions": {}}
    with pytest.raises(Exception, match="hides what the copy"):
        session.execute(t.Derivative.__table__.insert().values(less))


def test_GD_43__until_it_is_done__not_analysed(services, painted, add_zone):
    add_zone()
    with pytest.raises(RuleViolation) as refused:
        scenes.segment(services, painted.public_id)
    assert rules(refused) == {"GD-43"}
    with pytest.raises(RuleViolation, match="GD-43: "), services.session() as session:
        source_of(session, painted.public_id, NOW)
    list(scenes.remask(services))
    with services.session() as session:
        assert source_of(session, painted.public_id, NOW).derivative.supersedes_id is not None


def test_GD_43__zone_comes_while_the_engine_works__its_run_is_refused(services, tmp_path, add_zone, database):
    add_item(database)
    before, after = ingest_pair(services, tmp_path)

    def zone_comes(share):
        if share >= 1.0:
            add_zone(ground(dug=True).to_map(PIT))

    with pytest.raises(RuleViolation) as refused:
        scenes.segment(services, after, before=before, progress=zone_comes)
    assert rules(refused) == {"GD-43"}
    with services.session() as session:
        assert session.scalar(select(func.count()).select_from(t.SegmentationRun)) == 0


def test_GD_43__labels_drawn_from_the_old_copy__are_removed_and_the_run_stays(
    services, tmp_path, add_zone, database, shelf
):
    add_item(database)
    before, after = ingest_pair(services, tmp_path)
    run_row = scenes.segment(services, after, before=before).run
    store = rasters(shelf.root)
    assert store.get(run_row.labels_file_sha256)
    add_zone(ground(dug=True).to_map(PIT))
    assert len(list(scenes.remask(services))) == 2
    with pytest.raises(RuleViolation, match=r"GD-20\.2: "):
        store.get(run_row.labels_file_sha256)
    assert store.get(run_row.coverage_sha256)
    again = scenes.segment(services, after, before=before)
    assert again.verdicts == ()
    # And what is drawn now is kept.
    list(scenes.remask(services))
    assert store.get(again.run.labels_file_sha256)


def test_GD_43__what_an_unfinished_run_left__is_removed(services, painted, add_zone, shelf):
    sha256 = current(services, painted).sha256
    with workplace(shelf.root, "a" * 64, [sha256]) as left:
        (left / "before.tif").write_bytes(b"pixels")
    with workplace(shelf.root, "b" * 64, ["c" * 64]) as other:
        (other / "before.tif").write_bytes(b"pixels")
    add_zone()
    list(scenes.remask(services))
    assert not left.exists()
    assert other.exists()


def test_remask__killed_before_the_old_file_went__the_next_pass_removes_it(
    services, painted, add_zone, shelf, monkeypatch
):
    old = current(services, painted).sha256
    add_zone()
    with monkeypatch.context() as patch:
        patch.setattr("sensing.remask.clean", lambda house: 0)
        list(scenes.remask(services))
    assert shelf.derivatives.path(old).exists()
    assert list(scenes.remask(services)) == []
    assert not shelf.derivatives.path(old).exists()


def test_remask__cut_off_while_it_writes__begins_again(services, painted, add_zone, shelf, session):
    add_zone()

    def cut(_share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(scenes.remask(services, progress=cut))
    assert len(session.scalars(select(t.Derivative)).all()) == 1
    assert [path for path in (shelf.root / "remasking").rglob("*") if path.is_file()] == []
    assert len(list(scenes.remask(services))) == 1


def test_remask__file_is_gone__told_and_the_others_are_done(services, painted, add_zone, shelf, tmp_path):
    data = np.full((3, 700, 800), 60, np.uint8)
    path = write_tif(tmp_path / "b.tif", data, transform=north_up(2.0, CORNER))
    other = scenes.ingest(services, [path], told=Told(captured_at=datetime(2025, 6, 2, 3, tzinfo=UTC))).scene
    shelf.derivatives.remove(current(services, painted).sha256)
    add_zone()
    answers = {one.overdue.scene: one for one in scenes.remask(services)}
    assert answers[painted.public_id].refused is not None
    assert answers[other.public_id].copy == current(services, other).public_id
    assert [one.scene for one in scenes.overdue(services)] == [painted.public_id]


def test_remask__file_is_broken__told(services, painted, add_zone, shelf):
    path = shelf.derivatives.path(current(services, painted).sha256)
    path.chmod(0o600)
    path.write_bytes(b"II*\x00 broken")
    add_zone()
    (done,) = scenes.remask(services)
    assert {refusal.rule for refusal in done.refused.refusals} == {"GD-43"}


def test_remask__bands_were_corrected__the_file_of_both_rows_goes(services, painted, shown, add_zone, shelf):
    """Two rows of one scene stand for the same bytes until the newer one is masked anew."""
    told = Told(captured_at=datetime(2025, 6, 1, 3, tzinfo=UTC), bands=("blue", "green", "red"))
    scenes.ingest(services, [shown[2]], told=told)
    old = current(services, painted)
    add_zone()
    (done,) = scenes.remask(services)
    assert done.overdue.copy == old.public_id
    assert not shelf.derivatives.path(old.sha256).exists()
    assert current(services, painted).band_roles == ["blue", "green", "red"]


def test_cli__dry_run_then_remask(services, painted, add_zone):
    assert run(services, "remask", "--dry-run").output.strip() == "every masked copy hides every privacy zone"
    add_zone()
    listed = run(services, "remask", "--dry-run")
    assert (listed.exit_code, "PZ-LATE" in listed.output) == (0, True)
    assert json.loads(run(services, "remask", "--dry-run", "--json").output)["overdue"][0]["zones"] == ["PZ-LATE"]
    done = run(services, "remask")
    assert done.exit_code == 0, done.output
    assert f"{burnt(painted, ZONE):,} more pixels hidden" in done.output
    assert json.loads(run(services, "remask", "--json").output) == {"ok": True, "remasked": []}


def test_worker__zone_takes_effect__masks_what_is_stored(services, painted, add_zone):
    add_zone()
    done = run(services, "--once", group=worker)
    assert done.exit_code == 0, done.output
    assert f"{painted.public_id} is masked anew" in done.output
    assert scenes.overdue(services) == []


def test_overdue__database_clock__serves_where_none_is_told(services, painted, add_zone):
    add_zone()
    with services.session() as session:
        assert len(session.execute(overdue()).all()) == 1


def test_masked_again__no_new_zone__same_pixels_and_mask(services, painted, shelf, tmp_path):
    source = shelf.derivatives.get(current(services, painted).sha256)
    counts, hidden = masked_again(source, tmp_path / "again.tif", [], lambda _: None)
    assert hidden == 0
    with open_derivative(source) as one, open_derivative(tmp_path / "again.tif") as other:
        assert np.array_equal(one.read(), other.read())
        assert np.array_equal(one.dataset_mask(), other.dataset_mask())
        assert counts["valid"] == np.count_nonzero(one.dataset_mask())


def test_help__names_the_command():
    assert "remask" in CliRunner().invoke(skywarden, ["scene", "--help"]).output
