"""Devices that several authorities use: asked for, granted by the owner for a purpose and a period (GD-18.1, S03)."""

from datetime import date, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from geo import commands
from schemas.refusals import RuleViolation
from schemas.store import judge
from schemas.tables import Authority, Device, DeviceGrant, SupervisionItem
from tests.classified import make_secret
from tests.database.acting import texts
from web.cli.common import State
from web.cli.device import device as device_commands

USE = {"purpose_en": "Outfall checks", "purpose_zh": "排口核查", "valid_to": date(2025, 7, 31)}


@pytest.fixture
def sharing(services, admin):
    """DV-DV1, in use, belongs to A1; O4 and H4 are of A2, and C1 of A1 looks at it in any case."""
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET state = 'active', activated_on = '2025-07-01' WHERE public_id = 'DV-DV1'")
    admin.execute("RESET session_replication_role")
    with services.housekeeping() as session:
        from tests.world import World

        world = World(session)
        other = session.scalars(select(Authority).where(Authority.code == "A2")).one()
        world.person("H4", "unit_head", other)
        item = session.scalars(select(SupervisionItem).where(SupervisionItem.code == "ECO-01")).one()
        world.add(
            SupervisionItem,
            public_id="SI-2",
            code="ECO-02",
            name_en="x",
            name_zh="x",
            legal_basis_id=item.legal_basis_id,
        )


@pytest.fixture
def ask(work, sharing):
    def run(actor="O4", authority="A2", device="DV-DV1", **change):
        with work(actor) as doing:
            item = doing.session.scalars(select(SupervisionItem).where(SupervisionItem.code == "ECO-01")).one()
            owner = doing.session.scalars(select(Authority).where(Authority.code == authority)).one()
            new = commands.NewUse(authority=owner, item=item, **USE | change)
            grant = commands.ask_use(doing, doing.get(Device, device), new)
            doing.commit()
        return grant.public_id

    return run


@pytest.fixture
def decide(work):
    def run(name, command=commands.grant_use, actor="H1", reason="It is free then.", **options):
        with work(actor) as doing:
            command(doing, doing.get(DeviceGrant, name), reason=reason, **options)
            doing.commit()
        return name

    return run


@pytest.fixture
def use(work):
    def run(actor="O4", item="ECO-01", field="live", device="DV-DV1"):
        with work(actor) as doing:
            found = doing.session.scalars(select(SupervisionItem).where(SupervisionItem.code == item)).one()
            grant = commands.use_device(doing, doing.get(Device, device), found, field)
            doing.commit()
        return grant

    return run


def refused(call, *args, **options):
    with pytest.raises(RuleViolation) as caught:
        call(*args, **options)
    return caught


def test_S03__without_a_grant__403_and_an_audit_line(use, sharing, admin):
    assert refused(use).value.status == 403
    (line,) = admin.execute("SELECT action, convert_from(body, 'UTF8') FROM ledger.event").fetchall()
    assert line == ("refused", '{"refused":"device.use","rules":["GD-18.1"]}')


def test_S03__with_a_grant_for_one_item__that_item_and_field_alone(ask, decide, use, admin):
    name = decide(ask())
    assert use().public_id == name
    assert refused(use, item="ECO-02").value.status == 403
    assert refused(use, field="records").value.status == 403
    (body,) = admin.execute(
        "SELECT convert_from(body, 'UTF8') FROM ledger.event WHERE action = 'device.use'"
    ).fetchone()
    assert f'"grant":"{name}"' in body


def test_S03__asked_and_not_decided__403(ask, use):
    ask()
    assert refused(use).value.status == 403


def test_S03__expired__403_from_the_day_after(ask, decide, use, clock, work, services, session):
    name = decide(ask(valid_to=date(2025, 7, 5)))
    clock.advance(timedelta(days=3))
    assert use() is not None
    assert list(commands.expire_where_due(services.work)) == []
    clock.advance(timedelta(days=1))
    assert refused(use).value.status == 403
    assert list(commands.expire_where_due(services.work)) == [f"device_grant {name}"]
    assert list(commands.expire_where_due(services.work)) == []
    assert session.scalars(select(DeviceGrant.state)).one() == "expired"


def test_S03__before_its_first_day__403(ask, decide, use, clock):
    decide(ask(valid_from=date(2025, 7, 4)))
    assert refused(use).value.status == 403
    clock.advance(timedelta(days=2))
    assert use() is not None


def test_S03__revoked__403_at_once(ask, decide, use):
    name = decide(ask())
    decide(name, commands.revoke_use, reason="the poles are taken down")
    assert refused(use).value.status == 403
    assert refused(decide, name).value.status == 409


def test_S03__own_device__needs_no_grant(use, sharing):
    assert use(actor="O1") is None
    assert use(actor="C1") is None
    assert refused(use, actor="N1").value.status == 403


