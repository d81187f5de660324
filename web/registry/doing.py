"""What can be done with a device: each step with its form, who takes it, and the command behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geo import commands
from geo.commands.papers import INSPECTORS, OUTCOMES, TESTS
from geo.evaluating import evidence_of
from geo.wording import stop_text
from schemas.machine import Transition, state_tables
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Device
from web.i18n import gettext
from web.page import today
from web.registry import incidents, sharing, words
from web.registry.steps import (
    Field,
    Step,
    ahead,
    day_of,
    files_of,
    holds,
    may_take,
    one_of,
    text_of,
    unreadable,
)

_EVALUATORS = [Role.OFFICER, Role.PLANNER, Role.UNIT_HEAD, Role.LEGAL_REVIEWER, Role.TECHNICAL_REVIEWER]
_IN_USE = ("active", "maintenance", "blocked")
_STANDING = ("registered", "reviewed", "published", *_IN_USE)


def steps_of(work: Work, device: Device) -> list[Step]:
    """The changes of state that lead on from here, those of the reader first."""
    table = state_tables()["device"]
    found = []
    for transition in table.transitions:
        if transition.leaves(device.state) and transition.name in _FORMS:
            found.append(_step(work, device, transition))
    return sorted(found, key=lambda step: (step.heavy, not step.mine))


def _step(work: Work, device: Device, transition: Transition) -> Step:
    title, fields, follows = _FORMS[transition.name](work, device)
    mine = may_take(work, transition, device)
    refusals = ahead(work, device, transition) if transition.guards else ()
    elsewhere = transition.name in ("publish", "discontinue", "retire")
    return Step(
        name=transition.name,
        title=title,
        button=gettext("Go to its publication") if elsewhere else title,
        fields=fields,
        follows=follows,
        mine=mine,
        who=tuple(who for who in transition.who if who in {*Role}),
        refusals=refusals,
        heavy=transition.name in ("discontinue", "retire"),
        url=f"/registry/publication/{device.public_id}" if elsewhere and mine else "",
    )


Form = tuple[str, tuple[Field, ...], str]


def _activate(_work: Work, _device: Device) -> Form:
    return (
        gettext("Put it into use"),
        (),
        gettext("From now on it may watch, and what it records can be evidence."),
    )


def _publish(_work: Work, _device: Device) -> Form:
    return (
        gettext("Announce it"),
        (),
        gettext("It stands on the official platform and on one more channel before its use."),
    )


def _pause(work: Work, device: Device) -> Form:
    most = work.pack_for(device)["maintenance.max_days"]
    fields = (
        Field("reason", gettext("Reason, for the record"), most=500),
        Field("ends_on", gettext("Expected end"), "date", hint=gettext("within %(n)s days", n=most)),
    )
    return (
        gettext("Pause it for maintenance"),
        fields,
        gettext("As long as nothing is moved, neither announcement nor new notice is needed."),
    )


def _resume(_work: Work, _device: Device) -> Form:
    return (
        gettext("Take it back into use"),
        (),
        gettext("Place, direction and purpose are compared with those from before the pause."),
    )


def _unblock(_work: Work, _device: Device) -> Form:
    fields = (Field("reason", gettext("What has been done about the cause"), most=500),)
    return gettext("Take it back into use"), fields, gettext("A technical reviewer has recorded the repair before.")


def _discontinue(_work: Work, _device: Device) -> Form:
    return (
        gettext("Take it out of use"),
        (),
        gettext("It is announced in the same step; using it again needs a new notice."),
    )


def _retire(_work: Work, _device: Device) -> Form:
    return gettext("Give it up for good"), (), gettext("It cannot be used again. Its history stays public.")


_FORMS: Mapping[str, Callable[[Work, Device], Form]] = {
    "publish": _publish,
    "activate": _activate,
    "pause": _pause,
    "resume": _resume,
    "unblock": _unblock,
    "discontinue": _discontinue,
    "retire": _retire,
}


def papers_of(work: Work, device: Device) -> list[Step]:
    """The papers that can be added now."""
    if device.state not in _STANDING:
        return []
    inspects = holds(work, list(INSPECTORS), device.authority_id)
    found = [_sign(work, device, inspects)]
    if device.is_measuring_instrument:
        found.append(_calibration(inspects))
    if device.state in _IN_USE:
        found += [_maintenance(inspects), _repair(work, device), _evaluation(work, device)]
        found += incidents.steps_of(work, device, inspects)
    return [step for step in found if step.mine]


def _sign(work: Work, device: Device, mine: bool) -> Step:
    required = bool(work.pack_for(device)["signage.photo_required"])
    mobile = device.category == "mobile"
    return Step(
        name="sign",
        title=gettext("The mark was seen") if mobile else gettext("The sign was seen"),
        button=gettext("Record what was seen"),
        mine=mine,
        fields=(
            Field("text", gettext("What it says"), "area", most=500),
            _on(gettext("Seen on")),
            Field("photo", gettext("Photo on the spot"), "file", required, gettext("JPEG, PNG or PDF, up to 32 MB")),
        ),
    )


def _on(label: str) -> Field:
    return Field("on", label, "date", value=today().isoformat())


def _paper(label: str) -> Field:
    return Field("document", label, "file", required=False, hint=gettext("JPEG, PNG or PDF, up to 32 MB"))


def _calibration(mine: bool) -> Step:
    return Step(
        name="calibration",
        title=gettext("It was calibrated or verified"),
        button=gettext("Record the test"),
        mine=mine,
        fields=(
            Field("kind", gettext("Which test"), "select", options=_options(words.TESTS, TESTS)),
            Field("agency", gettext("By which institute")),
            Field("number", gettext("Number of the certificate")),
            _on(gettext("Tested on")),
            Field(
                "result",
                gettext("Result"),
                "select",
                options=(("passed", gettext("passed")), ("failed", gettext("failed"))),
            ),
            Field(
                "valid_to", gettext("Valid until"), "date", required=False, hint=gettext("for a test that was passed")
            ),
            _paper(gettext("Certificate")),
        ),
        follows=gettext("A test that failed stops the device at the next check, within a minute."),
    )


def _options(table: Mapping[str, str], codes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((code, words.told(table, code)) for code in codes)


def _done(name: str, title: str, button: str, *, mine: bool, follows: str = "") -> Step:
    fields = (
        Field("text", gettext("What was done"), "area", most=1_000),
        Field("by", gettext("By whom")),
        _on(gettext("Done on")),
        _paper(gettext("Document")),
    )
    return Step(name=name, title=title, button=button, fields=fields, mine=mine, follows=follows)


def _maintenance(mine: bool) -> Step:
    return _done("maintenance", gettext("It was maintained"), gettext("Record the maintenance"), mine=mine)


def _repair(work: Work, device: Device) -> Step:
    mine = holds(work, [Role.TECHNICAL_REVIEWER], device.authority_id)
    follows = gettext("Says that the cause of its stop is gone; somebody else then takes it back into use.")
    return _done("repair", gettext("It was repaired"), gettext("Record the repair"), mine=mine, follows=follows)


def _evaluation(work: Work, device: Device) -> Step:
    head, mine = (holds(work, roles, device.authority_id) for roles in ([Role.UNIT_HEAD], _EVALUATORS))
    outcomes = OUTCOMES if head else tuple(outcome for outcome in OUTCOMES if outcome != "cancel_site")
    said = stop_text(work.session, device, work.pack_for(device), "discontinued", today().isoformat())
    announced = (
        Field(
            "text_zh",
            gettext("Announcement in Chinese, where the site is cancelled"),
            "area",
            False,
            value=said["zh"],
            lang="zh-CN",
        ),
        Field(
            "text_en",
            gettext("Announcement in English, where the site is cancelled"),
            "area",
            False,
            value=said["en"],
            lang="en",
        ),
    )
    return Step(
        name="evaluation",
        title=gettext("It was evaluated"),
        button=gettext("Record the evaluation"),
        mine=mine,
        fields=(
            Field("outcome", gettext("Outcome"), "select", options=_options(words.OUTCOMES, outcomes)),
            Field("text", gettext("What was found"), "area", most=1_000),
            _paper(gettext("Document")),
            *(announced if head else ()),
        ),
        follows=gettext("Cancelling the site takes the device out of use and announces it in the same step.")
        if head
        else "",
        # What is on record stands beside this form: what was decided is decided on that.
        hidden={"seen": evidence_of(work.session, device, work.pack_for(device), work.now).gist} if mine else {},
    )


# -- what they do ---------------------------------------------------------------------------------------


def do(work: Work, device: Device, step: str) -> None:
    """Takes a step with what the form says; raises RuleViolation, all that stands against it at once."""
    if step not in _COMMANDS:
        raise unreadable("step", step, ", ".join(_COMMANDS))
    _COMMANDS[step](work, device)


def _do_pause(work: Work, device: Device) -> None:
    commands.pause_device(work, device, reason=text_of("reason"), ends_on=day_of("ends_on"))  # type: ignore[arg-type]


def _do_sign(work: Work, device: Device) -> None:
    photos = files_of("photo")
    commands.record_sign(work, device, text=text_of("text"), photo=photos[0] if photos else None, seen_on=day_of("on"))


def _do_calibration(work: Work, device: Device) -> None:
    passed = one_of("result", ("passed", "failed")) == "passed"
    test = commands.Test(
        agency=text_of("agency"),
        certificate_no=text_of("number"),
        passed=passed,
        valid_to=day_of("valid_to", required=False),
        tested_on=day_of("on"),
        kind=one_of("kind", TESTS),
    )
    papers = files_of("document")
    commands.record_calibration(work, device, test, certificate=papers[0] if papers else None)


def _do_upkeep(kind: str) -> Callable[[Work, Device], None]:
    def go(work: Work, device: Device) -> None:
        told = {"kind": kind, "text": text_of("text"), "done_by": text_of("by")}
        commands.record_upkeep(work, device, **told, done_on=day_of("on"), files=files_of("document"))

    return go


def _do_evaluation(work: Work, device: Device) -> None:
    commands.evaluate_device(
        work,
        device,
        outcome=one_of("outcome", OUTCOMES),
        text=text_of("text"),
        announcement=(text_of("text_en"), text_of("text_zh")),
        files=files_of("document"),
        seen=text_of("seen"),
    )


_COMMANDS: Mapping[str, Callable[[Work, Device], None]] = {
    "activate": lambda work, device: commands.activate_device(work, device),
    "pause": _do_pause,
    "resume": lambda work, device: commands.resume_device(work, device),
    "unblock": lambda work, device: commands.unblock_device(work, device, reason=text_of("reason")),
    "sign": _do_sign,
    "calibration": _do_calibration,
    "maintenance": _do_upkeep("maintenance"),
    "repair": _do_upkeep("repair"),
    "evaluation": _do_evaluation,
    **incidents.COMMANDS,
    **sharing.COMMANDS,
}
