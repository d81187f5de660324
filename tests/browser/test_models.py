"""An officer teaches: a click and an area on the map, kept as labels; questions are answered by one key."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from schemas import tables as t
from tests.browser.conftest import wait_for_map
from web import learning


@pytest.fixture
def scene(site):
    with site.services.session() as db:
        return db.scalars(select(t.Scene.public_id).order_by(t.Scene.captured_at)).first()


def test_officer__clicks_and_areas__are_kept_as_labels(sign_in, scene):
    page = sign_in("O1")
    page.goto(f"/models/label/{scene}")
    wait_for_map(page)
    expect(page.locator("#tools")).to_be_visible()
    expect(page.locator("#keep")).to_be_disabled()
    box = page.locator("#map canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(x, y)
    page.keyboard.press("1")
    page.mouse.click(x + 60, y + 20)
    page.keyboard.press("p")
    for dx, dy in ((-90, -40), (-40, -40), (-40, 10), (-90, -40)):
        page.mouse.click(x + dx, y + dy)
    expect(page.locator("#drawn")).to_contain_text("3")
    marks = json.loads(page.locator("#marks").input_value())["features"]
    assert [one["geometry"]["type"] for one in marks] == ["Point", "Point", "Polygon"]
    assert marks[0]["properties"]["class"] == "none" != marks[1]["properties"]["class"]
    page.keyboard.press("u")
    expect(page.locator("#drawn")).to_contain_text("2")
    page.locator("#keep").click()
    page.wait_for_url("**?done=2")
    expect(page.get_by_role("status").first).to_contain_text("2 labels were kept")


def test_officer__asks_where_to_click__is_told_why_when_there_is_too_little(sign_in, site, scene):
    page = sign_in("O1")
    page.goto(f"/models/ask/{scene}")
    page.get_by_role("button", name="Find the places").click()
    expect(page.locator("progress")).to_be_visible()
    assert learning.do_next(site.services)
    expect(page.locator("main")).to_contain_text("at least 4 are needed")
