"""The picture of a finding as tiles, outlines that grow from clicks, and edits: all from the masked copy alone."""

import html
import io
import json

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import box, mapping, shape
from sqlalchemy import text

from geo.measure import area_m2
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.findings import PIT, make_findings
from tests.web.test_desk_zones import add_zone
from web import scenes

# The tile of the pit at the zoom level of the scene's own pixels.
PLACE = "15/26693/14220"


@pytest.fixture
def beginning(pictured):
    return pictured


@pytest.fixture
def findings(services, tmp_path):
    return make_findings(services, tmp_path)


def opened(answer):
    return np.asarray(Image.open(io.BytesIO(answer.data)))


def send(client, finding, **fields):
    data = {"version": "1", "reason": "", "code": "outline"} | fields
    return client.post(f"/review/{finding}", data=data, headers={**SAME_ORIGIN, **HTML})


def test_tiles__both_sides_in_every_combination__private_and_asked_for_anew(signed_in, findings):
    client = signed_in("O1")
    for side in ("before", "after"):
        for drawn in ("true_colour", "false_colour", "ndvi"):
            url = f"/review/{findings[0]}/tiles/{side}/{drawn}/{PLACE}.png"
            answer = client.get(url)
            assert (answer.status_code, answer.mimetype) == (200, "image/png")
            assert opened(answer)[..., 3].any()
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert client.get(url, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_finding_of_one_date__earlier_image_of_the_place__shown_and_told_that_it_was_not_compared(
    signed_in, findings, admin
):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.segmentation_run SET before_derivative_id = NULL")
    client = signed_in("O1")
    page = html.unescape(client.get(f"/review/{findings[0]}", headers=HTML).text)
    assert "no earlier image" not in page
    assert "not used by the machine" in page
    assert opened(client.get(f"/review/{findings[0]}/tiles/before/true_colour/{PLACE}.png"))[..., 3].any()
    assert client.get(f"/review/{findings[0]}/before.png").status_code == 200
    sheet = client.get(f"/review/{findings[0]}/sheet.html?lang=en", headers=HTML).text
    assert (sheet.count("data:image/png;base64,"), "not compared" in sheet) == (2, True)


NO_EARLIER = {
    "taken later": "captured_at = '2025-08-01'",
    "of another authority": "authority_id = (SELECT authority_id FROM core.person WHERE code = 'O4')",
    "of another place": "footprint = ST_Translate(footprint, 1, 0)",
}


@pytest.mark.parametrize("change", NO_EARLIER.values(), ids=NO_EARLIER.keys())
def test_finding_of_one_date__no_earlier_image_that_is_the_authoritys__said_so(signed_in, findings, admin, change):
    admin.execute("SET session_replication_role = replica")
    before = "(SELECT d.scene_id FROM core.segmentation_run r JOIN core.derivative d ON d.id = r.before_derivative_id)"
    admin.execute(f"UPDATE core.scene SET {change} WHERE id = {before}")
    admin.execute("UPDATE core.segmentation_run SET before_derivative_id = NULL")
    client = signed_in("O1")
    page = html.unescape(client.get(f"/review/{findings[0]}", headers=HTML).text)
    assert "Your authority has no earlier image of this place." in page
    assert client.get(f"/review/{findings[0]}/tiles/before/true_colour/{PLACE}.png").status_code == 404


REFUSED = {
    "after/swir/15/1/1": 422,
    "after/grey/15/1/1": 422,
    "after/none/15/1/1": 404,
    "after/veil/15/1/1": 404,
    "after/ndvi/99/1/1": 422,
    "after/ndvi/3/9/1": 422,
    "original/ndvi/1/1/1": 404,
    "after/ndvi/1/1/-1": 404,
}


def test_tiles__what_there_is_not__refused(signed_in, findings):
    client = signed_in("O1")
    got = {path: client.get(f"/review/{findings[0]}/tiles/{path}.png").status_code for path in REFUSED}
    assert got == REFUSED


def test_tiles__finding_of_another_authority__404(signed_in, findings):
    client = signed_in("O4")
    assert client.get(f"/review/{findings[0]}/tiles/after/ndvi/{PLACE}.png").status_code == 404
    asked = {"clicks": [{"lon": 113.261, "lat": 23.125, "inside": True}]}
    assert client.post(f"/review/{findings[0]}/grow", json=asked, headers=SAME_ORIGIN).status_code == 404


def test_GD_43__zone_comes_later__no_tile_and_no_outline_until_it_is_burnt_in(signed_in, findings, services, admin):
    client, url = signed_in("O1"), f"/review/{findings[0]}/tiles/after/true_colour/{PLACE}.png"
    asked = {"clicks": [{"lon": 113.261, "lat": 23.125, "inside": True}]}
    etag = client.get(url).headers["ETag"]
    # Elsewhere in the same image: the finding stays open, its picture waits.
    add_zone(admin, box(113.2700, 23.1300, 113.2710, 23.1310))
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 409
    assert client.post(f"/review/{findings[0]}/grow", json=asked, headers=SAME_ORIGIN).status_code == 409
    page = client.get(f"/review/{findings[0]}", headers=HTML)
    assert page.status_code == 200
    assert "privacy zone came after" in html.unescape(page.text)
    assert len(list(scenes.remask(services))) == 2
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 200


def test_grow__click_on_the_pit__its_outline_and_nothing_recorded(signed_in, findings, services):
    client = signed_in("O1")
    asked = {
        "clicks": [
            {"lon": 113.2611, "lat": 23.1240, "inside": True},
            {"lon": 113.2575, "lat": 23.1247, "inside": False},
        ]
    }
    answer = client.post(f"/review/{findings[0]}/grow", json=asked, headers=SAME_ORIGIN)
    assert answer.status_code == 200, answer.text
    told = answer.get_json()
    assert told["method"] == "watershed"
    assert told["area_m2"] == pytest.approx(area_m2(shape(told["shape"])))
    assert told["area_m2"] == pytest.approx(18 * 20 * 100, rel=0.2)


MALFORMED = [
    b"",
    b"[]",
    b"{",
    b'{"clicks": []}',
    b'{"clicks": [1]}',
    b'{"clicks": [{"lon": "x", "lat": 1, "inside": true}]}',
    b'{"clicks": [{"lon": 1, "lat": 1, "inside": 1}]}',
    b'{"clicks": [{"lon": 1, "lat": 1, "inside": true}], "box": [1]}',
]


def test_grow__malformed__refused(signed_in, findings):
    client, headers = signed_in("O1"), SAME_ORIGIN | {"Content-Type": "application/json"}
    for body in MALFORMED:
        answer = client.post(f"/review/{findings[0]}/grow", data=body, headers=headers)
        assert answer.status_code in (400, 422), body


def test_accepted__with_an_outline__both_are_on_record(signed_in, findings, services):
    drawn = PIT.buffer(0.0002, join_style="mitre")
    answer = send(
        signed_in("O1"), findings[0], decision="confirm", code="clearly_visible", shape=json.dumps(mapping(drawn))
    )
    assert answer.status_code == 303, answer.text
    with services.session() as db:
        rows = db.execute(text("SELECT kind, code FROM core.decision ORDER BY version")).all()
        kinds = db.execute(text("SELECT kind FROM core.label ORDER BY recorded_at")).scalars().all()
    assert rows == [("redraw", "outline"), ("confirm", "clearly_visible")]
    assert sorted(kinds) == ["accept", "edit"]


def test_cut__then_joined__then_taken_back(signed_in, findings, services):
    client = signed_in("O1")
    middle = (PIT.bounds[0] + PIT.bounds[2]) / 2
    line = {"type": "LineString", "coordinates": [[middle, 23.1], [middle, 23.15]]}
    where = send(client, findings[0], decision="split", line=json.dumps(line)).headers["Location"]
    with services.session() as db:
        parts = db.execute(
            text("SELECT public_id FROM core.detection WHERE state = 'assigned' AND kind = 'excavation'")
        )
        parts = parts.scalars().all()
    assert len(parts) == 2
    assert any(part in where for part in parts)
    page = html.unescape(client.get(where, headers=HTML).text)
    assert "Cut into parts" in page
    joined = send(client, parts[0], decision="merge", others=parts[1]).headers["Location"].partition("?")[0]
    assert send(client, joined.rpartition("/")[2], decision="undo", code="mistake").status_code == 303
    with services.session() as db:
        states = db.execute(
            text("SELECT state FROM core.detection WHERE public_id = ANY(:ids)"), {"ids": parts}
        ).scalars()
        assert set(states) == {"assigned"}


def test_new_finding__decided__is_taken_on_by_who_decides(signed_in, findings, services, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.detection SET state = 'new', assigned_to = NULL WHERE public_id = %s", (findings[1],))
    assert send(signed_in("O2"), findings[1], decision="reject", code="season").status_code == 303
    with services.session() as db:
        row = db.execute(
            text("SELECT d.state, p.code FROM core.detection d JOIN core.person p ON p.id = d.assigned_to"
                 " WHERE d.public_id = :id"), {"id": findings[1]}).one()  # fmt: skip
    assert row == ("false_alarm", "O2")


LISTED = {
    "kind=building": {1},
    "late=1": {0},
    "mine=1": {0, 1, 2},
    "sensor=uav": set(),
    "kind=building&late=1": set(),
}


def test_queue__filters_of_the_address(signed_in, findings):
    client = signed_in("O1")
    for asked, listed in LISTED.items():
        page = client.get(f"/review?{asked}", headers=HTML).text.partition('id="queue-side"')[2].partition("</nav>")[0]
        assert {number for number, name in enumerate(findings) if f'href="/review/{name}?' in page} == listed, asked


def test_verdict__goes_on_with_the_next_finding_and_keeps_the_filters(signed_in, findings):
    data = {"decision": "reject", "code": "season", "reason": "", "version": "1", "next": findings[1]}
    answer = signed_in("O1").post(f"/review/{findings[0]}?mine=1", data=data, headers={**SAME_ORIGIN, **HTML})
    assert answer.headers["Location"] == f"/review/{findings[1]}?done={findings[0]}&mine=1"
