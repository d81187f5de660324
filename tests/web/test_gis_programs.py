"""Programs of other makers read our services as they are: GDAL, OWSLib, and what is built on them."""

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest
from owslib.ogcapi.features import Features
from sqlalchemy import text

from schemas.clock import FixedClock
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.serving import served
from tests.web.test_tiles import tile_address
from web.opendata.layers import OPEN_LAYERS
from web.settings import Settings
from web.wiring import Services

# More than two pages of the largest size.
MANY = 2_345
# What is copied of a device so often: the table, which rows of it, and what of a copy is its own.
DV1 = "(SELECT id FROM core.device WHERE public_id = 'DV-DV1')"
COPIED = {
    "device_site": (
        f"t.id = (SELECT site_id FROM core.device WHERE id = {DV1})",
        "'id', md5('site' || n)::uuid, 'public_id', 'ST-N' || n",
    ),
    "device": (
        f"t.id = {DV1}",
        "'id', md5('device' || n)::uuid, 'public_id', 'DV-N' || n, 'code', 'N' || n, 'site_id', md5('site' || n)::uuid",
    ),
    "publication": (
        f"t.subject_id = {DV1}",
        "'id', gen_random_uuid(), 'public_id', 'PB-N' || n || t.channel, 'subject_id', md5('device' || n)::uuid",
    ),
}


def copy_devices(connection):
    """Many devices at the place of one, as an import would bring them."""
    connection.execute(text("SET session_replication_role = replica"))
    for table, (which, own) in COPIED.items():
        names = connection.execute(
            text(
                "SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_schema = 'core' "
                f"AND table_name = '{table}' AND is_generated = 'NEVER'"
            )
        ).scalar_one()
        row = f"jsonb_populate_record(t, jsonb_build_object({own}))"
        connection.execute(
            text(
                f"INSERT INTO core.{table} ({names}) SELECT {names} FROM (SELECT ({row}).* FROM core.{table} t, "
                f"generate_series(1, {MANY}) n WHERE {which}) AS copies"
            )
        )


@pytest.fixture(scope="module")
def site(server, world_template, tmp_path_factory):
    """The address of the pages on a socket, with so many devices that they do not fit on a page."""
    name = server.clone(world_template)
    database = server.database(name)
    engine = database.admin_engine()
    with engine.begin() as connection:
        copy_devices(connection)
    engine.dispose()
    clock = FixedClock(TEN_ON_THE_FIRST_FLYING_DAY)
    services = Services(Settings(data_dir=tmp_path_factory.mktemp("data")), database, clock)
    with ExitStack() as stack:
        port = stack.enter_context(served(services))
        yield f"http://127.0.0.1:{port}", services
    services.close()
    server.drop(name)


def count(services, layer):
    with services.public() as public:
        return public.execute(text(f"SELECT count(*) FROM public_map.{OPEN_LAYERS[layer].view}")).scalar_one()


READ = """
import json, sys
import pyogrio
source, options = sys.argv[1], json.loads(sys.argv[2])
if "bbox" in options:
    options["bbox"] = tuple(options["bbox"])
found = pyogrio.read_dataframe(source, **options)
box = found.total_bounds.tolist() if len(found) else None
ids = list(found["id" if "id" in found else "public_id"])
print(json.dumps({"ids": ids, "box": box, "crs": found.crs.to_authority()}))
"""


def by_gdal(source, **options):
    """What GDAL reads there, in a process of its own: while it waits for us, no other thread of its process runs."""
    command = [sys.executable, "-c", READ, source, json.dumps(options)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


@pytest.mark.parametrize("layer", ["deployment_points", "patrol_routes", "privacy_zones"])
def test_gdal__oapif__reads_every_record_of_a_layer(site, layer):
    address, services = site
    found = by_gdal(f"OAPIF:{address}/ogc", layer=layer)
    assert len(found["ids"]) == count(services, layer) > 0


def test_gdal__oapif__walks_over_pages(site):
    address, services = site
    found = by_gdal(f"OAPIF:{address}/ogc", layer="devices")
    assert len(found["ids"]) == len({*found["ids"]}) == count(services, "devices") == MANY + 2
    west, south, east, north = found["box"]
    assert 113 < west <= east < 114
    assert 23 < south <= north < 24


def test_gdal__oapif__filters_by_attribute_and_box(site):
    address, _ = site
    assert by_gdal(f"OAPIF:{address}/ogc", layer="devices", where="public_id = 'DV-DV1'")["ids"] == ["DV-DV1"]
    assert by_gdal(f"OAPIF:{address}/ogc", layer="devices", bbox=[10, 50, 11, 51])["ids"] == []
    # What GDAL asks for here has 16 digits behind the point.
    near = by_gdal(f"OAPIF:{address}/ogc", layer="devices", bbox=[113.2599, 23.12, 113.2601, 23.14])["ids"]
    assert "DV-DV1" in near


def test_gdal__mvt__reads_a_tile(site):
    address, _ = site
    z, x, y = tile_address(113.27, 23.13, 14)
    found = by_gdal(f"MVT:{address}/tiles/patrol_areas/{z}/{x}/{y}.mvt", layer="patrol_areas")
    assert found["ids"]
    assert found["crs"] == ["EPSG", "3857"]


def test_ogrinfo__lists_the_layers_and_counts_them(site):
    address, services = site
    said = subprocess.run(
        ["ogrinfo", "-so", f"OAPIF:{address}/ogc", "devices"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert f"Feature Count: {count(services, 'devices')}" in said


def test_owslib__reads_the_service(site):
    address, services = site
    service = Features(f"{address}/ogc/")
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in service.conformance()["conformsTo"]
    assert service.feature_collections() == list(OPEN_LAYERS)
    assert service.collection("devices")["id"] == "devices"
    assert "status" in service.collection_queryables("devices")["properties"]
    page = service.collection_items("devices", limit=7, offset=3)
    assert (page["numberMatched"], page["numberReturned"]) == (count(services, "devices"), 7)
    near = service.collection_items("patrol_areas", bbox=[113.2, 23.1, 113.3, 23.2])
    assert near["numberReturned"] == 1
    assert service.collection_item("devices", "DV-DV1")["id"] == "DV-DV1"
    assert service.api()["openapi"].startswith("3.0")
