"""How root starts a program that refuses to run as root, as PostgreSQL does.

The first way is a user namespace: the program sees itself as an ordinary user and has no privilege,
yet its files stay root's, so no account is needed and no permission is changed. Where the kernel or
a container forbids that, the program runs as an ordinary account that can reach what it needs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The account for programs that should own nothing else; its number is the same on every Linux.
_NOBODY = "nobody"
_NAMESPACE_USER = 65534
_PROBE_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Unprivileged:
    """A way to run a program without root: as ourselves, in a user namespace, or as an account."""

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def command(self, command: list[str]) -> list[str]:
        """The command line that runs `command` this way."""
        return [*self.prefix, *command]

    def identity(self) -> dict[str, Any]:
        """What subprocess must be told besides the command line."""
        if self.user is None:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Gives `path` and all in it to the one who will run, if root is to decide that."""
        if os.geteuid() != 0:
            return
        user, group = self.user or 0, self.group or 0
        if path.stat().st_uid == user:
            return
        for found in (path, *path.rglob("*")):
            os.chown(found, user, group, follow_symlinks=False)


def find_unprivileged(folder: Path, program: Path) -> Unprivileged | None:
    """The first way in which `program` can be run and `folder` be entered, if any."""
    if os.geteuid() != 0:
        return Unprivileged()
    return next((way for way in _ways(folder) if _works(way, folder, program)), None)


def _ways(folder: Path) -> Iterator[Unprivileged]:
    unshare = shutil.which("unshare")
    if unshare is not None:
        user = f"--map-user={_NAMESPACE_USER}"
        group = f"--map-group={_NAMESPACE_USER}"
        yield Unprivileged(prefix=(unshare, "--user", user, group, "--"))
    # Whoever owns the place where the folder lies can enter it, even where others cannot.
    owner = folder.parent.stat()
    if owner.st_uid != 0:
        yield Unprivileged(user=owner.st_uid, group=owner.st_gid)
    try:
        nobody = pwd.getpwnam(_NOBODY)
    except KeyError:
        return
    yield Unprivileged(user=nobody.pw_uid, group=nobody.pw_gid)


def _works(way: Unprivileged, folder: Path, program: Path) -> bool:
    try:
        done = subprocess.run(
            way.command(
                ["/bin/sh", "-c", 'cd "$1" && exec "$2" --version', "sh", str(folder), str(program)]
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            timeout=_PROBE_TIMEOUT_S,
            check=False,
            **way.identity(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
