"""Folders taken in by the command, and the static catalogue of what was: read back by another library."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from click.testing import CliRunner
from pystac.validation import validate_dict
from rio_cogeo.cogeo import cog_validate
from sqlalchemy import select

from schemas import tables as t
from sensing.derivative import open_derivative
from sensing.intake import Shelf, Told
from sensing.relief import Level
from sensing.stac import About, entries, void_values, write_catalogue
from sensing.stac_pages import write_pages
from sensing.taking_in import ingest_scene
from tests.unit.sensing.pictures import (
    noise,
    north_up,
    rpb_of,
    sensor_model,
    write_photo,
    write_safe,
    write_tif,
)
from tests.world import Z1
from web.cli.common import State
from web.cli.scene import scene as scene_group

ABOUT = About(datetime(2025, 7, 2, tzinfo=UTC), is_sample=True)


def to_utm(lon, lat):
    from geo.crs import transformer

    return transformer(4326, 32649).transform(lon, lat)


@pytest.fixture
def shelf(services):
    return Shelf(services.data_dir)


@pytest.fixture
def cli(services):
    def run(*arguments: object):
        state = State("en")
        state._services = services
        return CliRunner().invoke(scene_group, [str(one) for one in arguments], obj=state)

    return run


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "delivery"
    (root / "flight").mkdir(parents=True)
    corner = to_utm(113.265, 23.135)
    write_tif(root / "sat.tif", noise(4, 120, 130), transform=north_up(10.0, corner), nodata=0)
    write_tif(root / "nowhere.tif", noise(3, 20, 20), crs=None, transform=None)
    (root / "readme.txt").write_text("hello")
    for number in range(2):
        pixels = np.full((150, 200, 3), 100 + number, np.uint8)
        write_photo(root / "flight" / f"{number}.jpg", pixels, lon=113.27 + number * 0.0005)
    write_photo(root / "flight" / "no_pose.jpg", np.full((150, 200, 3), 7, np.uint8), lon=None)
    return root


def test_ingest__folder__one_bad_file_does_not_stop_the_others(cli, folder, session):
    done = cli("ingest", folder, "--hfov-deg", "70")
    assert done.exit_code == 1
    assert "is kept but never used" in done.output
    assert "--crs CODE --position-error-m M" in done.output
    assert "GPSLatitude" in done.output
    assert f"skipped {folder / 'readme.txt'}" in done.output
    assert "2 taken in, 0 known, 1 in quarantine, 0 refused, 1 skipped" in done.output
    kept = session.scalars(select(t.Scene).order_by(t.Scene.sensor)).all()
    assert [(one.sensor, len(one.frame_hashes)) for one in kept if not one.quarantine] == [("satellite", 0), ("uav", 2)]
    assert [one.file_name for one in kept if one.quarantine] == ["nowhere.tif"]
    again = cli("ingest", folder, "--hfov-deg", "70")
    assert "0 taken in, 2 known, 1 in quarantine, 0 refused, 1 skipped" in again.output


def test_ingest__json_of_a_folder__every_scene_with_its_reasons(cli, folder):
    told = json.loads(cli("ingest", folder, "--hfov-deg", "70", "--json").output)
    assert told["ok"] is False
    assert [one["name"] for one in told["scenes"]] == ["0.jpg + 2", "nowhere.tif", "sat.tif"]
    assert told["scenes"][1]["refusals"][0]["rule"] == "raster.crs"
    assert list(told["scenes"][0]["left_out"]) == ["no_pose.jpg"]
    assert [Path(one["name"]).name for one in told["skipped"]] == ["readme.txt"]


def test_ingest__position_error_as_stated__goes_before_what_is_usual(cli, folder, session):
    assert cli("ingest", folder / "sat.tif", "--position-error-m", "2.5").exit_code == 0
    kept = session.scalars(select(t.Scene)).one()
    assert kept.position_error_m == 2.5
    assert kept.header["position"]["basis"] == "stated"


def test_ingest__no_word_on_the_position__the_usual_error_with_its_source(cli, folder, session):
    cli("ingest", folder / "sat.tif")
    kept = session.scalars(select(t.Scene)).one()
    assert kept.position_error_m == 12.5
    assert kept.header["position"]["basis"] == "usual"
    assert "Sentinel-2" in kept.header["position"]["source"]


def test_ingest__stopped_from_the_keyboard__what_was_done_stays(services, folder, cli, monkeypatch, session):
    from web import intake

    usual, calls = intake.ingest, []

    def until_the_second(*arguments, **named):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return usual(*arguments, **named)

    (folder / "nowhere.tif").unlink()
    monkeypatch.setattr(intake, "ingest", until_the_second)
    done = cli("ingest", folder, "--hfov-deg", "70")
    assert done.exit_code == 130
    assert "1 taken in" in done.output
    assert "Stopped" in done.output
    monkeypatch.undo()
    assert "1 taken in, 1 known" in cli("ingest", folder, "--hfov-deg", "70").output
    assert not list((services.data_dir / "quarantine").iterdir())


@pytest.mark.parametrize(("language", "word"), [("en", "usual for this sensor"), ("zh", "未经实测")])
def test_ingest__image_that_names_its_sensor__whose_word_its_error_is_is_told(services, folder, language, word):
    state = State(language)
    state._services = services
    assert word in CliRunner().invoke(scene_group, ["ingest", str(folder / "sat.tif")], obj=state).output


def test_ingest__sensor_that_nobody_names__said_with_its_fix_and_not_ok(cli, tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(3, 20, 20), tags={"SENSOR": ""})
    held = cli("ingest", path)
    assert (held.exit_code, "never used" in held.output, "--position-error-m" in held.output) == (1, True, True)
    freed = cli("ingest", path, "--position-error-m", "4", "--json")
    told = json.loads(freed.output)
    assert (freed.exit_code, told["quarantine"], told["position_basis"]) == (0, [], "stated")


def test_ingest__product_and_sensor_model__are_scenes_like_others(work, shelf, tmp_path, session):
    write_tif(tmp_path / "GF2.tif", noise(4, 300, 400), crs=None, transform=None)
    (tmp_path / "GF2.rpb").write_text(rpb_of(sensor_model(400, 300)))
    told = ("blue", "green", "red", "nir")
    for file, bands in ((write_safe(tmp_path, pixels=12), ()), (tmp_path / "GF2.tif", told)):
        with work("SYSTEM") as unit:
            ingest_scene(unit, shelf, [file], told=Told(terrain=Level(20.0), bands=bands))
            unit.commit()
    product, model = session.scalars(select(t.Scene).order_by(t.Scene.recorded_at)).all()
    assert product.header["about"]["level"] == "L2A"
    assert len(product.frame_hashes) == 15
    assert all(shelf.originals.verify(one) for one in [*product.frame_hashes, *model.frame_hashes])
    assert (model.position_error_m > 50, len(model.frame_hashes)) == (True, 2)


@pytest.fixture
def catalogue(cli, folder, tmp_path) -> Path:
    cli("ingest", folder, "--hfov-deg", "70")
    out = tmp_path / "catalogue"
    done = cli("catalogue", out)
    assert done.exit_code == 0, done.output
    return out


def test_catalogue__moved_elsewhere__is_read_back_whole(catalogue, tmp_path, session, shelf):
    moved = catalogue.rename(tmp_path / "moved")
    read = pystac.Catalog.from_file(str(moved / "catalog.json"))
    items = list(read.get_items(recursive=True))
    assert sorted(item.collection_id for item in items) == ["satellite", "uav"]
    assert {item.id for item in items} == {
        one.public_id for one in session.scalars(select(t.Scene)) if not one.quarantine
    }
    for item in items:
        image = item.assets["image"]
        path = Path(image.get_absolute_href())
        assert path.is_relative_to(moved)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == image.extra_fields["file:checksum"].removeprefix("1220")
        assert path.stat().st_size == image.extra_fields["file:size"]
        assert cog_validate(path, strict=True)[0]
        with rasterio.open(path) as stored:
            assert item.properties["proj:code"] == "EPSG:32649"
            assert item.properties["proj:shape"] == [stored.height, stored.width]
            assert item.properties["proj:transform"] == pytest.approx(list(stored.transform)[:6])
            assert [band["data_type"] for band in image.extra_fields["raster:bands"]] == list(stored.dtypes)
        assert Path(item.assets["thumbnail"].get_absolute_href()).read_bytes().startswith(b"\x89PNG")


def test_catalogue__every_document__obeys_the_schema_of_stac(catalogue):
    documents = [json.loads(path.read_text()) for path in catalogue.rglob("*.json")]
    assert len(documents) == 5
    for document in documents:
        assert document["stac_version"] == "1.1.0"
        # The schemas of the extensions lie on the network; those of the core come with the library.
        validate_dict(document, extensions=[])
        with pytest.raises(pystac.errors.STACValidationError):
            validate_dict(document | {"links": "none"}, extensions=[])
        assert all(not link["href"].startswith(("/", "http", "file")) for link in document["links"])


def test_catalogue__pages__every_link_leads_to_a_file_of_it_and_every_scene_is_reached(catalogue):
    seen, left = set(), [catalogue / "index.html"]
    while left:
        page = left.pop()
        seen.add(page)
        for target in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
            there = (page.parent / target).resolve()
            assert there.is_relative_to(catalogue.resolve())
            assert there.is_file(), target
            if there.suffix == ".html" and there not in seen:
                left.append(there)
    assert {path.resolve() for path in catalogue.rglob("*.html")} == {page.resolve() for page in seen}
    assert len(seen) == 5
    (scene,) = (catalogue / "satellite").glob("*/index.html")
    for told in ("Invented sample data", "12.500", "red, green, blue, nir", "EPSG:32649", "遮蔽"):
        assert told in scene.read_text()
    assert not any("<script" in page.read_text() for page in seen)


def test_catalogue__page__what_a_delivery_says_of_itself_is_no_markup(tmp_path):
    hostile = '"><script>alert(1)</script>'
    at = datetime(2025, 7, 2, tzinfo=UTC)
    item = pystac.Item("SC-1", None, None, at, {"platform": hostile}, assets={"image": pystac.Asset("a.tif")})
    collection = pystac.Collection("satellite", hostile, pystac.Extent.from_items([item]), license="other")
    root = pystac.Catalog("c", hostile)
    collection.add_item(item)
    root.add_child(collection)
    root.normalize_and_save(str(tmp_path), pystac.CatalogType.SELF_CONTAINED)
    write_pages(tmp_path, root, is_sample=False)
    for page in tmp_path.rglob("*.html"):
        assert "<script" not in page.read_text()


def test_catalogue__bands_mask_and_position__are_told(catalogue):
    (item,) = pystac.Collection.from_file(str(catalogue / "satellite" / "collection.json")).get_items()
    told = item.properties
    names = [band["common_name"] for band in item.assets["image"].extra_fields["eo:bands"]]
    assert names == ["red", "green", "blue", "nir"]
    assert [band["nodata"] for band in item.assets["image"].extra_fields["raster:bands"]] == [0, 0, 0, 0]
    assert (told["skywarden:masked_pixels"] > 100, told["skywarden:surviving_pixels"]) == (True, 0)
    assert len(told["skywarden:zone_version"]) == 64
    assert told["skywarden:position_error_m"] == 12.5
    assert told["skywarden:captured_known"] is False
    assert item.datetime is None
    assert told["start_datetime"] < told["end_datetime"]


def test_void_values__ground_that_measures_zero__is_told_apart_by_the_mask_alone(tmp_path):
    data = noise(3, 40, 30)
    data[1, 7, 9] = 0
    mask = np.full((40, 30), 255, np.uint8)
    mask[20:] = 0
    data[:, 20:] = 0
    with open_derivative(write_tif(tmp_path / "a.tif", data, mask=mask)) as dataset:
        assert void_values(dataset) == [0.0, None, 0.0]


def test_catalogue__clouds_that_the_product_states__are_told_and_no_others(cli, work, shelf, tmp_path):
    name = "GF1_PMS1_E113.3_N23.1_20250702_L1A0001-MSS1"
    write_tif(tmp_path / f"{name}.tiff", noise(4, 30, 40), crs=None, transform=None)
    (tmp_path / f"{name}.rpb").write_text(rpb_of(sensor_model(40, 30)))
    (tmp_path / f"{name}.xml").write_text("<ProductMetaData><CloudPercent>3</CloudPercent></ProductMetaData>")
    other = write_tif(tmp_path / "a.tif", noise(4, 30, 40), transform=north_up(10.0, to_utm(113.27, 23.13)))
    for file in (tmp_path / f"{name}.tiff", other):
        with work("SYSTEM") as unit:
            ingest_scene(unit, shelf, [file], told=Told(terrain=Level(20.0)))
            unit.commit()
    assert cli("catalogue", tmp_path / "out").exit_code == 0
    items = pystac.Catalog.from_file(str(tmp_path / "out" / "catalog.json")).get_items(recursive=True)
    told = {item.properties.get("platform"): item.properties.get("eo:cloud_cover") for item in items}
    assert told == {"gf1": 3.0, None: None}


def test_GD_43__catalogue__holds_no_pixel_of_a_zone_and_no_original(catalogue, session):
    originals = set(session.scalars(select(t.Scene.sha256)))
    for path in catalogue.rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() not in originals
    (image,) = (catalogue / "satellite").rglob("*.tif")
    with rasterio.open(image) as stored:
        x, y = to_utm(*Z1.centroid.coords[0])
        assert next(stored.sample([(x, y)])).tolist() == [0, 0, 0, 0]


def test_catalogue__quarantined_scene__is_not_in_it(services, cli, folder, tmp_path, database):
    from sqlalchemy.orm import Session

    cli("ingest", folder / "sat.tif")
    engine = database.admin_engine()
    with Session(engine) as admin:
        admin.scalars(select(t.Scene)).one().quarantine = ["GD-36.1"]
        admin.commit()
    engine.dispose()
    with services.session() as session:
        assert entries(session) == []


def test_GD_43__zone_that_came_later__no_catalogue_before_it_is_masked(cli, folder, tmp_path, database):
    from geoalchemy2.shape import from_shape
    from shapely.geometry import box
    from sqlalchemy.orm import Session

    from schemas.refusals import RuleViolation

    cli("ingest", folder / "sat.tif")
    engine = database.admin_engine()
    with Session(engine) as admin:
        admin.add(
            t.PrivacyZone(
                public_id="PZ-LATER",
                kind="toilet",
                name_en="Later (fictional)",
                name_zh="后来（虚构）",
                geom=from_shape(box(113.268, 23.127, 113.269, 23.128), srid=4326),
                buffer_m=0.0,
                source="survey",
                valid_from=datetime(2025, 5, 1, tzinfo=UTC),
            )
        )
        admin.commit()
    engine.dispose()
    refused = cli("catalogue", tmp_path / "out").exception
    assert isinstance(refused, RuleViolation)
    assert refused.refusals[0].text == "scene.remask_due"
    assert not (tmp_path / "out").exists()


def test_catalogue__folder_that_is_there__409_and_nothing_is_changed(cli, catalogue, shelf):
    from schemas.refusals import RuleViolation

    before = sorted(catalogue.rglob("*"))
    with pytest.raises(RuleViolation) as caught:
        write_catalogue(catalogue, [], shelf.derivatives, ABOUT)
    assert (caught.value.status, caught.value.refusals[0].rule) == (409, "catalogue.exists")
    assert sorted(catalogue.rglob("*")) == before


def test_catalogue__no_scene__is_an_empty_catalogue(tmp_path, shelf):
    write_catalogue(tmp_path / "out", [], shelf.derivatives, ABOUT)
    read = pystac.Catalog.from_file(str(tmp_path / "out" / "catalog.json"))
    assert list(read.get_items(recursive=True)) == []
    assert "Invented sample data" in read.description
