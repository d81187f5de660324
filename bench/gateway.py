"""The gateway's path: from the bytes of a fleet to judged positions in PostgreSQL.

Ours is what a gateway does with every vehicle, by its own code: signatures checked and frames decoded, the raw
record on disk, telemetry, plausibility and conformance over an elevation model, and the rows by COPY, until the last
is committed. The peer decodes the very same bytes with pymavlink, signatures checked, and does nothing with them. So
the ratio says what all the rest costs: at a quarter, three times what decoding alone takes.

Nothing may be lost: every frame is accepted by us and by the peer and stands in the raw record, every position that
was sent stands in the database, once and in order, judged, and what cannot be is marked.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from pymavlink.dialects.v20 import ardupilotmega as mavlink
from shapely.geometry import MultiLineString

from bench import fleet, places
from bench.fleet import Vehicle
from bench.measure import Result, compare
from bench.scratch import scratch_database
from flights.conformance import Judge, RouteShape
from flights.gateway.brief import Brief
from flights.gateway.nearby import Nearby
from flights.gateway.store import Store
from flights.gateway.track import Track
from flights.ground import TERRAIN_FILE, open_ground
from flights.link.connection import Connection
from flights.link.recorder import Recorder, stamps_of
from flights.link.signing import Signature
from flights.link.vehicle import VehicleLink
from flights.mission import RouteSpec, compile_route
from flights.model import Fence
from flights.path.track import Ground
from flights.vehicle_orders import RouteSpan, orders_of
from geo.types import LonLat
from schemas.clock import FixedClock, SystemClock
from schemas.store.engine import Database
from web.settings import Settings
from web.wiring import Services

SECONDS = 10
PIECES = 3
TOLERANCE_M = 30.0
TARGET = 0.25
NAME = "gateway path, 50 vehicles"
PEER = "pymavlink signed decode"

# A flight that is only there to be flown: neither its plan nor its clearance is what is measured.
_FLIGHT = """
    INSERT INTO core.flight (id, public_id, authority_id, inspection_plan_id, route_id, route_version, drone_id,
        pilot_id, during, precheck, plan_name, plan_bytes, plan_digest, mission_digest, vehicle, state, version, origin)
    SELECT %(id)s, %(public_id)s, g, g, g, 1, g, g, tstzrange('2025-07-02Z', '2025-07-03Z'), '{}', 'bench', '', '', '',
        '{}', 'airborne', 1, 'sample'
    FROM gen_random_uuid() AS g"""
_STORED = """
    SELECT boot_ms, round(ST_X(geom) * 1e7)::bigint, round(ST_Y(geom) * 1e7)::bigint,
        conformance IS NOT NULL AND along_m IS NOT NULL AND alt_agl_m IS NOT NULL, implausible
    FROM core.telemetry_point WHERE flight_id = %(id)s ORDER BY id"""


class Wire:
    """A line whose bytes are in memory: what is sent on it goes nowhere."""

    url = "memory"

    def fileno(self) -> int:
        """None to wait on."""
        return -1

    def read(self) -> bytes:
        """Nothing: the bytes are handed over."""
        return b""

    def write(self, data: bytes) -> None:
        """Nobody hears it."""

    def pin(self) -> None:
        """There is one peer."""

    def listen_around(self) -> None:
        """There is one peer."""

    def reopen(self) -> None:
        """It does not close."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Followed:
    """One vehicle as its gateway has it."""

    vehicle: Vehicle
    brief: Brief
    link: VehicleLink
    recorder: Recorder
    store: Store
    track: Track

    def end(self) -> None:
        """Stores what waits, on disk and in the database."""
        self.link.close()
        self.recorder.close()
        self.store.close()


class Gateways:
    """The gateways of a fleet, new for every turn: a vehicle's signatures are believed once."""

    def __init__(self, database: Database, directory: Path, vehicles: Sequence[Vehicle]) -> None:
        self._house = Services(Settings(data_dir=directory), database)
        self._url = places.plain_url(database.admin_url)
        self._vehicles = vehicles
        self._open = ExitStack()
        self._open.callback(self._house.close)
        # Each gateway is a process and has the elevation model open for itself.
        self._grounds = [self._open.enter_context(open_ground(directory)) for _vehicle in vehicles]
        self._briefs = [_brief(*pair) for pair in zip(vehicles, self._grounds, strict=True)]
        self._followed: list[Followed] = []
        with psycopg.connect(self._url) as connection:
            connection.execute("SET session_replication_role = replica")
            for brief in self._briefs:
                connection.execute(_FLIGHT, {"id": brief.flight_id, "public_id": brief.public_id})

    def prepare(self) -> None:
        """Gets every gateway ready for the first byte; the rows of the turn before are gone."""
        with psycopg.connect(self._url) as connection:
            connection.execute("TRUNCATE core.telemetry_point")
        every = zip(self._vehicles, self._briefs, self._grounds, strict=True)
        self._followed = [self._follow(*one) for one in every]

    def _follow(self, vehicle: Vehicle, brief: Brief, ground: Ground) -> Followed:
        recorder = Recorder(self._house.data_dir / f"{uuid.uuid4()}.tlog", SystemClock())
        signature = Signature(vehicle.key, clock=FixedClock(fleet.SENT_AT))
        store = Store(self._house, brief.flight_id, recorder)
        link = VehicleLink(Connection(Wire(), recorder, signature), SystemClock())
        return Followed(vehicle, brief, link, recorder, store, Track(brief, ground, store))

    def fly(self) -> list[int]:
        """Takes all that the fleet sends, second by second, until it is stored; how many frames were accepted."""
        for second in range(0, len(self._vehicles[0].pieces), fleet.HERTZ):
            for one in self._followed:
                for piece in one.vehicle.pieces[second : second + fleet.HERTZ]:
                    one.link.connection.take(piece)
                samples = one.link.telemetry.samples
                while not samples.empty():
                    one.track.add(samples.get_nowait())
        with ThreadPoolExecutor() as pool:
            list(pool.map(Followed.end, self._followed))
        return [one.link.connection.counts["accepted"] for one in self._followed]

    def nothing_lost(self) -> bool:
        """Whether the raw record and the database hold all that was sent, in order and judged."""
        with psycopg.connect(self._url) as connection:
            return all(_is_whole(connection, one) for one in self._followed)

    def close(self) -> None:
        """Closes the elevation models and the connections to the database."""
        self._open.close()


