"""What has to be known of a run beside its findings: how dates fitted, how clouds were found, SAM, whose ground."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.tables import SegmentationRun
from sensing.coregister import Fit
from sensing.coverage import account
from sensing.segment import hiding
from sensing.violations import NO_RULES
from sensing.words import Sentence, say


def remarks(run: SegmentationRun, names: Mapping[str, dict[str, str]] | None = None) -> list[Sentence]:
    """In words: what was looked at and what was not, and what that rests on.

    `names` are those of authorities in every language, by their codes; one that is not named stands as its code.
    """
    told = list(account(run.coverage)) if run.coverage else []
    if run.rules_sha256 == NO_RULES:
        told.append(say("covered.no_rules"))
    if run.coregistration is not None:
        told.append(Fit.load(run.coregistration).in_words(run.coregistration["gsd_m"]))
    told += hiding.sentences(run.clouds)
    if run.refinement is not None:
        told.append(say("seen.sam_model", **{name: run.refinement[name] for name in ("architecture", "licence")}))
    grounds = sorted((run.jurisdictions or {}).items())
    for code, one in grounds:
        told.append(say("covered.jurisdiction", code=(names or {}).get(code, code), percent=one["analysed_percent"]))
    return told
