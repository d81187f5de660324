"""A sensitive zone leaks nothing: whoever asks learns the displayed shape, and not where in it the truth lies.

Two worlds differ in the hidden shape alone. A prober asks a thousand adaptive questions in each; since every next
question follows from the answers before, equal transcripts mean that no prober of this kind learns anything. The last
tests show that the prober is sharp: it finds the displayed shape to the centimetre, and sees a judge that leaks.
"""

import io
import json
import math
import re
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from click.testing import CliRunner
from geoalchemy2.shape import to_shape
from shapely import affinity, from_wkb, intersection_all
from shapely.geometry import LineString, Point, Polygon, box
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from flights import commands, queries
from flights.check.situation import Options
from flights.formats import write_plan
from flights.queries import Asked
from geo import commands as zone_commands
from geo import measure
from geo.commands.zone_touches import touch, touched_by
from geo.queries import zones_near
from geo.types import LonLat
from geo.zones import Zone
from schemas import tables as t
from schemas.actors import SYSTEM
from schemas.clock import FixedClock
from schemas.store.work import find
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.database.flying import END, GROUND, START, prechecked
from tests.situations import PA1, PACK, drawn
from tests.web.conftest import HTML, SAME_ORIGIN, _signed_in
from tests.web.plans import flat_ground, geojson
from web.app import create_app
from web.cli.common import State
from web.cli.plan import plan
from web.cli.zone import zone
from web.settings import Settings
from web.wiring import Services

SHOWN = Polygon(
    [(113.2618, 23.1318), (113.2642, 23.1316), (113.2646, 23.1338), (113.2631, 23.1343), (113.2616, 23.1337)]
)
# Off-centre: one in a corner, sharing an edge of the displayed shape; one at the far end, touching nothing.
IN_A_CORNER = Polygon([(113.2618, 23.1318), (113.2630, 23.1317), (113.2626, 23.1323)])
FAR_AWAY = Point(113.2637, 23.1335).buffer(0.0002, quad_segs=4)
CENTRE = LonLat(113.2630, 23.1330)
NUMBER = "PZ-HIDDEN"
RAYS, HALVINGS = 16, 22
CALLED = "3c7c0000-0000-4000-8000-00000000000{}"


@contextmanager
def closing_engine(engine):
    try:
        yield
    finally:
        engine.dispose()


def hide(database, exact, *, buffer_m=0.0):
    """Writes the zone as an import of yesterday would have, the same in every world but for the hidden shape."""
    engine = database.admin_engine()
    with closing_engine(engine), Session(engine) as session, session.begin():
        session.execute(text("SET LOCAL session_replication_role = replica"))
        statement = text(
            "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, exact_geom, sensitive,"
            " buffer_m, source, valid_from, zone_version, origin, recorded_at) VALUES (:id, :number, 'dormitory', 'x',"
            " 'x', ST_GeomFromText(:shown, 4326), ST_GeomFromText(:exact, 4326), true, :buffer_m, 'request', :at, 1,"
            " 'sample', :at)"
        )
        values = {
            "id": CALLED.format(1),
            "number": NUMBER,
            "at": datetime(2025, 6, 1, tzinfo=UTC),
            "buffer_m": buffer_m,
        }
        session.execute(statement, values | {"shown": SHOWN.wkt, "exact": exact.wkt})
    # Both worlds were made at the same moment, or every page would tell them apart by it.
    engine = database.admin_engine()
    with closing_engine(engine), engine.begin() as admin:
        admin.execute(text("UPDATE core.public_batch SET at = :at"), {"at": datetime(2025, 6, 1, tzinfo=UTC)})


@pytest.fixture
def worlds(request, clone, world_template, tmp_path):
    """Two worlds, of which one hides in a corner and the other at the far end; a parameter says more of the zone."""
    with ExitStack() as stack:
        made = []
        for number, exact in enumerate((IN_A_CORNER, FAR_AWAY)):
            database = clone(world_template)
            hide(database, exact, **getattr(request, "param", {}))
            services = Services(
                Settings(data_dir=tmp_path / f"data{number}"), database, FixedClock(TEN_ON_THE_FIRST_FLYING_DAY)
            )
            services.data_dir.mkdir()
            flat_ground(services.data_dir)
            stack.callback(services.close)
            made.append(services)
        yield made


# -- the prober ------------------------------------------------------------------------------------------