def test_S03__another_officer_of_the_same_authority__may_too_and_others_may_not(ask, decide, use):
    decide(ask())
    assert use(actor="H4") is not None
    assert refused(use, actor="F1").value.status == 403


@pytest.mark.parametrize(
    ("change", "text_key"),
    [
        ({"authority": "A1", "actor": "O1"}, "share.own_device"),
        ({"valid_to": date(2025, 7, 1)}, "share.period"),
        ({"valid_to": date(2026, 7, 2)}, "share.period"),
        ({"valid_from": date(2025, 5, 1), "valid_to": date(2025, 6, 30)}, "share.over"),
        ({"purpose_zh": " "}, "share.no_purpose"),
        ({"fields": ("live", "keys")}, "share.fields"),
        ({"fields": ()}, "share.fields"),
    ],
)
def test_GD_18_1__asked_without_what_it_needs__refused(ask, change, text_key):
    assert text_key in texts(refused(ask, **change))


def test_GD_18_1__secret_device__cannot_be_asked_for(ask, admin, sharing):
    make_secret(admin, "DV-DV1")
    assert texts(refused(ask)) == {"share.no_device"}


@pytest.mark.parametrize("state", ["registered", "published", "maintenance", "blocked", "discontinued", "retired"])
def test_S03__granted_and_the_device_not_in_use__refused(ask, decide, use, admin, state):
    decide(ask())
    assert use().state == "granted"
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET state = %s WHERE public_id = 'DV-DV1'", [state])
    for actor in ("O4", "C1"):
        assert texts(refused(use, actor)) == {"share.not_in_use"}
    assert use("C1", field="records") is None


@pytest.mark.parametrize("actor", ["H4", "P1"])
def test_GD_18_1__decided_by_another_than_the_owner__refused(ask, decide, actor):
    assert refused(decide, ask(), actor=actor).value.status in (403, 409)


def test_GD_18_1__granted_after_its_period__refused(ask, decide, clock):
    name = ask(valid_to=date(2025, 7, 3))
    clock.advance(timedelta(days=2))
    assert texts(refused(decide, name)) == {"share.over"}


def test_GD_18_1__refused_with_a_reason(ask, decide, use, session):
    decide(ask(), commands.refuse_use, reason="There is another one nearer.")
    row = session.scalars(select(DeviceGrant)).one()
    assert (row.state, row.state_reason) == ("refused", "There is another one nearer.")
    assert texts(refused(decide, ask(), commands.refuse_use, reason=" ")) == {"machine.reason"}


def test_GD_18_1__public_view__says_who_uses_it_for_what_and_until_when(ask, decide, services, admin):
    name = ask(valid_from=date(2025, 7, 2), valid_to=date(2025, 7, 31))

    def shown():
        with services.public() as public:
            return [dict(row) for row in public.execute(text("SELECT * FROM public_map.device_grants")).mappings()]

    assert shown() == []
    decide(name)
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device_grant SET valid_to = current_date")
    (row,) = shown()
    assert (row["device_id"], row["purpose_en"], row["item_code"]) == ("DV-DV1", "Outfall checks", "ECO-01")
    assert not {"asked_by_id", "decided_by_id", "state_reason", "fields"} & row.keys()
    make_secret(admin, "DV-DV1")
    assert shown() == []


@pytest.mark.parametrize(
    "change", ["valid_to = valid_to + 30", "purpose_en = 'other'", "fields = '[\"records\"]'", "valid_to = 'infinity'"]
)
def test_GD_18_1__plain_sql__cannot_stretch_a_grant(ask, decide, services, change):
    decide(ask())
    with services.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(f"UPDATE core.device_grant SET {change}"))
    assert judge.translate(caught.value).refusals[0].rule == "GD-18.1"


@pytest.mark.parametrize(("lang", "said"), [("en", "may be used for"), ("zh", "可用于")])
def test_share__through_the_command_line(services, sharing, lang, said):
    state = State(lang)
    state._services = services

    def run(*words):
        result = CliRunner().invoke(device_commands, ["share", *words], obj=state)
        assert result.exit_code == 0, result.output
        return result.output

    asked = ("--authority", "A2", "--item", "ECO-01", "--purpose-en", "x", "--purpose-zh", "x", "--to", "2025-07-31")
    told = run("ask", "DV-DV1", *asked, "--as", "O4")
    name = next(word.strip(":：") for word in told.replace("：", ": ").split() if word.startswith("DG-"))
    run("grant", name, "--reason", "it is free then", "--as", "H1")
    assert said in run("use", "DV-DV1", "--item", "ECO-01", "--as", "O4")
    assert name in run("list", "--authority", "A2")
    run("revoke", name, "--reason", "over", "--as", "H1")
    assert '"revoked"' in run("list", "--authority", "A1", "--json")