def _is_whole(connection: psycopg.Connection[Any], one: Followed) -> bool:
    recorded = sum(1 for _stamp in stamps_of(one.recorder.path))
    one.recorder.path.unlink()
    stored = connection.execute(_STORED, {"id": one.brief.flight_id}).fetchall()
    sent = [(t.boot_ms, t.lon_e7, t.lat_e7, t.is_plausible, not t.is_plausible) for t in one.vehicle.told]
    return recorded == one.vehicle.frames and one.store.lost == 0 and stored == sent


def _brief(vehicle: Vehicle, ground: Ground) -> Brief:
    start = LonLat(*vehicle.line.coords[0])
    mission = compile_route(RouteSpec(vehicle.line, fleet.ALT_AGL_M, start, fleet.SPEED_M_S, 60.0), ground)
    shape = RouteShape(vehicle.line, vehicle.line.buffer(0.01), fleet.ALT_AGL_M, start)
    return Brief(
        flight_id=uuid.uuid4(),
        public_id=f"FL-{vehicle.system:05}",
        drone_id=uuid.uuid4(),
        state="airborne",
        orders=orders_of(mission, Fence(())),
        mission_digest=mission.digest,
        fence_digest="",
        judge=Judge(shape, TOLERANCE_M),
        span=RouteSpan.of(mission.items),
        home=start,
        system_id=vehicle.system,
        zones=Nearby(vehicle.line, (), ZoneInfo("Asia/Shanghai")),
        resume_item=None,
        was_flown=False,
    )


class Decoders:
    """The peer: one codec of pymavlink for each vehicle, with its key."""

    def __init__(self, vehicles: Sequence[Vehicle]) -> None:
        self._vehicles = vehicles
        self._codecs: list[Any] = []

    def prepare(self) -> None:
        """New codecs."""
        self._codecs = [mavlink.MAVLink(None) for _vehicle in self._vehicles]
        for codec, vehicle in zip(self._codecs, self._vehicles, strict=True):
            codec.robust_parsing = True
            codec.signing.secret_key = vehicle.key

    def decode(self) -> list[int]:
        """Decodes all that the fleet sends, in the same pieces and the same order; how many frames were good."""
        good = [0] * len(self._codecs)
        for second in range(0, len(self._vehicles[0].pieces), fleet.HERTZ):
            for n, (codec, vehicle) in enumerate(zip(self._codecs, self._vehicles, strict=True)):
                for piece in vehicle.pieces[second : second + fleet.HERTZ]:
                    good[n] += sum(message.get_type() != "BAD_DATA" for message in codec.parse_buffer(piece) or ())
        return good


def write_terrain(directory: Path, vehicles: Sequence[Vehicle]) -> None:
    """An elevation model of gentle hills below all routes."""
    bounds = MultiLineString([vehicle.line for vehicle in vehicles]).bounds
    places.write_terrain(directory / TERRAIN_FILE, bounds, hills_m=2.0)


def rows(rounds: int) -> list[Result]:
    """One row: seconds for what the fleet sends in ten."""
    return [measured(fleet.vehicles(fleet.VEHICLES, SECONDS), rounds)]


def measured(vehicles: Sequence[Vehicle], rounds: int) -> Result:
    """The gateways of these vehicles against the peer."""
    sent = [vehicle.frames for vehicle in vehicles]
    peer = Decoders(vehicles)
    with scratch_database() as database, tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_terrain(directory, vehicles)
        ours = Gateways(database, directory, vehicles)
        try:
            return compare(
                NAME,
                PEER,
                ours.fly,
                peer.decode,
                prepare=lambda: (ours.prepare(), peer.prepare()),
                same=lambda said, peer_said: said == peer_said == sent and ours.nothing_lost(),
                target=TARGET,
                rounds=rounds,
                pieces=PIECES,
            )
        finally:
            ours.close()
