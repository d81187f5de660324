"""An officer: the queue, before and after, and a decision by keyboard."""

from playwright.sync_api import expect

from tests.browser.conftest import wait_for_map


def test_officer__keyboard__through_the_queue_to_a_decision(sign_in, site):
    first, second, _ = site.findings
    page = sign_in("O1")
    expect(page).to_have_url(f"{site.url}/review")
    waiting = page.locator("#queue a").count()
    expect(page.locator("#queue a[aria-current=true]")).to_contain_text(first)
    page.keyboard.press("j")
    page.wait_for_url(f"**/review/{second}")
    page.keyboard.press("k")
    page.wait_for_url(f"**/review/{first}")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_be_focused()
    expect(page.locator("#decision [value=reject]")).to_be_checked()
    page.keyboard.type("a ploughed field, jar and all")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review?done={first}")
    expect(page.get_by_role("status")).to_contain_text(f"{first} is now “Rejected”")
    expect(page.locator("#queue a")).to_have_count(waiting - 1)
    expect(page.locator("#queue a[aria-current=true]")).to_contain_text(second)


def test_officer__images__are_drawn_side_by_side_and_over_each_other(sign_in, site):
    page = sign_in("O1")
    page.goto(f"/review/{site.findings[2]}")
    for image in page.locator("#compare img").all():
        expect(image).to_have_js_property("naturalWidth", 512)
    wait_for_map(page)
    page.keyboard.press("s")
    expect(page.locator("#swipe")).to_be_visible()
    page.locator("#swipe").fill("20")
    clip = page.eval_on_selector_all("#compare .frame", "frames => frames[1].style.clipPath")
    assert "80%" in clip
    page.keyboard.press("o")
    expect(page.locator("#compare .outline").first).to_be_hidden()


def test_officer__somebody_was_faster__is_told_and_nothing_changes(sign_in, site):
    # The last of the queue: tests run in any order, and the walk through the queue needs the first two.
    finding = site.findings[2]
    slow, fast = sign_in("O1"), sign_in("O2")
    for page in (slow, fast):
        page.goto(f"/review/{finding}")
        page.keyboard.press("a")
        page.keyboard.type("clearly visible")
    fast.keyboard.press("Enter")
    fast.wait_for_url("**/review?done=*")
    slow.keyboard.press("Enter")
    expect(slow.get_by_role("alert")).to_contain_text("was changed by somebody else")
    expect(slow.locator("main")).to_contain_text("Accepted as a lead")


def test_officer__signed_out__back_shows_nothing(sign_in):
    page = sign_in("O1")
    page.goto("/account")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/")
    page.goto("/review")
    expect(page.locator("h1")).to_have_text("Please sign in")
