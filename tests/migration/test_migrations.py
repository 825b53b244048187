"""Candela's own migrations: whole, repeatable, and no tenant table without its wall."""

from __future__ import annotations

import psycopg
import pytest

from candela_server.storage.migrate import Layout, migrate, read_migrations

# Tables with a merchant_id that row security does not wall, each with its reason.
_UNWALLED = {
    # TimescaleDB refuses COPY, compression and continuous aggregates under row security. The
    # tenants' role has no right on it at all, which is tested below.
    "event",
}


def column(url: str, query: str, *values: object) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute(query.encode(), values or None).fetchall()}


@pytest.mark.spec("OPS-1")
def test_fresh_database__takes_every_file_once(empty_database: str) -> None:
    first = migrate(empty_database)
    second = migrate(empty_database)

    wanted = {file.name for file in read_migrations() if file.layout in (None, first.layout)}
    assert wanted == {name for name in first.applied if not name.startswith("procrastinate/")}
    assert second.applied == ()


@pytest.mark.spec("OPS-1")
def test_fresh_database__has_the_job_queue_and_its_version(postgres_dsn: str) -> None:
    names = column(
        postgres_dsn,
        "SELECT name FROM candela_migration WHERE starts_with(name, 'procrastinate/schema-')",
    )
    assert len(names) == 1
    jobs = column(postgres_dsn, "SELECT to_regclass('public.procrastinate_jobs')::text")
    assert jobs == {"procrastinate_jobs"}


@pytest.mark.spec("KEY-2")
def test_every_tenant_table__is_behind_the_wall_even_for_its_owner(postgres_dsn: str) -> None:
    open_tables = column(
        postgres_dsn,
        """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND a.attname = 'merchant_id' AND NOT a.attisdropped
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        """,
    )
    assert open_tables - _unwalled(postgres_dsn) == set()


@pytest.mark.spec("KEY-2")
def test_every_tenant_table__has_the_policy_of_the_merchant(postgres_dsn: str) -> None:
    # Row security without a policy hides everything; one that compares nothing hides nothing.
    tables = column(
        postgres_dsn,
        """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND a.attname = 'merchant_id' AND NOT a.attisdropped
          AND has_any_column_privilege('candela_app', c.oid, 'SELECT, INSERT, UPDATE')
        """,
    )
    walled = column(
        postgres_dsn,
        """
        SELECT tablename FROM pg_policies
        WHERE schemaname = 'public' AND roles = '{candela_app}' AND cmd = 'ALL'
          AND qual LIKE '%merchant_id = current_setting(''candela.merchant_id''%'
          AND with_check LIKE '%merchant_id = current_setting(''candela.merchant_id''%'
        """,
    )
    assert tables, "no table has a merchant_id: the query is wrong"
    assert tables - walled == set()


@pytest.mark.spec("KEY-2")
def test_tables_outside_the_wall__are_closed_to_the_tenants_role(postgres_dsn: str) -> None:
    reachable = column(
        postgres_dsn,
        """
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
          AND (has_any_column_privilege('candela_app', c.oid, 'SELECT, INSERT, UPDATE')
               OR has_table_privilege('candela_app', c.oid, 'DELETE'))
        """,
        list(_unwalled(postgres_dsn)),
    )
    assert reachable == set()


@pytest.mark.spec("KEY-2")
def test_roles_of_the_server__cannot_bypass_the_wall(postgres_dsn: str) -> None:
    able = column(
        postgres_dsn,
        """
        SELECT rolname FROM pg_roles
        WHERE starts_with(rolname, 'candela_') AND (rolsuper OR rolbypassrls OR rolcreaterole)
        """,
    )
    assert able == set()


@pytest.mark.spec("OPS-1")
@pytest.mark.timescaledb
def test_events_with_timescaledb__are_a_hypertable(postgres_dsn: str) -> None:
    assert migrate(postgres_dsn).layout is Layout.TIMESCALE
    assert column(
        postgres_dsn, "SELECT hypertable_name FROM timescaledb_information.hypertables"
    ) == {"event"}


def _unwalled(url: str) -> set[str]:
    # Partitions of such a table stand beside it and are read only through it.
    partitions = column(
        url,
        """
        SELECT i.inhrelid::regclass::text FROM pg_inherits i
        WHERE i.inhparent::regclass::text = ANY(%s)
        """,
        list(_UNWALLED),
    )
    return _UNWALLED | partitions
