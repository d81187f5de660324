"""What must never be public, written into every row of an installation so that a crawl can look for it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import psycopg

SECRET_SITE = "00000000-0000-0000-0000-0000000000aa"
PLACE = "SRID=4326;POINT(113.2777 23.1277)"
# Rows that the public must not see, each made from one that it sees: table, which row, what is different.
COPIES = (
    (
        "device_site",
        "public_id = (SELECT min(public_id) FROM core.device_site)",
        {"id": SECRET_SITE, "public_id": "ST-SEC", "geom": PLACE, "place_text": "SECRET-PLACE"},
    ),
    (
        "device",
        "public_id = 'DV-DV1'",
        {
            "public_id": "DV-SECRET",
            "code": "SECRET-CODE",
            "secret": True,
            "secret_document": "SECRET-DOCUMENT",
            "secret_authority": "SECRET-AUTHORITY",
            "secret_level": "SECRET-LEVEL",
            "secret_until": "2030-01-01",
            "site_id": SECRET_SITE,
            "name": "SECRET-NAME",
            "purpose_en": "SECRET-PURPOSE",
        },
    ),
    (
        "publication",
        "subject_id = (SELECT id FROM core.device WHERE public_id = 'DV-DV1')",
        {"public_id": "PB-SECRET", "receipt_id": "SECRET-RECEIPT"},
    ),
    (
        "privacy_zone",
        "public_id = 'PZ-Z1'",
        {
            "public_id": "PZ-HIDDEN",
            "sensitive": True,
            "name_en": "SECRET-ZONE",
            "name_zh": "SECRET-ZONE",
            "source": "SECRET-SOURCE",
        },
    ),
    (
        "patrol_area",
        "public_id = (SELECT min(public_id) FROM core.patrol_area)",
        {
            "public_id": "PA-DRAFT",
            "code": "SECRET-AREA",
            "state": "draft",
            "name_en": "SECRET-AREA",
            "name_zh": "SECRET-AREA",
            "purpose_en": "SECRET-PURPOSE",
        },
    ),
)
# Which way a single camera looks, and how far; and the places of the secret device.
BEARINGS = "UPDATE core.device SET sector_azimuth_deg = 77.123, range_m = 777.123, hfov_deg = 66.123"
FORBIDDEN = r"SECRET-|PA-DRAFT|77\.123|66\.123|113\.2777"
# Codes by which the house finds and judges its rows; a secret has no place in them.
STEERING = [
    *("public_id", "origin", "state", "kind", "subject_kind", "channel", "content_sha256"),
    *("device_type", "platform", "role", "field", "level", "sensor"),
]
CANARY = r"C(\d{3,})\(\d+,\d+\)"


def unjudged(admin: psycopg.Connection, statement: str) -> None:
    """Changes what no trigger would let anybody change."""
    admin.execute("SET session_replication_role = replica")
    admin.execute(statement)


def plant(admin: psycopg.Connection) -> dict[str, str]:
    """Writes `C012(0,1)` into every text of every row that takes one; gives number -> table and column."""
    unjudged(admin, BEARINGS)
    columns = admin.execute(
        "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c"
        " JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE table_schema = 'core' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'"
        " AND c.data_type IN ('text', 'character varying', 'jsonb')"
        " AND c.table_name NOT IN ('installation', 'alembic_version') AND c.column_name <> ALL (%s) ORDER BY 1, 2",
        (STEERING,),
    ).fetchall()
    planted = {}
    for number, (table, column, kind) in enumerate(columns):
        canary = f"'C{number:03}' || ctid"
        value = f"jsonb_build_array({canary})" if kind == "jsonb" else canary
        # What a constraint binds to a few words cannot carry a secret.
        with contextlib.suppress(psycopg.errors.IntegrityError, psycopg.errors.StringDataRightTruncation):
            if admin.execute(f'UPDATE core."{table}" SET "{column}" = {value}').rowcount:
                planted[f"{number:03}"] = f"{table}.{column}"
    for table, which, changes in COPIES:
        copy(admin, table, which, changes)
    admin.execute(
        "UPDATE core.publication SET subject_id = (SELECT id FROM core.device WHERE public_id = 'DV-SECRET')"
        " WHERE public_id = 'PB-SECRET'"
    )
    admin.execute("UPDATE core.privacy_zone SET exact_geom = geom WHERE public_id = 'PZ-HIDDEN'")
    return planted


def copy(admin: psycopg.Connection, table: str, which: str, changes: Mapping[str, object]) -> None:
    """One row more, like the one that stands there already but for some of its columns."""
    names = [
        name
        for (name,) in admin.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'core' AND table_name = %s AND is_generated = 'NEVER'",
            (table,),
        )
    ]
    values = {name: f'o."{name}"' for name in names} | {"id": "gen_random_uuid()"} | dict.fromkeys(changes, "%s")
    admin.execute(
        f'INSERT INTO core."{table}" ({", ".join(values)}) SELECT {", ".join(values.values())}'
        f' FROM (SELECT * FROM core."{table}" WHERE {which} LIMIT 1) o',
        [changes[name] for name in values if name in changes],
    )
