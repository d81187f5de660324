"""The registry in a browser: from the approval to retirement, what was typed is not lost, and every page is for all."""

from __future__ import annotations

import io
import json
import re
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from sqlalchemy import text

from geo.commands import block_where_due
from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, PHONE_PX, press, shoot, wait_for_map
from tests.browser.test_looks import fits
from tests.conftest import SHANGHAI
from web.channels import FolderChannel
from web.delivery import deliver

DV1 = "/registry/device/DV-DV1"
PUBLISH = "/registry/publication/DV-DV1"


@contextmanager
def at(site, moment: datetime):
    """The clock of the site on another day; sessions last for hours only, so each person signs in anew."""
    before = site.services.clock.at
    site.services.clock.at = moment
    try:
        yield
    finally:
        site.services.clock.at = before


def set_back(site) -> None:
    """DV1 as it was when it was approved: a measuring instrument, reviewed, on no channel, its sign not seen."""
    admin = site.services.database.admin_engine()
    with admin.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM core.publication WHERE subject_kind = 'device'"))
        connection.execute(text("DELETE FROM core.signage"))
        connection.execute(
            text(
                "UPDATE core.device SET state = 'reviewed', activated_on = NULL, is_measuring_instrument = true"
                " WHERE public_id = 'DV-DV1'"
            )
        )
    admin.dispose()


def witnessed(site) -> None:
    """Publications were recorded when they appeared: the database's own clock is not that of the test."""
    admin = site.services.database.admin_engine()
    with admin.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE core.publication SET recorded_at = published_at"))
    admin.dispose()


def picture(folder: Path) -> str:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(out, "JPEG")
    path = folder / "sign.jpg"
    path.write_bytes(out.getvalue())
    return str(path)


def step(page: Page, title: str):
    """The form of a step, opened."""
    found = page.locator("details.step").filter(has=page.get_by_text(title, exact=True))
    if found.get_attribute("open") is None:
        found.locator("summary").first.click()
    return found


def done(page: Page) -> None:
    expect(page.get_by_role("status").first).to_contain_text("Recorded")


def test_GD_14__approved_announced_used_blocked_maintained_and_given_up(site, sign_in, open_page, tmp_path):
    set_back(site)
    folder = tmp_path / "official"
    site.services.__dict__["channels"] = {"official_disclosure": FolderChannel(folder)}
    announce(site, sign_in("O1", scripts=False), folder, tmp_path)
    witnessed(site)

    with at(site, datetime(2025, 7, 31, 23, 0, tzinfo=SHANGHAI)):
        page = sign_in("H1", scripts=False)
        page.goto(DV1)
        expect(page.locator("h1")).to_contain_text("may be used from 2025-08-01 (Fri), in 1 day")
        press(step(page, "Put it into use").locator("[type=submit]"))
        expect(page.get_by_role("alert")).to_contain_text("2025-08-01")
    with at(site, datetime(2025, 8, 1, 9, 0, tzinfo=SHANGHAI)):
        page = sign_in("H1", scripts=False)
        page.goto(DV1)
        press(step(page, "Put it into use").locator("[type=submit]"))
        expect(page.locator("h1")).to_contain_text("DV1 is in use")
        public = open_page("/device/DV-DV1", scripts=False)
        expect(public.locator("#card")).to_contain_text("2025-08-01")
    with at(site, datetime(2025, 9, 1, 9, 0, tzinfo=SHANGHAI)):
        stopped_and_back(site, sign_in)
    with at(site, datetime(2025, 9, 2, 9, 0, tzinfo=SHANGHAI)):
        paused_and_back(sign_in("O1"))
        given_up(sign_in("H1"), open_page)


def announce(site, page: Page, folder: Path, tmp_path: Path) -> None:
    page.goto("/registry/publication")
    expect(page.locator("h1")).to_contain_text("1 approval waits to be announced")
    press(page.get_by_role("link", name=re.compile("Camera DV1")).first)
    expect(page.locator("[lang=zh-CN].public-text")).to_contain_text("污染巡查")
    press(page.get_by_role("button", name="Send to this channel"))
    done(page)
    assert [one.outcome for one in deliver(site.services, site.services.channels)] == ["handed_over"]
    (sent,) = (folder / "out").glob("*.json")
    (folder / "in" / sent.name).write_text(receipt_for(sent), encoding="utf-8")
    site.services.clock.at += timedelta(minutes=1)
    assert [one.outcome for one in deliver(site.services, site.services.channels)] == ["published"]
    page.reload()
    expect(page.locator("#channel-official_disclosure")).to_contain_text("GD-2025-7")
    press(page.get_by_role("button", name="Show it on the public map"))
    done(page)
    press(step(page, "Begin the notice period").locator("[type=submit]"))
    done(page)
    page.goto(DV1)
    sign = step(page, "The sign was seen")
    sign.get_by_label("What it says").fill("Camera of the bureau, questions to +86 00")
    sign.locator("input[type=file]").set_input_files(picture(tmp_path))
    press(sign.locator("[type=submit]"))
    done(page)
    expect(page.get_by_alt_text("Photo: sign.jpg")).to_be_visible()
    calibrated(page, "C-1", "2025-07-02", "2025-08-31")


def receipt_for(sent: Path) -> str:
    asked = json.loads(sent.read_bytes())
    told = {"receipt_id": "GD-2025-7", "published_at": "2025-07-02T09:30:00+08:00"}
    return json.dumps({name: asked[name] for name in ("dispatch", "content_sha256")} | told)


