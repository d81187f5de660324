"""A privacy zone that came after an image was taken in: nobody sees that image until it hides the zone."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.web.findings import PIT, make_findings
from web import scenes

LATE = TEN_ON_THE_FIRST_FLYING_DAY - timedelta(hours=1)


@pytest.fixture
def finding(services, tmp_path):
    return make_findings(services, tmp_path, count=1)[0]


def add_zone(admin):
    admin.execute(
        "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m, source,"
        " valid_from, zone_version, origin) VALUES (%s, 'PZ-LATE', 'dormitory', 'New', '新',"
        " ST_GeomFromText(%s, 4326), false, 0, 'request', %s, 1, 'sample')",
        [uuid.uuid4(), PIT.wkt, LATE],
    )


def middle(answer):
    return np.asarray(Image.open(io.BytesIO(answer.data)))[246:266, 246:266]


def test_GD_43__zone_comes_later__pictures_are_shut_then_show_it_masked(signed_in, services, finding, admin):
    client, url = signed_in("O1"), f"/review/{finding}/after.png"
    shown = client.get(url)
    assert middle(shown)[..., 3].all()
    assert client.get(url, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    add_zone(admin)
    # Neither from the disk nor from what the browser kept.
    for headers in ({}, {"If-None-Match": shown.headers["ETag"]}):
        assert client.get(url, headers=headers).status_code == 409
    assert len(list(scenes.remask(services))) == 2
    for side in ("before", "after"):
        assert not middle(client.get(f"/review/{finding}/{side}.png"))[..., 3].any()
    assert client.get(url, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 200
    assert client.get(f"/review/{finding}").status_code == 200


def test_GD_43__pictures__no_browser_shows_them_without_asking(signed_in, finding):
    assert signed_in("O1").get(f"/review/{finding}/after.png").headers["Cache-Control"] == "private, no-cache"
