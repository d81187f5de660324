"""`skywarden flight judge` and `compare`: the verdict on a log, and where the records of a flight disagree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flights import verdicts
from flights.ground import open_ground
from flights.logs.compare import Comparison
from schemas.store.work import find
from schemas.tables import Flight
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.wiring import Services

LOGS = "logs"

WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "verdict": {True: "Flown as published.", False: "NOT flown as published: {failed}."},
        "failed": {
            "recorded": "nothing was recorded", "stayed_inside": "it left its area",
            "share_conforming": "too little of it conforms", "longest_excursion": "an excursion lasts too long",
            "excursions": "too many excursions", "recoverable": "it did not come back to its route",
            "to_the_ground": "the log ends in the air", "mission": "the mission is another one",
        },
        "head": "Flight {flight}, {source} {name} ({sha256:.12}), engine {engine}",
        "clock": "clock {source}, UTC = boot + {utc_at_boot_s:.3f} s (± {spread_s:.3f} s)",
        "no_clock": "the log knows no UTC; hours were not judged",
        "log": "{records} records; {bad_checksums} bad checksums, {skipped_bytes} bytes skipped, {torn_bytes} torn, "
        "{reboots} restarts",
        "mission": {True: "the mission in the log is the published one", False: "THE MISSION IN THE LOG IS ANOTHER ONE",
                    None: "the log does not list its mission"},
        "numbers": "{fixes} positions ({implausible} implausible), {flown_s:.0f} s; conforming {share_conforming:.1%}, "
        "inside {share_inside:.1%}, route flown {share_flown:.1%}",
        "worst": "worst {lateral_m} m sideways, {vertical_m} m in height (allowed {tolerance_m:g} m)",
        "remote_id": {True: "Remote ID: {state}; against it: {against}", False: "Remote ID: none in this log"},
        "state": "  {state:<14}{from_s:>9.1f} – {to_s:.1f} s",
        "excursion": "  excursion {from_s:.1f} – {to_s:.1f} s: {cross_track_m} m at {place[0]:.5f} {place[1]:.5f}, "
        "{along_m:.0f} m along ({reasons})",
        "segment": "  leg {number:<3}{from_m:>7.0f} – {to_m:<7.0f} m  {when:<20} sideways {cross_track_m} m, "
        "height {height_off_m} m",
        "threshold": "  {name:<22}{value:>8g} {unit:<4} {source}",
        "thresholds": "Judged by:",
        "declared": "{flight} is declared flown.",
        "pair": "{first} and {second}: {samples[0]} and {samples[1]} positions in {overlap_s:.0f} s, {lost} lost",
        "offset": "  clock of {second} is {clock_offset_s:+.2f} s from {first}'s (tracks then fit to {rms_m} m)",
        "no_offset": "  the tracks do not say how far the clocks are apart",
        "heights": "  heights differ by {height_median_m} m in the middle, {height_most_m} m at most",
        "difference": "  {kind:<14}{from_s:.1f} – {to_s:.1f} s  {most:.1f}",
        "states": "  states differ for {state_differs_s:.1f} s",
        "verdicts": "  {name}: {one} / {other}",
        "agree": "  no disagreement",
        "one": "There is only one record of {flight}; nothing to compare.",
    },
    "zh": {
        "verdict": {True: "按公布航线飞行。", False: "未按公布航线飞行：{failed}。"},
        "failed": {
            "recorded": "没有记录", "stayed_inside": "离开区域", "share_conforming": "符合比例不足",
            "longest_excursion": "单次偏离过久", "excursions": "偏离次数过多", "recoverable": "未能回到航线",
            "to_the_ground": "记录在空中中断", "mission": "任务并非公布的任务",
        },
        "head": "飞行 {flight}，{source} {name}（{sha256:.12}），引擎 {engine}",
        "clock": "时钟 {source}，UTC = 开机时间 + {utc_at_boot_s:.3f} 秒（± {spread_s:.3f} 秒）",
        "no_clock": "记录不含 UTC，未判断时段",
        "log": "{records} 条记录；校验错误 {bad_checksums}，跳过 {skipped_bytes} 字节，残缺 {torn_bytes} 字节，"
        "重启 {reboots} 次",
        "mission": {True: "记录中的任务即公布的任务", False: "记录中的任务并非公布的任务", None: "记录未列出任务"},
        "numbers": "{fixes} 个位置（{implausible} 个不可信），{flown_s:.0f} 秒；符合 {share_conforming:.1%}，"
        "区域内 {share_inside:.1%}，已飞航线 {share_flown:.1%}",
        "worst": "最大水平偏离 {lateral_m} 米，高度偏离 {vertical_m} 米（允许 {tolerance_m:g} 米）",
        "remote_id": {True: "远程识别：{state}；不符之处：{against}", False: "远程识别：此记录中没有"},
        "state": "  {state:<14}{from_s:>9.1f} – {to_s:.1f} 秒",
        "excursion": "  偏离 {from_s:.1f} – {to_s:.1f} 秒：{cross_track_m} 米，位于 {place[0]:.5f} {place[1]:.5f}，"
        "沿航线 {along_m:.0f} 米（{reasons}）",
        "segment": "  航段 {number:<3}{from_m:>7.0f} – {to_m:<7.0f} 米  {when:<20} 水平 {cross_track_m} 米，"
        "高度 {height_off_m} 米",
        "threshold": "  {name:<22}{value:>8g} {unit:<4} {source}",
        "thresholds": "判定依据：",
        "declared": "{flight} 已声明飞行。",
        "pair": "{first} 与 {second}：共 {overlap_s:.0f} 秒，{samples[0]} 与 {samples[1]} 个位置，缺失 {lost}",
        "offset": "  {second} 的时钟与 {first} 相差 {clock_offset_s:+.2f} 秒（此时航迹吻合至 {rms_m} 米）",
        "no_offset": "  由航迹无法得出时钟差",
        "heights": "  高度差中位数 {height_median_m} 米，最大 {height_most_m} 米",
        "difference": "  {kind:<14}{from_s:.1f} – {to_s:.1f} 秒  {most:.1f}",
        "states": "  状态不同的时间为 {state_differs_s:.1f} 秒",
        "verdicts": "  {name}：{one} / {other}",
        "agree": "  无分歧",
        "one": "{flight} 只有一份记录，无可比较。",
    },
}  # fmt: skip


@click.command("judge")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--flight", "flight_id", required=True, metavar="FLIGHT", help="The flight of which this is the log.")
@click.option("--declare-flown", is_flag=True, help="The pilot declares a flight flown that had no link.")
@as_person
@as_json
@pass_services
def judge(
    services: Services, log: Path, flight_id: str, declare_flown: bool, person: str | None, as_json: bool
) -> None:
    """Judges a .tlog or .BIN by the engine that judged the flight live, and keeps the verdict."""
    actor = actor_for(services, person)
    with open_ground(services.data_dir) as ground, services.work(actor) as work:
        flight = work.get(Flight, flight_id)
        pack = services.rulebook.at_place(verdicts.place_of(flight), verdicts.flown_at(flight))
        found = verdicts.judge_log(flight, pack, log, ground)
        keep = verdicts.declare_flown if declare_flown else verdicts.store
        row = keep(work, flight, found)
        verdicts.keep(log, found.sha256, found.logged.source, logs_of(services, flight_id))
        work.commit()
        told = {name: getattr(row, name) for name in ("source", "log_name", "log_sha256", "engine")}
        body = {"flight": flight.public_id, "state": flight.state, **told, **found.body}
    if as_json:
        echo_json(body)
        return
    _tell(body, WORDS[lang()], declared=declare_flown)


@click.command("compare")
@click.argument("flight_id", metavar="FLIGHT")
@as_json
@pass_services
def compare(services: Services, flight_id: str, as_json: bool) -> None:
    """Where the live track, the link's log and the aircraft's own log of a flight disagree; nothing is left out."""
    with open_ground(services.data_dir) as ground, services.session() as session:
        flight = find(session, Flight, flight_id)
        pack = services.rulebook.at_place(verdicts.place_of(flight), verdicts.flown_at(flight))
        found = verdicts.disagreements(session, flight, pack, ground, logs_of(services, flight_id))
    if as_json:
        echo_json([one.render() for one in found])
        return
    words = WORDS[lang()]
    if not found:
        click.echo(words["one"].format(flight=flight_id))
    for one in found:
        _tell_pair(one, words)


def logs_of(services: Services, flight_id: str) -> Path:
    """Where the logs of a flight are kept that were handed in."""
    return services.data_dir / "flights" / flight_id / LOGS


def _tell(body: dict[str, Any], words: dict[str, Any], *, declared: bool) -> None:
    click.echo(words["head"].format(**body | {"name": body["log_name"], "sha256": body["log_sha256"]}))
    known = body["clock"]["source"] is not None
    click.echo("  " + (words["clock"].format(**body["clock"]) if known else words["no_clock"]))
    click.echo("  " + words["log"].format(**body["log"]))
    click.echo("  " + words["mission"][body["mission"]["is_published"]])
    click.echo(words["numbers"].format(**body))
    click.echo(words["worst"].format(**body))
    if (identity := body.get("remote_id")) is not None:
        against = ", ".join(identity["spoke_against"]).replace("_", " ") or "–"
        click.echo("  " + words["remote_id"][identity["heard"]].format(state=identity["state"], against=against))
    for state in body["states"]:
        click.echo(words["state"].format(**state))
    for one in body["excursions"]:
        click.echo(words["excursion"].format(**one | {"reasons": ", ".join(one["reasons"])}))
    for leg in body["segments"]:
        when = "-" if leg["from_s"] is None else f"{leg['from_s']:.1f} – {leg['to_s']:.1f} s"
        click.echo(words["segment"].format(**leg | {"when": when}))
    click.echo(words["thresholds"])
    for one in body["thresholds"]:
        click.echo(words["threshold"].format(**one))
    failed = "; ".join(words["failed"][name] for name in body["failed"])
    click.secho(words["verdict"][body["as_published"]].format(failed=failed), bold=True)
    if declared:
        click.echo(words["declared"].format(**body))


def _tell_pair(one: Comparison, words: dict[str, Any]) -> None:
    plain = vars(one)
    click.echo(words["pair"].format(**plain))
    click.echo((words["no_offset"] if one.clock_offset_s is None else words["offset"]).format(**plain))
    if one.height_median_m is not None:
        click.echo(words["heights"].format(**one.render()))
    if one.state_differs_s:
        click.echo(words["states"].format(**plain))
    for difference in one.differences:
        click.echo(words["difference"].format(**vars(difference)))
    for name, (mine, other) in one.verdicts.items():
        click.echo(words["verdicts"].format(name=name, one=mine, other=other))
    if one.agree and not one.differences:
        click.echo(words["agree"])
