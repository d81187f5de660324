"""The receipt of another channel has a number and a time; each is told when it is missing (GD-14.2)."""

from __future__ import annotations

from datetime import datetime

import pytest

from geo import commands
from schemas.refusals import RuleViolation
from schemas.tables import Device


@pytest.mark.parametrize(
    ("receipt", "at", "told"),
    [
        (" ", datetime.fromisoformat("2025-06-30T10:00+08:00"), "notice.receipt"),
        ("F-7", None, "notice.receipt_undated"),
        ("F-7", datetime(2025, 6, 30, 10), "notice.receipt_undated"),
    ],
)
def test_GD_14_2__receipt_without_number_or_time__told_what_is_missing(work, receipt, at, told):
    with work("O1") as doing, pytest.raises(RuleViolation) as caught:
        device = doing.get(Device, "DV-DV1")
        commands.record_publication(doing, device, channel="feed", receipt_id=receipt, published_at=at)
    (refusal,) = caught.value.refusals
    assert (refusal.rule, refusal.text) == ("GD-14.2", told)
    assert receipt.strip() in refusal.message()
