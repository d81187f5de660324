"""The help of commands in the language that was asked for; what has no Chinese yet stays English."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Mapping
from copy import copy
from functools import cache
from importlib import resources

import click


@cache
def chinese() -> Mapping[str, str]:
    """The Chinese of every paragraph of help that has one, by its English text."""
    return tomllib.loads(resources.files("web.cli").joinpath("help_zh.toml").read_text(encoding="utf-8"))


def in_chinese(command: click.Command) -> click.Command:
    """A copy of a command, and of all below it, whose help is in Chinese; the command itself stays as it is."""
    made = copy(command)
    made.help = told(command.help)
    made.params = [_option(param) if isinstance(param, click.Option) else param for param in command.params]
    if isinstance(made, click.Group):
        made.commands = {name: in_chinese(below) for name, below in made.commands.items()}
    return made


def told(text: str | None) -> str | None:
    """A help text in Chinese, each paragraph that has one."""
    if text is None:
        return None
    paragraphs = (" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))
    return "\n\n".join(chinese().get(part, part) for part in paragraphs)


def _option(option: click.Option) -> click.Option:
    made = copy(option)
    made.help = told(option.help)
    return made
