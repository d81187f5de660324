"""Places of change at the label pages, before other questions; and the images that wait in quarantine at the desk."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from schemas import tables as t
from sensing.intake import Told
from tests.conftest import opened
from tests.database.conftest import dug as dug
from tests.database.digging import ground
from tests.unit.sensing.ground import blob
from tests.unit.sensing.pictures import noise, write_tif
from tests.web.conftest import HTML, SAME_ORIGIN, _signed_in
from web import scenes
from web.app import create_app


@pytest.fixture(scope="module")
def harvested(server, dug, tmp_path_factory):
    """A field was harvested between two dates, and an image without a place was handed in."""
    folder = tmp_path_factory.mktemp("harvested")
    made = replace(dug, database=server.clone(dug.database), files=folder / "data")
    shutil.copytree(dug.files, made.files)
    later = ground(dug=True)
    later.paint(blob((110, 90), 13, 5), "stubble")
    with opened(server, made) as services:
        told = Told(captured_at=datetime(2025, 6, 28, 3, tzinfo=UTC))
        after = scenes.ingest(services, [later.satellite(folder / "a.tif", seed=11)], told=told).scene.public_id
        scenes.segment(services, after, before=dug.before)
        scenes.ingest(services, [write_tif(folder / "nowhere.tif", noise(3, 20, 20), crs=None)])
    yield replace(made, after=after)
    server.drop(made.database)


@pytest.fixture
def beginning(harvested):
    return harvested


@pytest.fixture
def client(services):
    return _signed_in(create_app(services), "O1")


def page(client, path: str) -> str:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_ask__place_of_change__outline_and_both_dates_and_no_finding_is_claimed(client, harvested):
    told = page(client, f"/models/ask/{harvested.after}")
    assert "What changed inside the outline?" in told
    assert "None of them is a finding" in told
    assert re.search(r'<path d="M[\d. -]+Z', told)
    pictures = re.findall(r'src="(/models/ask/[^"]+\.png)"', told)
    assert [one.rsplit("/", 1)[1] for one in pictures] == ["before.png", "after.png"]
    drawn = [client.get(one) for one in pictures]
    assert all(one.data.startswith(b"\x89PNG") and one.headers["Cache-Control"] == "private, no-cache" for one in drawn)
    assert drawn[0].data != drawn[1].data


def test_ask__answered__becomes_a_label_and_the_next_place_stands_there(client, harvested, session):
    told = page(client, f"/models/ask/{harvested.after}")
    asked = re.search(r'name="proposal" value="(CP-\w+)"', told)[1]
    form = {"proposal": asked, "class": "none"}
    answer = client.post(f"/models/ask/{harvested.after}", data=form, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    row = session.scalars(select(t.ChangeProposal).where(t.ChangeProposal.public_id == asked)).one()
    assert (row.answer, session.get_one(t.Label, row.label_id).of_class) == ("none", "none")
    assert asked not in page(client, f"/models/ask/{harvested.after}")
    assert client.post(f"/models/ask/{harvested.after}", data=form, headers=SAME_ORIGIN).status_code == 409


@pytest.mark.parametrize(("word", "status"), [("castle", 422), ("", 422)])
def test_ask__answer_that_is_none__refused(client, harvested, word, status):
    asked = re.search(r'name="proposal" value="(CP-\w+)"', page(client, f"/models/ask/{harvested.after}"))[1]
    form = {"proposal": asked, "class": word}
    assert client.post(f"/models/ask/{harvested.after}", data=form, headers=SAME_ORIGIN).status_code == status


@pytest.mark.parametrize("path", ["CP-NONE/before.png", "CP-NONE/after.png"])
def test_ask__picture_of_an_unknown_place__404(client, harvested, path):
    assert client.get(f"/models/ask/{harvested.after}/changed/{path}").status_code == 404


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "does not say where on the earth"), ("zh", "未包含任何地理位置信息")]
)
def test_quarantine__desk__says_why_and_what_lets_it_in(client, lang, words):
    told = client.get("/review/quarantine", headers={**HTML, "Accept-Language": lang}).get_data(as_text=True)
    assert "nowhere.tif" in told
    assert words in told
    assert "--position-source" in told
    assert "<img" not in told.split("<main")[1]
