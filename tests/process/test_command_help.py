"""What commands say of themselves, in both languages."""

import re

import click
import pytest
from click.testing import CliRunner

from web.cli.authority import authority
from web.cli.complaint import complaint
from web.cli.coverage import coverage
from web.cli.device_evidence import evidence
from web.cli.device_health import health, reference, view
from web.cli.device_share import share
from web.cli.finding import finding
from web.cli.flight_approval import approval, sheet
from web.cli.helping import chinese, in_chinese, told
from web.cli.layer import import_ as import_layer
from web.cli.ledger import checkpoint
from web.cli.main import skywarden
from web.cli.model import model
from web.cli.patrol_files import import_areas, import_points
from web.cli.plan import plan
from web.cli.scene import scene
from web.cli.siting_runs import again, ask, plan_from, result, runs, stop
from web.cli.things import things
from web.cli.zone import zone

HAN = re.compile("[\u4e00-\u9fff]")
OF_THE_FIELD = (
    *(plan, zone, approval, sheet, finding, scene, model, things, health, reference, view),
    *(coverage, ask, runs, result, stop, again, plan_from),
    *(share, import_layer, import_areas, import_points),
    *(authority, complaint, checkpoint, evidence),
)


def texts(command):
    """Every help text of a command and of all below it."""
    yield command.help
    yield from (param.help for param in command.params if isinstance(param, click.Option))
    if isinstance(command, click.Group):
        above = click.Context(command)
        for name in command.list_commands(above):
            yield from texts(command.get_command(above, name))


@pytest.mark.parametrize("command", OF_THE_FIELD, ids=lambda command: command.name)
def test_help_of_what_pilots_and_officers_use__all_in_chinese(command):
    for text in filter(None, texts(command)):
        for paragraph in told(text).split("\n\n"):
            assert HAN.search(paragraph), f"no Chinese for {paragraph!r} in help_zh.toml"


def test_catalogue__holds_nothing_that_no_command_says():
    said = {part for command in OF_THE_FIELD for text in filter(None, texts(command)) for part in paragraphs(text)}
    assert set(chinese()) <= said


def paragraphs(text):
    return [" ".join(part.split()) for part in text.split("\n\n")]


def test_chinese_help__leaves_the_english_as_it_is():
    before = list(texts(plan))
    assert list(texts(in_chinese(plan))) != before
    assert list(texts(plan)) == before


@pytest.mark.parametrize(("lang", "words"), [("zh", "按全部规则一次判断 FILE"), ("en", "Judges FILE by every rule")])
def test_help__in_the_language_that_is_asked_for(lang, words):
    for asked in (["plan", "check", "--help"], ["plan", "--help"]):
        assert words in CliRunner().invoke(skywarden, ["--lang", lang, *asked]).output


def test_command_without_chinese_help__says_it_in_english():
    assert "Usage" in CliRunner().invoke(skywarden, ["--lang", "zh", "terrain", "--help"]).output
