"""Pictures of every page, in both languages, at a desk and on a phone, light and dark; and what they must not do."""

import pytest

from tests.browser.conftest import DESK_PX, PHONE_PX, shoot, wait_for_map

PUBLIC = {
    "home": "/",
    "selected": "/?sel=device/DV-DV1",
    "answer": "/?q=113.2610,23.1300",
    "list": "/list",
    "record": "/device/DV-DV1",
    "rules": "/rules",
    "privacy": "/privacy",
    "data": "/data",
    "sign-in": "/account/sign-in",
    "nothing": "/nowhere",
}
DESKS = {"pilot": ("F1", "/pilot"), "review": ("O1", "/review"), "account": ("O1", "/account")}
SIZES = {"desk": DESK_PX, "phone": PHONE_PX, "narrow": (360, 740)}


def fits(page):
    """Nothing sticks out sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def settle(page):
    if page.locator("#map").count():
        wait_for_map(page)


def visit(page, name, path, look, *, whole=False):
    page.goto(path)
    settle(page)
    assert fits(page), name
    shoot(page, f"{name}-{look}", whole=whole)


# One browser for all pages of a look: what it has fetched once it keeps, as a reader's does. English words are the
# longer ones: where they fit on the narrowest screen, they fit on every other.
LOOKS = [("desk", "en"), ("phone", "zh")]


@pytest.mark.parametrize(("size", "lang"), LOOKS)
def test_public_pages__fit_and_are_shot(open_page, size, lang):
    page = open_page("/privacy", lang=lang, size=SIZES[size])
    for name, path in PUBLIC.items():
        visit(page, name, path, f"{size}-{lang}")


def test_public_pages__in_the_dark__are_shot(open_page):
    page = open_page("/privacy", scheme="dark")
    for name in ("home", "list", "selected"):
        visit(page, name, PUBLIC[name], "desk-dark")


def test_public_pages__in_english_at_360_px__fit(open_page):
    page = open_page("/privacy", size=SIZES["narrow"])
    for name, path in PUBLIC.items():
        page.goto(path)
        assert fits(page), name


@pytest.mark.parametrize(("size", "lang"), LOOKS)
def test_desks__fit_and_are_shot(sign_in, size, lang):
    for name, (code, path) in DESKS.items():
        page = sign_in(code, lang=lang, size=SIZES[size])
        visit(page, name, path, f"{size}-{lang}", whole=size == "phone")


def test_desks__in_english_at_360_px__fit(sign_in):
    for name, (code, path) in DESKS.items():
        page = sign_in(code, size=SIZES["narrow"])
        page.goto(path)
        assert fits(page), name
