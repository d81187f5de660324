"""`skywarden rules replay`: what other rules would make of the scenes that were looked at, before they hold."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import click

from schemas.rules.rulebook import PackError, read_pack
from sensing.replay import Change, Outcome, Replayed, replay
from sensing.words import name
from web.cli.common import REFUSED, as_json, echo_json, lang, pass_services
from web.cli.progress import progress_bar
from web.wiring import Services

# A rule pack is some tens of kilobytes; what is far larger is something else.
LARGEST_BYTES = 2_000_000
WORDS = {
    "en": {
        "head": "{pack} over {scenes} scene(s), {candidates} candidate(s); nothing was written",
        "row": "{type}, {authority}: {becomes} would become a lead, {stops} would stop being one, {stays} stay",
        "none": "no candidate would be judged otherwise",
        "none_seen": "no candidate that was seen would be judged otherwise; the rest was not looked for",
        "becomes_a_lead": "{scene}: {kind}, {area} m² at {lon:.5f}, {lat:.5f} would become a lead",
        "stops_being_a_lead": "{scene}: {kind}, {area} m² at {lon:.5f}, {lat:.5f} would stop being a lead",
        "now": "because: {why}",
        "was": "until now: {why}",
        "unsearched": "{scene}: {kinds}: {why}",
        "elsewhere": "the rules do not apply to {ids}",
        "unknown": "nothing was kept of the last run over {ids}; segment again",
        "cannot": "{scene}: cannot be judged: {kinds}",
        "written": "{count} change(s) written to {name}",
        "unread": "{name} is not a rule pack: {reason}",
        "nobody": "no authority",
    },
    "zh": {
        "head": "规则包 {pack}：影像 {scenes} 景，疑似区域 {candidates} 处；未写入任何记录",
        "row": "{type}，{authority}：将成为线索 {becomes} 处，不再是线索 {stops} 处，仍为线索 {stays} 处",
        "none": "所有疑似区域的判定均不变",
        "none_seen": "已看到的疑似区域判定均不变；其余内容未曾查找",
        "becomes_a_lead": "{scene}：{kind}，{area} 平方米，位于 {lon:.5f}, {lat:.5f}，将成为线索",
        "stops_being_a_lead": "{scene}：{kind}，{area} 平方米，位于 {lon:.5f}, {lat:.5f}，不再是线索",
        "now": "原因：{why}",
        "was": "此前：{why}",
        "unsearched": "{scene}：{kinds}：{why}",
        "elsewhere": "该规则包不适用于 {ids}",
        "unknown": "{ids} 的上次运行未留存数据，请重新分割",
        "cannot": "{scene}：无法判别：{kinds}",
        "written": "已将 {count} 处变化写入 {name}",
        "unread": "{name} 不是规则包：{reason}",
        "nobody": "无主管部门",
    },
}


@click.group("rules")
def rules() -> None:
    """Rule packs: what they would do, before they do it."""


@rules.command("replay")
@click.argument("pack_file", metavar="PACKFILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--scenes", multiple=True, metavar="SCENE", help="Only these scenes; give it once for each.")
@click.option("--geojson", type=click.Path(dir_okay=False, path_type=Path), help="Write what changes to this file.")
@as_json
@pass_services
def replay_rules(
    services: Services, pack_file: Path, scenes: tuple[str, ...], geojson: Path | None, as_json: bool
) -> None:
    """Judges what was seen in stored scenes by the rules of PACKFILE, and writes nothing to the record.

    Of every scene the candidates of its last run are taken, with the layers that the run used. The dates from when to
    when the pack holds are left aside.
    """
    try:
        if pack_file.stat().st_size > LARGEST_BYTES:
            raise PackError(f"{pack_file.stat().st_size} > {LARGEST_BYTES} bytes")
        pack = read_pack(pack_file.read_text(encoding="utf-8"), pack_file.name)
    except (PackError, UnicodeDecodeError) as error:
        click.echo(WORDS[lang()]["unread"].format(name=pack_file.name, reason=error), err=True)
        sys.exit(REFUSED)
    with services.session() as session, progress_bar(as_json) as progress:
        outcome = replay(session, services.data_dir, pack, scenes, progress)
    changed = [row for row in outcome.rows if row.change in (Change.BECOMES, Change.STOPS)]
    if geojson is not None:
        features = {"type": "FeatureCollection", "features": [row.feature() for row in changed]}
        geojson.write_text(json.dumps(features, ensure_ascii=False), encoding="utf-8")
    if as_json:
        echo_json(_json(pack.reference, outcome, changed))
        return
    _tell(pack.reference, outcome, changed)
    if geojson is not None:
        click.echo(WORDS[lang()]["written"].format(count=len(changed), name=geojson))


def _counts(outcome: Outcome) -> dict[tuple[str, str | None], Counter[Change]]:
    """How many candidates go which way, by violation type and authority; what never was a lead and is none is none."""
    counts: dict[tuple[str, str | None], Counter[Change]] = {}
    for row in outcome.rows:
        if row.change is not Change.NEVER:
            key = (row.after or row.before or row.verdict.candidate.kind, row.authority)
            counts.setdefault(key, Counter())[row.change] += 1
    return counts


def _tell(reference: str, outcome: Outcome, changed: list[Replayed]) -> None:
    words = WORDS[lang()]
    click.echo(words["head"].format(pack=reference, scenes=outcome.scenes, candidates=len(outcome.rows)))
    for (code, authority), counts in sorted(_counts(outcome).items(), key=str):
        told = {"becomes": counts[Change.BECOMES], "stops": counts[Change.STOPS], "stays": counts[Change.STAYS]}
        click.echo("  " + words["row"].format(type=code, authority=authority or words["nobody"], **told))
    for row in changed:
        _tell_change(row)
    if not changed:
        click.echo("  " + words["none_seen" if any(outcome.unsearched.values()) else "none"])
    for scene, unsearched in sorted(outcome.unsearched.items()):
        for why in sorted({reason.render(lang()) for reason in unsearched.values()}):
            alike = sorted(name(kind, lang()) for kind, one in unsearched.items() if one.render(lang()) == why)
            click.echo("  " + words["unsearched"].format(scene=scene, kinds=", ".join(alike), why=why))
    for scene, kinds in sorted(outcome.refused.items()):
        if kinds:
            click.echo("  " + words["cannot"].format(scene=scene, kinds=", ".join(sorted(kinds))))
    for key, ids in (("elsewhere", outcome.elsewhere), ("unknown", outcome.unknown)):
        if ids:
            click.echo("  " + words[key].format(ids=", ".join(ids)))


def _tell_change(row: Replayed) -> None:
    """Where it lies, what decides now, and what decided until now."""
    words, candidate = WORDS[lang()], row.verdict.candidate
    place = candidate.geom.representative_point()
    about = {"scene": row.scene, "kind": name(candidate.kind, lang()), "area": f"{candidate.area_m2:.0f}"}
    click.echo("    " + words[row.change].format(**about, lon=place.x, lat=place.y))
    for sentence in row.reasons():
        click.echo("      " + words["now"].format(why=sentence.render(lang())))
    if row.change is Change.BECOMES and row.told:
        click.echo("      " + words["was"].format(why=row.told[-1].render(lang())))


def _json(reference: str, outcome: Outcome, changed: list[Replayed]) -> dict[str, object]:
    return {
        "ok": True,
        "pack": reference,
        "scenes": outcome.scenes,
        "candidates": len(outcome.rows),
        "counts": [
            {
                "type": code,
                "authority": authority,
                **{change.value: counts[change] for change in Change if counts[change]},
            }
            for (code, authority), counts in sorted(_counts(outcome).items(), key=str)
        ],
        "changes": [row.feature()["properties"] for row in changed],
        "refused_kinds": {
            scene: {kind: reason.render(lang()) for kind, reason in kinds.items()}
            for scene, kinds in outcome.refused.items()
        },
        "not_looked_for": {
            scene: {kind: reason.render(lang()) for kind, reason in kinds.items()}
            for scene, kinds in outcome.unsearched.items()
        },
        "elsewhere": list(outcome.elsewhere),
        "unknown": list(outcome.unknown),
    }
