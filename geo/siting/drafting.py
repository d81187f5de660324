"""The case for a siting plan, prepared from what a run found: reasons and need, in Chinese and in English. Pure.

It says what was asked, found and left out, with its figures; whoever drafts the plan reads it, adds what the machine
cannot know, and answers for it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from geo.commands.siting import Case
from geo.siting.telling import amount

_TOLD = 30
# Chinese first: it is the language in which such plans are reviewed.
_LANGUAGES = ("zh", "en")


@dataclass(frozen=True, kw_only=True)
class Argument:
    """What a case is made from: the answer of a run and its question, the study, the item with its law, the history.

    `reasons` and `need` are the names that the rule pack asks for; `notice_days` how long devices are announced before
    they are used; `history` counts decided findings, open leads and incidents on the ground.
    """

    result: Mapping[str, Any]
    question: Mapping[str, Any]
    run: str
    study: Mapping[str, Any]
    item: Mapping[str, str] | None
    law: Mapping[str, str] | None
    notice_days: int
    reasons: Sequence[str]
    need: Sequence[str]
    history: Mapping[str, int]


def case_of(argument: Argument) -> Case:
    """The prepared case; a reason that nobody can prepare is left out, for a person to write."""
    return Case(
        justification={name: text for name in argument.reasons if (text := _written(name, argument))},
        need={name: text for name in argument.need if (text := _written(name, argument))},
    )


def _written(name: str, argument: Argument) -> str:
    write = _WRITERS.get(name)
    if write is None:
        return ""
    return "\n\n".join(text for lang in _LANGUAGES if (text := write(argument, lang)))


@cache
def _texts() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("geo.siting").joinpath("drafting.toml").read_text(encoding="utf-8"))


def _say(key: str, lang: str, **values: Any) -> str:  # noqa: ANN401
    text: str = _texts()[key][lang]
    return text.format(**values)


def _legal_basis(argument: Argument, lang: str) -> str:
    if argument.law is None or argument.item is None:
        return ""
    law, item = argument.law, argument.item
    return _say("legal_basis", lang, law=law[lang], article=law["article"], item=item[lang], code=item["code"])


def _publication_plan(argument: Argument, lang: str) -> str:
    return _say("publication_plan", lang, days=argument.notice_days, sites=len(_new(argument)))


def _technical_rationale(argument: Argument, lang: str) -> str:
    view = dict(argument.question["view"])
    view["device_type"] = _texts()["device_type"][lang][view["device_type"]]
    lines = [_say("technical", lang, run=argument.run, candidates=argument.result["candidates"], **view)]
    lines += argument.result["sentences"][lang]
    for number, site in enumerate(_new(argument)[:_TOLD], 1):
        lines.append(_say("site", lang, number=number, why=_joined(site["sentences"][lang], lang)))
    return _joined_lines(lines)


def _alternatives(argument: Argument, lang: str) -> str:
    result, shared = argument.result, [site for site in argument.result["sites"] if site["kind"] == "shared"]
    lines = [_say("candidates", lang, candidates=result["candidates"])]
    if shared:
        names = _say("comma", lang).join(f"{site['label']} ({site['device']})" for site in shared)
        lines.append(_say("shared", lang, devices=names))
    else:
        lines.append(_say("nothing_shared", lang))
    left = result.get("left_out") or {}
    lines.append(
        _say("left_out", lang, **{name: left.get(name, 0) for name in ("found", "private", "outside", "near", "blind")})
    )
    homes = sum(site["burden"]["homes_m2"] for site in _new(argument))
    lines.append(_say("homes", lang, homes=amount(homes, "homes_m2", lang)))
    return _joined_lines(lines)


def _necessity(argument: Argument, lang: str) -> str:
    result = argument.result
    missing, more = result["total"] - result["seen_before"], result["seen_after"] - result["seen_before"]
    words = {"missing": amount(missing, result["unit"], lang), "more": amount(more, result["unit"], lang)}
    return _say("necessity", lang, title=argument.study["title"], **words)


def _risk_evidence(argument: Argument, lang: str) -> str:
    return _say("risk_evidence", lang, **argument.history)


def _incidents(argument: Argument, lang: str) -> str:
    return _say("incidents", lang, **argument.history)


def _coverage_gap(argument: Argument, lang: str) -> str:
    study, result = argument.study["result"], argument.result
    if "gap_m2" in study:
        return _say(
            "gap_of_study",
            lang,
            gap=amount(study["gap_m2"], "m2", lang),
            ground=amount(study["ground_m2"], "m2", lang),
            share=1 - study["share"],
        )
    missing = amount(result["total"] - result["seen_before"], result["unit"], lang)
    return _say("gap_of_run", lang, missing=missing, total=amount(result["total"], result["unit"], lang))


_WRITERS: Mapping[str, Callable[[Argument, str], str]] = {
    "legal_basis": _legal_basis,
    "publication_plan": _publication_plan,
    "technical_rationale": _technical_rationale,
    "alternatives": _alternatives,
    "necessity": _necessity,
    "risk_evidence": _risk_evidence,
    "incidents": _incidents,
    "coverage_gap": _coverage_gap,
}


def _new(argument: Argument) -> list[Mapping[str, Any]]:
    return [site for site in argument.result["sites"] if site["kind"] == "new"]


def _joined(sentences: Sequence[str], lang: str) -> str:
    return ("" if lang == "zh" else " ").join(sentences)


def _joined_lines(lines: Sequence[str]) -> str:
    return "\n".join(lines)
