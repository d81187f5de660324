"""GD-41.1: whom citizens ask at an authority is told at the registry's desk, and read on every public record of it."""

import re

import pytest

from tests.web.conftest import HTML, SAME_ORIGIN

PATH = "/registry/contact"
TOLD = {
    "contact_person": "Duty desk · 值班室",
    "contact_address": "2 Weir Lane · 堰巷2号",
    "contact_channel": "+86 00 1111 · weir@example.org",
}


def post(client, data, path=PATH):
    return client.post(path, data=data, headers={**SAME_ORIGIN, **HTML})


def read(client, path, lang="en"):
    answer = client.get(path, headers={**HTML, "Accept-Language": lang})
    assert answer.status_code == 200, answer.text
    return answer.text


def words(client, path, lang="en"):
    """What a page says, without its tags: a number that is kept in one line has some of its own."""
    return re.sub(r"<[^>]+>", "", read(client, path, lang))


@pytest.mark.parametrize("person", ["O1", "H1"])
def test_GD_41_1__contact__told_by_who_may__stands_on_every_public_page(client, signed_in, person):
    desk = signed_in(person)
    done = post(desk, TOLD)
    assert done.status_code == 303, done.text
    assert "The public reads it from now on." in read(desk, done.location)
    for path in ("/device/DV-DV1", "/rules"):
        text = words(client, path)
        assert "Duty desk" in text
        assert "2 Weir Lane" in text
        assert "+86 00 1111 · weir@example.org" in text
        assert "值班室" not in text
    chinese = words(client, "/device/DV-DV1", "zh")
    assert "值班室 · 堰巷2号 · +86 00 1111 · weir@example.org" in chinese


def test_GD_41_1__contact__every_fault_is_told_at_its_field_and_nothing_is_lost(reading_as):
    refused = post(
        reading_as("O1"), {"contact_person": " ", "contact_address": "2 Weir Lane", "contact_channel": "1" * 201}
    )
    assert refused.status_code == 422
    assert refused.text.count("/rules#gd-41-1") == 2
    assert 'id="contact_person-fault"' in refused.text
    assert 'id="contact_channel-fault"' in refused.text
    assert 'id="contact_address-fault"' not in refused.text
    assert 'value="2 Weir Lane"' in refused.text
    assert f'value="{"1" * 201}"' in refused.text
    assert "2 Weir Lane" not in read(reading_as("O1"), "/rules")


@pytest.mark.parametrize("person", ["N1", "L1", "P1"])
def test_GD_41_1__contact__who_only_reads_the_registry__has_no_form(reading_as, person):
    text = read(reading_as(person), f"{PATH}?authority=A1")
    assert "1 Qinghe Road" in text
    assert 'method="post"' not in text.split("<main")[1]
    assert post(reading_as(person), TOLD, f"{PATH}?authority=A1").status_code == 403


def test_GD_41_1__contact__of_another_authority__is_not_theirs(reading_as):
    assert post(reading_as("O1"), TOLD, f"{PATH}?authority=A2").status_code == 404


def test_GD_41_1__contact__program__is_told_the_rules(reading_as):
    refused = reading_as("O1").post(PATH, data={}, headers={**SAME_ORIGIN, "Accept": "application/json"})
    assert refused.status_code == 422
    assert [one["rule"] for one in refused.json["refusals"]] == ["GD-41.1"] * 3
