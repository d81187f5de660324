"""`skywarden model export-encoder`: the encoder of the configured SAM checkpoint as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from schemas.refusals import invalid
from sensing.segment.checkpoint import RULE, load
from sensing.segment.encoder import export
from web.cli.common import as_json, echo_json, lang, pass_services
from web.sam import choice_of
from web.wiring import Services

WORDS = {
    "en": (
        "{path}: encoder of {architecture}, differs from its checkpoint by {difference:.1e} of what features vary by\n"
        "Pin it: SKYWARDEN_SAM_ENCODER={path} SKYWARDEN_SAM_ENCODER_SHA256={sha256}"
    ),
    "zh": (
        "{path}：{architecture} 的编码器，与模型文件的差异为特征变化幅度的 {difference:.1e}\n"
        "请设定：SKYWARDEN_SAM_ENCODER={path} SKYWARDEN_SAM_ENCODER_SHA256={sha256}"
    ),
}


@click.command("export-encoder")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@as_json
@pass_services
def export_encoder(services: Services, out: Path, as_json: bool) -> None:
    """Writes the encoder of the configured SAM checkpoint to OUT: an ONNX file, twice as fast where there is no GPU.

    It is compared with its checkpoint first; nothing is written where the two differ. Its SHA-256 is printed, to be
    pinned in the settings.
    """
    if out.exists():
        raise click.UsageError(f"{out}: there is a file already.")
    choice = choice_of(services)
    if choice is None:
        raise invalid(RULE, "segment.no_sam")
    loaded = load(choice.checkpoint, choice.sha256, architecture=choice.architecture, licence=choice.licence)
    made = export(loaded, out)
    told = {"path": str(made.path.resolve()), "sha256": made.sha256, "difference": made.difference}
    told |= {"architecture": loaded.architecture, "checkpoint_sha256": loaded.sha256, "licence": loaded.licence}
    if as_json:
        echo_json({"ok": True} | told)
        return
    click.echo(WORDS[lang()].format(**told))
