"""The catalogue of supervision items: entered by those who run the installation, each under an article of law."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from geo.commands.catalogue import NewItem, NewLaw, add_item, add_law
from schemas.actors import HOST
from schemas.refusals import Kind, RuleViolation
from schemas.tables import LegalBasis, SupervisionItem


def law(**changed):
    given = {"code": "L-9", "title_en": "Statute", "title_zh": "法律", "article": "3", "level": "law"} | changed
    return NewLaw(**given)


@pytest.fixture
def do(services):
    def run(command, new, actor=HOST):
        with services.work(actor) as work:
            command(work, new)
            work.commit()

    return run


def test_IR_1__item__enters_the_catalogue_under_its_article(do, session):
    do(add_law, law(sole_evidence=True))
    basis = session.scalars(select(LegalBasis).where(LegalBasis.code == "L-9")).one()
    do(add_item, NewItem(code="I-9", name_en="Ponds", name_zh="坑塘", law=basis))
    assert (
        session.scalars(select(SupervisionItem.legal_basis_id).where(SupervisionItem.code == "I-9")).one() == basis.id
    )


@pytest.mark.parametrize("level", ["local_regulation", "rule", "normative"])
def test_GD_11_4__sole_evidence_by_less_than_a_regulation__refused(do, level):
    do(add_law, law(code="L-8", level=level))
    with pytest.raises(RuleViolation) as refused:
        do(add_law, law(level=level, sole_evidence=True))
    assert refused.value.kind is Kind.INVALID


def test_codes__taken__409(do, session):
    do(add_law, law())
    with pytest.raises(RuleViolation) as refused:
        do(add_law, law())
    assert refused.value.kind is Kind.CONFLICT
    basis = session.scalars(select(LegalBasis).where(LegalBasis.code == "L-9")).one()
    with pytest.raises(RuleViolation) as refused:
        do(add_item, NewItem(code="ECO-01", name_en="x", name_zh="x", law=basis))
    assert refused.value.kind is Kind.CONFLICT


@pytest.mark.parametrize("who", ["D1", "H1"])
def test_catalogue__entered_by_somebody_signed_in__403(services, do, who):
    with pytest.raises(RuleViolation) as refused:
        do(add_law, law(), actor=services.actor(who))
    assert refused.value.kind is Kind.FORBIDDEN
