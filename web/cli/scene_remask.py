"""`skywarden scene remask`: mask anew what shows a place that has become private."""

from __future__ import annotations

import sys

import click

from schemas.actors import SYSTEM
from sensing.remask import Overdue, Remasked
from web import scenes
from web.cli.common import REFUSED, as_json, echo_json, echo_refusals, lang, pass_services
from web.cli.progress import progress_bar
from web.wiring import Services

WORDS = {
    "en": {
        "none": "every masked copy hides every privacy zone",
        "due": "{scene}: the copy {copy} does not hide {zones}",
        "done": "{scene}: masked anew as {copy}, {hidden:,} more pixels hidden ({zones})",
        "failed": "{scene}: the copy {copy} cannot be masked anew; it stays shut",
    },
    "zh": {
        "none": "所有遮蔽副本均已遮蔽全部隐私排除区",
        "due": "{scene}：副本 {copy} 尚未遮蔽 {zones}",
        "done": "{scene}：已重新遮蔽为 {copy}，新增遮蔽像素 {hidden:,} 个（{zones}）",
        "failed": "{scene}：副本 {copy} 无法重新遮蔽，继续停用",
    },
}


@click.command("remask")
@click.option("--dry-run", is_flag=True, help="Only list the copies that show what a zone hides.")
@as_json
@pass_services
def remask(services: Services, dry_run: bool, as_json: bool) -> None:
    """Masks anew every copy that shows what a privacy zone of a later day hides, and removes the old files.

    The worker does the same every minute. Until it is done, such a copy is neither shown nor looked at. What was cut
    off goes on when the same command is given again.
    """
    if dry_run:
        _list(scenes.overdue(services), as_json)
        return
    with progress_bar(as_json) as progress:
        done = list(scenes.remask(services, actor=SYSTEM, progress=progress))
    _tell(done, as_json)
    if any(one.refused for one in done):
        sys.exit(REFUSED)


def _list(due: list[Overdue], as_json: bool) -> None:
    if as_json:
        echo_json({"ok": True, "overdue": [_plain(one) for one in due]})
        return
    words = WORDS[lang()]
    for one in due:
        click.echo(words["due"].format(scene=one.scene, copy=one.copy, zones=", ".join(one.zones)))
    if not due:
        click.echo(words["none"])


def _tell(done: list[Remasked], as_json: bool) -> None:
    if as_json:
        rows = [
            _plain(one.overdue)
            | {"new_copy": one.copy, "newly_hidden_pixels": one.hidden_pixels}
            | {"refusals": one.refused.render(lang()) if one.refused else []}
            for one in done
        ]
        echo_json({"ok": not any(one.refused for one in done), "remasked": rows})
        return
    words = WORDS[lang()]
    for one in done:
        due = one.overdue
        if one.refused:
            click.echo(words["failed"].format(scene=due.scene, copy=due.copy))
            echo_refusals(one.refused.refusals, lang())
        else:
            zones = ", ".join(due.zones)
            click.echo(words["done"].format(scene=due.scene, copy=one.copy, hidden=one.hidden_pixels, zones=zones))
    if not done:
        click.echo(words["none"])


def _plain(one: Overdue) -> dict[str, object]:
    return {"scene": one.scene, "copy": one.copy, "zones": list(one.zones)}
