"""Migrations: models and database agree, a second run does nothing, and what cannot be done is said in one line."""

import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from schemas.rules import Rulebook
from schemas.rules.rulebook import read_pack
from schemas.store.cluster import ClusterError
from schemas.store.engine import APP, PUBLIC, Database
from schemas.store.migrate import MIGRATIONS, head, migrate
from schemas.store.migrations.env_filters import include_name, include_object
from schemas.tables import SCHEMA, Base
from tests.database.plain import connect, connect_admin


def test_models_and_migrations_agree(blank):
    engine = blank.admin_engine()
    options = {
        "include_schemas": True,
        "include_name": include_name,
        "include_object": include_object,
        "version_table_schema": SCHEMA,
    }
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    engine.dispose()
    assert found == []


def test_head__is_alembics(blank):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == head()
    with connect_admin(blank) as root:
        assert root.execute("SELECT version_num FROM core.alembic_version").fetchone() == (head(),)


def test_migrate__again__changes_nothing(blank):
    with connect_admin(blank) as root:
        before = root.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()[0]
        migrate(blank)
        after = root.execute("SELECT xmin::text, sha256 FROM law.pack").fetchall()
    assert all(int(xmin) < before for xmin, _ in after)


def test_migrate__corrected_pack__replaces_the_loaded_one(blank):
    text = Path("schemas/rules/packs/demo-neutral.yaml").read_text(encoding="utf-8")
    changed = read_pack(text.replace("publication.lead_days: 14", "publication.lead_days: 15"))
    migrate(blank, Rulebook([changed]))
    with connect(blank, APP) as connection:
        rows = connection.execute("SELECT id, lead_days, sha256 FROM law.pack").fetchall()
    assert rows == [("demo-neutral", 15, changed.sha256)]


def test_migrate__missing_database__created(server):
    name = f"{server.prefix}_{uuid.uuid4().hex[:6]}"
    database = server.database(name)
    try:
        migrate(database)
        with connect(database, APP) as connection:
            assert connection.execute("SELECT count(*) FROM core.device").fetchone() == (0,)
            # Clones of a template do not take this over, so it is looked at here.
            rights = "SELECT has_database_privilege(%s, current_database(), 'TEMPORARY')"
            assert connection.execute(rights, [PUBLIC]).fetchone() == (False,)
    finally:
        server.drop(name)


MIGRATE = """
import sys
from schemas.store.engine import Database
from schemas.store.migrate import migrate
migrate(Database(sys.argv[1], lambda role: sys.argv[1], assume_roles=False))
"""


def test_migrate__several_processes_at_once__all_succeed(server):
    names = [f"{server.prefix}_{uuid.uuid4().hex[:6]}" for _ in range(2)]
    server.execute(f'CREATE DATABASE "{names[0]}"')
    try:
        # Two of them share one database.
        running = [
            subprocess.Popen(
                [sys.executable, "-c", MIGRATE, server.database(name).admin_url],
                stderr=subprocess.PIPE,
                text=True,
                env={"PYTHONPATH": str(MIGRATIONS.parents[2]), "PATH": "/usr/bin:/bin"},
            )
            for name in (names[0], *names)
        ]
        said = [process.communicate(timeout=250)[1] for process in running]
        assert [process.returncode for process in running] == [0, 0, 0], said
    finally:
        for name in names:
            server.drop(name)


def test_migrate__login_without_the_right_to_create__one_line(server, blank):
    role = f"visitor_{uuid.uuid4().hex[:8]}"
    name = f"{server.prefix}_{uuid.uuid4().hex[:6]}"
    server.execute(f"CREATE ROLE {role} LOGIN")
    server.execute(f'CREATE DATABASE "{name}"')
    admin = server.database(name).admin_url
    visitor = Database(admin.replace("postgres@", f"{role}@"), lambda _: admin, assume_roles=True)
    try:
        with pytest.raises(ClusterError) as said:
            migrate(visitor)
        assert "\n" not in str(said.value)
        assert "administrator" in str(said.value)
    finally:
        server.drop(name)
        server.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("extensions", [(), ("postgis", "btree_gist")])
def test_migrate__database_of_somebody_else__one_line_with_what_to_run(server, blank, extensions):
    role = f"visitor_{uuid.uuid4().hex[:8]}"
    name = f"{server.prefix}_{uuid.uuid4().hex[:6]}"
    server.execute(f"CREATE ROLE {role} LOGIN")
    server.execute(f"GRANT skywarden_owner, skywarden_app, skywarden_public TO {role}")
    server.execute(f'CREATE DATABASE "{name}"')
    with connect_admin(server.database(name)) as root:
        for extension in extensions:
            root.execute(f"CREATE EXTENSION {extension}")
    admin = server.database(name).admin_url
    visitor = Database(admin.replace("postgres@", f"{role}@"), lambda _: admin, assume_roles=True)
    try:
        with pytest.raises(ClusterError, match=f"ALTER DATABASE {name} OWNER TO {role}") as said:
            migrate(visitor)
        assert "\n" not in str(said.value)
        server.execute(f'ALTER DATABASE "{name}" OWNER TO {role}')
        if extensions:
            migrate(visitor)
    finally:
        # At once, because a role that owns a database cannot be dropped.
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        server.execute(f"DROP ROLE {role}")


def test_migrate__unreachable_server__one_line(tmp_path):
    url = f"postgresql+psycopg://postgres@/x?host={tmp_path}"
    with pytest.raises(ClusterError, match="cannot be reached"):
        migrate(Database(url, lambda _: url, assume_roles=False))


def test_migrate__other_encoding__refused(server):
    name = f"{server.prefix}_{uuid.uuid4().hex[:6]}"
    server.execute(f"""CREATE DATABASE "{name}" TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'""")
    try:
        with pytest.raises(ClusterError, match="UTF8"):
            migrate(server.database(name))
    finally:
        server.drop(name)


def test_P4__everything_belongs_to_the_owner(blank):
    with connect_admin(blank) as root:
        owners = root.execute(
            "SELECT DISTINCT pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('core', 'law', 'ledger', 'public_map')"
        ).fetchall()
    assert owners == [("skywarden_owner",)]


def test_P4__no_login_of_ours_is_superuser(blank):
    with connect_admin(blank) as root:
        rows = root.execute(
            "SELECT rolname FROM pg_roles"
            " WHERE rolname LIKE 'skywarden%' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls)"
        ).fetchall()
    assert rows == []


def test_psycopg__errors_carry_the_rule(blank):
    with connect(blank) as connection, pytest.raises(psycopg.errors.CheckViolation) as refused:
        connection.execute("SELECT core.refuse('rule__GD-15__x', 'm')")
    assert refused.value.diag.constraint_name == "rule__GD-15__x"
