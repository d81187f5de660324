"""One search for numbers, names, places and authorities; filters and days of the past in one address."""

import html
import re
from datetime import date, timedelta

import pytest

from tests.web.conftest import HTML
from tests.web.test_public import page, unjudged


def beside_the_map(text):
    """The list of the first page."""
    return re.search(r'id="in-view">.*?</ul>', text, re.S)[0]


def hits(client, words):
    text = page(client, f"/search?q={words}")
    return re.findall(r'<li><a href="([^"]+)"', text)


def test_search__device_number__whole_or_its_beginning(reader):
    assert hits(reader, "DV-DV1")[0] == "/device/DV-DV1"
    assert hits(reader, "dv-d")[:2] == ["/device/DV-DR1", "/device/DV-DV1"]


def test_search__names_of_records_and_authorities__each_told_what_it_is(reader):
    text = page(reader, "/search?q=A1")
    assert "/?authority=" in text
    assert "Authority" in text
    assert "/area/PA-PA1" in hits(reader, "PA1")
    assert "/route/RT-R1" in hits(reader, "R1")


def test_search__nothing__says_so(reader):
    assert "Nothing goes by these words." in page(reader, "/search?q=atlantis")
    assert hits(reader, "%25") == []
    assert hits(reader, "_") == []


def test_search__secret_device__is_not_found(client, admin):
    unjudged(admin, "UPDATE core.device SET name = 'HIDDEN-ONE' WHERE public_id = 'DV-DV1'")
    assert hits(client, "HIDDEN-ONE")
    unjudged(
        admin,
        "UPDATE core.device SET secret = true, secret_document = 'd', secret_authority = 'a', secret_level = 'l',"
        " secret_until = '2030-01-01' WHERE public_id = 'DV-DV1'",
    )
    assert hits(client, "HIDDEN-ONE") == []
    assert hits(client, "DV-DV1") == []


@pytest.mark.parametrize("path", ["/search?q=" + "x" * 121, "/search?p=1", "/search?q=a%00b"])
def test_search__what_means_nothing__422(reader, path):
    assert reader.get(path, headers=HTML).status_code == 422


def test_home__number_in_the_search_box__leads_to_its_record(reader):
    text = page(reader, "/?q=DV-DV1")
    assert 'data-sel="device/DV-DV1"' in text


def test_home__narrowed__boxes_list_and_links_say_the_same(reader):
    text = page(reader, "/?kind=drone&state=active&layer=patrol_areas")
    checked = re.findall(r'name="(\w+)" value="(\w+)" checked', text)
    assert checked == [("kind", "drone"), ("state", "active"), ("layer", "patrol_areas")]
    assert "DV-DR1" in beside_the_map(text)
    assert "DV-DV1" not in beside_the_map(text)
    assert "/list?kind=drone&state=active&layer=devices" in text


def test_home__no_kind_at_all__lists_no_device(reader):
    text = page(reader, "/?kind=none")
    assert 'data-sel="device/' not in beside_the_map(text)


def test_list__of_one_authority__or_of_one_that_is_not_there(reader):
    authority = re.search(r'<option value="(AU-[^"]+)"', page(reader, "/list"))[1]
    assert "DV-DV1" in page(reader, f"/list?authority={authority}")
    assert reader.get("/list?authority=AU-NONE", headers=HTML).status_code == 422


def test_list__several_kinds__are_named_and_let_go(reader):
    text = page(reader, "/list?kind=drone&kind=video")
    assert "DV-DV1" in text
    assert '<input type="hidden" name="kind" value="drone">' in text


WRONG_DAYS = ["abc", "0000-00-00", "2025-02-30", "9999-12-31", "2025-7-1", "20250701", "1066-10-14", "２０２５-07-01"]


@pytest.mark.parametrize("path", ["/", "/list", "/print", "/embed/map"])
@pytest.mark.parametrize("on", WRONG_DAYS)
def test_day__that_is_none_or_to_come__422(reader, path, on):
    answer = reader.get(path, query_string={"on": on}, headers=HTML)
    assert answer.status_code == 422
    assert "2000-01-01" in answer.text


@pytest.mark.parametrize("key", ["kind", "state", "layer", "authority"])
def test_home__unknown_word__422(reader, key):
    assert reader.get("/", query_string={key: "nothing-such"}, headers=HTML).status_code == 422


