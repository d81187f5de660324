"""A device of others asked for and granted, a zone decided, an incident answered: in a browser, and open to all."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from geo.commands import NewRequest, ask_zone, report_incident
from geo.commands.incidents import OTHER_VIEW
from schemas.actors import ANONYMOUS, SYSTEM
from schemas.tables import Authority, Device
from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, PHONE_PX, press, shoot
from tests.browser.test_looks import fits
from tests.web.test_zone_pages import HOME

FINDINGS = 0
LOOKS = [("desk", "en"), ("phone", "zh")]
SIZES = {"desk": DESK_PX, "phone": PHONE_PX}


def is_sound(page, name, look):
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert fits(page), name
    assert faults(page) == [], name
    shoot(page, f"{name}-{look}", whole=True)


@pytest.mark.parametrize(("size", "lang"), LOOKS)
def test_S03__found_asked_for_and_granted(sign_in, size, lang):
    look = f"{size}-{lang}"
    page = sign_in("O4", lang=lang, size=SIZES[size])
    page.goto("/planner/uses")
    page.fill("#q", "DV1")
    page.fill("#lon", "113.2602")
    page.fill("#lat", "23.1301")
    press(page.locator("form[action='/planner/uses'] [type=submit]"))
    is_sound(page, "uses-found", look)
    press(page.locator("#found a[href='/planner/uses/DV-DV1']"))
    page.fill("#purpose_en", "Joint inspection of the outfall")
    page.select_option("#item", "ECO-01")
    press(page.locator("form[data-draft] [type=submit]"))
    expect(page.locator("#purpose_zh")).to_have_attribute("aria-invalid", "true")
    is_sound(page, "uses-refused", look)
    # What was typed is there after a refusal, and after a reload.
    page.fill("#purpose_zh", "排口联合检查")
    page.once("dialog", lambda dialog: dialog.accept())
    page.goto("/planner/uses/DV-DV1")
    expect(page.locator("#purpose_zh")).to_have_value("排口联合检查")
    page.fill("#valid_to", "2025-08-01")
    press(page.locator("form[data-draft] [type=submit]"))
    expect(page.get_by_role("status").first).to_be_visible()
    is_sound(page, "uses-asked", look)

    head = sign_in("H1", lang=lang, size=SIZES[size])
    head.goto("/registry")
    press(head.locator(".waiting-for-you a[href='/registry/uses']"))
    is_sound(head, "uses-to-answer", look)
    press(head.locator("ul.waits a").first)
    grant = head.locator("#uses ~ article details.step").first
    grant.locator("summary").click()
    grant.locator("[name=reason]").fill("It is our common river.")
    press(grant.locator("[type=submit]"))
    is_sound(head, "uses-answered", look)
    page.reload()
    expect(page.locator("main")).to_contain_text("It is our common river.")


def test_S03__without_scripts__asked_for_and_refused(sign_in):
    page = sign_in("O4", scripts=False)
    page.goto("/planner/uses?q=DV1")
    press(page.locator("#found a[href='/planner/uses/DV-DV1']"))
    page.fill("#purpose_en", "Spot check")
    page.fill("#purpose_zh", "抽查")
    page.fill("#valid_to", "2025-07-20")
    page.select_option("#item", "ECO-01")
    press(page.locator("form[data-draft] [type=submit]"))
    expect(page.locator("main")).to_contain_text("Spot check")

    head = sign_in("H1", scripts=False)
    head.goto("/registry/device/DV-DV1#uses")
    refuse = head.locator("#uses ~ article details.step", has=head.locator("[value=refuse_use]")).first
    refuse.locator("summary").click()
    refuse.locator("[name=reason]").fill("Our own officers look there.")
    press(refuse.locator("[type=submit]"))
    page.reload()
    expect(page.locator("main")).to_contain_text("Our own officers look there.")


@pytest.mark.parametrize(("size", "lang"), LOOKS)
def test_zone_request__asked_refused_and_granted__open_to_all(site, sign_in, size, lang):
    look = f"{size}-{lang}"
    with site.services.work(ANONYMOUS) as work:
        authority = work.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        told = {"place_text": "7 Qinghe Lane", "reason": "A family", "asked_by": "Somebody", "contact": "s@example.org"}
        name = ask_zone(work, NewRequest(authority=authority, shape=HOME, **told)).public_id
        work.commit()
    page = sign_in("H1", lang=lang, size=SIZES[size])
    page.goto(f"/zones/request/{name}")
    is_sound(page, "zone-request", look)
    decide = page.locator("form[method=post]").filter(has=page.locator("[value=granted]")).first
    for field, said in {
        "reasons": "It is a home.",
        "told_en": "A home.",
        "name_en": "A home",
        "name_zh": "住宅",
    }.items():
        decide.locator(f"[name={field}]").first.fill(said)
    page.evaluate("for (const one of document.forms) one.noValidate = true")
    press(decide.locator("[value=granted]").first)
    expect(page.get_by_role("alert")).to_be_visible()
    is_sound(page, "zone-request-refused", look)
    decide.locator("[name=told_zh]").first.fill("住宅。")
    press(decide.locator("[value=granted]").first)
    expect(page.get_by_role("status")).to_be_visible()
    is_sound(page, "zone-request-granted", look)


@pytest.mark.parametrize(("size", "lang"), LOOKS)
def test_GD_20_1__incident__waits_at_the_centre_and_is_answered(site, sign_in, size, lang):
    look = f"{size}-{lang}"
    house = site.services
    with house.work(SYSTEM) as work:
        found = work.session.scalars(select(Device).where(Device.state == "active")).first()
        report_incident(work, found, kind="moved", text=OTHER_VIEW)
        work.commit()
    page = sign_in("C1", lang=lang, size=SIZES[size])
    page.goto("/registry")
    press(page.locator(".waiting-for-you a[href^='/sta/health']").first)
    is_sound(page, "health-incident", look)
    press(page.locator("#incidents ~ ul a").first)
    answer = page.locator("details.step", has=page.locator("[value=answer]")).first
    answer.locator("summary").click()
    answer.locator("[name=text]").fill("It stands as it stood.")
    press(answer.locator("[type=submit]"))
    expect(page.get_by_role("status").first).to_be_visible()
    is_sound(page, "health-answered", look)
    page.goto("/sta/health")
    expect(page.locator("#incidents")).to_have_count(0)
