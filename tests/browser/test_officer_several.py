"""An officer takes several findings of the queue at once, by keyboard and pointer, and goes on looking meanwhile."""

from playwright.sync_api import expect

from tests.browser.conftest import wait_for_map
from tests.browser.test_officer import SMALL_PX

FINDINGS = 4


def test_officer__several_selected__kept_from_one_to_the_next_and_rejected_with_one_reason(sign_in, site):
    page = sign_in("O1", size=SMALL_PX)
    page.goto("/review")
    wait_for_map(page)
    expect(page.locator("#several")).to_be_hidden()
    first = page.locator("#map").get_attribute("data-finding")
    page.keyboard.press("v")
    expect(page.locator("#several output")).to_have_text("1")
    page.keyboard.press("j")
    expect(page.locator("#map")).not_to_have_attribute("data-finding", first)
    second = page.locator("#map").get_attribute("data-finding")
    page.keyboard.press("v")
    expect(page.locator("#several output")).to_have_text("2")
    page.select_option("#several-code", "ploughed_field")
    page.get_by_role("button", name="Reject them").click()
    expect(page.locator("#desk-head [role=status]")).to_have_text("2 findings are rejected")
    expect(page.locator("#queue a")).to_have_count(FINDINGS - 2)
    assert page.locator("#map").get_attribute("data-finding") not in (first, second)
    # Each can be taken back by itself.
    page.keyboard.press("z")
    expect(page.locator("#queue a")).to_have_count(FINDINGS - 1)


def test_officer__keys_while_the_next_one_is_on_its_way__decide_nothing(sign_in, site):
    page = sign_in("O1", size=SMALL_PX)
    page.goto("/review")
    wait_for_map(page)
    opened = page.locator("#map").get_attribute("data-finding")
    held = []
    page.route("**/review/DT-*", lambda route: held.append(route))
    with page.expect_request("**/review/DT-*"):
        page.keyboard.press("j")
    expect(page.locator("body")).to_have_attribute("aria-busy", "true")
    page.keyboard.press("r")
    expect(page.locator("#decision [name=decision]:checked")).to_have_count(0)
    # The request is told of before it is handed over to be held.
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.locator("#map")).not_to_have_attribute("data-finding", opened)
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_be_focused()
