"""The SAM model that this installation has configured, if any; pages and commands ask here."""

from __future__ import annotations

from schemas.refusals import invalid
from sensing.segment.checkpoint import RULE
from sensing.segment.sam import Choice, Sam, sam_of
from web.wiring import Services


def choice_of(services: Services) -> Choice | None:
    """What the operator has configured; None without a checkpoint.

    Raises RuleViolation `segment.checkpoint` where its hash is not pinned.
    """
    settings = services.settings
    if settings.sam_checkpoint is None:
        return None
    if not settings.sam_checkpoint_sha256:
        raise invalid(RULE, "segment.checkpoint_pin", name=settings.sam_checkpoint.name)
    return Choice(
        checkpoint=settings.sam_checkpoint,
        sha256=settings.sam_checkpoint_sha256.lower(),
        architecture=settings.sam_architecture,
        licence=settings.sam_licence,
        encoder=settings.sam_encoder,
        encoder_sha256=settings.sam_encoder_sha256,
        device=settings.sam_device,
        threads=settings.sam_threads,
    )


def sam_for(services: Services) -> Sam | None:
    """The model, loaded once in a process, with its embeddings beside the masked copies; None without a checkpoint.

    Raises RuleViolation `segment.checkpoint` with the reason where it cannot be used.
    """
    choice = choice_of(services)
    return sam_of(choice, services.data_dir, services.settings.sam_cache_bytes) if choice else None
