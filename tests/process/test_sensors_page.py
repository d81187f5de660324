"""The lines of docs/sensors.md, run as they stand: a real server, a real broker, curl and mosquitto_pub."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from shapely.geometry import Point
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.limits import limit
from schemas.refusals import RuleViolation
from tests.brokers import broker, command, ingesting, until
from tests.serving import served
from tests.stations import add_station

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sensors.md"
LINES = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def address(services, database):
    engine = database.admin_engine()
    with Session(engine) as session:
        add_station(session, "A", Point(113.26, 23.131))
        session.commit()
    engine.dispose()
    with served(services) as port:
        yield f"http://127.0.0.1:{port}/sta/v1.1"


def run(lines, told):
    script = "set -euo pipefail\n" + "\n".join(lines) + '\necho; echo "STREAM $STREAM"\n'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=told, timeout=250, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_page__every_line__does_what_it_says(services, address, tmp_path):
    made = json.loads(command(services, "token", "issue", "DV-A", "--json").output)
    told = {"PATH": "/usr/bin:/bin", "STA": address, "NAME": made["id"], "TOKEN": made["token"]}
    series, *http, mqtt, reading, beat = LINES
    stream = re.search(r"STREAM (\d+)", run([series, *http], told))[1]
    # The broker learns of the new series when its files are written.
    home = tmp_path / "broker"
    with broker(services, home) as port, ingesting(services, home, port) as worker:
        run([mqtt], told | {"STREAM": stream, "BROKER": "127.0.0.1", "PORT": str(port)})
        until(lambda: worker.counted["stored"] == 3)
    assert '"faults": []' in run([beat], told | {"STREAM": stream})
    page = json.loads(run([reading], told | {"STREAM": stream}).splitlines()[0])
    assert page["@iot.count"] == 5
    assert [one["result"] for one in page["value"]] == [91.0, 90.0]
    assert page["value"][0]["Datastream"] == {"name": "fine dust at the gate"}
    with services.session() as session:
        stored = session.scalars(select(t.Observation.result).order_by(t.Observation.phenomenon_time)).all()
    assert stored == [71.5, 80.25, 83.0, 85.5, 90.0, 91.0]


def test_page__names_every_limit_of_a_query():
    told = PAGE.read_text(encoding="utf-8")
    for name in ("things.rows", "things.filter", "things.depth", "things.page"):
        assert f"{limit(name):,}" in told


def test_token__issued_listed_and_revoked_by_command__shown_once(services, address):
    assert address
    made = json.loads(command(services, "token", "issue", "DV-A", "--json").output)
    told = command(services, "token", "list").output
    assert made["id"] in told
    assert made["token"] not in told
    with services.session() as session:
        row = session.scalars(select(t.DeviceToken)).one()
        assert made["token"] not in repr(vars(row))
    assert command(services, "token", "revoke", made["id"], "--reason", "lost").exit_code == 0
    assert "revoked" in command(services, "token", "list").output


@pytest.mark.parametrize("days", [0, 367])
def test_token__for_no_time_or_for_years__refused(services, address, days):
    assert address
    done = command(services, "token", "issue", "DV-A", "--days", days)
    assert isinstance(done.exception, RuleViolation)


def test_ingest__from_another_machine_in_clear__refused(services, tmp_path):
    done = command(services, "ingest", "--broker", "192.0.2.1:1883", "--files", tmp_path)
    assert isinstance(done.exception, RuleViolation)
    assert done.exception.refusals[0].rule == "things.plain_mqtt"