class Prober:
    """Asks `plan check` again and again, each question by the answers before; keeps every answer whole."""

    def __init__(self, services) -> None:
        self.services = services
        self.transcript: list[str] = []

    def ask(self, line, *, alt_m=100.0, hfov_deg=70.0, at=START) -> bool:
        """Whether the zone stands against the plan; the whole answer, in both languages, goes into the transcript."""
        asked = Asked(at, Options(hfov_deg=hfov_deg))
        with self.services.session() as session:
            verdict = queries.judge(session, PACK, GROUND, drawn(line, alt_m), asked)
        answer = [verdict.render(lang) for lang in ("en", "zh")]
        self.transcript.append(json.dumps(answer, sort_keys=True))
        return any(refusal.params.get("zone") == NUMBER for refusal in verdict.refusals)

    def nearest_m(self, bearing_deg, question: Callable[..., bool]) -> float:
        """How near to the centre a line across a ray can come before it is refused, by halving."""
        free_m, barred_m = 1200.0, 0.0
        for _ in range(HALVINGS):
            middle_m = (free_m + barred_m) / 2
            if question(across(bearing_deg, middle_m)):
                barred_m = middle_m
            else:
                free_m = middle_m
        return free_m


def across(bearing_deg, away_m, half_m=40.0):
    """A short line square to a ray from the centre, so far away from it."""
    lon, lat, _ = measure.WGS84.fwd(*CENTRE, bearing_deg, away_m)
    ends = (measure.WGS84.fwd(lon, lat, bearing_deg + side, half_m)[:2] for side in (-90, 90))
    return list(ends)


def probe(services) -> Prober:
    """A thousand adaptive questions: lines along many rays, footprints, heights, fields of view and times."""
    prober = Prober(services)
    for number in range(RAYS):
        bearing_deg = 360.0 * number / RAYS
        # A camera that sees next to nothing: only the line itself counts.
        prober.nearest_m(bearing_deg, lambda line: prober.ask(line, hfov_deg=0.01))
        near_m = prober.nearest_m(bearing_deg, prober.ask)
        beside = across(bearing_deg, near_m)
        halve(lambda alt_m, line=beside: prober.ask(line, alt_m=alt_m), 20.0, 400.0)
        halve(lambda angle, line=beside: prober.ask(line, hfov_deg=angle), 10.0, 140.0)
    shown_lines(prober)
    day = datetime(2025, 5, 20, 2, tzinfo=UTC)
    for hours in range(0, 24 * 24, 16):
        prober.ask(across(0.0, 50.0), at=day + timedelta(hours=hours))
    return prober


def halve(question, low, high, times=8):
    for _ in range(times):
        middle = (low + high) / 2
        low, high = (low, middle) if question(middle) else (middle, high)


def shown_lines(prober):
    """Along every side of the displayed shape, and through it from corner to corner."""
    corners = SHOWN.exterior.coords[:-1]
    for one in corners:
        for other in corners:
            if one != other:
                prober.ask([one, other], hfov_deg=0.01)
                middle = ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
                prober.ask([one, middle], hfov_deg=0.01, alt_m=60.0)


class TestPlanCheck:
    def test_1000_adaptive_checks__the_same_answers_whatever_is_hidden(self, worlds):
        first, second = (probe(services).transcript for services in worlds)
        assert len(first) >= 1000
        assert sum(NUMBER in answer for answer in first) > 100
        assert first == second

    def test_prober__finds_the_displayed_shape_to_the_centimetre(self, worlds):
        """Its answers narrow the truth to the displayed outline, which everybody may see, and no further."""
        prober = Prober(worlds[0])
        for bearing_deg in (0.0, 77.0, 180.0, 251.0):
            found_m = prober.nearest_m(bearing_deg, lambda line: prober.ask(line, hfov_deg=0.01))
            reaches = measure.distance_m(CENTRE, farthest(bearing_deg))
            line = LineString(across(bearing_deg, found_m))
            assert line.distance(SHOWN) * 111_000 < 0.05
            assert found_m <= reaches + 0.05

    def test_prober__sees_a_judge_that_leaks(self, worlds, monkeypatch):
        """Were zones checked by the hidden shape, or by a union with noise, the transcripts would differ."""
        monkeypatch.setattr(Zone, "checked", property(lambda zone: zone.exact_geom or zone.geom))
        answers = []
        for services in worlds:
            prober = Prober(services)
            prober.nearest_m(45.0, lambda line, prober=prober: prober.ask(line, hfov_deg=0.01))
            answers.append(prober.transcript)
        assert answers[0] != answers[1]

    def test_checked__is_the_displayed_shape_to_the_last_bit(self, worlds):
        for services in worlds:
            with services.session() as session:
                (zone,) = [z for z in zones_near(session, SHOWN, START) if z.public_id == NUMBER]
            assert zone.exact_geom is not None
            assert zone.checked.wkb == zone.geom.wkb == SHOWN.wkb


