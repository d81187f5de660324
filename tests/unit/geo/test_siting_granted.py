"""What an answer of siting says of what its study assumes and does not look at."""

from __future__ import annotations

import pytest

from geo.siting.asked import SitingAsked
from geo.siting.found import Found
from geo.siting.telling import Facts, Laws, told

NOTHING = Found(True, 0.0, 0.1, 100.0, 10.0, 10.0, 3, {}, ())


@pytest.mark.parametrize(
    ("more", "en", "zh"),
    [
        ({"assumed": 4}, "how far or where they look: 4;", "未登记监控距离或方向的设备：4 台"),
        ({"masts_assumed": 9}, "how high they stand: 9;", "未登记安装高度的设备：9 台"),
        ({"hour": 0}, "about 00:00. Darkness is not modelled", "00:00 时段。未考虑夜间光线"),
    ],
)
def test_siting__what_its_study_takes_for_granted__said_in_both_languages(more, en, zh):
    said = told(SitingAsked(count=1), NOTHING, Facts([], Laws(0.8), {}, **more))["sentences"]
    assert any(en in one for one in said["en"])
    assert any(zh in one for one in said["zh"])
    silent = told(SitingAsked(count=1), NOTHING, Facts([], Laws(0.8), {}))["sentences"]
    assert not any(en in one for one in silent["en"])