def test_history__before_it_was_in_use__says_what_was(reader):
    text = page(reader, "/?on=2025-06-15")
    assert "On 2025-06-15, 0 devices watched here" in text
    assert "Back to today" in text
    listed = page(reader, "/list?on=2025-06-15")
    assert "DV-DV1" in listed
    assert "Announced, not yet in use" in listed


def test_history__before_anything_was_published__nothing_was_here(reader):
    assert "DV-DV1" not in page(reader, "/list?on=2024-01-01")
    assert "Monitoring devices on 2024-01-01: 0" in page(reader, "/list?on=2024-01-01")


def counted(page, name, value):
    """The number beside a box of the legend."""
    box = page.split(f'name="{name}" value="{value}"')[1]
    return int(re.search(r'class="count">(\d+)<', box)[1])


def test_history__legend__counts_what_there_was_on_that_day(reader):
    today, then = (reader.get(path, headers=HTML).text for path in ("/", "/?on=2025-06-15"))
    before = reader.get("/?on=2024-03-01", headers=HTML).text
    boxes = [("kind", "video"), ("layer", "patrol_areas"), ("layer", "patrol_routes"), ("layer", "deployment_points")]
    assert [counted(today, *box) for box in boxes] == [1, 1, 1, 1]
    assert [counted(then, *box) for box in boxes] == [1, 1, 1, 1]
    assert [counted(before, *box) for box in boxes] == [0, 0, 0, 0]


def test_history__today__is_no_day_of_the_past(reader):
    assert "Back to today" not in page(reader, "/?on=2025-07-02")


def test_history__days__begin_with_the_first_and_end_today(reader):
    told = reader.get("/changes/days.json").get_json()
    days = [date.fromisoformat(day) for day, _, _ in told["days"]]
    assert days == sorted(set(days))
    assert days[-1] <= date.fromisoformat(told["today"]) == date(2025, 7, 2)
    assert all(changes >= 0 for _, changes, _ in told["days"])
    again = reader.get("/changes/days.json")
    assert reader.get("/changes/days.json", headers={"If-None-Match": again.headers["ETag"]}).status_code == 304


def test_near__nothing_there__says_who_answers_and_whether_they_published(client, admin):
    inside = page(client, "/?lon=113.301&lat=23.161")
    assert "Nothing that is published watches this place." in inside
    assert re.search(r"answers for this place and last published on 20\d\d-\d\d-\d\d", inside)
    assert "No authority of this map answers for this place" in page(client, "/?lon=10&lat=50")


def test_near__authority_that_published_nothing__is_told_from_an_empty_place(client, admin):
    admin.execute(
        "INSERT INTO core.authority SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(),"
        " 'public_id', 'AU-SILENT', 'code', 'S9', 'name_en', 'Silent Bureau', 'name_zh', '沉默局', 'jurisdiction',"
        " ST_AsGeoJSON(ST_Multi(ST_MakeEnvelope(113.6, 23.1, 113.7, 23.2, 4326)))::jsonb))).*"
        " FROM core.authority a LIMIT 1"
    )
    text = page(client, "/?lon=113.65&lat=23.15")
    assert "Silent Bureau, which answers for this place, has not published anything" in text
    # It stands on the first page among those that have not.
    assert "Silent Bureau" in page(client, "/")


def test_home__starts_soon__counts_down(client, clock):
    clock.advance(timedelta(days=-10))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(client, "/")))
    assert re.search(r"Starts soon .*from 2025-07-01 \(Tue\) in 9 days", text)


def test_print__lists_with_numbers_the_day_and_the_address(reader):
    text = page(reader, "/print?kind=drone")
    assert "Printed on 2025-07-02 from http://localhost/?kind=drone" in text
    assert "DV-DR1" in text
    assert "DV-DV1" not in text


def test_record__of_a_zone_at_some_heights_and_hours__says_which(client, admin):
    unjudged(
        admin,
        "UPDATE core.privacy_zone SET floor_agl_m = 20, ceiling_agl_m = 90, schedule ="
        """ '[{"days": ["MON", "TUE", "WED"], "from": "08:00", "until": "18:00"}]'""",
    )
    text = html.unescape(page(client, "/zone/PZ-Z1"))
    assert "20–90 m AGL" in text
    assert "MON-WED 08:00-18:00" in text
