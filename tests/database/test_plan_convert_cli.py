"""`skywarden plan convert`, `zone export` and `layer import` of zones, as people type them."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from shapely.geometry import box, shape

from flights.formats import convert, read_plan
from flights.model import Frame
from geo import geozones
from tests.files_kml import kml, line, mission
from tests.situations import R1, drawn
from web.cli.common import State
from web.cli.layer import layer
from web.cli.plan import plan
from web.cli.zone import zone


@pytest.fixture
def run(tmp_path):
    def call(*arguments, language="en"):
        return CliRunner().invoke(plan, ["convert", *map(str, arguments)], obj=State(language))

    return call


@pytest.fixture
def drawn_plan(tmp_path):
    path = tmp_path / "r1.plan"
    path.write_bytes(convert(drawn(R1, 100.0, Frame.GLOBAL_RELATIVE_ALT), "plan").data)
    return path


class TestConvert:
    @pytest.mark.parametrize("suffix", [".waypoints", ".geojson", ".plan", ".kmz"])
    def test_plan__written_by_the_name_of_the_file_with_one_digest(self, run, drawn_plan, tmp_path, suffix):
        out = tmp_path / f"out{suffix}"
        result = run(drawn_plan, out, "--json")
        assert result.exit_code == 0, result.output
        answer = json.loads(result.output)
        again = read_plan(out.read_bytes(), out.name)
        assert answer["items"] == len(again.items)
        assert len(answer["digest"]) == 64
        assert {loss["what"] for loss in answer["losses"]} <= {
            "defaults",
            "home_height",
            "home",
            "speed_chosen",
            "takeoff",
            "rewritten",
            "drone_chosen",
        }

    def test_what_is_lost_and_assumed__told_in_the_reader_s_language(self, run, tmp_path):
        source, out = tmp_path / "m.kmz", tmp_path / "m.kml"
        source.write_bytes(mission(mode="realTimeFollowSurface"))
        told = run(source, out).output
        assert "not carried  not in this format: MAV_CMD_NAV_TAKEOFF (1)" in told
        assert "the aircraft follows the surface by its own sensor" in told
        again = run(source, out, "--force", language="zh").output
        assert "此格式不支持：MAV_CMD_NAV_TAKEOFF (1)" in again

    def test_file_that_is_there__kept_without_force(self, run, drawn_plan, tmp_path):
        out = tmp_path / "x.kml"
        out.write_text("mine")
        assert run(drawn_plan, out).exit_code == 2
        assert out.read_text() == "mine"
        assert run(drawn_plan, out, "--force").exit_code == 0

    @pytest.mark.parametrize("name", ["x.docx", "x"])
    def test_unknown_format__refused_and_nothing_written(self, run, drawn_plan, tmp_path, name):
        result = run(drawn_plan, tmp_path / name)
        assert result.exit_code == 1
        assert not (tmp_path / name).exists()

    def test_format_named__whatever_the_file_is_called(self, run, drawn_plan, tmp_path):
        assert run(drawn_plan, tmp_path / "map.kmz", "--format", "kmz").exit_code == 0
        assert read_plan((tmp_path / "map.kmz").read_bytes()).source == "KML"

    def test_zones__one_standard_into_the_other(self, run, tmp_path):
        source, out = tmp_path / "zones.ed269.json", tmp_path / "zones.geojson"
        rings = [[[2.0, 48.0], [2.1, 48.0], [2.1, 48.1], [2.0, 48.0]]]
        volume = {
            "uomDimensions": "M",
            "lowerLimit": 0,
            "lowerVerticalReference": "AGL",
            "upperLimit": 120.5,
            "upperVerticalReference": "AGL",
            "horizontalProjection": {"type": "Polygon", "coordinates": rings},
        }
        zone = {
            "identifier": "A1",
            "country": "FRA",
            "restriction": "PROHIBITED",
            "reason": ["PRIVACY"],
            "geometry": [volume],
        }
        source.write_text(json.dumps({"features": [zone]}))
        result = run(source, out, "--json")
        assert result.exit_code == 0, result.output
        assert [loss["what"] for loss in json.loads(result.output)["losses"]] == ["authority"]
        assert geozones.read(out.read_bytes())[0].reasons == ("PRIVACY",)
        assert run(source, tmp_path / "x.json").exit_code == 1, "the name does not say which standard"
        assert run(out, tmp_path / "back.ed269.json").exit_code == 0

    def test_hostile_file__refused_with_its_rule_and_nothing_written(self, run, tmp_path):
        source, out = tmp_path / "x.kml", tmp_path / "y.plan"
        source.write_bytes(kml(line() + "<NetworkLink/>"))
        result = run(source, out)
        assert result.exit_code == 1
        assert result.exception.refusals[0].rule == "kml.network_link"
        assert not out.exists()

    def test_needs_no_database(self, drawn_plan, tmp_path):
        arguments = [sys.executable, "-m", "web.cli", "plan", "convert", str(drawn_plan), str(tmp_path / "o.kml")]
        environment = {"SKYWARDEN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=250, check=False)
        assert done.returncode == 0, done.stderr


class TestZones:
    @pytest.fixture
    def told(self, services):
        def call(command, *arguments):
            state = State("en")
            state._services = services
            result = CliRunner().invoke(command, [*map(str, arguments), "--json"], obj=state)
            state._services = None
            return result, json.loads(result.output)

        return call

    @pytest.mark.parametrize("name", geozones.FORMATS)
    def test_export__displayed_shapes_alone_and_they_come_in_again(self, services, admin, told, tmp_path, name):
        displayed, exact = box(113.27, 23.13, 113.28, 23.14), box(113.274, 23.134, 113.2741, 23.1341)
        admin.execute(
            "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, exact_geom, sensitive,"
            " buffer_m, zone_version, origin, source,"
            " valid_from) VALUES (gen_random_uuid(), 'PZ-SECRET22', 'dormitory', 'Shelter', '庇护所',"
            " ST_GeomFromText(%s, 4326), ST_GeomFromText(%s, 4326), true, 30, 1, 'live', 'request', '2025-01-01')",
            (displayed.wkt, exact.wkt),
        )
        admin.commit()
        out = tmp_path / "zones.json"
        result, answer = told(zone, "export", out, "--format", name)
        assert result.exit_code == 0, result.output
        zones = geozones.read(out.read_bytes())
        assert len(zones) == answer["zones"]
        assert {"what": "buffer", "detail": "30"}.items() <= next(
            loss.items() for loss in answer["losses"] if loss["zone"] == "SECRET22"[-7:] and loss["what"] == "buffer"
        )
        (secret,) = [z for z in zones if z.extended["publicId"] == "PZ-SECRET22"]
        assert secret.volumes[0].shape.equals(displayed)
        written = out.read_text()
        assert all(word not in written for word in ("Shelter", "庇护所", "dormitory", "113.2741", "23.1341"))
        assert {z.reasons for z in zones} == {("PRIVACY",)}
        result, report = told(layer, "import", out, "--layer", "zones")
        assert report["imported"] == len(zones), report
        assert report["format"] == {"ed269": "ED-269", "ed318": "ED-318"}[name]
        count = admin.execute("SELECT count(*) FROM core.privacy_zone").fetchone()[0]
        assert count == 2 * len(zones)

    @pytest.mark.parametrize(
        ("out", "name"), [("z.ed269.json", "ed269"), ("zones_ED-318.json", "ed318"), ("z.json", "ed318")]
    )
    def test_export__format_by_the_name_of_the_file(self, told, tmp_path, out, name):
        _result, answer = told(zone, "export", tmp_path / out)
        assert answer["format"] == name
        assert geozones.format_of(json.loads((tmp_path / out).read_bytes())) == name

    def test_import__zone_for_air_traffic__no_privacy_zone(self, told, tmp_path):
        rings = [[[113.25, 23.12], [113.26, 23.12], [113.26, 23.13], [113.25, 23.12]]]
        properties = {
            "identifier": "CTR1",
            "country": "CHN",
            "type": "PROHIBITED",
            "variant": "COMMON",
            "reason": ["AIR_TRAFFIC"],
            "zoneAuthority": [{"purpose": "INFORMATION"}],
        }
        feature = {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": rings}}
        path = tmp_path / "ctr.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "metadata": {}, "features": [feature]}))
        result, report = told(layer, "import", path, "--layer", "zones")
        assert result.exit_code == 1
        assert report["rows"][0]["refusals"][0]["measured"] == "PROHIBITED"
        assert shape(feature["geometry"]).is_valid
