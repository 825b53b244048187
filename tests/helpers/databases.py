"""Databases for tests: made on a real server, cloned from a migrated one, and dropped when done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql
from psycopg.errors import ObjectInUse

from candela_server.storage.migrate import migrate

_PREFIX = "candela_test_"
_TERMINATE_TIMEOUT_MS = 10_000


class TestDatabases:
    """Makes databases on one PostgreSQL server for one test session."""

    __test__ = False

    def __init__(self, server_url: str) -> None:
        """`server_url` is any database of the server, as a user that may create databases."""
        self._server_url = server_url
        self._numbers = count(1)
        self._template: str | None = None
        self._drop_orphans()

    def new_empty(self) -> str:
        """The address of a database in which nothing is."""
        name = self._new_name()
        self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url(name)

    def new_migrated(self) -> str:
        """The address of a database with the schema and no rows: a clone, so it costs little."""
        if self._template is None:
            template = self.new_empty()
            migrate(template)
            self._template = _name(template)
            self._close(self._template)
        name = self._new_name()
        self._run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(self._template)
            )
        )
        return self._url(name)

    def drop(self, url: str) -> None:
        """Removes a database, whoever is connected."""
        self._drop(_name(url))

    def drop_all(self) -> None:
        """Removes every database of this session."""
        for name in self._existing():
            if name.startswith(f"{_PREFIX}{os.getpid()}_"):
                self._drop(name)

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """A migrated database for as long as the block runs."""
        url = self.new_migrated()
        try:
            yield url
        finally:
            self.drop(url)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """An empty database for as long as the block runs."""
        url = self.new_empty()
        try:
            yield url
        finally:
            self.drop(url)

    def _close(self, name: str) -> None:
        # A template must have no connection, and TimescaleDB's scheduler keeps one in each database
        # that has the extension, unless nobody may connect.
        self._run(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE datname = %s",
                (_TERMINATE_TIMEOUT_MS, name),
            )

    def _drop(self, name: str) -> None:
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _drop_orphans(self) -> None:
        # What a killed session left; another session that runs now keeps its own.
        for name in self._existing():
            pid = name.removeprefix(_PREFIX).partition("_")[0]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                with suppress(ObjectInUse):
                    self._drop(name)

    def _existing(self) -> list[str]:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (_PREFIX,)
            ).fetchall()
        return [row[0] for row in rows]

    def _new_name(self) -> str:
        return f"{_PREFIX}{os.getpid()}_{next(self._numbers)}"

    def _url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{name}"))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(statement)


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
