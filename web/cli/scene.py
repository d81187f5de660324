"""`skywarden scene`: take imagery in, segment it, list it, compare its findings with ground truth."""

from __future__ import annotations

from importlib import import_module

import click

from web.cli.helping import in_chinese

# Command name -> module that holds it and its name there, imported when it is asked for: whoever hands in an image
# waits for no engine, and pays for none.
COMMANDS = {
    "catalogue": ("web.cli.scene_catalogue", "catalogue"),
    "coverage": ("web.cli.scene_coverage", "coverage"),
    "evaluate": ("web.cli.scene_evaluate", "evaluate_scene"),
    "ingest": ("web.cli.scene_ingest", "ingest"),
    "list": ("web.cli.scene_list", "list_scenes"),
    "proposals": ("web.cli.scene_proposals", "list_proposals"),
    "quarantine": ("web.cli.scene_quarantine", "list_quarantined"),
    "remask": ("web.cli.scene_remask", "remask"),
    "reproduce": ("web.cli.scene_reproduce", "reproduce_finding"),
    "segment": ("web.cli.scene_segment", "segment"),
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
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return in_chinese(command) if ctx.find_root().params.get("lang") == "zh" else command


@click.group(cls=Commands)
def scene() -> None:
    """Satellite scenes, aerial images and the photos of flights."""
