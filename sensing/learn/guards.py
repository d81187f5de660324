"""What must hold before a model version is registered and approved (GD-05.2)."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.machine import Context, Guard
from schemas.refusals import Refusal, refuse
from schemas.words import Coded

# What no model of this platform may ever be used for; every version says so.
BANNED = ("face_recognition", "emotion", "protected_traits", "legal_decision")


def model_documented(context: Context) -> Iterable[Refusal]:
    """GD-05.2: purpose, sources and licence of the training data, metrics and banned uses are written down."""
    model = context.subject
    lacking = [
        name
        for name, given in (
            ("purpose", model.purpose.strip()),
            ("licence", model.licence.strip()),
            ("sources", model.sources and all(source.get("scene") for source in model.sources)),
            ("labels", model.label_ids),
            ("metrics", model.metrics),
            ("banned_uses", set(BANNED) <= set(model.banned_uses)),
        )
        if not given
    ]
    if lacking:
        yield refuse("GD-05.2", "model.undocumented", measured=Coded("lacking", lacking))


def model_measured(context: Context) -> Iterable[Refusal]:
    """GD-05.2: how well it does was measured on areas that it did not learn from."""
    if not context.subject.metrics.get("held_out", {}).get("count"):
        yield refuse("GD-05.2", "model.unmeasured")


def model_approver_is_not_author(context: Context) -> Iterable[Refusal]:
    """GD-05.2: whoever approves did not train it; where nobody knows who did, the answer is no."""
    author_id = context.subject.author_id
    if author_id is None:
        yield refuse("GD-05.2", "model.no_author")
    elif author_id == context.actor.person_id:
        yield refuse("GD-05.2", "model.own_model")


GUARDS: dict[str, Guard] = {
    "GD-05.2:model_documented": model_documented,
    "GD-05.2:model_measured": model_measured,
    "GD-05.2:model_approver_is_not_author": model_approver_is_not_author,
}
