"""Studies beside each other: the gap before and after, figures with differences, and what is not compared."""

from __future__ import annotations

import html
import re

import pytest

from tests.web.conftest import HTML
from tests.web.studying import MORE, answered


@pytest.fixture(scope="module")
def pair(shared_app):
    services = shared_app.extensions["services"]
    return answered(services, title="As it is"), answered(services, title="With a third", devices=MORE, shared=True)


def get(client, query, lang="en"):
    return client.get(f"/planner/coverage/compare?{query}", headers={**HTML, "Accept-Language": lang})


def test_LF_6__a_device_more__the_gap_before_and_after_stands_first(reading_as, pair):
    answer = get(reading_as("N1"), f"ids={pair[0]},{pair[1]}")
    assert answer.status_code == 200
    title = html.unescape(re.search(r"<h1>(.*?)</h1>", answer.text)[1])
    less, before, after = (float(value) for value in re.findall(r"([\d.]+) km²", title))
    assert before - after == pytest.approx(less, abs=0.011)
    assert less > 0.5
    assert answer.text.count('class="picture"') == 3
    assert "Devices of other authorities" in answer.text.partition("What they asked differently")[2]


def test_compare__the_other_way_round__the_gap_opens(reading_as, pair):
    text = get(reading_as("N1"), f"ids={pair[1]}&ids={pair[0]}").text
    assert "opens" in re.search(r"<h1>(.*?)</h1>", text)[1]
    assert 'class="change worse"' in text


def test_compare__with_itself_in_another_name__nothing_changed(reading_as, shared_app, pair):
    same = answered(shared_app.extensions["services"], title="Again")
    text = get(reading_as("N1"), f"ids={pair[0]},{same}", "zh").text
    assert 'class="m-won"' not in text.partition("key")[0]
    assert 'class="change better"' not in text


def test_compare__without_ids__shows_what_may_be_chosen(reading_as, pair):
    text = get(reading_as("N1"), "").text
    assert f'value="{pair[0]}"' in text


@pytest.mark.parametrize("number", [1, 5])
def test_compare__too_few_or_many__refused_with_the_choice_kept(reading_as, shared_app, pair, number):
    names = [answered(shared_app.extensions["services"], title=f"T{n}") for n in range(number)]
    answer = get(reading_as("N1"), "&".join(f"ids={name}" for name in names))
    assert answer.status_code == 422
    assert "2–4" in answer.text
    assert f'value="{names[0]}" id="id-{names[0]}" checked' in answer.text


def test_compare__one_without_an_answer__refused(reading_as, shared_app, pair):
    waiting = answered(shared_app.extensions["services"], stage="waiting")
    assert get(reading_as("N1"), f"ids={pair[0]},{waiting}").status_code == 422


@pytest.mark.parametrize("query", ["ids=CS-NONE,CS-NONE2", "ids=" + "x" * 5000 + ",b", "ids='%20OR%201,c"])
def test_compare__what_is_none__is_not_there(reading_as, query):
    assert get(reading_as("N1"), query).status_code == 404


def test_compare__study_of_another_authority__is_not_there(reading_as, pair):
    assert get(reading_as("O4"), f"ids={pair[0]},{pair[1]}").status_code == 404
    assert pair[0] not in get(reading_as("O4"), "").text
