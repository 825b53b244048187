"""The check that the lists in pyproject.toml agree with what is there."""

from __future__ import annotations

from pathlib import Path

from scripts.lints import pins


def test_requirement_that_is_locked_otherwise__is_found() -> None:
    project = {
        "project": {
            "dependencies": [
                "psycopg[binary]==3.3.9",
                "prometheus_client==0.26.0",
                "candela==0.1.0",
            ]
        },
        "dependency-groups": {"dev": ["ruff==0.17.5"]},
    }

    got = list(
        pins.unlocked(project, "# all\npsycopg==3.3.9\nprometheus-client==0.26.0\nruff==0.17.4\n")
    )

    assert got == ["ruff==0.17.5"]


def test_store_without_a_contract__is_found() -> None:
    contracts = [{"type": "protected", "protected_modules": ["candela_server.credit.store"]}]
    project = {"tool": {"importlinter": {"contracts": contracts}}}

    got = list(
        pins.unprotected(project, ["candela_server.credit.store", "candela_server.credit.cache"])
    )

    assert got == ["candela_server.credit.cache"]


def test_rooms__their_stores_and_caches_are_private(tmp_path: Path) -> None:
    server = tmp_path / "candela_server"
    for name in (
        "credit/ledger_store.py",
        "credit/read.py",
        "credit/restore.py",
        "credit/store.py",
        "metering/cache.py",
        "storage/store.py",
    ):
        (server / name).parent.mkdir(parents=True, exist_ok=True)
        (server / name).touch()

    got = list(pins.private_modules(server))

    assert got == [
        "candela_server.credit.ledger_store",
        "candela_server.credit.store",
        "candela_server.metering.cache",
    ]
