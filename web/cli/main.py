"""The group `skywarden` and how it meets errors: refusals are told in full, nothing shows a stack."""

from __future__ import annotations

import sys
from importlib import import_module

import click
from sqlalchemy.exc import OperationalError

from schemas.refusals import RuleViolation
from schemas.store.cluster import ClusterError
from web.cli.common import State, tell_and_exit
from web.logs import configure_logs

MISSING = 3

# Command name -> module that holds it, imported when it is asked for: a plan check needs no rasters.
COMMANDS = {
    "db": "web.cli.db",
    "demo": "web.cli.demo",
    "flight": "web.cli.flight",
    "layer": "web.cli.layer",
    "ledger": "web.cli.ledger",
    "person": "web.cli.person",
    "plan": "web.cli.plan",
    "sample": "web.cli.sample",
    "scene": "web.cli.scene",
    "serve": "web.cli.serve",
    "simulator": "web.cli.simulator",
    "worker": "web.cli.worker",
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
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", help="Language of what is printed.")
@click.pass_context
def skywarden(context: click.Context, lang: str) -> None:
    """Lawful off-site environmental enforcement: routes, imagery, devices and the public map."""
    context.obj = State(lang)
    context.call_on_close(context.obj.close)


def main() -> None:
    """Runs the command line; ends with 0 done, 1 refused, 2 wrong usage, 3 something is missing."""
    configure_logs()
    try:
        skywarden.main(prog_name="skywarden", standalone_mode=False)
    except RuleViolation as error:
        arguments = sys.argv[1:]
        language = "zh" if "--lang" in arguments and "zh" in arguments else "en"
        tell_and_exit(error, language, json_wanted="--json" in arguments)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except ClusterError as error:
        click.echo(str(error), err=True)
        sys.exit(MISSING)
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[-1]
        click.echo(f"The database cannot be reached: {reason}. See docs/operations.md.", err=True)
        sys.exit(MISSING)
