"""`skywarden scene catalogue`: the masked copies as a folder that other programs browse."""

from __future__ import annotations

from pathlib import Path

import click

from sensing.stac import About, entries, write_catalogue
from web import scenes
from web.cli.common import as_json, echo_json, lang, pass_services
from web.cli.progress import progress_bar
from web.wiring import Services

WORDS = {
    "en": "{out}: {count} scenes as a static STAC catalogue; begin with index.html, programs with catalog.json",
    "zh": "{out}：{count} 景影像，静态 STAC 目录；浏览入口 index.html，程序入口 catalog.json",
}


@click.command("catalogue")
@click.argument("out", type=click.Path(path_type=Path))
@as_json
@pass_services
def catalogue(services: Services, out: Path, as_json: bool) -> None:
    """Writes the masked copies of all scenes to the new folder OUT as a static STAC catalogue.

    Programs read it by its catalog.json, people by its index.html. Everything in it is linked relatively, so it may be
    moved, served or put on a disk. Originals are never in it, and no scene that is in quarantine.
    """
    about = About(made_at=services.clock.now(), is_sample=services.holds_sample_data)
    with services.session() as session:
        found = entries(session, about.made_at)
    with progress_bar(as_json) as progress:
        write_catalogue(out, found, scenes.shelf_of(services).derivatives, about, progress)
    if as_json:
        echo_json({"ok": True, "catalogue": str(out / "catalog.json"), "scenes": len(found)})
        return
    click.echo(WORDS[lang()].format(out=out, count=len(found)))
