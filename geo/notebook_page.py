"""Maps as one file: how their layers look, and the page around them, with a legend that switches what it explains."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import geopandas as gpd

Words = Mapping[str, str]
# Scripts and styles, made with the rest of the browser side (web/frontend/build.mjs).
ASSETS = Path(__file__).resolve().parent.parent / "web" / "static" / "dist" / "report"
# The file itself forbids its browser to ask anybody for anything.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
_SAYS: Mapping[str, Words] = {
    "key": {"en": "What the map shows", "zh": "地图内容"},
    "layers": {"en": "Areas, points and routes", "zh": "区域、布点与路线"},
    "states": {"en": "State", "zh": "状态"},
    "closer": {"en": "Closer", "zh": "放大"},
    "farther": {"en": "Farther away", "zh": "缩小"},
    "close": {"en": "Close", "zh": "关闭"},
}
# Strokes that lean, whose ends meet those of the next square.
_HATCHINGS = {"zone": 8, "silent": 12}
_LATER = "5 4"
# From what is in force to what is out of use.
_LOOKS = ("on", "soon", "pause", "stop", "off")


@dataclass(frozen=True)
class Style:
    """How a layer is drawn: widths and radii in screen pixels; a ground is told of nothing.

    Colours are any that CSS knows: `#rrggbb`, or `var(--patrol)`, a colour of the pages, dark or light
    (web/frontend/styles/tokens.css). `hatching`, `zone` or `silent`, takes the place of a fill. Along a line,
    `is_directed` puts arrows and `is_named` the name of the feature; `halo` is how far its edge shines, in pixels.
    """

    colour: str = "#0b5f94"
    fill: str | None = None
    fill_opacity: float = 0.25
    width_px: float = 2.0
    dash: str | None = None
    radius_px: float = 6.0
    is_ground: bool = False
    hatching: str = ""
    halo: float = 0.0
    is_directed: bool = False
    is_named: bool = False

    @property
    def under(self) -> Style:
        """What shines below a line."""
        return Style("var(--map-halo)", fill_opacity=0.0, width_px=self.width_px + 2 * self.halo, is_ground=True)


@dataclass(frozen=True)
class Key:
    """A line of a legend: the inside of an SVG of 20 x 20 and its class, the words, and the kind that it switches.

    Without a kind it explains a state of what the layer shows.
    """

    symbol: str
    shown_as: str
    name: Words
    kind: str = ""


@dataclass(frozen=True)
class MapLayer:
    """One layer: its name in both languages, its features (any CRS that is told), and how it is drawn.

    Every column but the geometry is told when a feature is clicked, under the column's name, unless that begins with
    `_`. Of those, `_look` is `on` for what is in force (all else has broken lines), and with `_kind` it finds in
    `symbols` the inside of an SVG of 20 x 20 that stands for a point, `{(kind, look): svg}`; without any a point is a
    disc. `keys` are lines of the legend for kinds and states.
    """

    name: Words
    features: gpd.GeoDataFrame
    style: Style = field(default_factory=Style)
    symbols: Mapping[tuple[str, str], str] = field(default_factory=dict)
    keys: Sequence[Key] = ()


@dataclass(frozen=True)
class Said:
    """What stands above a map, and the language of the page."""

    title: str
    note: str
    lang: str


def drawn(layer: MapLayer, number: int, properties: Mapping[str, Any]) -> dict[str, Any]:
    """How Leaflet draws one feature of the layer that lies at that place from below."""
    style, kind, look = layer.style, properties.get("_kind", ""), properties.get("_look", "on")
    classes = ["of-mark"] if layer.symbols else []
    classes += [f"of-{number}", *([f"of-{number}-{kind}"] if kind else [])]
    if layer.symbols:
        return {"className": " ".join(classes), "html": _svg(layer.symbols[kind, look], f"sym-{look}")}
    classes += ["directed"] * style.is_directed + ["named"] * style.is_named
    return {
        "className": " ".join(classes),
        "color": style.colour,
        "weight": style.width_px,
        "fillColor": f"url(#hatch-{style.hatching})" if style.hatching else style.fill or style.colour,
        "fillOpacity": 1.0 if style.hatching else style.fill_opacity,
        "dashArray": style.dash if look == "on" or style.is_ground else _LATER,
        "interactive": not style.is_ground,
    }


def head(said: Said, layers: Sequence[MapLayer], assets: Path) -> str:
    """What the map needs before anything of it is drawn."""
    leaflet, report = (
        (assets / name).read_text(encoding="utf-8").replace("</script", "<\\/script").partition("\n//# source")[0]
        for name in ("leaflet.js", "report.js")
    )
    styles = "".join((assets / name).read_text(encoding="utf-8") for name in ("leaflet.css", "report.css"))
    hidden = ",".join(f".without-{of} .of-{of}" for of in _switched(layers))
    return (
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{html.escape(said.title)}</title>'
        # The size of letters and the place of the map are told by folium with the strength of its id.
        f"<style>{styles}{hidden} {{ display: none; }} .folium-map {{ width: auto !important; }}</style>"
        f"<script>{leaflet}</script><script>{report}</script>"
    )


def body(said: Said, layers: Sequence[MapLayer]) -> str:
    """The title above the map, the hatchings, and the legend."""
    words = {name: html.escape(both[said.lang]) for name, both in _SAYS.items()}
    told = " ".join(f'data-{name}="{words[name]}"' for name in ("closer", "farther", "close"))
    told += f' data-lang="{language(said.lang)}"'
    note = f"<p>{html.escape(said.note)}</p>" if said.note else ""
    patterns, legend = "".join(_patterns()), "".join(_legend(layers, words, said.lang))
    return (
        f'<header class="report"><h1>{html.escape(said.title)}</h1>{note}</header>'
        f'<svg class="hatchings" aria-hidden="true"><defs>{patterns}</defs></svg>'
        f'<aside class="report-key" aria-label="{words["key"]}" {told}>{legend}</aside>'
    )


def language(lang: str) -> str:
    """What a document calls its language."""
    return "zh-CN" if lang == "zh" else "en"


def _switched(layers: Sequence[MapLayer]) -> Iterator[str]:
    for number, layer in enumerate(layers):
        yield str(number)
        yield from (f"{number}-{key.kind}" for key in layer.keys if key.kind)


def _patterns() -> Iterator[str]:
    for name, side in _HATCHINGS.items():
        square = f'width="{side}" height="{side}" patternUnits="userSpaceOnUse"'
        strokes = f"M-1 {side + 1} {side + 1}-1M-1 1 1-1M{side - 1} {side + 1} {side + 1} {side - 1}"
        yield f'<pattern id="hatch-{name}" class="hatch-{name}" {square}><path d="{strokes}"/></pattern>'


def _legend(layers: Sequence[MapLayer], words: Words, lang: str) -> Iterator[str]:
    """The kinds of each layer that has several, under its name; the other layers; and the states of all."""
    plain: list[str] = []
    shown = sum(not layer.style.is_ground for layer in layers)
    for number, layer in reversed(list(enumerate(layers))):
        if layer.style.is_ground:
            continue
        kinds = [key for key in layer.keys if key.kind]
        if len(kinds) < 2:
            symbol = _svg(kinds[0].symbol, kinds[0].shown_as) if kinds else _swatch(layer)
            plain.append(_switch(str(number), symbol, layer.name[lang], len(layer.features)))
            continue
        counts = layer.features["_kind"].value_counts()
        rows = [
            _switch(
                f"{number}-{key.kind}", _svg(key.symbol, key.shown_as), key.name[lang], int(counts.get(key.kind, 0))
            )
            for key in kinds
        ]
        yield _group(html.escape(layer.name[lang]), rows)
    if plain:
        yield _group(words["layers" if len(plain) < shown else "key"], plain)
    states = {key.name[lang]: key for layer in layers for key in layer.keys if not key.kind}
    if states:
        told = sorted(states.values(), key=lambda key: _LOOKS.index(key.shown_as.removeprefix("sym-")))
        yield _group(
            words["states"],
            [f"<li>{_svg(key.symbol, key.shown_as)}{html.escape(key.name[lang])}</li>" for key in told],
        )
    for layer in layers:
        if layer.style.is_ground and layer.style.hatching:
            yield f"<p>{html.escape(layer.name[lang])}</p>"


def _group(name: str, rows: Sequence[str]) -> str:
    return f"<h2>{name}</h2><ul>{''.join(rows)}</ul>"


def _switch(of: str, symbol: str, name: str, count: int) -> str:
    return (
        f'<li><label><input type="checkbox" value="{of}" checked>{symbol}<span>{html.escape(name)}</span>'
        f'<span class="count">{count}</span></label></li>'
    )


def _svg(inside: str, shown_as: str) -> str:
    return f'<svg class="sym {shown_as}" viewBox="0 0 20 20" aria-hidden="true">{inside}</svg>'


def _swatch(layer: MapLayer) -> str:
    """The layer's own colours, as a line, an area or a disc."""
    for (_kind, look), symbol in layer.symbols.items():
        return _svg(symbol, f"sym-{look}")
    style, kinds = layer.style, set(layer.features.geom_type)
    as_drawn = drawn(layer, 0, {})
    drawn_as = (
        f'style="stroke: {html.escape(style.colour)}; stroke-width: {style.width_px:g};'
        f" fill: {html.escape(as_drawn['fillColor'])}; fill-opacity: {as_drawn['fillOpacity']:g};"
        f' stroke-dasharray: {html.escape(style.dash or "none")}"'
    )
    if kinds & {"Point", "MultiPoint"}:
        shape = f'<circle cx="10" cy="10" r="{min(8.0, style.radius_px):g}" {drawn_as}/>'
    elif kinds & {"Polygon", "MultiPolygon"}:
        shape = f'<path d="M1.500 3.500h17v13h-17z" {drawn_as}/>'
    else:
        shape = f'<path d="M1 10h18{"M13 5.500 18 10l-5 4.500" if style.is_directed else ""}" {drawn_as}/>'
    return _svg(shape, "")
