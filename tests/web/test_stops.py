"""What the system stops by itself is told in the language of the reader, wherever the reason stands."""

from __future__ import annotations

import re

import pytest
from shapely.geometry import box

from geo import commands
from geo.commands import NewZone, block_where_due
from schemas.tables import Device, SitingPlan
from tests.web.conftest import HTML

DV1 = "/registry/device/DV-DV1"


@pytest.fixture
def active(work):
    """DV1 in use."""
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()


def told(client, lang):
    """The headline, and what the page says of the reason and of the stop in the life of the device."""
    answer = client.get(DV1, headers={**HTML, "Accept-Language": lang})
    assert answer.status_code == 200
    text = re.sub(r"<[^>]+>", " ", answer.text)
    life = answer.text.partition('id="life"')[2]
    return re.search(r"<h1.*?</h1>", answer.text, re.DOTALL)[0], text, life


def both(signed_in, english, chinese):
    """Both languages say it in headline, facts and life, and neither says the words of the other."""
    client = signed_in("H1")
    for lang, said, other in (("en", english, chinese), ("zh", chinese, english)):
        for part in told(client, lang):
            assert said in part
            assert other not in part


def test_GD_22_2__stop_for_a_test_that_is_missing__told_in_the_language_of_the_reader(
    active, signed_in, services, admin
):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET is_measuring_instrument = true WHERE public_id = 'DV-DV1'")
    assert len(list(block_where_due(services.work))) == 1
    both(signed_in, "GD-22.2: The measuring instrument", "GD-22.2: 计量器具")


def test_GD_15__stop_by_a_new_zone__told_in_the_language_of_the_reader(active, signed_in, work):
    with work("H1") as doing:
        around = box(113.2598, 23.1298, 113.2602, 23.1302)
        commands.add_privacy_zone(doing, NewZone(kind="requested", name_en="Home", name_zh="住宅", geom=around))
        doing.commit()
    both(signed_in, "GD-15: The privacy zone PZ-", "GD-15: 新增隐私区 PZ-")


def test_GD_09_2__announcement_that_ends_with_its_approval__told_in_the_language_of_the_reader(
    signed_in, services, work
):
    with work("P1") as doing:
        commands.revoke_plan(doing, doing.get(SitingPlan, "SP-1"), reason="an error in the plan")
        doing.commit()
    assert len(list(block_where_due(services.work))) == 2
    client = signed_in("H1")
    assert all("GD-09.2: 设置方案的批准文号 SAMPLE-2025-1 已于" in part for part in told(client, "zh")[1:])
    assert all("GD-09.2: The approval SAMPLE-2025-1 of the" in part for part in told(client, "en")[1:])


def test_stop_without_rules__told_as_it_was_said(active, signed_in, work):
    with work("SYSTEM") as doing:
        commands.block_device(doing, doing.get(Device, "DV-DV1"), reason="moved by hand")
        doing.commit()
    assert all("moved by hand" in part for part in told(signed_in("H1"), "zh"))
