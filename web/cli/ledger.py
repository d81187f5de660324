"""`skywarden ledger`: seals, verifies and exports the record of what was done."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from schemas.refusals import not_found
from schemas.store import ledger as store
from schemas.store.sealer import seal_pending
from schemas.store.verify import LedgerBroken, by_seal, parse_checkpoint
from web.cli.common import as_json, echo_json, lang, pass_services
from web.proofs.documents import latest_checkpoint
from web.wiring import Services

BROKEN = 1
_SAYS = {
    "en": {
        "sealed": "Sealed {count} events.",
        "whole": "The ledger is whole: {events} events under {seals} seals; {unsealed} not yet sealed.",
        "broken": "THE LEDGER IS BROKEN: {reason}",
        "exported": "Wrote {events} events under {seals} seals to {path}.",
        "check": "Anybody can check it, with Python alone: python {script} {path}",
        "checkpoint": "Checkpoint, to write down elsewhere: {checkpoint}",
        "signed": "Sealed {at}, signed with {signer}",
    },
    "zh": {
        "sealed": "已封存 {count} 条事件。",
        "whole": "账本完整：{seals} 个封存批次共 {events} 条事件，另有 {unsealed} 条待封存。",
        "broken": "账本不完整：{reason}",
        "exported": "已将 {seals} 个封存批次共 {events} 条事件写入 {path}。",
        "check": "任何人仅用 Python 即可验证：python {script} {path}",
        "checkpoint": "检查点（请另行抄存）：{checkpoint}",
        "signed": "封存于 {at}，签名密钥 {signer}",
    },
}


@click.group()
def ledger() -> None:
    """The append-only record of every command, sealed in Merkle batches."""


@ledger.command()
@pass_services
def seal(services: Services) -> None:
    """Seals every settled event now; the worker does this every second."""
    _say("sealed", count=seal_pending(services.engine))


@ledger.command()
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=parse_checkpoint,
    metavar="N:HEX",
    help="A checkpoint written down earlier; may be given several times.",
)
@as_json
@pass_services
def verify(services: Services, checkpoints: tuple[tuple[int, str], ...], as_json: bool) -> None:
    """Recomputes every hash, root and link; ends with 1 where something does not fit."""
    try:
        state = store.verify(services.engine, by_seal(checkpoints))
    except LedgerBroken as error:
        if as_json:
            echo_json({"ok": False, "reason": str(error)})
        else:
            _say("broken", reason=error)
        sys.exit(BROKEN)
    facts = {
        "events": state.sealed.events,
        "seals": state.sealed.seals,
        "unsealed": state.unsealed,
        "checkpoint": state.sealed.checkpoint,
    }
    if as_json:
        echo_json({"ok": True} | facts)
        return
    _say("whole", **facts)
    _say("checkpoint", **facts)


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, writable=True))
@pass_services
def export(services: Services, file: Path) -> None:
    """Writes everything sealed to FILE, for the standalone verifier; ends with 1 where it does not fit."""
    try:
        report = store.export(services.engine, file)
    except LedgerBroken as error:
        _say("broken", reason=error)
        sys.exit(BROKEN)
    _say("exported", events=report.events, seals=report.seals, path=file)
    _say("check", script="schemas/store/verify.py", path=file)
    _say("checkpoint", checkpoint=report.checkpoint)


@ledger.command()
@click.option("--note", "as_note", is_flag=True, help="Print the signed note itself, to be kept as a file.")
@as_json
@pass_services
def checkpoint(services: Services, as_note: bool, as_json: bool) -> None:
    """Tells the latest signed checkpoint, which holds the ledger to all that was written down before it."""
    with services.public() as public:
        found = latest_checkpoint(public)
    if found is None:
        raise not_found("proof.not_yet", "proofs.not_yet", measured="checkpoint")
    if as_json:
        echo_json({"ok": True, "checkpoint": found.text, "sealed_at": found.sealed_at, "signer": found.signer})
    elif as_note:
        click.echo(found.note, nl=False)
    else:
        _say("checkpoint", checkpoint=found.text)
        _say("signed", at=found.sealed_at.isoformat(timespec="seconds"), signer=found.signer)


def _say(key: str, **values: object) -> None:
    click.echo(_SAYS[lang()][key].format(**values))
