"""What an answer of coverage says of what it leaves out, assumes, or does not look at."""

from __future__ import annotations

import pytest

from geo.coverage.saying import sentences
from tests.unit.geo.test_coverage_answers import told_of


@pytest.mark.parametrize(
    ("slivers", "en", "zh"),
    [
        ((3_000, 40.0), "3000 more are smaller than half a square metre each", "合计 40 平方米"),
        ((2, 0.3), "together they hold less than that", "合计不足半平方米"),
        ((1, 0.4), "1 more is smaller than half a square metre and is not named", "另有 1 处"),
    ],
)
def test_sentences__slivers__counted_and_not_named(slivers, en, zh):
    said = sentences(told_of(slivers=slivers[0], slivers_m2=slivers[1]))
    assert any(en in one for one in said["en"])
    assert any(zh in one for one in said["zh"])
    assert not any("0 m²" in one and "40 m²" not in one for one in said["en"] if "smaller than" in one)


@pytest.mark.parametrize(
    ("told", "en", "zh"),
    [
        ({"masts_assumed": 7}, "how high the lenses of 7 of them stand", "其中 7 台未登记安装高度"),
        ({"masts_assumed": 1}, "how high the lens of 1 of them stands", "其中 1 台未登记安装高度"),
        ({"hour": 3}, "flown at 03:00. Darkness is not modelled", "未考虑夜间光线"),
        ({"hour": 0}, "flown at 00:00. Darkness is not modelled", "未考虑夜间光线"),
    ],
)
def test_sentences__what_is_assumed_or_not_looked_at__said_in_both_languages(told, en, zh):
    said = sentences(told_of(**told))
    assert any(en in one for one in said["en"])
    assert any(zh in one for one in said["zh"])
    assert not any(en in one for one in sentences(told_of())["en"])


def test_sentences__more_see_nothing_than_are_listed__all_are_counted():
    said = sentences(told_of(left_out=[{"reason": "hidden"}] * 5, left_out_counts={"hidden": 12_000}))
    assert any(one.startswith("12000 see nothing") for one in said["en"])
