"""What has to be known of a run beside its findings: how dates fitted, how clouds were found, SAM, whose ground."""

from __future__ import annotations

from schemas.tables import SegmentationRun
from sensing.coregister import Fit
from sensing.coverage import account
from sensing.segment import hiding
from sensing.words import Sentence, say


def remarks(run: SegmentationRun) -> list[Sentence]:
    """In words: what was looked at and what was not, and what that rests on."""
    told = list(account(run.coverage)) if run.coverage else []
    if run.coregistration is not None:
        told.append(Fit.load(run.coregistration).in_words(run.coregistration["gsd_m"]))
    told += hiding.sentences(run.clouds)
    if run.refinement is not None:
        told.append(say("seen.sam_model", **{name: run.refinement[name] for name in ("architecture", "licence")}))
    grounds = sorted((run.jurisdictions or {}).items())
    return told + [say("covered.jurisdiction", code=code, percent=one["analysed_percent"]) for code, one in grounds]
