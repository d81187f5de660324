"""P11, 5.3: whatever a reader without an account can open, no byte of it is what the law does not show.

Built from `app.url_map`: a public route that the crawl does not reach fails here until tests/web/addresses.py has an
address of it, so that no new page, tile, download, feed or widget goes unlooked at.
"""

from __future__ import annotations

import gzip
import re
import sqlite3
import zipfile

import psycopg
import pyarrow as pa
import pytest

from geo.content import content_sha256
from schemas.clock import FixedClock
from schemas.tables import DeploymentPoint, Device, PatrolArea, PatrolRoute
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.proving import prove_all
from tests.web.addresses import ADDRESSES
from tests.web.canaries import CANARY, FORBIDDEN, plant
from tests.web.crawling import answers, ask, public_rules, reached, unpacked
from tests.web.findings import make_findings
from tests.web.speaking import speak
from web.app import create_app
from web.settings import Settings
from web.wiring import Services

# What anyone may read, of all texts that the house holds (requirements.md 5.2 and 5.3). Whatever else a page,
# a tile or a download says is a leak; whoever adds to this list has a reason.
PUBLIC_TEXTS = {
    *("authority.name_en", "authority.name_zh", "authority.contact_address", "authority.contact_channel"),
    "authority.contact_person",
    *("device.name", "device.purpose_en", "device.purpose_zh", "device_site.place_text", "signage.text"),
    *("drone.registration_no", "siting_plan.approval_no", "publication.receipt_id"),
    *("supervision_item.name_en", "supervision_item.name_zh"),
    *("legal_basis.title_en", "legal_basis.title_zh", "legal_basis.article"),
    *("patrol_area.name_en", "patrol_area.name_zh", "patrol_area.purpose_en", "patrol_area.purpose_zh"),
    *("deployment_point.name_en", "deployment_point.name_zh", "deployment_point.purpose_en"),
    *("deployment_point.purpose_zh", "deployment_point.place_text"),
    *("patrol_route.name_en", "patrol_route.name_zh", "privacy_zone.name_en", "privacy_zone.name_zh"),
    # Codes and kinds that 5.2 classes as public; open data name them where pages have words for them.
    *("authority.authority_type", "device.category", "device.owner_type", "patrol_area.code", "patrol_route.code"),
    *("deployment_point.code", "supervision_item.code", "privacy_zone.source", "patrol_route.mission_digest"),
    # What was public when it was shown stays so in the history; and what was published names its authority's code.
    *("public_change.title_en", "public_change.title_zh", "public_span.title_en", "public_span.title_zh"),
    *("public_span.status", "public_span.look", "authority.code"),
    # Reasons and corrections are written for everybody, in both languages and without names.
    *("zone_request.reasons_en", "zone_request.reasons_zh", "correction.text_en", "correction.text_zh"),
}
# Texts that no reader without an account may find, of which a row must have been planted for the crawl to mean much.
MUST_BE_PLANTED = {
    *("person.name_en", "device.serial_no", "qualification.certificate_no", "detection.provenance"),
    *("complaint.said", "complaint.contact", "complaint.reply", "complaint.note", "subscription.place_text"),
    *("zone_request.contact", "zone_request.asked_by", "zone_request.reason", "zone_request.place_text"),
}


class Crawled:
    """Everything that was answered, once for all tests of this module."""

    def __init__(self, app, planted, people):
        self.app, self.planted, self.people = app, planted, people
        self.client = app.test_client()
        self.answers = list(answers(self.client))
        self.paths = {answer.path for answer in self.answers}
        self.refusals = [answer for path in sorted(self._samples()) for answer in self._asked_wrongly(path)]

    def _samples(self):
        """One address for each route."""
        kept = {}
        for answer in self.answers:
            if answer.status == 200:
                for rule in reached(self.app, {answer.path}):
                    kept.setdefault(rule, answer.path)
        return kept.values()

    def _asked_wrongly(self, path):
        bare, _, query = path.partition("?")
        yield ask(self.client, path, "HEAD")
        yield ask(self.client, path, "OPTIONS")
        yield ask(self.client, path, "DELETE")
        for wrong in ("on=2025-06-15", "on=0000-00-00", "unheard_of=DV-SECRET"):
            yield ask(self.client, f"{bare}?{query + '&' if query else ''}{wrong}")
        yield ask(self.client, f"{bare.rstrip('/')}/DV-SECRET")

    def __iter__(self):
        yield from self.answers
        yield from self.refusals


