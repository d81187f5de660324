"""What the commands share: services made on first use, the acting person, and how refusals are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import update_wrapper
from typing import Any, NoReturn, TypeVar, cast

import click

from schemas.actors import HOST, Actor
from schemas.refusals import Refusal, RuleViolation
from schemas.words import Coded
from web.wiring import Services, build

REFUSED = 1
_LABELS = {
    "en": {"measured": "measured", "required": "required", "earliest": "earliest"},
    "zh": {"measured": "实测", "required": "要求", "earliest": "最早"},
}
F = TypeVar("F", bound=Callable[..., Any])


class State:
    """What one run of the command line holds: the language, the format and the services."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._services: Services | None = None

    @property
    def services(self) -> Services:
        """The services, made when a command first needs them."""
        if self._services is None:
            self._services = build()
        return self._services

    def close(self) -> None:
        """Closes the connections that were opened."""
        if self._services is not None:
            self._services.close()


def pass_services(command: F) -> F:
    """Hands the services to a command as its first argument."""

    @click.pass_context
    def call(context: click.Context, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return context.invoke(command, context.find_object(State).services, *args, **kwargs)  # type: ignore[union-attr]

    return cast("F", update_wrapper(call, command))


as_person = click.option(
    "--as", "person", metavar="PERSON", help="Act as this person (sample data only), such as F1 or O1."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")


class Instant(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """An ISO 8601 time; one without a zone is refused, because a legal time needs one."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401
        """The aware time in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO 8601 time such as 2025-07-02T10:00+08:00", param, ctx)
        if parsed.tzinfo is None:
            self.fail(f"{value!r} has no time zone; write 2025-07-02T10:00+08:00", param, ctx)
        try:
            return parsed.astimezone(UTC)
        except OverflowError:
            self.fail(f"{value!r} lies outside the years 1 to 9999 in UTC", param, ctx)


def actor_for(services: Services, person: str | None) -> Actor:
    """The actor named by `--as`, or the host administration, which may approve and publish nothing."""
    return services.actor(person) if person else HOST


def lang() -> str:
    """The language of this run, en or zh."""
    state = click.get_current_context().find_object(State)
    return state.lang if state else "en"


def echo_json(value: Any) -> None:  # noqa: ANN401
    """Prints one JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=False, default=str))


def echo_refusals(refusals: Iterable[Refusal], language: str) -> None:
    """Prints every failed rule with its reason, what was measured and required, and the fix."""
    for refusal in refusals:
        body = refusal.render(language)
        click.secho(f"  ✗ {body['rule']}", fg="red", nl=False)
        click.echo(f"  {body['message']}")
        told = body | {key: value.tell(language) for key, value in _coded(refusal)}
        values = [f"{label}: {told[key]}" for key, label in _LABELS[language].items() if key in told]
        if values:
            click.echo(f"      {' · '.join(values)}")
        click.echo(f"      → {body['fix']}")


def _coded(refusal: Refusal) -> Iterator[tuple[str, Coded]]:
    """What was measured and required where it stands for words."""
    for key in ("measured", "required"):
        if isinstance(value := getattr(refusal, key), Coded):
            yield key, value


def tell_and_exit(error: RuleViolation, language: str, *, json_wanted: bool) -> NoReturn:
    """Ends the run with the refusals of `error` and exit status 1."""
    if json_wanted:
        echo_json({"ok": False, "status": error.status, "refusals": error.render(language)})
    else:
        click.echo({"en": "Refused:", "zh": "已拒绝："}[language])
        echo_refusals(error.refusals, language)
    sys.exit(REFUSED)
