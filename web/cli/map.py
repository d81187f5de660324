"""`skywarden map`: the public map as one file, for a report or a place without a network."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from geo.notebook import export_map
from web.cli.common import lang, pass_services
from web.public.exporting import ORDER, coverage_layer, map_layers
from web.wiring import Services

_SAYS = {
    "en": {
        "title": "What watches here",
        "today": "As published on {day}.",
        "then": "As it was on {day}.",
        "sample": "Sample data: Qinghe District and everything in it is fictional.",
        "wrote": "Wrote {features} features of {layers} layers to {path} ({size} kB). It opens without a network.",
    },
    "zh": {
        "title": "此处有哪些监控",
        "today": "{day} 公示状态。",
        "then": "{day} 当日状态。",
        "sample": "示例数据：清河区及其中一切均为虚构。",
        "wrote": "已将 {layers} 个图层共 {features} 个要素写入 {path}（{size} kB），无需网络即可打开。",
    },
}


@click.group("map")
def map() -> None:
    """Maps as one file."""


@map.command()
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False, writable=True), help="The file.")
@click.option("--layer", "names", multiple=True, type=click.Choice(ORDER), help="A public layer; all without it.")
@click.option("--route", default="", metavar="ID", help="A published route to be drawn on top.")
@click.option(
    "--coverage",
    type=click.Path(exists=True, path_type=Path, dir_okay=False),
    help="A coverage result: a GeoJSON file of areas.",
)
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The day to show; today without it.")
@pass_services
def export(
    services: Services, out: Path, names: tuple[str, ...], route: str, coverage: Path | None, on: datetime | None
) -> None:
    """Writes what anyone may see as one HTML file that opens with the network cut."""
    says, day = _SAYS[lang()], on.date() if on else None
    covered = [coverage_layer(coverage)] if coverage else []
    with services.public() as public:
        layers = map_layers(public, names, on=day, route=route, lang=lang())
    layers = [*layers, *covered]
    note = says["then" if day else "today"].format(day=day or services.today)
    if services.holds_sample_data:
        note = f"{note} {says['sample']}"
    export_map(layers, out, title={key: _SAYS[key]["title"] for key in _SAYS}, lang=lang(), note=note)
    shown = [layer for layer in layers if len(layer.features) and not layer.style.is_ground]
    told = {"features": sum(len(layer.features) for layer in shown), "layers": len(shown)}
    click.echo(says["wrote"].format(**told, path=out, size=out.stat().st_size // 1000))
