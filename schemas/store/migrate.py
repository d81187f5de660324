"""Brings a database to the newest version: roles, schemas, migrations, rule packs. Touches the network."""

from __future__ import annotations

import json
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from schemas.rules import Rulebook
from schemas.store.cluster import ClusterError
from schemas.store.engine import APP, OWNER, PUBLIC, Database

log = structlog.get_logger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
SCHEMAS = ("core", "law", "ledger", "public_map")
EXTENSIONS = ("postgis", "btree_gist")
ROLES = (OWNER, APP, PUBLIC)
OLDEST_SERVER = 150000
# What every role may call at first, and what would let the public role see beside the views or write at all:
# PostGIS tells extents, histograms and matches of any column without asking for the right to read it, and
# large objects fill a disk.
CLOSED_FUNCTIONS = (
    "st_estimatedextent",
    "st_estimated_extent",
    "_postgis_index_extent",
    "_postgis_join_selectivity",
    "_postgis_selectivity",
    "_postgis_stats",
    "lo_creat",
    "lo_create",
    "lo_from_bytea",
)
# Roles belong to the whole server, so two databases that migrate at once may collide on them.
ROLE_ATTEMPTS = 10
# How servers say that an extension's files are not there (feature_not_supported, undefined_file).
EXTENSION_MISSING = ("0A000", "58P01")


def migrate(database: Database, rulebook: Rulebook | None = None) -> None:
    """Creates or upgrades `database`; does nothing when it is up to date.

    Raises ClusterError, with what an administrator must do, where the login may not do it.
    """
    rulebook = rulebook or Rulebook.load()
    engine = database.admin_engine()
    try:
        _ensure_database(engine)
        with engine.connect() as connection:
            if _version(connection) != head() or not _packs_loaded(connection, rulebook):
                connection.rollback()
                _upgrade(connection, database, rulebook)
    finally:
        engine.dispose()