def farthest(bearing_deg):
    """The corner of the displayed shape that lies farthest along a ray."""
    towards = math.radians(bearing_deg)

    def along(corner):
        east = (corner[0] - CENTRE.lon) * math.cos(math.radians(CENTRE.lat))
        return east * math.sin(towards) + (corner[1] - CENTRE.lat) * math.cos(towards)

    return LonLat(*max(SHOWN.exterior.coords, key=along))


# -- everything else that leaves the house ---------------------------------------------------------------


def both(worlds, look):
    """What `look` gives in each world."""
    return [look(services) for services in worlds]


def read(worlds, look):
    """What `look` gives of a session in each world."""

    def opened(services):
        with services.session() as session:
            return look(session)

    return both(worlds, opened)


class TestExports:
    def test_fence__the_same(self, worlds):
        one, other = read(worlds, lambda s: queries.fence_of(s, find(s, t.PatrolRoute, "R1"), START, END))
        assert one == other
        assert SHOWN.exterior.coords[0] in [tuple(v) for polygon in one.polygons for v in polygon.ring]

    @pytest.mark.parametrize("suffix", [".plan", ".waypoints", ".geojson"])
    def test_exported_plan__the_same_bytes(self, worlds, suffix):
        def export(session):
            route = find(session, t.PatrolRoute, "R1")
            return write_plan(queries.exported_plan(session, route, suffix, START, END), suffix)

        one, other = read(worlds, export)
        assert one == other

    def test_exported_plan__through_the_command__the_same_bytes(self, worlds, tmp_path):
        def export(services):
            state, out = State("en"), tmp_path / f"{id(services)}.plan"
            state._services = services
            assert CliRunner().invoke(plan, ["export", "R1", str(out)], obj=state).exit_code == 0
            return out.read_bytes()

        one, other = both(worlds, export)
        assert one == other

    def test_volumes_of_a_cleared_flight__the_same(self, worlds):
        def fly(services):
            def work(code):
                return services.work(SYSTEM if code == "SYSTEM" else services.actor(code))

            number = prechecked(work)
            with work("H1") as unit:
                commands.clear(unit, unit.get(t.Flight, number), GROUND)
                unit.commit()
            with services.session() as session:
                rows = session.scalars(select(t.FlightVolume).order_by(t.FlightVolume.ordinal)).all()
                return [(to_shape(row.geom).wkb, row.alt_agl_min_m, row.alt_agl_max_m, row.during) for row in rows]

        one, other = both(worlds, fly)
        assert one == other
        assert one


@pytest.mark.parametrize("worlds", [{"buffer_m": 40.0}], ids=["buffer"], indirect=True)
class TestZoneWithABuffer:
    """A sensitive zone counts at every height and hour: the database keeps none with a band."""

    def test_checks_by_height_hour_and_way_home__the_same_answers(self, worlds):
        def answers(services):
            prober = Prober(services)
            for bearing_deg in (10.0, 100.0, 190.0, 280.0):
                for hfov_deg in (0.01, 70.0):
                    near_m = prober.nearest_m(bearing_deg, lambda line, a=hfov_deg: prober.ask(line, hfov_deg=a))
                line = across(bearing_deg, near_m)
                halve(lambda alt_m, line=line: prober.ask(line, alt_m=alt_m, hfov_deg=0.01), 10.0, 300.0)
                # Out, round and back: only the ways home lead across.
                prober.ask(
                    [
                        across(bearing_deg, 300.0)[0],
                        across(bearing_deg + 90, 300.0)[0],
                        *across(bearing_deg + 180, 300.0),
                    ]
                )
            for hour in range(0, 72, 3):
                prober.ask(across(0.0, 50.0), alt_m=60.0, at=START + timedelta(hours=hour))
            return prober.transcript

        one, other = both(worlds, answers)
        assert one == other
        assert any(NUMBER in answer for answer in one)
        assert any(NUMBER not in answer.partition('"clearances"')[0] for answer in one)

    def test_survey_and_exported_zones__the_same_bytes(self, worlds, tmp_path):
        field = tmp_path / "field.geojson"
        field.write_text(json.dumps({"type": "Polygon", "coordinates": [list(SHOWN.buffer(0.002).exterior.coords)]}))

        def written(services):
            state, folder = State("en"), tmp_path / str(id(services))
            folder.mkdir()
            state._services = services
            asked = [
                "survey",
                "--area",
                field,
                "--camera",
                "dji-phantom-4-pro",
                "--alt-agl-m",
                "60",
                "--speed-m-s",
                "5",
            ]
            for command, words in (
                (plan, [*asked, "--out", folder / "s.plan"]),
                (zone, ["export", folder / "z.ed318.json"]),
                (zone, ["export", folder / "z.ed269.json"]),
            ):
                result = CliRunner().invoke(command, list(map(str, words)), obj=state)
                assert result.exit_code == 0, result.output
            return {path.name: path.read_bytes() for path in folder.iterdir()}

        one, other = both(worlds, written)
        assert one == other
        assert len(one) == 3
        assert NUMBER.encode() in one["z.ed318.json"]


