"""Overlays are switched by each authority for itself, and hold for what is its own (G-42)."""

import pytest
from shapely.geometry import Point
from sqlalchemy import select, text

from geo import commands
from schemas.refusals import RuleViolation
from schemas.store.overlays import switched_on
from schemas.tables import Authority, Device, PatrolArea, SupervisionItem
from tests.database.acting import rules
from tests.world import OVERLAYS


def authority(session, code="A1"):
    return session.scalars(select(Authority).where(Authority.code == code)).one()


def switch(work, code, overlay, *, on, of="A1", reason="decided by the bureau"):
    with work(code) as doing:
        commands.switch_overlay(doing, authority(doing.session, of), overlay, on=on, reason=reason)
        doing.commit()


def register(work, item):
    with work("N1") as doing:
        found = doing.session.scalars(select(SupervisionItem)).one() if item else None
        new = commands.NewDevice(
            name="Camera (fictional)",
            place=Point(113.262, 23.131),
            place_text="River bank (fictional)",
            device_type="video",
            purpose_en="Outfall",
            purpose_zh="排污口",
            authority=authority(doing.session),
            item=found,
        )
        commands.register_device(doing, new)
        doing.commit()


def test_IR_1__catalogue_switched_off__a_device_without_item_is_registered(work):
    with pytest.raises(RuleViolation) as caught:
        register(work, item=False)
    assert rules(caught) == {"IR-1"}
    switch(work, "H1", "ir-2023", on=False)
    with pytest.raises(RuleViolation) as caught:
        register(work, item=False)
    assert rules(caught) == {"LF-10"}
    switch(work, "H1", "lf-2024", on=False)
    register(work, item=False)


def test_LF_10__item_that_is_not_on_the_list__refused_while_the_overlay_is_on(work, admin):
    admin.execute("UPDATE core.supervision_item SET offsite_allowed = false")
    with pytest.raises(RuleViolation) as caught:
        register(work, item=True)
    assert rules(caught) == {"LF-10"}
    switch(work, "H1", "lf-2024", on=False)
    register(work, item=True)


def test_G_42__of_one_authority__and_of_no_other(work, services):
    switch(work, "H1", "jn-2024", on=False)
    with services.session() as session:
        assert switched_on(session, authority(session).id) == ("ir-2023", "lf-2024", "lx-2024")
        assert set(switched_on(session, authority(session, "A2").id)) == set(OVERLAYS)
    with work() as doing:
        pack = doing.pack_for(doing.get(PatrolArea, "PA1"))
        assert (pack["case.leniency_step"], pack["patrol.daily_record"]) == (False, True)
    switch(work, "H1", "jn-2024", on=True)
    with services.session() as session:
        assert set(switched_on(session, authority(session).id)) == set(OVERLAYS)


def test_G_42__ledger__says_which_overlays_were_applied(work, session):
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    found = session.execute(text("SELECT pack FROM ledger.event ORDER BY id DESC LIMIT 1")).scalar_one()
    assert found.startswith("cn-gd-2025+lf-2024+lx-2024+ir-2023+jn-2024@")


@pytest.mark.parametrize("code", ["O1", "N1", "D1", "P1"])
def test_G_42__switched_by_somebody_else__403(work, code):
    with pytest.raises(RuleViolation) as caught:
        switch(work, code, "lf-2024", on=False)
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("overlay", "on", "reason", "status"),
    [("zz-1999", True, "x", 404), ("lf-2024", True, "x", 409), ("lf-2024", False, " ", 422)],
)
def test_G_42__unknown_already_so_or_without_reason__refused(work, overlay, on, reason, status):
    with pytest.raises(RuleViolation) as caught:
        switch(work, "H1", overlay, on=on, reason=reason)
    assert caught.value.status == status
