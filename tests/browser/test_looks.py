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


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("name", list(PUBLIC))
def test_public_page__fits_and_is_shot(open_page, name, size, lang):
    page = open_page(PUBLIC[name], lang=lang, size=SIZES[size])
    settle(page)
    assert fits(page)
    shoot(page, f"{name}-{size}-{lang}")


@pytest.mark.parametrize("name", ["home", "list", "selected"])
def test_public_page__in_the_dark__is_shot(open_page, name):
    page = open_page(PUBLIC[name], scheme="dark")
    settle(page)
    shoot(page, f"{name}-desk-dark")


@pytest.mark.parametrize("name", ["home", "list", "rules", "record"])
def test_public_page__at_360_px__fits(open_page, name):
    assert fits(open_page(PUBLIC[name], size=SIZES["narrow"]))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("name", list(DESKS))
def test_desk__fits_and_is_shot(sign_in, name, size, lang):
    code, path = DESKS[name]
    page = sign_in(code, lang=lang, size=SIZES[size])
    page.goto(path)
    settle(page)
    assert fits(page)
    shoot(page, f"{name}-{size}-{lang}", whole=size == "phone")
