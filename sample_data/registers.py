"""Registers, maps and zones of the district as rows."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from shapely.geometry import MultiPolygon, Polygon, shape

from sample_data.writer import Writer, day, wkb
from schemas import tables as t

KEY = "sample_data"
CONTEXT_LAYERS = ("permits", "protected", "water", "farmland", "residential")


@dataclass(frozen=True)
class Account:
    """A demo account: the code to sign in with, its role, and the password that was made up for it."""

    code: str
    role: str
    name: str
    password: str


def registers(w: Writer, data: dict[str, Any], hash_password: Callable[[str], str]) -> list[Account]:
    """Authorities, law, items, people and entities; gives the accounts of the people."""
    w.session.add(t.Installation(key=KEY, value=str(data["seed"])))
    for row in data["authorities"]:
        parent = w.by_code(t.Authority, row["parent"]) if row["parent"] else None
        w.add(
            t.Authority,
            "AU",
            code=row["code"],
            name_en=row["name_en"],
            name_zh=row["name_zh"],
            level=row["level"],
            authority_type="department",
            field="ecology",
            parent_id=parent.id if parent else None,
            jurisdiction=wkb(MultiPolygon([Polygon(row["ring"])])),
            contact_address="1 Qinghe Road (fictional) · 清河路1号（虚构）",
            contact_channel="+86 00 0000 0000",
            contact_person="Duty desk (fictional) · 值班室（虚构）",
        )
        w.session.flush()
    for row in data["legal_bases"]:
        w.add(t.LegalBasis, "LB", **row)
    w.session.flush()
    for code, basis, name_en, name_zh in data["items"]:
        basis_id = w.by_code(t.LegalBasis, basis).id
        w.add(t.SupervisionItem, "SI", code=code, name_en=name_en, name_zh=name_zh, legal_basis_id=basis_id)
    accounts = [_person(w, row, hash_password) for row in data["people"]]
    for row in data["entities"]:
        w.add(
            t.SupervisedEntity,
            "SE",
            registration_code=f"SAMPLE-{row['code']}",
            name=row["name"],
            address="Qinghe Industrial Estate (fictional)",
            entity_type=row["entity_type"],
            geom=wkb(shape(row["geometry"])),
        )
    return accounts


def _person(w: Writer, row: dict[str, Any], hash_password: Callable[[str], str]) -> Account:
    authority = w.by_code(t.Authority, row["authority"])
    password = secrets.token_urlsafe(9)
    person = w.add(
        t.Person,
        "PE",
        code=row["code"],
        name_en=row["name_en"],
        name_zh=row["name_zh"],
        authority_id=authority.id,
        password_hash=hash_password(password),
    )
    w.session.flush()
    w.add(
        t.RoleAssignment,
        "RA",
        person_id=person.id,
        role=row["role"],
        authority_id=authority.id,
        valid_from=date(2025, 1, 1),
    )
    for kind, valid_from, valid_to in row["qualifications"]:
        w.add(
            t.Qualification,
            "QU",
            person_id=person.id,
            kind=kind,
            certificate_no=f"SAMPLE-{row['code']}",
            field="ecology",
            authority_id=authority.id,
            valid_from=date.fromisoformat(valid_from),
            valid_to=date.fromisoformat(valid_to),
        )
    return Account(row["code"], row["role"], row["name_en"], password)


def maps(w: Writer, directory: Path) -> None:
    """The base map and the layers of law."""
    for feature in _features(directory / "base_map.geojson"):
        about = feature["properties"]
        w.add(
            t.BaseFeature,
            "BF",
            kind=about["kind"],
            rank=about["rank"],
            name_en=about.get("name_en"),
            name_zh=about.get("name_zh"),
            geom=wkb(shape(feature["geometry"])),
        )
    for layer in CONTEXT_LAYERS:
        for feature in _features(directory / f"{layer}.geojson"):
            about = feature["properties"]
            w.add(
                t.ContextFeature,
                "CF",
                layer=layer,
                name=about["name"],
                number=about.get("number"),
                kind=about.get("kind"),
                valid_from=day(about.get("valid_from")),
                valid_to=day(about.get("valid_to")),
                geom=wkb(shape(feature["geometry"])),
            )


def _features(path: Path) -> Iterable[dict[str, Any]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    yield from document["features"]


def zones(w: Writer, data: dict[str, Any]) -> None:
    """The privacy zones."""
    for row in data["zones"]:
        exact = row["exact_geometry"]
        w.add(
            t.PrivacyZone,
            "PZ",
            kind=row["kind"],
            name_en=row["name_en"],
            name_zh=row["name_zh"],
            geom=wkb(shape(row["geometry"])),
            exact_geom=wkb(shape(exact)) if exact else None,
            sensitive=row["sensitive"],
            source=row["source"],
            valid_from=datetime.fromisoformat(row["valid_from"]),
        )
