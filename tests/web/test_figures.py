"""The public figures: counted from what the public sees, without a secret."""

import html
import re

import pytest

from geo.coverage_grid import cover_where_due
from tests.web.canaries import copy, unjudged
from tests.web.conftest import HTML


def page(client, lang="en"):
    answer = client.get(f"/figures?lang={lang}", headers=HTML)
    assert answer.status_code == 200, answer.text
    return re.sub(r"<[^>]+>|\s+", " ", html.unescape(answer.text))


@pytest.mark.parametrize(("lang", "said"), [("en", "1 device is in use"), ("zh", "1 台设备正在使用")])
def test_figures__in_both_languages__answer_first(reader, lang, said):
    assert said in page(reader, lang)


def test_figures__count_by_authority_year_and_law(reader):
    text = re.sub(r"\s+", " ", page(reader))
    assert "Authority A1 (fictional) 1 1 0" in text
    assert "Placeholder statute" in text
    assert re.search(r"asserted by an import 2025 1 1", text)


def test_figures__of_evaluations_and_reports__without_words_of_anybody(client, admin):
    unjudged(
        admin,
        "INSERT INTO core.evaluation (device_id, outcome, text, evaluated_on, id, public_id, origin)"
        " SELECT id, 'keep', 'CANARY', '2025-06-20', gen_random_uuid(), 'EV-1', 'live' FROM core.device"
        " WHERE public_id = 'DV-DV1'",
    )
    unjudged(
        admin,
        "INSERT INTO core.annual_report (authority_id, year, part, addressee, due_on, document, content_sha256,"
        " submitted_on, id, public_id, origin) SELECT id, 2024, 1, 'CANARY', '2025-01-31', '{\"CANARY\": 1}', 'x',"
        " '2025-01-20', gen_random_uuid(), 'AR-1', 'live' FROM core.authority LIMIT 1",
    )
    text = page(client)
    assert "2025 Keep it 1" in re.sub(r"\s+", " ", text)
    assert "2024" in text
    assert "2025-01-20" in text
    assert "CANARY" not in text


def test_GD_14_6__figures__count_no_secret(client, admin):
    before = page(client)
    unjudged(admin, "SELECT 1")
    for number in range(4):
        values = {
            "public_id": f"DV-S{number}",
            "code": f"S{number}",
            "secret": True,
            "state": "active",
            "range_m": 900,
            "secret_document": "x",
            "secret_authority": "x",
            "secret_level": "x",
            "secret_until": "2030-01-01",
        }
        copy(admin, "device", "public_id = 'DV-DV1'", values)
    engine = client.application.extensions["services"].engine
    cover_where_due(engine, wait_s=0)
    assert page(client) == before
    assert admin.execute("SELECT count(*) FROM public_map.coverage").fetchone() == (0,)


def test_coverage__of_devices_whose_range_nobody_told__is_no_number(reader):
    said = reader.get("/figures", headers=HTML).text
    assert "Of no ground is it known that three devices reach it at once." in said
    assert "0.0 km² of ground" not in said
