"""Brings a database to the schema of this release: plain SQL files, in order, each once and whole.

Files are `migrations/{relational,events}/NNNN_{pre|post}_what.sql`. `pre` files may run while the
previous release still serves, `post` files only after it is gone. A file of events may have two
variants, `*.timescale.sql` and `*.native.sql`; a database keeps the one it began with.
procrastinate's own schema is applied by its own files.

Ours, and not yoyo-migrations or its like: none has content checksums, the two phases, and the
variants, so each would need as much glue around it as this file has lines."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

DEFAULT_FOLDER = Path(__file__).parent / "migrations"

_GROUPS = ("relational", "events")
_FILE_NAME = re.compile(
    r"(?P<number>\d{4})_(?P<phase>pre|post)_[a-z0-9_]+(\.(?P<layout>timescale|native))?\.sql"
)
_OLDEST_POSTGRES = 170000
# Any number will do, as long as nothing else in the database takes it: "candela" in ASCII.
_ADVISORY_LOCK = 0x63616E64656C61
# How long one migrator waits for another one to finish.
_TURN_TIMEOUT = "15min"
# A migration that waits for a lock makes everyone behind it wait too, so it gives up soon and tries
# again.
_LOCK_TIMEOUT = "5s"
_LOCK_ATTEMPTS = 6
_LOCK_PAUSE_S = 2.0


class Phase(StrEnum):
    """Which files to apply: those before the release is rolled out, those after it, or all."""

    PRE = "pre"
    POST = "post"
    ALL = "all"


class Layout(StrEnum):
    """How the events table is laid out: a hypertable, or native range partitions."""

    TIMESCALE = "timescale"
    NATIVE = "native"


class MigrationError(RuntimeError):
    """The database cannot be migrated as asked; the message ends with what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file, as it is on disk."""

    name: str
    group: str
    number: int
    phase: Phase
    layout: Layout | None
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What a run did: the files it applied, in order, and the layout of the events table."""

    applied: tuple[str, ...]
    layout: Layout


def migrate(
    database_url: str, *, phase: Phase = Phase.ALL, folder: Path = DEFAULT_FOLDER
) -> Migrated:
    """Applies what is missing of the phase. Safe to run twice, and by many processes at once.

    Raises MigrationError when a file that was applied has changed since, or when the order would be
    broken; files applied before the error stay applied."""
    with psycopg.connect(database_url, autocommit=True, application_name="candela-migrate") as tx:
        _require_version(tx)
        with _turn(tx):
            _create_journal(tx)
            done = _read_journal(tx)
            layout = _choose_layout(tx, done)
            files = [
                migration
                for migration in read_migrations(folder)
                if migration.layout in (None, layout)
            ]
            _require_unchanged(files, done)
            pending = _pending(files, done, phase)
            applied = [*_apply_procrastinate(tx, done, phase)]
            for migration in pending:
                _apply(tx, migration.name, migration.phase, migration.text)
                applied.append(migration.name)
    return Migrated(applied=tuple(applied), layout=layout)


def read_migrations(folder: Path = DEFAULT_FOLDER) -> list[Migration]:
    """All files in the order in which they apply, both variants included.

    Raises MigrationError for a wrong name and for a number that is there twice.
    """
    migrations: list[Migration] = []
    for group in _GROUPS:
        for path in sorted((folder / group).glob("*.sql")):
            match = _FILE_NAME.fullmatch(path.name)
            if match is None:
                raise MigrationError(
                    f"{group}/{path.name} is not named NNNN_pre_what.sql or NNNN_post_what.sql; "
                    "rename it"
                )
            layout = match["layout"]
            migrations.append(
                Migration(
                    name=f"{group}/{path.name}",
                    group=group,
                    number=int(match["number"]),
                    phase=Phase(match["phase"]),
                    layout=Layout(layout) if layout else None,
                    text=path.read_text(encoding="utf-8"),
                )
            )
    _require_distinct_numbers(migrations)
    return migrations


def _require_distinct_numbers(migrations: Sequence[Migration]) -> None:
    seen: dict[tuple[str, int, Layout], str] = {}
    for migration in migrations:
        for layout in (migration.layout,) if migration.layout else tuple(Layout):
            place = (migration.group, migration.number, layout)
            if place in seen:
                raise MigrationError(
                    f"{migration.name} and {seen[place]} have the same number; "
                    "renumber the newer one"
                )
            seen[place] = migration.name


def _require_version(tx: psycopg.Connection) -> None:
    if tx.info.server_version < _OLDEST_POSTGRES:
        raise MigrationError(
            f"PostgreSQL {tx.info.server_version // 10000} is too old; Candela needs 17 or newer"
        )


@contextmanager
def _turn(tx: psycopg.Connection) -> Iterator[None]:
    """Migrators of one database take turns; a killed one loses its connection and so its turn."""
    tx.execute(sql.SQL("SET lock_timeout = {}").format(_TURN_TIMEOUT))
    try:
        tx.execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
    except LockNotAvailable:
        raise MigrationError(
            f"another process has been migrating this database for {_TURN_TIMEOUT}; "
            "see pg_stat_activity"
        ) from None
    try:
        yield
    finally:
        # After an error the connection may be beyond use; closing it ends the lock as well.
        if not tx.closed and not tx.broken:
            tx.execute("SELECT pg_advisory_unlock(%s)", (_ADVISORY_LOCK,))


