"""Law as data: one device, one day, two rule packs, no line of code between them."""

from __future__ import annotations

from datetime import datetime

import pytest

from schemas.refusals import RuleViolation
from schemas.rules import Rulebook
from schemas.store.migrate import migrate
from schemas.tables import Device
from tests.world import SHANGHAI

DAY_19 = datetime(2025, 6, 20, 10, 0, tzinfo=SHANGHAI)


def in_force_everywhere(name: str) -> Rulebook:
    """A rulebook of one pack, put in force where the device stands; its values are untouched."""
    book = Rulebook.load()
    pack, at_home = book[name], book["cn-gd-2025"]
    moved = pack.model_copy(update={"jurisdiction": at_home.jurisdiction, "timezone": at_home.timezone})
    return Rulebook([moved], book.overlays)


def activate(services) -> str:
    with services.work(services.actor("H1")) as work:
        device = work.get(Device, "DV-DV1")
        work.apply(device, "activate")
        device.activated_on = DAY_19.date()
        work.commit()
        return device.state


@pytest.fixture
def under(services, clock):
    """The services under one rule pack, at 19 days after publication; the database judges by the same pack."""
    clock.at = DAY_19

    def choose(name: str):
        services.__dict__["rulebook"] = in_force_everywhere(name)
        migrate(services.database, services.rulebook)
        return services

    return choose


def test_GD_14_2__day_19_under_the_pack_of_30_days__refused(under) -> None:
    with pytest.raises(RuleViolation) as refused:
        activate(under("cn-gd-2025"))
    (refusal,) = refused.value.refusals
    assert refusal.rule == "GD-14.2"
    assert refusal.earliest.isoformat() == "2025-07-01"


def test_GD_14_2__the_same_device_and_day_under_the_pack_of_14_days__allowed(under) -> None:
    assert activate(under("demo-neutral")) == "active"
