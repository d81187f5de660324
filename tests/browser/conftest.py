"""A real Chromium on a live server, with the network cut: whatever is not ours is refused and remembered."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from schemas.clock import FixedClock
from schemas.tables import Person
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.mailbox import Mailbox, mail_server
from tests.serving import served
from tests.web.conftest import PASSWORD, password_hash
from tests.web.findings import make_findings
from tests.web.plans import flat_ground
from web.identity import sessions
from web.identity.request_identity import EXPIRY
from web.settings import Settings
from web.wiring import Services

# `./run test` names the browser that it found or installed; without it, the one on the path serves.
CHROMIUM = os.environ.get("SKYWARDEN_CHROMIUM") or shutil.which("chromium")
SCREENSHOTS = Path(__file__).resolve().parent.parent / "screenshots"
# WebGL without a graphics card, and none of the calls home that a desktop browser makes.
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # The network is cut: no name leads anywhere, and only what is asked of ourselves is answered.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
DESK_PX, PHONE_PX = (1440, 900), (390, 844)
# Whatever is to be done or seen may take its time where several browsers draw without a graphics card, and no test
# waits longer for it than it takes.
PATIENCE_MS = 60_000
MAP_TIMEOUT_MS = 90_000
LIMIT_S = 600
expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(LIMIT_S))


@dataclass
class Site:
    """The live server, what its world holds, and everything that went wrong in a browser on it."""

    url: str
    services: Services
    findings: list[str]
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def check(self) -> None:
        """No request elsewhere was tried, no script failed, and no policy was broken."""
        assert self.foreign == []
        assert self.complaints == []


@pytest.fixture(scope="module")
def site(server, world_template, tmp_path_factory, request) -> Iterator[Site]:
    name = server.clone(world_template)
    services = Services(
        Settings(data_dir=tmp_path_factory.mktemp("data")),
        server.database(name),
        FixedClock(TEN_ON_THE_FIRST_FLYING_DAY),
    )
    with closing(services):
        flat_ground(services.data_dir)
        # A module that decides more than the usual few says so, and one that needs none saves the time.
        count = getattr(request.module, "FINDINGS", 3)
        findings = make_findings(services, tmp_path_factory.mktemp("scenes"), count=count) if count else []
        with_passwords(services)
        with served(services) as port:
            yield Site(f"http://127.0.0.1:{port}", services, findings)
    server.drop(name)


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture(scope="module")
def mailing_site(server, world_template, tmp_path_factory, mailbox) -> Iterator[Site]:
    """The live server of an installation that sends mail, without findings."""
    name = server.clone(world_template)
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        smtp_url=f"smtp://127.0.0.1:{mailbox.port}",
        mail_from="watch@example.org",
        public_url="https://watch.example.org",
    )
    services = Services(settings, server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    with closing(services):
        with_passwords(services)
        with served(services) as port:
            yield Site(f"http://127.0.0.1:{port}", services, [])
    server.drop(name)


def with_passwords(services: Services) -> None:
    """Everybody can sign in."""
    admin = services.database.admin_engine()
    with admin.begin() as connection:
        connection.execute(text("UPDATE core.person SET password_hash = :hash"), {"hash": password_hash()})
    admin.dispose()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium: ./run test finds or installs one")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=2 * PATIENCE_MS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """`open_page("/list", lang="zh", size=PHONE_PX)` opens a page in a browser of its own."""
    contexts = []

    def make(path: str = "/", *, lang: str = "en", size=DESK_PX, scheme: str = "light", scripts: bool = True) -> Page:
        context = browser.new_context(
            base_url=site.url,
            viewport={"width": size[0], "height": size[1]},
            locale="zh-CN" if lang == "zh" else "en-GB",
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = overheard(context, site)
        page.goto(path)
        return page

    yield make
    for context in contexts:
        context.close()
    site.check()


def overheard(context: BrowserContext, site: Site) -> Page:
    """A page of which the site remembers what it asked of others, and every fault that it told."""
    page = context.new_page()
    context.on("request", lambda request: _asked(request.url, site))
    page.on("pageerror", lambda error: site.complaints.append(f"{page.url}: {error}"))
    page.on("console", lambda said: _listen(said, site))
    return page


# Listening leaves the browser its cache and its pace; a route of every request through the test would take both.
def _asked(url: str, site: Site) -> None:
    if not url.startswith((site.url, "data:", "blob:")):
        site.foreign.append(url)


def _listen(said, site: Site) -> None:
    # A status of 4xx is said in the console too; that is an answer of ours, not a fault.
    if said.type == "error" and "the server responded with a status of 4" not in said.text:
        site.complaints.append(said.text)


@pytest.fixture
def sign_in(open_page, site) -> Callable[..., Page]:
    """`sign_in("O1")` is a page of somebody who is signed in already, on nothing yet."""

    def go(code: str, **look) -> Page:
        house = site.services
        with Session(house.engine) as db:
            person_id = db.scalars(select(Person.id).where(Person.code == code)).one()
            token = sessions.start(db, person_id, house.clock.now(), EXPIRY)
            db.commit()
        page = open_page("/static/mark.svg", **look)
        page.context.add_cookies([{"name": "sid", "value": token, "url": site.url}])
        return page

    return go


@pytest.fixture
def sign_in_by_form(open_page) -> Callable[..., Page]:
    """`sign_in_by_form("O1")` signs that person in as people do, and is where that leads."""

    def go(code: str, **look) -> Page:
        page = open_page("/account/sign-in", **look)
        page.fill("#name", code)
        page.fill("#password", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    return go


@contextmanager
def leaving(page: Page) -> Iterator[None]:
    """Around what sends a form or follows a link: ends when the page that answers is there, and is the page."""
    with page.expect_navigation():
        yield


def press(button: Locator) -> None:
    """Presses what leads to another page, and waits until that is there."""
    with leaving(button.page):
        button.click()


def again(act: Callable[[], object], shown: Callable[[], None]) -> None:
    """Acts until it shows: a click on a map hits what is drawn by then. `shown` is an `expect(...)` of a second."""
    ends = time.monotonic() + MAP_TIMEOUT_MS / 1000
    while True:
        act()
        try:
            return shown()
        except AssertionError:
            if time.monotonic() > ends:
                raise


def wait_for_map(page: Page) -> None:
    """Until the map is drawn and idle; without a graphics card this takes a while."""
    page.wait_for_selector("#map[data-ready]", timeout=MAP_TIMEOUT_MS)


def shoot(page: Page, name: str, *, whole: bool = False) -> None:
    """Keeps a picture of the page in tests/screenshots, which git ignores."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)