def _create_journal(tx: psycopg.Connection) -> None:
    tx.execute(
        """
        CREATE TABLE IF NOT EXISTS public.candela_migration (
            name       text COLLATE "C" PRIMARY KEY,
            phase      text NOT NULL CHECK (phase IN ('pre', 'post')),
            checksum   text NOT NULL,
            applied_by text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def _read_journal(tx: psycopg.Connection) -> dict[str, str]:
    """The checksum of each applied file, by name."""
    return dict(tx.execute("SELECT name, checksum FROM public.candela_migration").fetchall())


def _choose_layout(tx: psycopg.Connection, done: dict[str, str]) -> Layout:
    """The layout that the database began with; for a new one, by whether TimescaleDB is there."""
    for layout in Layout:
        if any(name.endswith(f".{layout}.sql") for name in done):
            return layout
    # Only a superuser sees the setting. Where it is hidden, a managed service has preloaded what it
    # offers.
    row = tx.execute(
        """
        SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb'),
               EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb'),
               coalesce((SELECT setting LIKE '%timescaledb%' FROM pg_settings
                         WHERE name = 'shared_preload_libraries'), true)
        """
    ).fetchone()
    created, available, preloaded = row or (False, False, False)
    if not created:
        if not (available and preloaded):
            return Layout.NATIVE
        tx.execute("CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public")
    return Layout.TIMESCALE


def _require_unchanged(files: Sequence[Migration], done: dict[str, str]) -> None:
    # A journal entry without a file is a newer release's, during a roll-out; that is no error.
    changed = [file.name for file in files if done.get(file.name, file.checksum) != file.checksum]
    if changed:
        raise MigrationError(
            f"{', '.join(changed)} changed after being applied to this database; "
            "restore the text that was applied and put the change into a new file"
        )


def _pending(files: Sequence[Migration], done: dict[str, str], phase: Phase) -> list[Migration]:
    """The files to apply now. Raises MigrationError when one of them comes too late or too
    early."""
    pending = [file for file in files if file.name not in done]
    wanted = [file for file in pending if phase in (Phase.ALL, file.phase)]
    for file in wanted:
        later = [
            other.name
            for other in files
            if other.group == file.group
            and other.phase == file.phase
            and other.number > file.number
            and other.name in done
        ]
        if later:
            raise MigrationError(
                f"{file.name} would be applied after {later[0]}, which has a higher number; "
                "renumber it"
            )
        if phase is Phase.POST:
            missing = [
                other.name
                for other in pending
                if other.group == file.group
                and other.phase is Phase.PRE
                and other.number < file.number
            ]
            if missing:
                raise MigrationError(
                    f"{file.name} needs {missing[0]}, which is not applied; run the phase pre first"
                )
    return wanted


def _apply(
    tx: psycopg.Connection,
    name: str,
    phase: Phase,
    text: str,
    *,
    included: Sequence[tuple[str, Phase, str]] = (),
) -> None:
    """Runs one text and notes it, with what it includes, in one transaction.

    It is tried again when a lock was not to be had.
    """
    for attempt in range(1, _LOCK_ATTEMPTS + 1):
        try:
            with tx.transaction():
                tx.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(_LOCK_TIMEOUT))
                began_as = _transaction_id(tx)
                tx.execute(text.encode())
                if _transaction_id(tx) != began_as:
                    raise MigrationError(
                        f"{name} ends its transaction by itself, so it was not applied as one; "
                        "take COMMIT and ROLLBACK out of it, and see what it left behind"
                    )
                for noted, noted_phase, noted_text in [(name, phase, text), *included]:
                    tx.execute(
                        """
                        INSERT INTO public.candela_migration (name, phase, checksum, applied_by)
                        VALUES (%s, %s, %s, current_user)
                        """,
                        (noted, noted_phase, hashlib.sha256(noted_text.encode()).hexdigest()),
                    )
            return
        except (LockNotAvailable, DeadlockDetected) as error:
            if attempt == _LOCK_ATTEMPTS:
                raise MigrationError(
                    f"{name} did not get its locks in {_LOCK_ATTEMPTS} attempts of "
                    f"{_LOCK_TIMEOUT}: {error}; "
                    "find what holds them in pg_stat_activity and run again"
                ) from error
            time.sleep(_LOCK_PAUSE_S)
        except psycopg.Error as error:
            raise MigrationError(f"{name} failed and changed nothing: {error}") from error


def _transaction_id(tx: psycopg.Connection) -> object:
    row = tx.execute("SELECT pg_current_xact_id()").fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    return row[0]


# procrastinate


def _apply_procrastinate(tx: psycopg.Connection, done: dict[str, str], phase: Phase) -> list[str]:
    """Applies procrastinate's schema, or what its newer version adds to the one that is there.

    Its files are noted beside ours, and its version with the schema that a new database begins
    with. Their texts are not compared afterwards: they are not ours to freeze.
    """
    updates = _procrastinate_updates()
    if any(name.startswith("procrastinate/") for name in done):
        pending = [
            update
            for update in updates
            if update[0] not in done and phase in (Phase.ALL, update[1])
        ]
        for name, update_phase, text in pending:
            _apply(tx, name, update_phase, text)
        return [name for name, _, _ in pending]
    if phase is Phase.POST:
        raise MigrationError("procrastinate's schema is not applied; run the phase pre first")
    name = f"procrastinate/schema-{version('procrastinate')}.sql"
    # The whole schema includes every update that this version ships.
    _apply(tx, name, Phase.PRE, SchemaManager.get_schema(), included=updates)
    return [name]


def _procrastinate_updates() -> list[tuple[str, Phase, str]]:
    return [
        (
            f"procrastinate/{path.name}",
            Phase.POST if "_post_" in path.name else Phase.PRE,
            path.read_text(encoding="utf-8"),
        )
        for path in sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    ]
