"""What a question costs the database: its plan, carried out, instead of its answer."""

from __future__ import annotations

import json
from typing import Any

from candela_server.storage.postgres import Tx


class Explaining:
    """A transaction whose next question is explained instead of answered; give it to a store as its `tx`."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.merchant_id = tx.merchant_id
        self._plan: Any = None

    async def execute(self, statement: str, *arguments: Any) -> int:
        """Carries out what prepares the question."""
        return await self._tx.execute(statement, *arguments)

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """Answers nothing, and keeps the plan."""
        found = await self._tx.fetchval(
            "EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) " + statement, *arguments
        )
        self._plan = json.loads(found) if isinstance(found, str) else found
        return []

    def rows_of(self, relation: str) -> float:
        """How many rows of a relation were taken from it."""
        return _sum(
            self._plan[0]["Plan"],
            relation,
            lambda node: node.get("Actual Rows", 0) * node.get("Actual Loops", 0),
        )

    def rows_looked_at(self, relation: str) -> float:
        """How many rows of a relation were read, those among them that were not wanted after all."""
        return self.rows_of(relation) + _sum(
            self._plan[0]["Plan"],
            relation,
            lambda node: (
                sum(node.get(removed, 0) for removed in _REMOVED) * node.get("Actual Loops", 0)
            ),
        )


_REMOVED = ("Rows Removed by Filter", "Rows Removed by Index Recheck")


def _sum(node: Any, relation: str, count: Any) -> float:
    own = count(node) if node.get("Relation Name") == relation else 0
    return float(own + sum(_sum(one, relation, count) for one in node.get("Plans", [])))
