"""compose.yaml says only what exists: services, settings and commands; images are pinned, ports stay on the machine.

No Docker engine is needed, so that it can be checked everywhere.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from candela_server import cli
from candela_server.config import Settings
from scripts.lints.findings import REPOSITORY, Finding, report

_FILE = REPOSITORY / "compose.yaml"
_PREFIX = "CANDELA_"
_PINNED = re.compile(r"^[\w./-]+:\d+\.\d+[\w.-]*$")
_LOOPBACK = "127.0.0.1:"


def check(document: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a compose file, in sentences."""
    services: dict[str, dict[str, Any]] = document["services"]
    for name, service in services.items():
        if not _PINNED.match(service["image"]):
            yield f"{name}: image {service['image']!r} is not pinned to a version"
        for needed in service.get("depends_on", {}):
            if needed not in services:
                yield f"{name}: depends on {needed!r}, which is no service"
        for port in service.get("ports", []):
            if not str(port).startswith(_LOOPBACK):
                yield f"{name}: port {port} is open beyond this machine"
        for variable in service.get("environment", {}):
            if variable.startswith(_PREFIX) and not _is_setting(variable):
                yield f"{name}: {variable} is no setting of the server"
        if "build" in service and not _is_command([str(one) for one in service["command"]]):
            yield f"{name}: candela {' '.join(service['command'])} is no command"


def _is_setting(variable: str) -> bool:
    return variable.removeprefix(_PREFIX).lower() in Settings.model_fields


def _is_command(arguments: list[str]) -> bool:
    try:
        cli.parser().parse_args(arguments)
    except (SystemExit, argparse.ArgumentError):
        return False
    return True


def main() -> int:
    """Checks the repository's file."""
    problems = check(yaml.safe_load(Path(_FILE).read_text()))
    return report(Finding(path=_FILE, line=1, message=problem) for problem in problems)


if __name__ == "__main__":
    sys.exit(main())
