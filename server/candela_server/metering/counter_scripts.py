"""The Lua scripts of live counters, and how Redis is asked to run them: many in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib import resources
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError

from candela_server.storage.redis import Redis


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the name that Redis gives it."""

    text: str
    sha: str


Call: TypeAlias = tuple[Script, list[str], list[str | int]]
"""A script, its keys and its arguments."""


class CounterScripts:
    """All of them. What they do is said in each."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.bump = _script("bump_counters.lua")
        self.expect = _script("expect_counter.lua")
        self.fill = _script("fill_counter.lua")
        self.note = _script("noting.lua", "note_flush.lua")
        self.present = _script("noting.lua", "present_counters.lua")

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """Runs scripts in one round trip; teaches them to a Redis that does not know them. Every script may be run
        again after a part of the calls was done: each knows what it did already."""
        try:
            return await self._run_known(calls)
        except NoScriptError:
            for script in (self.bump, self.expect, self.fill, self.note, self.present):
                await self._redis.client.script_load(script.text)
            return await self._run_known(calls)

    async def _run_known(self, calls: Sequence[Call]) -> list[Any]:
        pipeline = self._redis.client.pipeline(transaction=False)
        for script, keys, arguments in calls:
            pipeline.evalsha(script.sha, len(keys), *keys, *arguments)
        answers: list[Any] = await pipeline.execute()
        return answers


def _script(*names: str) -> Script:
    """The files, one behind the other."""
    text = "".join((resources.files(__package__) / name).read_text() for name in names)
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())