class TestPublic:
    def test_views__no_column_differs(self, worlds):
        def rows(services):
            with services.public() as public:
                names = public.execute(
                    text("SELECT table_name FROM information_schema.views WHERE table_schema = 'public_map' ORDER BY 1")
                ).scalars()
                return {
                    name: sorted(map(str, public.execute(text(f"SELECT * FROM public_map.{name}")))) for name in names
                }

        one, other = both(worlds, rows)
        assert one == other
        assert NUMBER in str(one["privacy_zones"])

    def test_statistics__not_for_the_public(self, worlds):
        """Histograms and extents of the hidden column would tell where it lies."""
        for services in worlds:
            for question in (
                "SELECT exact_geom FROM core.privacy_zone",
                "SELECT ST_EstimatedExtent('core', 'privacy_zone', 'exact_geom')",
                "SELECT _postgis_stats('core.privacy_zone', 'exact_geom')",
            ):
                with services.public() as public, pytest.raises(Exception, match="permission denied"):
                    public.execute(text(question))
            with services.public() as public:
                seen = (
                    public.execute(text("SELECT attname FROM pg_stats WHERE tablename = 'privacy_zone'"))
                    .scalars()
                    .all()
                )
                assert "exact_geom" not in seen

    @pytest.mark.parametrize("who", [None, "F1", "H1", "O1"])
    def test_pages_files_and_tiles__the_same_bytes(self, worlds, who):
        tiles = [f"/tiles/privacy_zones/{z}/{x}/{y}.mvt" for z, x, y in tiles_over(SHOWN)]
        paths = ["/", "/list", f"/zone/{NUMBER}", "/privacy", "/data", "/data/privacy_zones.geojson", "/near?q=x"]
        paths += [f"/list?lon={CENTRE.lon}&lat={CENTRE.lat}", f"/?lon={CENTRE.lon}&lat={CENTRE.lat}", *tiles]

        def look(services):
            app = create_app(services)
            client = _signed_in(app, who) if who else app.test_client()
            answers = [client.get(path, headers=HTML) for path in paths]
            assert all(answer.status_code < 500 for answer in answers)
            # The tag of a file names the database beside the moment, and these are two databases.
            tags = [
                None if path.startswith("/data/") else answer.headers.get("ETag")
                for path, answer in zip(paths, answers, strict=True)
            ]
            return [(answer.status_code, answer.data, tag) for answer, tag in zip(answers, tags, strict=True)]

        one, other = both(worlds, look)
        assert [path for path, a, b in zip(paths, one, other, strict=True) if a != b] == []
        assert sum(status == 200 for status, _data, _etag in one) >= len(tiles)

    def test_desk_of_the_pilot__the_same_verdict(self, worlds):
        lines = [geojson([list(one), list(other)]) for one, other in pairwise(SHOWN.exterior.coords)]

        def check(services):
            client = _signed_in(create_app(services), "F1")
            found = []
            for data in lines:
                form = {
                    "at": "2025-07-03T10:00",
                    "minutes": "20",
                    "drone": "DV-DR1",
                    "plan": (io.BytesIO(data), "x.geojson"),
                }
                answer = client.post("/pilot/check", data=form, headers={**SAME_ORIGIN, **HTML})
                found.append(hide_tokens(answer.text))
            return found

        one, other = both(worlds, check)
        assert one == other
        assert NUMBER in one[0]


