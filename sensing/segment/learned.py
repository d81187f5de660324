"""Touches the disk: an approved pixel model as one more way of looking for each kind that it knows.

It proposes beside the detectors of the engine and is examined like them: a pixel is marked where the model is more
sure than not, an area is looked at where some of it is surely so, and the law decides what becomes of it. Where the law
wants two dates to see a thing, the model must not have called it so on the earlier one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from sensing.bands import Role
from sensing.kernels import present
from sensing.learn.deciding import CERTAIN
from sensing.learn.features import HALO_PX
from sensing.learn.pixel import NONE, Bytes, PixelModel, corrupt
from sensing.learn.use import paint
from sensing.mask import Mask
from sensing.picture import Tile
from sensing.segment.areas import elongation, rectangularity
from sensing.segment.examine import outline, smoothed
from sensing.segment.looks import Closer, Find, Numbers, Planes, Searched, View
from sensing.words import say

# The measure that tells a find of the model from one of the engine, and the words of a find of both.
CONFIDENCE = "model_confidence"
_LIKELY, _SURE = CERTAIN // 2, CERTAIN * 4 // 5
# Pixels around one that decide about it, and lone ones that are let go.
_SETTLE_PX = 1
# Fewer pixels than this have no outline; on the ground, less than this is nothing that an officer would go to see.
_FEWEST_PX, _FEWEST_SURE_PX, _SMALLEST_M2 = 12, 4, 50.0


@dataclass(frozen=True)
class Learned:
    """The pixel model of a pass: its public id, its file with its hash, and the kinds that it is asked for.

    `changed` are those kinds that show only in what became of a place between two dates.
    """

    name: str
    sha256: str
    path: Path
    kinds: tuple[str, ...]
    changed: tuple[str, ...] = ()

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        lists = {"kinds": list(self.kinds), "changed": list(self.changed)}
        return {"name": self.name, "sha256": self.sha256, "path": str(self.path), **lists}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        lists = (tuple(plain["kinds"]), tuple(plain["changed"]))
        return cls(plain["name"], plain["sha256"], Path(plain["path"]), *lists)


class Way(NamedTuple):
    """How one kind is painted and examined by the model."""

    kind: str
    numbers: Numbers
    searched: Searched
    paint: Callable[[View, Mask, Numbers], Planes]
    examine: Callable[[Closer, Numbers], Find | None]


def ways(learned: Learned, roles: Collection[Role], gsd_m: float, *, pair: bool) -> list[Way]:
    """A way of looking for each kind that is asked for and that the model knows; none where it lacks a band.

    Without a `pair` of dates nothing is looked for that shows only in a change. Raises RuleViolation `model.corrupt`
    where the file is not what it was.
    """
    model = _model(str(learned.path), learned.sha256)
    if not {*model.roles_needed, Role.RED, Role.GREEN, Role.BLUE} <= set(roles):
        return []
    pixel_m2 = gsd_m**2
    numbers = {
        "settle_px": _SETTLE_PX,
        "rim_px": HALO_PX,
        "min_m2": max(_SMALLEST_M2, _FEWEST_PX * pixel_m2),
        "min_sure_m2": _FEWEST_SURE_PX * pixel_m2,
    }
    shown = (kind for kind in learned.kinds if pair or kind not in learned.changed)
    known = [(kind, model.classes.index(kind)) for kind in shown if kind in model.classes and kind != NONE]
    return [
        Way(
            kind,
            numbers,
            Searched(without=()),
            partial(_turned if kind in learned.changed else _marked, model, code),
            partial(_examined, (model, learned.name), code),
        )
        for kind, code in known
    ]


@lru_cache(maxsize=4)
def _model(path: str, sha256: str) -> PixelModel:
    data = Path(path).read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise corrupt("its hash")
    return PixelModel.from_bytes(data)


def _marked(model: PixelModel, code: int, view: View, ground: Mask, _: Numbers) -> Planes:
    """Pixels that the model calls so."""
    labels, confidence = _said(model, view.raw)
    if not view.raw.once("learned kinds", lambda: present(labels))[code]:
        return Planes(nowhere := np.zeros_like(view.valid), nowhere)
    here = (labels == code) & ground
    return Planes(here & (confidence >= _LIKELY), here & (confidence >= _SURE))


def _turned(model: PixelModel, code: int, view: View, ground: Mask, numbers: Numbers) -> Planes:
    """Pixels that the model calls so now, and something else on the earlier date."""
    now = _marked(model, code, view, ground, numbers)
    if view.raw_before is None:
        raise ValueError("what became of a place shows in two dates")
    was = _said(model, view.raw_before)[0] == code
    return Planes(now.member & ~was, now.sure & ~was)


def _said(model: PixelModel, tile: Tile) -> Bytes:
    """Labels and confidences of a tile; it is asked once for all kinds."""

    def made() -> Bytes:
        # Planes lose their rim when features are made of them, and get it back as nothing.
        said = np.zeros((2, *tile.valid.shape), np.uint8)
        said[:, HALO_PX:-HALO_PX, HALO_PX:-HALO_PX] = paint(model, tile)
        return said

    return tile.once("learned", made)


def _examined(named: tuple[PixelModel, str], code: int, closer: Closer, _: Numbers) -> Find | None:
    """An area of one label: its cleaned mask, scored by how sure the model is of it on average."""
    model, name = named
    view = closer.view
    mask = smoothed(closer.mask, 1)
    rim = outline(mask)
    if rim is None:
        return None
    labels, confidence = paint(model, _framed(view.raw))
    mine = mask & (labels == code)
    if not mine.any():
        return None
    sure = float(confidence[mine].sum(dtype=np.int64)) / (CERTAIN * int(mine.sum()))
    measures = {
        CONFIDENCE: sure,
        "model_share": int(mine.sum()) / int(mask.sum()),
        "sure_share": closer.area.sure_px / max(closer.area.pixels, 1),
        "rectangularity": rectangularity(rim),
        "elongation": elongation(rim),
    }
    kind = model.classes[code]
    words = (say("seen.learned", model=name, kind=kind, share=measures["model_share"], confidence=sure),)
    return Find(kind, mask, min(sure, 0.99), measures, words)


def _framed(tile: Tile) -> Tile:
    """A tile with void pixels around it. An area lies deeper in its window than a feature reaches."""
    bands = {role: np.pad(plane, HALO_PX) for role, plane in tile.bands.items()}
    return replace(tile, bands=bands, valid=np.pad(tile.valid, HALO_PX), _known={})
