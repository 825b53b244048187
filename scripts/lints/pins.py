"""Pins agree: what pyproject.toml asks for is in requirements.lock, and every store and cache of a room is private.

Both are lists that somebody must remember to extend; this remembers.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scripts.lints.findings import REPOSITORY, SERVER, Finding, report

_PROJECT = REPOSITORY / "pyproject.toml"
_LOCK = REPOSITORY / "requirements.lock"
# Shared folders: what they own is not a room's.
_NO_ROOMS = frozenset({"storage", "kernel", "edge", "worker", "contract"})
# `store` and `cache`, and what a room has beside them: `line_store`, `counter_cache`.
_PRIVATE = re.compile(r"(^|_)(store|cache)$")


def normal(requirement: str) -> str:
    """A requirement as "name==version", whatever its spelling and extras."""
    name, _, version = re.sub(r"\[.*?\]", "", requirement).partition("==")
    return f"{re.sub(r'[-_.]+', '-', name.strip()).lower()}=={version.strip()}"


def unlocked(project: dict[str, Any], lock: str) -> Iterator[str]:
    """The requirements of a project that the lock does not have at just that version."""
    locked = {normal(line) for line in lock.splitlines() if line and not line.startswith("#")}
    asked: list[str] = [
        *project["project"]["dependencies"],
        *(
            one
            for group in project["project"].get("optional-dependencies", {}).values()
            for one in group
        ),
        *(one for group in project.get("dependency-groups", {}).values() for one in group),
    ]
    for requirement in asked:
        if normal(requirement) not in locked and not requirement.startswith("candela=="):
            yield requirement


def unprotected(project: dict[str, Any], modules: Iterable[str]) -> Iterator[str]:
    """The stores and caches that no contract of import-linter keeps private."""
    contracts = project["tool"]["importlinter"]["contracts"]
    protected = {
        module
        for contract in contracts
        if contract["type"] == "protected"
        for module in contract["protected_modules"]
    }
    return (module for module in modules if module not in protected)


def private_modules(server: Path) -> Iterator[str]:
    """The stores and caches of all rooms."""
    for file in sorted(server.glob("*/*.py")):
        if file.parent.name not in _NO_ROOMS and _PRIVATE.search(file.stem):
            yield f"{server.name}.{file.parent.name}.{file.stem}"


def main() -> int:
    """Checks the repository."""
    project = tomllib.loads(_PROJECT.read_text())
    findings = [
        Finding(path=_LOCK, line=1, message=f"{requirement} of pyproject.toml is not locked so")
        for requirement in unlocked(project, _LOCK.read_text())
    ]
    findings += [
        Finding(
            path=_PROJECT, line=1, message=f"no protected contract of import-linter names {module}"
        )
        for module in unprotected(project, private_modules(SERVER))
    ]
    return report(findings)


if __name__ == "__main__":
    sys.exit(main())