@pytest.fixture(scope="module")
def crawl(server, world_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crawled")
    name = server.clone(world_template)
    database = server.database(name)
    services = Services(Settings(data_dir=folder / "data"), database, FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    services.data_dir.mkdir()
    make_findings(services, folder)
    speak(services)
    with psycopg.connect(database.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
        planted = plant(admin)
        people = {str(one) for (one,) in admin.execute("SELECT id FROM core.person")}
        hashed_anew(services, admin)
    prove_all(services)
    yield Crawled(create_app(services), planted, people)
    services.close()
    server.drop(name)


def hashed_anew(services, admin):
    """Lets publications be of what stands there now, canaries and all, so that proofs hold all of it."""
    with services.session() as session:
        for kind in (Device, PatrolArea, PatrolRoute, DeploymentPoint):
            for subject in session.query(kind):
                values = (content_sha256(session, subject), subject.id)
                admin.execute("UPDATE core.publication SET content_sha256 = %s WHERE subject_id = %s", values)


def test_P11__crawl__reaches_every_public_route(crawl):
    missed = set(public_rules(crawl.app)) - reached(crawl.app, {a.path for a in crawl.answers if a.status == 200})
    assert not missed, (
        f"no address that answers 200 was found for these public routes: {sorted(missed)}; "
        "add one of each to ADDRESSES in tests/web/addresses.py, so that the crawl looks at what it says"
    )


def test_P11__addresses__name_routes_that_exist(crawl):
    assert {*ADDRESSES} <= {*public_rules(crawl.app)}


def test_P11__every_byte__holds_no_text_but_the_public_ones(crawl):
    assert {*crawl.planted.values()} >= MUST_BE_PLANTED
    found = {}
    for answer in crawl:
        for number in re.findall(CANARY, answer.said):
            found.setdefault(crawl.planted[number], answer.path)
    assert {"deployment_point.place_text", "device.purpose_en", "publication.receipt_id"} <= {*found}
    leaks = {said: path for said, path in found.items() if said not in PUBLIC_TEXTS}
    assert not leaks, f"texts that requirements.md 5.2 does not class as public: {leaks}"


def test_GD_14_6__every_byte__knows_no_secret_no_draft_and_no_bearing(crawl):
    for answer in crawl:
        asked = re.sub(r"DV-SECRET|SECRET", "", answer.said)  # a page may repeat what it was asked
        assert not re.search(FORBIDDEN, asked), (answer.method, answer.path)


def test_5_3__every_byte__names_no_person(crawl):
    for answer in crawl:
        assert not [one for one in crawl.people if one in answer.said], answer.path


def test_5_3__sensitive_zone__is_there_and_says_no_more_than_that(crawl):
    assert any("PZ-HIDDEN" in answer.said for answer in crawl.answers)


def test_P11__what_is_asked_wrongly__is_refused_and_never_a_fault(crawl):
    assert {answer.path: answer.status for answer in crawl if answer.status >= 500} == {}
    assert len(crawl.refusals) > 40


def test_P11__nobody_is_given_a_cookie_that_knows_him(crawl):
    for answer in crawl:
        for name in re.findall(r"(?m)^Set-Cookie: ([^=]+)=", answer.said):
            assert name == "lang", answer.path


@pytest.mark.parametrize(
    ("packed", "failure"),
    [
        (b"\x1f\x8b", gzip.BadGzipFile),
        (b"PK\x03\x04", zipfile.BadZipFile),
        (b"SQLite format 3\x00", sqlite3.DatabaseError),
        (b"PAR1", pa.ArrowInvalid),
    ],
)
def test_unpacked__what_only_looks_packed__fails_the_crawl_loudly(packed, failure):
    with pytest.raises(failure):
        unpacked(packed + b"nothing of the kind", "")
