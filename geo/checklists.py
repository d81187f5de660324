"""The check-lists of the legal and the technical review: what an answer must hold to count (GD-11, GD-12). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from geo.attachments import File
from schemas.refusals import Refusal, refuse
from schemas.rules import RulePack
from schemas.tables import LegalBasis
from schemas.words import Coded

REVIEW_KINDS = ("legal", "technical")
# Only these may carry a penalty on a device's evidence alone (GD-11.4).
SOLE_EVIDENCE_LEVELS = ("law", "administrative_regulation")
_ABOUT_ZONES = "necessary_and_not_prohibited"
_ABOUT_STANDARDS = "meets_standards"


@dataclass(frozen=True)
class Institution:
    """Who made a technical review on the authority's behalf, and the qualification that allows it (GD-12.1)."""

    name: str
    qualification_no: str
    valid_to: date


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a reviewer says: every item passed or failed, a text for what failed, the files that prove the rest.

    `sole_basis` is the article that allows a penalty on this device's evidence alone; without one, whatever the
    device shows needs corroboration (GD-11.6).
    """

    items: Mapping[str, bool]
    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Sequence[File]] = field(default_factory=dict)
    note: str = ""
    sole_basis: LegalBasis | None = None
    institution: Institution | None = None
    standards: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether every item passed."""
        return all(self.items.values())

    @property
    def failed(self) -> tuple[str, ...]:
        """The items that failed."""
        return tuple(item for item, passed in self.items.items() if not passed)

    def says(self, item: str) -> bool:
        """Whether the reviewer lets an item pass."""
        return self.items.get(item) is True

    @property
    def denies_prohibition(self) -> bool:
        """Whether the reviewer says that no prohibition stands against the place (GD-11.2)."""
        return self.says(_ABOUT_ZONES)


def reviewer(kind: str) -> Coded:
    """Who makes a review of that kind, as refusals tell it."""
    return Coded("role", [f"{kind}_reviewer"])


def refusals(kind: str, answers: Answers, pack: RulePack, today: date) -> list[Refusal]:
    """Everything that keeps the answers from being a review of that kind."""
    parts = (
        _wrong_items(kind, answers, pack[f"review.{kind}.items"]),
        _without_text(kind, answers),
        _without_file(kind, answers, pack),
        _legal(answers) if kind == "legal" else _technical(answers, pack, today),
    )
    return [refusal for part in parts for refusal in part]


def _wrong_items(kind: str, answers: Answers, required: Iterable[str]) -> Iterator[Refusal]:
    required = tuple(required)
    if blank := [item for item in required if not isinstance(answers.items.get(item), bool)]:
        yield refuse("GD-10.3", "device.review_blank", reviewer=reviewer(kind), measured=Coded("item", blank))
    if unknown := sorted(set(answers.items) - set(required)):
        measured, names = ", ".join(unknown), ", ".join(required)
        yield refuse("GD-10.3", "device.review_unknown", reviewer=reviewer(kind), measured=measured, required=names)


def _without_text(kind: str, answers: Answers) -> Iterator[Refusal]:
    silent = [item for item in answers.failed if not answers.texts.get(item, "").strip()]
    if silent:
        yield refuse("GD-10.3", "device.review_no_text", reviewer=reviewer(kind), measured=Coded("item", silent))


def _without_file(kind: str, answers: Answers, pack: RulePack) -> Iterator[Refusal]:
    for item, rule in pack["review.attachments"].items():
        if item in pack[f"review.{kind}.items"] and answers.says(item) and not answers.files.get(item):
            yield refuse(rule, "device.review_no_file", reviewer=reviewer(kind), measured=Coded("item", [item]))


def _legal(answers: Answers) -> Iterator[Refusal]:
    basis = answers.sole_basis
    if basis is not None and not (basis.allows_sole_device_evidence and basis.level in SOLE_EVIDENCE_LEVELS):
        required = ", ".join(SOLE_EVIDENCE_LEVELS)
        yield refuse("GD-11.4", "device.review_basis", basis=basis.code, measured=basis.level, required=required)


def _technical(answers: Answers, pack: RulePack, today: date) -> Iterator[Refusal]:
    who = answers.institution
    if who is not None and (not who.name.strip() or not who.qualification_no.strip() or who.valid_to < today):
        measured, required = who.valid_to.isoformat(), today.isoformat()
        yield refuse("GD-12.1", "device.review_institution", measured=measured, required=required)
    known = {standard.id for standard in pack.standards}
    if known and answers.says(_ABOUT_STANDARDS) and not (answers.standards and known.issuperset(answers.standards)):
        measured, required = ", ".join(answers.standards) or "—", ", ".join(sorted(known))
        yield refuse("GD-12.4", "device.review_standards", measured=measured, required=required)
