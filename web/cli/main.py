"""The group `skywarden` and how it meets errors: refusals are told in full, nothing shows a stack."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from importlib import import_module

import click
import structlog
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from schemas.refusals import RuleViolation, refuse
from schemas.store.cluster import ClusterError
from web.cli.common import State, tell_and_exit
from web.cli.helping import in_chinese
from web.logs import configure_logs

log = structlog.get_logger(__name__)

MISSING, FAULT, INTERRUPTED = 3, 4, 130
_SAYS = {
    "en": {
        "interrupted": "Interrupted.",
        "setting": "The setting SKYWARDEN_{name} is wrong: {reason}. See docs/operations.md.",
        "database": "The database does not answer: {reason}. See docs/operations.md.",
        "file": "{name}: {reason}.",
    },
    "zh": {
        "interrupted": "已中断。",
        "setting": "设置项 SKYWARDEN_{name} 有误：{reason}。参见 docs/operations.md。",
        "database": "数据库无响应：{reason}。参见 docs/operations.md。",
        "file": "{name}：{reason}。",
    },
}

# Command name -> module that holds it, imported when it is asked for: a plan check needs no rasters.
COMMANDS = {
    "aircraft": "web.cli.aircraft",
    "authority": "web.cli.authority",
    "complaint": "web.cli.complaint",
    "coverage": "web.cli.coverage",
    "db": "web.cli.db",
    "demo": "web.cli.demo",
    "device": "web.cli.device",
    "finding": "web.cli.finding",
    "flight": "web.cli.flight",
    "gateway": "web.cli.gateway",
    "item": "web.cli.item",
    "layer": "web.cli.layer",
    "ledger": "web.cli.ledger",
    "map": "web.cli.map",
    "model": "web.cli.model",
    "notice": "web.cli.notice",
    "overlay": "web.cli.overlay",
    "patrol": "web.cli.patrol",
    "person": "web.cli.person",
    "plan": "web.cli.plan",
    "relay": "web.cli.relay",
    "remote-id": "web.cli.remote_id",
    "rules": "web.cli.scene_replay",
    "sample": "web.cli.sample",
    "scene": "web.cli.scene",
    "serve": "web.cli.serve",
    "simulator": "web.cli.simulator",
    "siting": "web.cli.siting",
    "terrain": "web.cli.terrain",
    "things": "web.cli.things",
    "worker": "web.cli.worker",
    "zone": "web.cli.zone",
}


class Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        return in_chinese(command) if ctx.params.get("lang") == "zh" else command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", help="Language of what is printed.")
@click.pass_context
def skywarden(context: click.Context, lang: str) -> None:
    """Lawful off-site environmental enforcement: routes, imagery, devices and the public map."""
    context.obj = State(lang)
    context.call_on_close(context.obj.close)


def main() -> None:
    """Runs the command line; ends with 0 done, 1 refused, 2 wrong usage, 3 something missing, 4 a fault of ours."""
    configure_logs()
    language = _language(sys.argv[1:])
    try:
        skywarden.main(prog_name="skywarden", standalone_mode=False)
    except RuleViolation as error:
        tell_and_exit(error, language, json_wanted="--json" in sys.argv[1:])
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo(_SAYS[language]["interrupted"], err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:  # A stack is for the log; people get one line.
        line = _missing(error, _SAYS[language])
        click.echo(line or _incident(error, language), err=True)
        sys.exit(MISSING if line else FAULT)


def _missing(error: Exception, says: Mapping[str, str]) -> str | None:
    """What is missing, in a line for each; None when the fault is ours."""
    match error:
        case ClusterError():
            return str(error)
        case ValidationError(title="Settings"):
            wrong = [(str(w["loc"][0]).upper(), w["msg"].removeprefix("Value error, ")) for w in error.errors()]
            return "\n".join(says["setting"].format(name=name, reason=reason) for name, reason in wrong)
        case OperationalError():
            return says["database"].format(reason=str(error.orig).strip().splitlines()[0])
        case OSError(filename=str(name), strerror=str(reason)):
            return says["file"].format(name=name, reason=reason)
    return None


def _incident(error: Exception, language: str) -> str:
    incident = secrets.token_hex(4)
    log.error("incident", incident=incident, exc_info=error)
    told = refuse("service.incident", "web.service_incident", incident=incident).render(language)
    return f"{told['message']} {told['fix']}"


def _language(arguments: list[str]) -> str:
    """What `--lang` says, for errors that leave the group; English where it says nothing known."""
    said = "en"
    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == "--lang":
            said = after
        elif word.startswith("--lang="):
            said = word.removeprefix("--lang=")
    return said if said in _SAYS else "en"