def head() -> str:
    """The newest revision: the number that begins the name of the last migration."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def _ensure_database(engine: Engine) -> None:
    try:
        engine.connect().close()
    except OperationalError as error:
        if "does not exist" not in str(error):
            raise ClusterError(f"the database cannot be reached: {_last_line(error)}") from error
        name = make_url(engine.url).database or ""
        server = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            quoted = connection.dialect.identifier_preparer.quote(name)
            connection.execute(text(f"CREATE DATABASE {quoted} ENCODING 'UTF8' TEMPLATE template0"))
        server.dispose()


def _version(connection: Connection) -> str | None:
    if connection.execute(text("SELECT to_regclass('core.alembic_version')")).scalar() is None:
        return None
    found = connection.execute(text("SELECT version_num FROM core.alembic_version")).scalar()
    return None if found is None else str(found)


def _packs_loaded(connection: Connection, rulebook: Rulebook) -> bool:
    found = connection.execute(text("SELECT sha256 FROM law.pack")).scalars()
    return set(found) == {pack.sha256 for pack in rulebook.packs}


def _upgrade(connection: Connection, database: Database, rulebook: Rulebook) -> None:
    # One at a time; the lock is that of the session and ends with it.
    connection.execute(text("SELECT pg_advisory_lock(hashtext('skywarden.migrate'))"))
    _check_server(connection)
    connection.commit()
    _ensure_roles(connection, login=not database.assume_roles)
    try:
        _prepare(connection)
        connection.execute(text(f"SET ROLE {OWNER}"))
        for schema in SCHEMAS:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {OWNER}"))
        connection.commit()
    except DBAPIError as error:
        raise _refusal_of_preparing(connection, error) from error
    _run_migrations(connection)
    _load_packs(connection, rulebook)
    connection.execute(text("RESET ROLE"))
    connection.commit()


def _refusal_of_preparing(connection: Connection, error: DBAPIError) -> Exception:
    """One line with what an administrator must run, where the login may not or the server cannot."""
    state = getattr(error.orig, "sqlstate", "")
    if state == "42501":
        connection.rollback()
        login, name = connection.execute(
            text("SELECT quote_ident(session_user), quote_ident(current_database())")
        ).one()
        wanted = [f"CREATE EXTENSION IF NOT EXISTS {extension}" for extension in EXTENSIONS]
        wanted.append(f"ALTER DATABASE {name} OWNER TO {login}")
        return ClusterError(
            f"this login may not prepare the database; let an administrator run in it: {'; '.join(wanted)}"
        )
    if state in EXTENSION_MISSING:
        said = str(error.orig).strip().splitlines()[0]
        return ClusterError(f"PostGIS is missing on that server ({said}): install PostGIS and contrib there")
    return error


def _check_server(connection: Connection) -> None:
    number, encoding = connection.execute(
        text("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')")
    ).one()
    if number < OLDEST_SERVER:
        raise ClusterError(f"PostgreSQL {number // 10000} is too old: 15 or newer is needed")
    if encoding != "UTF8":
        raise ClusterError(f"the database is encoded in {encoding}: create it with ENCODING 'UTF8'")


def _ensure_roles(connection: Connection, *, login: bool) -> None:
    for attempt in range(ROLE_ATTEMPTS):
        try:
            for role in ROLES:
                _ensure_role(connection, role, login=login)
            connection.commit()
        except DBAPIError as error:
            connection.rollback()
            if getattr(error.orig, "sqlstate", "") == "42501":
                roles = "; ".join(f"CREATE ROLE {role}; GRANT {role} TO CURRENT_USER" for role in ROLES)
                raise ClusterError(f"this login may not create roles; let an administrator run: {roles}") from error
            if attempt == ROLE_ATTEMPTS - 1:
                raise
        else:
            return


def _ensure_role(connection: Connection, role: str, *, login: bool) -> None:
    known = connection.execute(text("SELECT rolcanlogin FROM pg_roles WHERE rolname = :role"), {"role": role}).scalar()
    if known is None:
        connection.execute(text(f"CREATE ROLE {role} {'LOGIN' if login else 'NOLOGIN'}"))
    elif login and not known:
        connection.execute(text(f"ALTER ROLE {role} LOGIN"))
    if not connection.execute(text("SELECT pg_has_role(:role, 'MEMBER')"), {"role": role}).scalar():
        connection.execute(text(f"GRANT {role} TO CURRENT_USER"))


def _prepare(connection: Connection) -> None:
    """What only the administrator may do inside the database: extensions, and the owner's right to create."""
    for extension in EXTENSIONS:
        connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {extension}"))
    name = connection.dialect.identifier_preparer.quote(connection.engine.url.database or "")
    connection.execute(text(f"GRANT CREATE ON DATABASE {name} TO {OWNER}"))
    # A database that was upgraded from an older server still lets everybody create things in `public`.
    connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    connection.execute(text(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC"))
    if connection.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar():
        # Views that hide rows keep their spatial index only with an operator that can tell nothing about
        # those rows; comparing boxes tells nothing (reliability.md finding 8). Elsewhere they are slower.
        connection.execute(text("ALTER FUNCTION geometry_overlaps(geometry, geometry) LEAKPROOF"))
        for function in _open_functions(connection):
            connection.execute(text(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC"))
    if left := _open_functions(connection):
        log.warning("the public role can ask about columns that it may not read", let_their_owner_revoke=left)
    connection.commit()


def _open_functions(connection: Connection) -> list[str]:
    found = connection.execute(_OPEN, {"names": list(CLOSED_FUNCTIONS), "role": PUBLIC})
    return [str(function) for function in found.scalars()]


_OPEN = text(
    "SELECT p.oid::regprocedure::text FROM pg_proc p"
    " WHERE p.proname = ANY (:names) AND p.pronamespace IN ('public'::regnamespace, 'pg_catalog'::regnamespace)"
    " AND has_function_privilege(:role, p.oid, 'EXECUTE')"
)


def _run_migrations(connection: Connection) -> None:
    # Alembic is needed only when there is something to do, and takes a while to import.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _load_packs(connection: Connection, rulebook: Rulebook) -> None:
    """The packs as the database judges by them; a corrected file replaces what was loaded before."""
    connection.execute(text("DELETE FROM law.pack"))
    for pack in rulebook.packs:
        values = {"document": json.dumps(pack.document()), "sha256": pack.sha256}
        connection.execute(text("SELECT law.load(CAST(:document AS jsonb), :sha256)"), values)


def _last_line(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[-1]