def calibrated(page: Page, number: str, on: str, until: str) -> None:
    page.goto(DV1)
    test = step(page, "It was calibrated or verified")
    test.get_by_label("By which institute").fill("Institute (fictional)")
    test.get_by_label("Number of the certificate").fill(number)
    test.get_by_label("Tested on").fill(on)
    test.locator("[name=valid_to]").fill(until)
    press(test.locator("[type=submit]"))
    done(page)


def stopped_and_back(site, sign_in) -> None:
    assert len(list(block_where_due(site.services.work))) == 1
    page = sign_in("T1", scripts=False)
    page.goto(DV1)
    expect(page.locator("h1")).to_contain_text("DV1 is stopped: GD-22.2")
    calibrated(page, "C-2", "2025-09-01", "2026-08-31")
    page.goto(DV1)
    repair = step(page, "It was repaired")
    repair.get_by_label("What was done").fill("Verified anew")
    repair.get_by_label("By whom").fill("Institute (fictional)")
    press(repair.locator("[type=submit]"))
    done(page)
    page = sign_in("H1", scripts=False)
    page.goto(DV1)
    back = step(page, "Take it back into use")
    back.get_by_label("What has been done about the cause").fill("Verified anew")
    press(back.locator("[type=submit]"))
    expect(page.locator("h1")).to_contain_text("DV1 is in use")


def paused_and_back(page: Page) -> None:
    page.goto(DV1)
    pause = step(page, "Pause it for maintenance")
    pause.get_by_label("Reason, for the record").fill("New lens")
    # What was typed is there when somebody comes back, and gone once it is recorded.
    page.goto("/registry")
    page.goto(DV1)
    pause = page.locator("details.step[open]").filter(has=page.get_by_text("Pause it for maintenance", exact=True))
    expect(pause.get_by_label("Reason, for the record")).to_have_value("New lens")
    pause.get_by_label("Expected end").fill("2025-09-05")
    press(pause.locator("[type=submit]"))
    expect(page.locator("h1")).to_contain_text("paused for maintenance until 2025-09-05")
    press(step(page, "Take it back into use").locator("[type=submit]"))
    expect(page.locator("h1")).to_contain_text("DV1 is in use")
    page.goto(DV1)
    expect(step(page, "Pause it for maintenance").get_by_label("Reason, for the record")).to_have_value("")


def given_up(page: Page, open_page) -> None:
    page.goto(PUBLISH)
    end = step(page, "Give it up for good")
    end.get_by_label("Reason, for the record").fill("The plant has closed")
    button = end.locator("[type=submit]")
    button.click()
    expect(button).to_contain_text("Are you sure?")
    press(button)
    expect(page.locator("h1")).to_contain_text("Removed")
    public = open_page("/device/DV-DV1")
    expect(public.locator("main")).to_contain_text("given up")


def test_list_and_map__are_one_thing_and_the_address_holds_the_filters(sign_in):
    page = sign_in("O1")
    page.goto("/registry")
    wait_for_map(page)
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
    expect(page.locator("[data-place]").first).to_be_focused()
    expect(page.locator("[data-place][aria-current]")).to_have_count(1)
    page.select_option("#f-kind", "radar")
    page.wait_for_url("**kind=radar*")
    expect(page.locator("#results")).to_contain_text("No device matches")
    page.go_back()
    expect(page.locator("#f-kind")).to_have_value("")


@pytest.mark.parametrize(
    ("person", "path"), [("N1", "/planner?state=all"), ("H1", "/zones"), ("O1", "/registry/due?days=365")]
)
def test_list__j_and_k_walk_it_and_a_question_mark_tells_the_keys(sign_in, person, path):
    page = sign_in(person)
    page.goto(path)
    lines = page.locator(".waits a:visible, .stack tbody tr").locator("xpath=descendant-or-self::a[1]")
    page.keyboard.press("j")
    expect(lines.first).to_be_focused()
    page.keyboard.press("k")
    expect(lines.first).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Next line of the lists")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(lines.first).to_be_focused()


PAGES = {
    "registry": ("O1", "/registry"),
    "registry-device": ("H1", "/registry/device/DV-DR1"),
    "registry-publication": ("O1", "/registry/publication"),
    "registry-announce": ("H1", "/registry/publication/PA-PA1"),
    "registry-due": ("O1", "/registry/due?days=365"),
    "registry-report": ("H1", "/registry/report?year=2025"),
    "registry-rules": ("H1", "/registry/rules"),
    "registry-contact": ("O1", "/registry/contact"),
    "zones": ("H1", "/zones"),
    "zone-requests": (None, "/zone-requests"),
}


@pytest.mark.parametrize(("size", "lang"), [("desk", "en"), ("phone", "zh")])
def test_pages__fit_are_shot_and_open_to_all(sign_in, open_page, size, lang):
    pages = {None: open_page("/privacy", lang=lang, size=DESK_PX if size == "desk" else PHONE_PX)}
    for name, (code, path) in PAGES.items():
        if code not in pages:
            pages[code] = sign_in(code, lang=lang, size=DESK_PX if size == "desk" else PHONE_PX)
        page = pages[code]
        page.goto(path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert fits(page), name
        assert faults(page) == [], name
        shoot(page, f"{name}-{size}-{lang}", whole=True)


def test_pages__in_the_dark__have_contrast(sign_in):
    page = sign_in("H1", scheme="dark")
    for path in ("/registry", "/registry/publication/PA-PA1", "/registry/rules", "/registry/contact", "/zones"):
        page.goto(path)
        assert faults(page) == [], path


def test_device__by_keyboard_alone(sign_in):
    page = sign_in("O1")
    page.goto("/registry/device/DV-DR1")
    page.locator("details.step summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.step").first).to_have_attribute("open", "")
    page.keyboard.press("Tab")
    expect(page.locator("details.step").first.locator("input:focus, button:focus, textarea:focus")).to_have_count(1)
