"""The flight package: what a pilot takes along, the same bytes for the same flight, and nothing for anybody else."""

import hashlib
import io
import json
import zipfile

import pytest

from flights.canonical import fence_digest, mission_digest
from flights.formats import read_plan
from tests.database.flying import cleared, prechecked
from tests.web.plans import flat_ground


@pytest.fixture
def flight(services, work):
    flat_ground(services.data_dir)
    return cleared(work)


def files(answer):
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def test_package__cleared_flight__mission_and_fence_have_the_published_digests(signed_in, flight):
    taken = files(signed_in("F1").get(f"/pilot/flight/{flight}/package.zip"))
    digests = json.loads(taken["manifest.json"])["digests"]
    plan = read_plan(taken["mission.plan"], "mission.plan")
    assert mission_digest(plan.items) == digests["mission"]
    assert fence_digest(plan.fence.items) == digests["fence"]
    assert mission_digest(read_plan(taken["mission.waypoints"], "mission.waypoints").items) == digests["mission"]
    assert digests["mission"] == json.loads(taken["approval.json"])["approved"]["digests"]["published_mission"]


def test_package__manifest__names_every_file_with_its_hash(signed_in, flight):
    taken = files(signed_in("F1").get(f"/pilot/flight/{flight}/package.zip"))
    named = json.loads(taken.pop("manifest.json"))["sha256"]
    assert named == {name: hashlib.sha256(data).hexdigest() for name, data in taken.items()}


def test_package__sheet__stands_by_itself(signed_in, flight):
    sheet = files(signed_in("F1").get(f"/pilot/flight/{flight}/package.zip"))["sheet.html"].decode()
    assert flight in sheet
    assert "<svg" in sheet
    assert not {"http://", "https://", "src=", "<script", "<link"} & set(sheet.replace("<", " <").split())


def test_package__sheet__in_the_readers_language(signed_in, flight):
    sheet = files(signed_in("F1").get(f"/pilot/flight/{flight}/package.zip?lang=zh"))["sheet.html"].decode()
    assert "起飞前" in sheet


def test_package__parameters__enable_the_fence_last(signed_in, flight):
    lines = files(signed_in("F1").get(f"/pilot/flight/{flight}/package.zip"))["parameters.param"].decode().splitlines()
    assert lines[-1] == "FENCE_ENABLE,1"
    assert "FENCE_TYPE,5" in lines


def test_package__asked_twice__same_bytes(signed_in, flight):
    client = signed_in("F1")
    first, second = (client.get(f"/pilot/flight/{flight}/package.zip").data for _ in range(2))
    assert first == second


def test_DC_2__package_before_clearing__refused(signed_in, services, work):
    number = prechecked(work)
    assert signed_in("F1").get(f"/pilot/flight/{number}/package.zip").status_code == 409


def test_package__officer_without_the_role__403(signed_in, flight):
    assert signed_in("O1").get(f"/pilot/flight/{flight}/package.zip").status_code == 403
