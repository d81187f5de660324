"""The zone desk: zones by source, requests decided with reasons on what they would reach, and the public register."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from shapely.geometry import Polygon, box
from sqlalchemy import select

from geo import commands
from schemas.actors import ANONYMOUS
from schemas.tables import Authority, Device, PrivacyZone
from tests.web.conftest import HTML, SAME_ORIGIN

HOME = box(113.2640, 23.1330, 113.2643, 23.1332)
AROUND_DV1 = box(113.2598, 23.1298, 113.2602, 23.1302)
DECISION = {
    "reasons": "It is a home.",
    "told_en": "A home next to the path.",
    "told_zh": "道路旁的住宅。",
    "name_en": "A home",
    "name_zh": "住宅",
    "kind": "requested",
    "buffer_m": "5",
    "valid_to": "",
    "version": "1",
}


@pytest.fixture
def ask(services):
    return lambda shape=HOME, **more: asked(services, shape, **more)


@pytest.fixture(scope="module")
def asked_once(shared_app):
    """A request that nobody decides, for tests that change nothing."""
    return asked(shared_app.extensions["services"])


def asked(services, shape: Polygon = HOME, **more):
    told = {"place_text": "7 Qinghe Lane", "reason": "A family", "asked_by": "Somebody", "contact": "s@example.org"}
    with services.work(ANONYMOUS) as work:
        authority = work.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        made = commands.ask_zone(work, commands.NewRequest(authority=authority, shape=shape, **told | more))
        work.commit()
    return made.public_id


def post(client, name, **changed):
    data = DECISION | {"decision": "granted"} | changed
    return client.post(f"/zones/request/{name}", data=data, headers={**SAME_ORIGIN, **HTML})


def page(client, path):
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_desk__zones_by_source__requests_for_the_unit_head_alone(signed_in, ask):
    name = ask()
    text = page(signed_in("H1"), "/zones")
    assert "1 request waits for a decision" in text
    assert name in text
    assert "Bath-house Z1" in text
    assert "113.264" in text
    other = page(signed_in("N1"), "/zones")
    assert name not in other
    assert "7 Qinghe Lane" not in other
    assert "113.264" not in other
    assert "No zone matches." in page(signed_in("N1"), "/zones?source=survey")


@pytest.mark.parametrize("query", ["source=gossip", "kind=castle"])
def test_desk__filters_that_mean_nothing__422(reading_as, query):
    assert reading_as("H1").get(f"/zones?{query}", headers=HTML).status_code == 422


def test_GD_15__request__tells_what_it_would_stop(signed_in, ask, work):
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    name = ask(AROUND_DV1)
    text = page(signed_in("H1"), f"/zones/request/{name}")
    assert "This zone would stop 1 thing that is in use" in text
    assert "/registry/device/DV-DV1" in text
    # And so it does, with the decision itself.
    assert post(signed_in("H1"), name).status_code == 303
    assert "DV1 is stopped: GD-15" in page(signed_in("H1"), "/registry/device/DV-DV1")
    done = page(signed_in("H1"), f"/zones/request/{name}")
    assert "stopped</span>" in done
    assert "PA-PA1" in done
    # It lies far from every device; the patrol area goes on around it.
    far = page(signed_in("H1"), f"/zones/request/{ask(HOME)}")
    assert "would stop nothing" in far
    assert "/registry/device/" not in far


def test_GD_15__a_camera_that_looks_in__is_reached_though_it_stands_outside(signed_in, ask, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        "UPDATE core.device SET sector_azimuth_deg = 90, hfov_deg = 40, range_m = 150 WHERE public_id = 'DV-DV1'"
    )
    ahead = page(signed_in("H1"), f"/zones/request/{ask(box(113.261, 23.1299, 113.2612, 23.1301))}")
    assert "/registry/device/DV-DV1" in ahead
    behind = page(signed_in("H1"), f"/zones/request/{ask(box(113.2588, 23.1299, 113.259, 23.1301))}")
    assert "/registry/device/DV-DV1" not in behind


def test_GD_15__granted__a_zone_from_now_on_and_told_in_the_register(signed_in, ask, services, client):
    name = ask()
    head = signed_in("H1")
    answer = post(head, name)
    assert (answer.status_code, answer.location) == (303, f"/zones/request/{name}?done=granted")
    assert "The zone was granted" in page(head, f"/zones/request/{name}")
    with services.session() as db:
        zone = db.scalars(select(PrivacyZone).where(PrivacyZone.source == "request")).one()
    assert (zone.name_zh, zone.buffer_m) == ("住宅", 5.0)
    public = page(client, "/zone-requests")
    assert "A home next to the path." in public
    for kept in ("7 Qinghe Lane", "Somebody", "s@example.org", "A family", "It is a home."):
        assert kept not in public


def test_GD_15__refused_with_reasons(signed_in, ask, client):
    name = ask()
    assert post(signed_in("H1"), name, decision="refused").status_code == 303
    assert "Refused" in page(client, "/zone-requests")
    assert post(signed_in("H1"), name).status_code == 409


def test_G_36__hidden_request__its_result_is_not_told(signed_in, ask, client):
    assert post(signed_in("H1"), ask(sensitive=True)).status_code == 303
    public = page(client, "/zone-requests")
    assert "A home next to the path." not in public
    assert "Granted" not in public


@pytest.mark.parametrize(
    "changed",
    [
        {"told_zh": " "},
        {"reasons": ""},
        {"decision": "perhaps"},
        {"buffer_m": "nan"},
        {"buffer_m": "1e9"},
        {"kind": "castle"},
        {"valid_to": "2020-01-01"},
        {"valid_to": "soon"},
        {"version": "7"},
        {"version": ""},
        {"name_en": "x" * 300},
    ],
    ids=str,
)
def test_decision__told_wrongly__refused_and_what_was_typed_stays(reading_as, asked_once, shared_app, changed):
    answer = post(reading_as("H1"), asked_once, **changed)
    assert answer.status_code in (409, 422)
    assert "Nothing was recorded" in answer.text
    if "reasons" not in changed:
        assert "It is a home." in answer.text
    with shared_app.extensions["services"].session() as db:
        assert db.scalars(select(PrivacyZone).where(PrivacyZone.source == "request")).all() == []


def test_decision__of_another_site__403(reading_as, asked_once):
    answer = reading_as("H1").post(
        f"/zones/request/{asked_once}", data=DECISION, headers={"Sec-Fetch-Site": "cross-site", **HTML}
    )
    assert answer.status_code == 403


def test_request__to_another_authority__404(signed_in, ask, admin):
    name = ask()
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.zone_request SET authority_id = (SELECT id FROM core.authority WHERE code = 'A2')")
    assert signed_in("H1").get(f"/zones/request/{name}", headers=HTML).status_code == 404
    assert post(signed_in("H1"), name).status_code == 404


def test_register__of_nothing__says_what_will_appear(client):
    assert "Nobody has asked for a privacy zone yet." in page(client, "/zone-requests")


def test_register__in_pages(client, ask, monkeypatch):
    from web.zones import register

    monkeypatch.setattr(register, "PAGE_SIZE", 1)
    names = {ask(), ask()}
    first = page(client, "/zone-requests")
    (seen,) = [name for name in names if name in first]
    address = f"/zone-requests?month=2025-07&before={seen}"
    assert address.replace("&", "&amp;") in first
    assert (names - {seen}).pop() in page(client, address)
    assert client.get("/zone-requests?before=ZR-1", headers=HTML).status_code == 422


def test_GD_15__unit_head_ends_a_zone__on_a_day_and_at_once(signed_in, clock, ask, services):
    clock.advance(datetime.now(UTC) - timedelta(minutes=3) - clock.now())
    client, name = signed_in("H1"), ask()
    post(client, name)
    clock.advance(timedelta(minutes=1))
    with services.session() as db:
        zone = commands.request_of(db, name).zone
    path = f"/zones/zone/{zone}"
    assert path in page(client, "/zones")
    assert "It has no end." in page(client, path)
    later = (clock.now() + timedelta(days=9)).date().isoformat()
    assert end(client, path, reason=" ").status_code == 422
    assert end(client, path, reason="moved away", ends_on="1999-01-01").status_code == 422
    assert end(client, path, reason="moved away", ends_on=later).status_code == 303
    assert f"It ends on {later}" in page(client, path)
    assert end(client, path, reason="moved away today").status_code == 303
    assert client.get(path, headers=HTML).status_code == 404
    assert zone not in page(client, "/zones")


def end(client, path, **told):
    return client.post(path, data={"step": "end", "reason": "", "ends_on": ""} | told, headers={**SAME_ORIGIN, **HTML})