class TestZonesThatAreAskedFor:
    """What is asked for again is shown as before: many drawings of one place would narrow it down."""

    HOME = Polygon([(113.2671, 23.1291), (113.2673, 23.1291), (113.2673, 23.1293), (113.2671, 23.1293)])

    def ask(self, services, shape, *, decision="granted"):
        with services.work(services.actor("N1")) as unit:
            authority = unit.session.scalars(select(t.Authority).where(t.Authority.code == "A1")).one()
            words = {"place_text": "7 Lane", "reason": "a shelter", "asked_by": "Somebody", "contact": "x@example.org"}
            new = zone_commands.NewRequest(authority=authority, shape=shape, sensitive=True, **words)
            name = zone_commands.ask_zone(unit, new).public_id
            unit.commit()
        with services.work(services.actor("H1")) as unit:
            told = {"told_en": "It is a home.", "told_zh": "住宅。"}
            grant = zone_commands.GrantedZone(name_en="shelter", name_zh="庇护所") if decision == "granted" else None
            request = zone_commands.decide_request(unit, name, decision, "because", grant=grant, **told)
            unit.commit()
        return request

    def shown(self, services):
        with services.public() as public:
            rows = public.execute(text("SELECT ST_AsBinary(geom) AS geom FROM public_map.privacy_zones"))
            return [from_wkb(row.geom) for row in rows]

    def test_the_same_place_asked_for_again_and_again__one_shape_for_all(self, services):
        before = {shape.wkb for shape in self.shown(services)}
        homes = [affinity.translate(self.HOME, n * 1e-6, -n * 1e-6) for n in range(6)]
        for home in homes:
            self.ask(services, home)
        shown = [shape for shape in self.shown(services) if shape.wkb not in before]
        assert len(shown) == 6
        assert len({shape.wkb for shape in shown}) == 1
        # Nothing is gained by laying them over each other, and their common centre is not the truth.
        together = intersection_all(shown)
        assert together.equals(shown[0])
        assert measure.distance_m(LonLat(*together.centroid.coords[0]), LonLat(*self.HOME.centroid.coords[0])) > 30

    def test_place_that_was_shown_before_and_ended__shown_as_before(self, services, admin):
        first = self.ask(services, self.HOME).zone
        admin.execute("UPDATE core.privacy_zone SET valid_to = now() WHERE id = %s", [first.id])
        assert to_shape(self.ask(services, self.HOME).zone.geom).equals(to_shape(first.geom))

    def test_plain_sql__cannot_draw_it_anew(self, services):
        zone = self.ask(services, self.HOME).zone
        with services.engine.connect() as connection, pytest.raises(DBAPIError, match="is refused"):
            connection.execute(
                text("UPDATE core.privacy_zone SET geom = ST_Translate(geom, 1e-4, 0) WHERE id = :id"), {"id": zone.id}
            )

    def test_register_and_every_view__tell_no_place_and_not_who(self, services):
        """Granted or refused, the public sees the same of a hidden request; and nowhere its words."""
        granted, refused = self.ask(services, self.HOME), self.ask(services, self.HOME, decision="refused")
        with services.public() as public:
            names = public.execute(
                text("SELECT table_name FROM information_schema.views WHERE table_schema = 'public_map'")
            ).scalars()
            everything = {name: str(public.execute(text(f"SELECT * FROM public_map.{name}")).all()) for name in names}
            register = {
                row["public_id"]: {key: value for key, value in row.items() if key != "public_id"}
                for row in public.execute(text("SELECT * FROM public_map.zone_requests")).mappings()
            }
        assert register[granted.public_id] == register[refused.public_id]
        for word in ("7 Lane", "shelter", "Somebody", "example.org", "because"):
            assert not any(word in rows for rows in everything.values())

    def test_devices_stopped__by_the_displayed_shape_alone(self, worlds):
        """Who is stopped tells the displayed shape, which everybody may see, and no more."""
        answers = []
        for services in worlds:
            with services.work(services.actor("H1")) as unit:
                zone = unit.session.scalars(select(t.PrivacyZone).where(t.PrivacyZone.public_id == NUMBER)).one()
                touch(unit, zone)
                answers.append([(one.subject_kind, one.public_id) for one in touched_by(unit.session, NUMBER)])
        assert answers[0] == answers[1]
        assert answers[0]


def hide_tokens(page):
    """A page without what is new on every page."""
    return re.sub(r'name="key" value="[^"]+"', "", page)


def tiles_over(shape):
    """The tiles that hold a shape, at three zooms."""
    found = set()
    for zoom in (12, 15, 17):
        for lon, lat in shape.exterior.coords:
            x = int((lon + 180) / 360 * 2**zoom)
            y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**zoom)
            found.add((zoom, x, y))
    return sorted(found)


def test_GD_15__hidden_shape_reaching_out_of_the_displayed_one__the_database_refuses(clone, world_template):
    outside = box(113.2600, 23.1318, 113.2620, 23.1325)
    with pytest.raises(Exception, match="displayed_shape_covers_the_exact_one"):
        hide(clone(world_template), outside)
    assert not SHOWN.covers(outside)
    assert PA1.covers(SHOWN)
