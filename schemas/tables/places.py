"""Authorities, what they supervise and by which law, and the layers against which findings are judged."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base, Identified, Recorded, Shape, geometry, mercator


class Authority(Identified, Recorded, Base):
    """An enforcement authority and its jurisdiction (GD-02.2)."""

    __tablename__ = "authority"
    code: Mapped[str] = mapped_column(unique=True)
    name_en: Mapped[str]
    name_zh: Mapped[str]
    level: Mapped[str]  # province | city | county | township
    authority_type: Mapped[str]  # government | department | empowered_organisation | delegated_organisation
    field: Mapped[str]  # ecology, market, transport ...
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.authority.id"))
    jurisdiction: Mapped[Shape] = geometry("MULTIPOLYGON")
    contact_address: Mapped[str]
    contact_channel: Mapped[str]
    contact_person: Mapped[str | None]  # an office or a name that the authority itself gives (GD-41.1)


class LegalBasis(Identified, Recorded, Base):
    """An article of law that allows something; sample ones are placeholders and say so (GD-11.4)."""

    __tablename__ = "legal_basis"
    code: Mapped[str] = mapped_column(unique=True)
    title_en: Mapped[str]
    title_zh: Mapped[str]
    article: Mapped[str]
    level: Mapped[str]  # law | administrative_regulation | local_regulation | rule | normative
    allows_sole_device_evidence: Mapped[bool] = mapped_column(default=False)


class SupervisionItem(Identified, Recorded, Base):
    """A thing that is supervised, named in the public catalogue of items (IR-1, LF-10)."""

    __tablename__ = "supervision_item"
    code: Mapped[str] = mapped_column(unique=True)
    name_en: Mapped[str]
    name_zh: Mapped[str]
    legal_basis_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.legal_basis.id"))
    offsite_allowed: Mapped[bool] = mapped_column(default=True)


class SupervisedEntity(Identified, Recorded, Base):
    """An organisation subject to inspection; restricted."""

    __tablename__ = "supervised_entity"
    registration_code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    address: Mapped[str]
    entity_type: Mapped[str]
    geom: Mapped[Shape] = geometry("GEOMETRY")
    import_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.import_batch.id"))


class ImportBatch(Identified, Recorded, Base):
    """One file that somebody imported: its hash, and how many rows were taken and refused.

    `refused_rows` are the latter, as geo.intake.kept writes them; of very many the first.
    """

    __tablename__ = "import_batch"
    layer: Mapped[str]
    file_name: Mapped[str]
    sha256: Mapped[str]
    rows_imported: Mapped[int]
    rows_refused: Mapped[int]
    crs: Mapped[str]
    refused_rows: Mapped[list[dict[str, Any]]]


class ContextFeature(Identified, Recorded, Base):
    """A permit, protected zone, water body, field or residential area: what law and findings lean on."""

    __tablename__ = "context_feature"
    layer: Mapped[str] = mapped_column(index=True)  # permits | protected | water | farmland | residential
    name: Mapped[str]
    number: Mapped[str | None]  # the permit's number, where there is one
    kind: Mapped[str | None]  # what the permit allows, or the class of the zone
    holder: Mapped[str | None]
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    geom: Mapped[Shape] = geometry("GEOMETRY")
    import_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.import_batch.id"))


class BaseFeature(Identified, Recorded, Base):
    """A road, river, building or place name of the base map; public."""

    __tablename__ = "base_feature"
    kind: Mapped[str] = mapped_column(index=True)  # land | water | green | road | building | place ...
    rank: Mapped[int] = mapped_column(default=0)  # 0 is shown from far away, higher ones from nearer
    name_en: Mapped[str | None]
    name_zh: Mapped[str | None]
    geom: Mapped[Shape] = geometry("GEOMETRY")
    geom_3857: Mapped[Shape] = mercator("GEOMETRY")


class Installation(Base):
    """Facts about this installation, such as whether it holds sample data."""

    __tablename__ = "installation"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
