"""How migrations are read, ordered, applied and refused; on small files of the tests' own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from candela_server.storage.migrate import (
    Layout,
    MigrationError,
    Phase,
    migrate,
    read_migrations,
)

from tests.helpers.waiting import PATIENCE_S

_SLOW = "SELECT pg_sleep(0.3); CREATE TABLE slow (id int); INSERT INTO slow VALUES (1);"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of migrations with one file of each kind."""
    write(tmp_path, "relational/0001_pre_first.sql", "CREATE TABLE first (id int);")
    write(tmp_path, "relational/0002_post_second.sql", "CREATE TABLE second (id int);")
    write(tmp_path, "events/0001_pre_event.native.sql", "CREATE TABLE event (id int);")
    write(tmp_path, "events/0001_pre_event.timescale.sql", "CREATE TABLE event (id int);")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """
            SELECT relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            """
        ).fetchall()
    return {row[0] for row in rows}


def ours(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not name.startswith("procrastinate/")]


@pytest.mark.spec("OPS-1")
def test_all_phases__apply_each_group_in_order_of_number(empty_database: str, files: Path) -> None:
    got = migrate(empty_database, folder=files)

    assert ours(got.applied) == [
        "relational/0001_pre_first.sql",
        "relational/0002_post_second.sql",
        f"events/0001_pre_event.{got.layout}.sql",
    ]
    assert {"first", "second", "event"} <= tables(empty_database)


@pytest.mark.spec("OPS-1")
def test_phases_apart__post_waits_for_its_own_run(empty_database: str, files: Path) -> None:
    before = migrate(empty_database, phase=Phase.PRE, folder=files)
    assert "second" not in tables(empty_database)
    after = migrate(empty_database, phase=Phase.POST, folder=files)

    assert "relational/0002_post_second.sql" not in before.applied
    assert after.applied == ("relational/0002_post_second.sql",)


@pytest.mark.spec("OPS-1")
def test_post_before_its_pre__is_refused(empty_database: str, files: Path) -> None:
    with pytest.raises(MigrationError, match="run the phase pre first"):
        migrate(empty_database, phase=Phase.POST, folder=files)
    assert tables(empty_database) <= {"candela_migration"}


@pytest.mark.spec("OPS-1")
def test_applied_file_changed__is_refused_by_name(empty_database: str, files: Path) -> None:
    migrate(empty_database, folder=files)
    write(files, "relational/0001_pre_first.sql", "CREATE TABLE first (id bigint);")

    with pytest.raises(MigrationError, match=r"relational/0001_pre_first\.sql changed"):
        migrate(empty_database, folder=files)


@pytest.mark.spec("OPS-1")
def test_file_numbered_below_an_applied_one__is_refused(empty_database: str, files: Path) -> None:
    write(files, "relational/0004_pre_fourth.sql", "CREATE TABLE fourth (id int);")
    migrate(empty_database, folder=files)
    write(files, "relational/0003_pre_third.sql", "CREATE TABLE third (id int);")

    with pytest.raises(MigrationError, match="renumber it"):
        migrate(empty_database, folder=files)


@pytest.mark.spec("OPS-1")
def test_file_fails_in_the_middle__leaves_nothing_of_itself(
    empty_database: str, files: Path
) -> None:
    write(files, "relational/0003_pre_broken.sql", "CREATE TABLE half (id int); SELECT 1/0;")

    with pytest.raises(MigrationError, match=r"0003_pre_broken\.sql failed and changed nothing"):
        migrate(empty_database, folder=files)
    assert "half" not in tables(empty_database)

    write(files, "relational/0003_pre_broken.sql", "CREATE TABLE whole (id int);")
    migrate(empty_database, folder=files)
    assert "whole" in tables(empty_database)


@pytest.mark.spec("OPS-1")
def test_file_that_commits_by_itself__is_refused(empty_database: str, files: Path) -> None:
    write(files, "relational/0003_pre_commits.sql", "CREATE TABLE early (id int); COMMIT;")

    with pytest.raises(MigrationError, match="0003_pre_commits"):
        migrate(empty_database, folder=files)


@pytest.mark.spec("OPS-1")
def test_two_processes_at_once__apply_each_file_once(empty_database: str, files: Path) -> None:
    write(files, "relational/0003_pre_slow.sql", _SLOW)
    program = (
        "import sys; from pathlib import Path; from candela_server.storage.migrate import migrate;"
        "print(len(migrate(sys.argv[1], folder=Path(sys.argv[2])).applied))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_database, str(files)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=PATIENCE_S) for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    counts = sorted(int(output) for output, _ in outputs)
    assert counts == [0, 5]  # procrastinate's schema and four files; the other found nothing to do
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT count(*) FROM slow").fetchone() == (1,)


@pytest.mark.spec("OPS-1")
def test_database_that_began_native__stays_native(empty_database: str, files: Path) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE event (id int)")
    migrate(empty_database, phase=Phase.PRE, folder=_without_events(files))
    with psycopg.connect(empty_database) as connection:
        connection.execute(
            """
            INSERT INTO candela_migration (name, phase, checksum, applied_by)
            VALUES ('events/0000_pre_older.native.sql', 'pre', '', 'tests')
            """
        )

    assert migrate(empty_database, folder=_without_events(files)).layout is Layout.NATIVE


def _without_events(files: Path) -> Path:
    for path in (files / "events").glob("*.sql"):
        path.unlink()
    return files


@pytest.mark.spec("OPS-1")
@pytest.mark.timescaledb
def test_new_database_with_timescaledb__takes_the_hypertable(
    empty_database: str, files: Path
) -> None:
    assert migrate(empty_database, folder=files).layout is Layout.TIMESCALE
    with psycopg.connect(empty_database) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchone() == (1,)


@pytest.mark.spec("OPS-1")
@pytest.mark.parametrize("name", ["0001_first.sql", "1_pre_first.sql", "0001_pre_First.sql"])
def test_wrong_name__is_refused_before_anything_runs(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"relational/{name}", "SELECT 1;")
    with pytest.raises(MigrationError, match="is not named"):
        read_migrations(tmp_path)


@pytest.mark.spec("OPS-1")
def test_one_number_twice__is_refused(tmp_path: Path) -> None:
    write(tmp_path, "relational/0001_pre_one.sql", "SELECT 1;")
    write(tmp_path, "relational/0001_pre_other.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match="have the same number"):
        read_migrations(tmp_path)
