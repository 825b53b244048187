"""The check that compose.yaml says only what exists."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lints import compose_file


def service(**changes: Any) -> dict[str, Any]:
    return {"services": {"server": {"image": "candela:0.1.0"} | changes}}


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"image": "valkey/valkey:latest"}, "is not pinned"),
        ({"depends_on": {"database": {}}}, "is no service"),
        ({"ports": ["8430:8430"]}, "is open beyond this machine"),
        ({"environment": {"CANDELA_REDIS": "x"}}, "CANDELA_REDIS is no setting"),
        ({"build": ".", "command": ["server"]}, "is no command"),
        ({"build": ".", "command": ["serve", "--processes", "2"]}, "is no command"),
    ],
)
def test_what_does_not_exist__is_found(changes: dict[str, Any], want: str) -> None:
    got = list(compose_file.check(service(**changes)))

    assert len(got) == 1
    assert want in got[0]


def test_what_exists__is_left_alone() -> None:
    got = list(
        compose_file.check(
            service(
                build=".",
                command=["serve", "--workers", "2"],
                ports=["127.0.0.1:8430:8430"],
                environment={"CANDELA_REDIS_URL": "redis://valkey:6379/0"},
            )
        )
    )

    assert got == []
