"""`skywarden flight`: cleared by the unit head, flown by the pilot, handed in, closed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from flights import commands, queries
from flights.ground import open_ground
from flights.ordering import OrderKind
from schemas.actors import Actor
from schemas.store.work import Work, find
from schemas.tables import Flight, FlightOrder
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.flight_approval import approval, sheet
from web.cli.flight_judge import compare, judge
from web.cli.flight_package import package
from web.wiring import Services

WORDS = {
    "en": {
        "permitted": "Every rule allows it; mission {mission_digest:.12} with {items} items.",
        "connected": "Connected to {url}.",
        "prepared": "{firmware}: mission and fence read back as sent ({mission_digest:.12}).",
        "ready": "The vehicle is ready, battery {battery_pct} %.",
        "airborne": "Armed; the mission starts.",
        "position": "item {item}/{items}  {lon:.5f} {lat:.5f}  {alt_rel_home_m:.0f} m  {speed_m_s:.1f} m/s  "
        "off route {lateral_m:.1f} m  battery {battery_pct} %  pictures {pictures}",
        "deviating": "DEVIATING ({state}): {lateral_m:.1f} m from the route at {lon:.5f} {lat:.5f}.",
        "resumed": "Taken up again; the record has a gap since {since}.",
        "link": "Line {stage}: silent for {silence_s:.0f} s.",
        "order": "Order {order}: {outcome}.",
        "remote_id": "REMOTE ID DOES NOT FIT THIS AIRCRAFT: {reasons}.",
        "ordered_now": "{order} is ordered; skywarden flight orders {flight} tells what comes of it.",
        "ended": "Ended: {outcome}.",
        "stopping": "Stopping: it stays on the ground, or comes back. Press Ctrl-C again to let go of the line.",
        "flown": "Flight {flight}: {outcome}",
        "strayed": "strayed {lateral_m} m sideways, {vertical_m} m in height (allowed {tolerance_m:g} m)",
        "inside": "inside its area {inside:.1%} of the time, {flown:.1%} of the route flown",
        "record": "{fixes} positions ({implausible} implausible), {pictures} pictures; record {tlog}",
        "handed_in": "{count} photos handed in; the flight is ingested.",
        "done": "{flight} is {state}.",
    },
    "zh": {
        "permitted": "全部规则允许；任务 {mission_digest:.12}，共 {items} 项。",
        "connected": "已连接 {url}。",
        "prepared": "{firmware}：任务与围栏回读一致（{mission_digest:.12}）。",
        "ready": "飞行器就绪，电量 {battery_pct}%。",
        "airborne": "已解锁，任务开始。",
        "position": "第 {item}/{items} 项  {lon:.5f} {lat:.5f}  {alt_rel_home_m:.0f} 米  {speed_m_s:.1f} 米/秒  "
        "偏离 {lateral_m:.1f} 米  电量 {battery_pct}%  照片 {pictures}",
        "deviating": "偏离航线（{state}）：{lon:.5f} {lat:.5f} 处 {lateral_m:.1f} 米。",
        "resumed": "已重新接管；自 {since} 起记录有缺口。",
        "link": "链路 {stage}：静默 {silence_s:.0f} 秒。",
        "order": "指令 {order}：{outcome}。",
        "remote_id": "远程识别与本机不符：{reasons}。",
        "ordered_now": "已下达 {order}；用 skywarden flight orders {flight} 查看结果。",
        "ended": "结束：{outcome}。",
        "stopping": "正在停止：未起飞则不再起飞，已起飞则召回。再次按 Ctrl-C 将断开链路。",
        "flown": "飞行 {flight}：{outcome}",
        "strayed": "水平偏离 {lateral_m} 米，高度偏离 {vertical_m} 米（允许 {tolerance_m:g} 米）",
        "inside": "{inside:.1%} 的时间在区域内，已飞完航线的 {flown:.1%}",
        "record": "{fixes} 个位置（{implausible} 个不可信），{pictures} 张照片；记录 {tlog}",
        "handed_in": "已提交 {count} 张照片；飞行已入库。",
        "done": "{flight} 状态为 {state}。",
    },
}

flight_argument = click.argument("flight_id", metavar="FLIGHT")
frames_option = click.option(
    "--frames", type=click.Path(file_okay=False, path_type=Path), help="Folder with the photos of this flight."
)


@click.group()
def flight() -> None:
    """Flights along published routes: what was filed, cleared, flown, aborted and closed."""


flight.add_command(approval)
flight.add_command(sheet)
flight.add_command(judge)
flight.add_command(compare)
flight.add_command(package)


@flight.command("list")
@click.option("--state", help="Only flights in this state.")
@as_json
@pass_services
def list_flights(services: Services, state: str | None, as_json: bool) -> None:
    """All flights, the latest window first."""
    statement = select(Flight).order_by(Flight.recorded_at.desc())
    if state:
        statement = statement.where(Flight.state == state)
    with services.session() as session:
        rows = [_brief(row) for row in session.scalars(statement)]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['flight']:<11}{row['state']:<17}{row['route']:<6}{row['start']} – {row['end']}")


@flight.command("show")
@flight_argument
@as_json
@pass_services
def show(services: Services, flight_id: str, as_json: bool) -> None:
    """One flight in full: digests, what the vehicle held, how far it strayed."""
    with services.session() as session:
        view = _full(find(session, Flight, flight_id))
    if as_json:
        echo_json(view)
        return
    for name, value in view.items():
        if value not in (None, {}, []):
            click.echo(f"{name:<24}{value}")


@flight.command("clear")
@flight_argument
@as_person
@pass_services
def clear(services: Services, flight_id: str, person: str | None) -> None:
    """The unit head clears a checked flight; from now on it may be flown in its window."""
    with open_ground(services.data_dir) as ground:
        _change(services, person, flight_id, lambda work, row: commands.clear(work, row, ground))


@flight.command("cancel")
@flight_argument
@click.option("--reason", required=True, help="Why it is called off.")
@as_person
@pass_services
def cancel(services: Services, flight_id: str, reason: str, person: str | None) -> None:
    """Calls a flight off before anything is uploaded."""
    _change(services, person, flight_id, lambda work, row: commands.cancel(work, row, reason))


@flight.command("abort")
@flight_argument
@click.option("--reason", required=True, help="Why it ends otherwise than planned.")
@as_person
@pass_services
def abort(services: Services, flight_id: str, reason: str, person: str | None) -> None:
    """Ends a flight that was uploaded or in the air and that nobody follows any more, as after a power cut.

    What was recorded until then becomes part of it. It sends nothing: an aircraft in the air is its pilot's.
    """
    from flights import record as gateway_record

    number = gateway_record.abandon(services, flight_id, reason, actor=actor_for(services, person))
    _say("done", flight=number, state="aborted")


@flight.command("fly")
@flight_argument
@click.option(
    "--vehicle",
    "url",
    required=True,
    metavar="URL",
    help="tcp:HOST:PORT, udp:HOST:PORT, /dev/ttyUSB0,57600, or relay:HOST:PORT to listen for the aircraft's relay.",
)
@frames_option
@as_person
@as_json
@pass_services
def fly(services: Services, flight_id: str, url: str, **given: Any) -> None:  # noqa: ANN401
    """Uploads the published mission, reads it back, arms, and follows the flight to its landing.

    Nothing is sent for a flight that may not fly now. Ctrl-C keeps the aircraft on the ground, or brings it back.
    With --frames the photos are handed in after landing.
    """
    from flights import gateway

    pilot = actor_for(services, given["person"])
    with _stop_on_interrupt() as stop:
        flown = gateway.fly(services, flight_id, url, pilot=pilot, tell=_tell, stop=stop)
    handed_in = None
    if given["frames"] is not None and flown.outcome == "landed":
        handed_in = _ingest(services, flown.flight, given["frames"], pilot)
    report = flown.report.render()
    if given["as_json"]:
        about = {"flight": flown.flight, "outcome": str(flown.outcome), "reason": flown.reason}
        digests = {"mission_digest": flown.mission_digest, "fence_digest": flown.fence_digest}
        record = {"tlog": flown.tlog, "tlog_sha256": flown.tlog_sha256, "pictures": flown.pictures}
        echo_json(about | digests | report | record | {"handed_in": handed_in})
        return
    outcome = f"{flown.outcome} ({flown.reason})" if flown.reason else str(flown.outcome)
    _say("flown", flight=flown.flight, outcome=outcome)
    _say("strayed", **report)
    _say("inside", inside=report["share_inside"], flown=report["share_flown"])
    _say("record", tlog=flown.tlog, pictures=flown.pictures, **report)
    if handed_in is not None:
        _say("handed_in", count=handed_in)


@flight.command("order")
@flight_argument
@click.argument("kind", type=click.Choice([str(kind) for kind in OrderKind]))
@click.option("--reason", help="Why; kept with the order.")
@as_person
@pass_services
def order(services: Services, flight_id: str, kind: str, reason: str | None, person: str | None) -> None:
    """Orders something of the gateway that leads a flight; it is carried out within a second."""
    with services.work(actor_for(services, person)) as work:
        row = work.get(Flight, flight_id)
        commands.order_flight(work, row, kind, params={"reason": reason})
        work.commit()
        _say("ordered_now", flight=row.public_id, order=kind)


@flight.command("orders")
@flight_argument
@as_json
@pass_services
def orders(services: Services, flight_id: str, as_json: bool) -> None:
    """What was ordered of a flight, and what came of it."""
    with services.session() as session:
        row = find(session, Flight, flight_id)
        statement = select(FlightOrder).where(FlightOrder.flight_id == row.id).order_by(FlightOrder.id)
        rows = [
            {
                "order": order.kind,
                "ordered_at": order.ordered_at.isoformat(),
                "taken_at": order.taken_at and order.taken_at.isoformat(),
                "done_at": order.done_at and order.done_at.isoformat(),
                "outcome": order.outcome,
                "params": order.params,
                "detail": order.detail,
            }
            for order in session.scalars(statement)
        ]
    if as_json:
        echo_json(rows)
        return
    for one in rows:
        click.echo(f"{one['ordered_at']:<34}{one['order']:<10}{one['outcome'] or '…'}")


@flight.command("ingest")
@flight_argument
@frames_option
@as_person
@pass_services
def ingest(services: Services, flight_id: str, frames: Path | None, person: str | None) -> None:
    """Hands in a landed flight: its photos, by hash, and its deviation from the route."""
    _say("handed_in", count=_ingest(services, flight_id, frames, actor_for(services, person)))


@flight.command("close")
@flight_argument
@click.option("--note", help="Why it strayed, where it did.")
@as_person
@pass_services
def close(services: Services, flight_id: str, note: str | None, person: str | None) -> None:
    """Closes an ingested flight; it then appears in the public log."""
    _change(services, person, flight_id, lambda work, row: commands.close(work, row, note=note))


# -- shared ----------------------------------------------------------------------------------------------


def _ingest(services: Services, flight_id: str, frames: Path | None, actor: Actor) -> int:
    from flights.photos import intake as gateway_frames

    return gateway_frames.ingest(services, flight_id, frames, actor=actor)


def _change(services: Services, person: str | None, flight_id: str, command: Callable[[Work, Flight], None]) -> None:
    """One command of one person on one flight."""
    with services.work(actor_for(services, person)) as work:
        row = work.get(Flight, flight_id)
        command(work, row)
        work.commit()
        _say("done", flight=row.public_id, state=row.state)


def _say(word: str, **values: Any) -> None:  # noqa: ANN401
    click.echo(WORDS[lang()][word].format(**values))


def _tell(step: str, facts: dict[str, Any]) -> None:
    click.echo(WORDS[lang()][str(step)].format(**facts), err=True)


@contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], str | None]]:
    """Ctrl-C stops the flight once, on the ground or in the air; a second one ends the command."""
    asked: list[str] = []
    words = WORDS[lang()]

    def ask(_number: int, _frame: object) -> None:
        asked.append("operator")
        click.echo(words["stopping"], err=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked[0] if asked else None
    finally:
        signal.signal(signal.SIGINT, before)


def _brief(row: Flight) -> dict[str, Any]:
    start, end = queries.window(row)
    return {
        "flight": row.public_id,
        "state": row.state,
        "route": row.route.code,
        "drone": row.drone.device.public_id,
        "pilot": row.pilot.code,
        "start": start.isoformat(),
        "end": end.isoformat(),
    }


def _full(row: Flight) -> dict[str, Any]:
    refusals = row.precheck.get("refusals_zh" if lang() == "zh" else "refusals", [])
    return _brief(row) | {
        "inspection_plan": row.plan.number,
        "route_version": row.route_version,
        "plan_digest": row.plan_digest,
        "mission_digest": row.mission_digest,
        "vehicle_mission_digest": row.vehicle_mission_digest,
        "vehicle_fence_digest": row.vehicle_fence_digest,
        "airborne_at": row.airborne_at and row.airborne_at.isoformat(),
        "landed_at": row.landed_at and row.landed_at.isoformat(),
        "deviation_lateral_m": row.deviation_lateral_m,
        "deviation_vertical_m": row.deviation_vertical_m,
        "stayed_inside": row.stayed_inside,
        "deviation_note": row.deviation_note,
        "reason": row.state_reason,
        "tlog_sha256": row.tlog_sha256,
        "vehicle": row.vehicle,
        "refusals": refusals,
    }
