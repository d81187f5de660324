"""Hostile questions to the tiles (reliability.md section 5, rows 75, 76): refused or small, and never an incident."""

import random

import pytest

from tests.web.conftest import reader, shared_app  # noqa: F401
from web.public.tile_sql import STATEMENTS
from web.public.tiles import MOST_BYTES

HOSTILE_DAYS = [
    *("abc", "0000-00-00", "2025-02-30", "2025-6-1", "20250601", "2025-06-01T00:00", "2025-06-01;drop", "-1", "0"),
    *("2999-01-01", "2025-07-03", "٢٠٢٥-٠٦-٠١", "2025-06-01\n", "' OR 1=1 --", "9" * 4000),
]


@pytest.mark.parametrize("day", HOSTILE_DAYS)
def test_75__a_day_that_is_none_or_to_come__422(reader, day):  # noqa: F811
    answer = reader.get("/tiles/devices/14/13345/7099.mvt", query_string={"on": day})
    assert answer.status_code == 422
    assert answer.get_json(force=True)["refusals"][0]["rule"] == "query.unknown"


@pytest.mark.parametrize("authority", ["' OR 1=1 --", "%", "AU-A1' --", "*", "A" * 5000, "\x00"])
def test_75__an_authority_that_is_none__422(reader, authority):  # noqa: F811
    answer = reader.get("/tiles/clusters/5/26/13.mvt", query_string={"authority": authority})
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["devices;drop table", "core.device", "1)", "basemap'", "devices%20", "..", "DEVICES"])
def test_75__a_layer_that_is_none__404(reader, name):  # noqa: F811
    assert reader.get(f"/tiles/{name}/14/13345/7099.mvt").status_code == 404


@pytest.mark.parametrize("layer", ["authorities", "basemap", "coverage"])
def test_75__a_layer_without_a_past__404(reader, layer):  # noqa: F811
    answer = reader.get(f"/tiles/{layer}/5/26/13.mvt?on=2025-06-01")
    assert answer.status_code == 404
    assert answer.get_json(force=True)["refusals"][0]["rule"] == "layer.unknown"


@pytest.mark.parametrize("layer", STATEMENTS)
def test_76__the_whole_planet__small_or_refused(reader, layer):  # noqa: F811
    answer = reader.get(f"/tiles/{layer}/0/0/0.mvt")
    assert answer.status_code == (422 if layer in ("devices", "coverage") else 200)
    assert len(answer.data) <= MOST_BYTES


def test_76__any_tile_of_any_layer__small_or_refused(reader):  # noqa: F811
    dice = random.Random(76)
    for _ in range(1_000):
        z = dice.choice([dice.randrange(-2, 19), 40, 2**40])
        side = 2 ** min(max(z, 0), 20)
        x, y = (dice.choice([0, side - 1, side, dice.randrange(side), -1]) for _ in "xy")
        layer = dice.choice([*STATEMENTS, "coverages", "zones"])
        query = dice.choice(["", "", "?on=2025-06-15", "?v=1", "?on=2025-06-15&v=x&lang=zh"])
        answer = reader.get(f"/tiles/{layer}/{z}/{x}/{y}.mvt{query}")
        assert answer.status_code in (200, 404, 422), (layer, z, x, y, query, answer.data)
        assert len(answer.data) <= MOST_BYTES
