"""A privacy zone that came after an image was taken in: nobody sees that image until it hides the zone."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import box

from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.web.findings import PIT, make_findings
from web import scenes

LATE = TEN_ON_THE_FIRST_FLYING_DAY - timedelta(hours=1)


@pytest.fixture
def beginning(pictured):
    return pictured


@pytest.fixture
def finding(services, tmp_path):
    return make_findings(services, tmp_path, count=1)[0]


def add_zone(admin, shape=PIT):
    admin.execute(
        "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m, source,"
        " valid_from, zone_version, origin) VALUES (%s, 'PZ-LATE', 'dormitory', 'New', '新',"
        " ST_GeomFromText(%s, 4326), false, 0, 'request', %s, 1, 'sample')",
        [uuid.uuid4(), shape.wkt, LATE],
    )


# Private ground beside the finding, so near that its picture shows it, and so far that the finding stays open.
BESIDE = box(113.2600, 23.1225, 113.2620, 23.1232)


def beside(answer):
    """The middle of that ground in a picture of the finding."""
    return np.asarray(Image.open(io.BytesIO(answer.data)))[426:446, 246:266]


def test_GD_43__zone_comes_later__pictures_are_shut_then_show_it_masked(signed_in, services, finding, admin):
    client, url = signed_in("O1"), f"/review/{finding}/after.png"
    shown = client.get(url)
    assert beside(shown)[..., 3].all()
    assert client.get(url, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    add_zone(admin, BESIDE)
    # Neither from the disk nor from what the browser kept.
    for headers in ({}, {"If-None-Match": shown.headers["ETag"]}):
        assert client.get(url, headers=headers).status_code == 409
    assert len(list(scenes.remask(services))) == 2
    for side in ("before", "after"):
        assert not beside(client.get(f"/review/{finding}/{side}.png"))[..., 3].any()
    assert client.get(url, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 200
    assert client.get(f"/review/{finding}").status_code == 200


def test_GD_43__pictures__no_browser_shows_them_without_asking(signed_in, finding):
    assert signed_in("O1").get(f"/review/{finding}/after.png").headers["Cache-Control"] == "private, no-cache"


def test_GD_43__zone_over_the_finding_itself__shut_also_when_it_is_masked(signed_in, services, finding, admin):
    client = signed_in("O1")
    add_zone(admin)
    list(scenes.remask(services))
    for path in (f"/review/{finding}", f"/review/{finding}/after.png"):
        assert client.get(path).status_code == 409
