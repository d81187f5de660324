"""Instruments in the world of the fixtures, their credentials, and clients that push with them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from shapely.geometry import Point
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas import tables as t
from sensing.sensors import tokens
from tests.world import BOTH, EARLIEST, World, device, reviews, site_at

PM25 = "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/6001"
UNIT = {"name": "microgram per cubic metre", "symbol": "ug/m3", "definition": "http://unitsofmeasure.org/ug/m3"}
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
SENSOR = {"name": "beta gauge", "description": "hourly", "encodingType": "text/plain", "metadata": "BAM-1"}
PROPERTY = {"name": "PM2.5", "definition": PM25, "description": "fine dust"}
STREAM = {
    "name": "fine dust",
    "description": "hourly means",
    "observationType": MEASUREMENT,
    "unitOfMeasurement": UNIT,
    "Sensor": SENSOR,
    "ObservedProperty": PROPERTY,
}
NOON = datetime(2025, 7, 1, 4, 0, tzinfo=UTC)


def add_station(session: Session, name: str, at: Point, *, authority: str = "A1", state: str = "active") -> t.Device:
    """A station for air: published on 2025-06-01, calibrated until 2025-12-31, in use since 2025-07-01."""
    world = World(session)
    owner = session.scalars(select(t.Authority).where(t.Authority.code == authority)).one()
    item = session.scalars(select(t.SupervisionItem)).first()
    plan = session.scalars(select(t.SitingPlan)).first()
    people = {one.code: one for one in session.scalars(select(t.Person))}
    made = device(
        world,
        owner,
        item,
        site_at(world, at, plan, name),
        public_id=f"DV-{name}",
        name=name,
        platform="fixed",
        category="fixed",
        device_type="air",
        is_measuring_instrument=True,
        calibration_valid_to=date(2025, 12, 31),
        state="published",
    )
    world.add(
        t.Calibration,
        public_id=f"CB-{name}",
        device_id=made.id,
        kind="verification",
        agency="Institute (fictional)",
        certificate_no=f"C-{name}",
        passed=True,
        tested_on=date(2025, 5, 1),
        valid_to=date(2025, 12, 31),
    )
    reviews(world, made, people)
    seen = {"device_id": made.id, "text": name, "verified_on": date(2025, 6, 20), "verified_by": people["O1"].id}
    world.add(t.Signage, public_id=f"SG-{name}", **seen)
    world.publish("device", made, BOTH)
    if state == "active":
        made.state, made.activated_on, made.version = "active", EARLIEST, 2
        session.flush()
    return made


def issue_token(services, name: str, days: int = 30) -> tokens.NewToken:
    with services.work() as work:
        made = tokens.issue(work, work.get(t.Device, f"DV-{name}"), days=days)
        work.commit()
    return made


class Pusher:
    """A client with the credential of a device."""

    def __init__(self, client, token: tokens.NewToken) -> None:
        self.client, self.token = client, token
        self.headers = {"Authorization": f"Bearer {token.token}"}

    def get(self, path: str = "", **query):
        return self.client.get(f"/sta/v1.1{path}", headers=self.headers, query_string=query)

    def read(self, path: str, **query):
        """What a path and options give; options are named without their dollar."""
        answer = self.get(path, **{f"${name}": value for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def post(self, path: str, body):
        return self.client.post(f"/sta/v1.1{path}", headers=self.headers, json=body)

    def stream(self, **changed) -> int:
        answer = self.post("/Datastreams", STREAM | changed)
        assert answer.status_code == 201, answer.text
        return answer.get_json()["@iot.id"]

    def batch(self, stream: int, rows, components=("phenomenonTime", "result")):
        group = {"Datastream": {"@iot.id": stream}, "components": list(components), "dataArray": rows}
        return self.post("/CreateObservations", [group])


def hours(count: int, value=50.0, start: datetime = NOON):
    """Rows of a data array: one an hour; `value` is a number, or a function of the position."""
    told = value if callable(value) else lambda _: value
    return [[(start + timedelta(hours=n)).isoformat(), told(n)] for n in range(count)]
