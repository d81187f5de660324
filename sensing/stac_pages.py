"""Touches the disk: pages beside a static STAC catalogue, so that a person may browse it without any program.

Plain HTML in English and Chinese: no script, nothing from elsewhere, every link relative.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import pystac

PAGE, STYLE = "index.html", "style.css"
_CSS = """body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; color: #1c2430 }
a { color: #0b57a4 } img { max-width: 100%; background: #dfe3e8 } figure { margin: 0 }
.banner { background: #fff1cc; border: 1px solid #8a6100; padding: .5rem 1rem }
.scenes { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); padding: 0 }
.scenes li { list-style: none }
th { text-align: left; vertical-align: top; padding-right: 1rem; font-weight: 600 } td { overflow-wrap: anywhere }
"""
_SAMPLE = "Invented sample data: no real place. 虚构示例数据，并非真实地点。"
_MASKED = (
    "Masked copies: the pixels of privacy zones are removed before anything is stored. "
    "遮蔽副本：隐私排除区像素在入库前即已去除。"
)
_NOBODY_KNOWS = "nobody knows 不详"
# What a page tells of a scene, in this order; the whole of it stands in the JSON beside the page.
_TOLD = (
    ("gsd", "Pixel, m 像素（米）"),
    ("platform", "Platform 平台"),
    ("processing:level", "Level 级别"),
    ("proj:code", "Coordinate system 坐标系"),
    ("proj:shape", "Rows, columns 行、列"),
    ("skywarden:position_error_m", "Position error, m 定位误差（米）"),
    ("skywarden:position_basis", "Whose word that is 误差依据"),
    ("skywarden:masked_pixels", "Masked pixels 遮蔽像素"),
    ("skywarden:surviving_pixels", "Surviving pixels of zones 残留像素"),
    ("skywarden:zone_version", "Version of the zones 排除区版本"),
    ("skywarden:original_sha256", "SHA-256 of the original 原件 SHA-256"),
    ("processing:lineage", "Made by 处理过程"),
    ("created", "Made at 生成时间"),
)


def write_pages(root: Path, catalogue: pystac.Catalog, *, is_sample: bool) -> None:
    """Write a page for the catalogue, for each collection and for each item that was saved below `root`."""
    (root / STYLE).write_text(_CSS, encoding="utf-8")
    collections = list(catalogue.get_children())
    listed = "".join(_collection_line(one) for one in collections) or "<li>no scenes 没有影像</li>"
    body = f"<p>{_text(catalogue.description)}</p><ul>{listed}</ul>"
    _write(root, "", (catalogue.title or catalogue.id, body), catalogue, is_sample=is_sample)
    for collection in collections:
        home = root / collection.id
        items = sorted(collection.get_items(), key=_taken, reverse=True)
        cards = "".join(_card(item) for item in items)
        title = collection.title or collection.id
        body = f'<p>{_text(collection.description)}</p><ul class="scenes">{cards}</ul>'
        _write(home, "../", (title, body), collection, is_sample=is_sample)
        for item in items:
            body = f"{_picture(item)}<table>{''.join(_rows(item))}</table><h2>Files 文件</h2><ul>{_files(item)}</ul>"
            _write(home / item.id, "../../", (item.id, body), item, is_sample=is_sample)


def _write(home: Path, up: str, page: tuple[str, str], what: pystac.STACObject, *, is_sample: bool) -> None:
    title, body = page
    banner = f'<p class="banner" role="note">{_SAMPLE}</p>' if is_sample else ""
    above = f'<p><a href="../{PAGE}">↑ up 上一级</a></p>' if up else ""
    document = Path(what.get_self_href() or "").name
    (home / PAGE).write_text(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{_text(title)}</title>'
        f'<link rel="stylesheet" href="{up}{STYLE}"></head>\n<body>{banner}{above}<h1>{_text(title)}</h1>'
        f'<p>{_MASKED}</p>\n{body}\n<p><a href="{_text(document)}">STAC: {_text(document)}</a></p></body></html>\n',
        encoding="utf-8",
    )


def _collection_line(one: pystac.Catalog) -> str:
    count = len(list(one.get_items()))
    return f'<li><a href="{_text(one.id)}/{PAGE}">{_text(one.title or one.id)}</a> ({count})</li>'


def _card(item: pystac.Item) -> str:
    name = _text(item.id)
    shown = f'<img src="{name}/{_text(item.assets["thumbnail"].href)}" alt="" loading="lazy">' if _shown(item) else ""
    told = f"<figcaption>{name}<br>{_taken(item)}</figcaption>"
    return f'<li><a href="{name}/{PAGE}"><figure>{shown}{told}</figure></a></li>'


def _picture(item: pystac.Item) -> str:
    return (
        f'<figure><img src="{_text(item.assets["thumbnail"].href)}" alt="{_text(item.id)}"></figure>'
        if _shown(item)
        else ""
    )


def _shown(item: pystac.Item) -> bool:
    return "thumbnail" in item.assets


def _rows(item: pystac.Item) -> Iterator[str]:
    told: dict[str, Any] = {"Taken 拍摄时间": _taken(item), "West, south, east, north 范围": item.bbox}
    told |= {name: item.properties.get(key) for key, name in _TOLD}
    bands: list[Mapping[str, Any]] = item.assets["image"].extra_fields.get("eo:bands", []) if item.assets else []
    told["Bands 波段"] = ", ".join(str(band.get("description", band.get("name"))) for band in bands)
    for name, value in told.items():
        if value not in (None, ""):
            yield f"<tr><th scope=row>{_text(name)}</th><td>{_text(_plain(value))}</td></tr>"


def _files(item: pystac.Item) -> str:
    return "".join(
        f'<li><a href="{_text(asset.href)}">{_text(asset.title or asset.href)}</a></li>'
        for asset in item.assets.values()
    )


def _taken(item: pystac.Item) -> str:
    if item.properties.get("skywarden:captured_known") is False:
        return _NOBODY_KNOWS
    at = item.datetime or item.common_metadata.start_datetime
    return f"{at:%Y-%m-%d %H:%M:%S}Z" if at else _NOBODY_KNOWS


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list):
        return ", ".join(f"{one:.6f}" if isinstance(one, float) else str(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(value: str) -> str:
    return escape(value, quote=True)
