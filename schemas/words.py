"""Codes that messages tell in words: the ledger and programs read the code, people read their own language."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Self

_BETWEEN = {"en": ", ", "zh": "、"}


@cache
def words() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """All words: `{area: {code: {"en", "zh"}}}`; areas are role, subject, state, step, level, place, validity, order,
    field, item, refuge, clearance, held, incident and lacking.
    """
    text = resources.files("schemas").joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


class Coded(str):
    """A text of codes, such as `officer, unit_head` or `device DV-7K3Q2`, that can be told in words.

    As a string it is the codes themselves. A code without words is told as it is.
    """

    __slots__ = ("_area", "_codes", "_rest")
    _area: str
    _codes: tuple[str, ...]
    _rest: str

    def __new__(cls, area: str, codes: Iterable[str], rest: str = "") -> Self:
        """Codes of one `area`, and a `rest` that is the same in every language."""
        codes = tuple(codes)
        made = super().__new__(cls, ", ".join(codes) + rest)
        made._area, made._codes, made._rest = area, codes, rest
        return made

    @property
    def parts(self) -> tuple[str, tuple[str, ...], str]:
        """What it is made of: the area, the codes, the rest."""
        return self._area, self._codes, self._rest

    def tell(self, lang: str) -> str:
        """The words for it in `lang` (en or zh)."""
        known = words()[self._area]
        told = (known[code][lang] if code in known else code for code in self._codes)
        return _BETWEEN[lang].join(dict.fromkeys(told)) + self._rest


def found(measured: str, required: str) -> dict[str, Any]:
    """What a refusal says was measured and is required, where both are words of the area `held` and no numbers."""
    return {"measured": Coded("held", [measured]), "required": Coded("held", [required])}
