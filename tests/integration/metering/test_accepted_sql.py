"""What the parser accepts, the database can run: no query of a random grammar fails there (EVT-6)."""

from __future__ import annotations

import random

import pytest

from candela_server.catalog.rules.sql_metric.query import read_sql
from candela_server.catalog.rules.sql_metric.tree import SqlRefusedError
from candela_server.metering.model import SqlScope
from candela_server.metering.rules.sql_metric_binding import window_query

from tests.integration.metering.builders import Metering, event

_QUERIES = 400


class _Grammar:
    """Random expressions by type, most of them well typed."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def one(self, *forms: str) -> str:
        return self.chance.choice(forms)

    def number(self, depth: int) -> str:
        if depth == 0:
            return self.one("value", "1", "-2.5", "0", "(properties->>'n')::numeric")
        n, t, b, i = (
            lambda: self.number(depth - 1),
            lambda: self.text(depth - 1),
            lambda: self.truth(depth - 1),
            lambda: self.instant(depth - 1),
        )
        return self.one(
            *(f"({n()} {self.one('+', '-', '*', '/', '%')} {n()})", f"- {n()}", f"abs({n()})"),
            *(f"round({n()}, {self.one('2', '-1')})", f"mod({n()}, {n()})", f"length({t()})"),
            *(
                f"CASE WHEN {b()} THEN NULL WHEN {b()} THEN {n()} ELSE {n()} END",
                f"coalesce({n()}, NULL, {n()})",
            ),
            *(f"extract({self.one('hour', 'epoch', 'dow')} FROM {i()})", f"greatest({n()}, {n()})"),
            *(
                f"nullif({n()}, {n()})",
                f"({t()})::numeric",
                f"CASE {t()} WHEN {t()} THEN {n()} END",
            ),
        )

    def text(self, depth: int) -> str:
        if depth == 0:
            return self.one(
                "name", "user_id", "NULL::text", "'a''b\\'", "''", "properties->>'m'", "customer_id"
            )
        n, t, b = (
            lambda: self.number(depth - 1),
            lambda: self.text(depth - 1),
            lambda: self.truth(depth - 1),
        )
        return self.one(
            *(f"lower({t()})", f"trim({t()})", f"({t()} || {t()})", f"left({t()}, -1)"),
            *(
                f"split_part({t()}, '-', 1)",
                f"({n()})::text",
                f"({b()})::text",
                f"coalesce({t()}, 'x')",
            ),
        )

    def truth(self, depth: int) -> str:
        if depth == 0:
            return self.one(
                "true", "NULL::boolean", "value > 1", "properties ? 'm'", "user_id IS NULL"
            )
        n, t, b, i = (
            lambda: self.number(depth - 1),
            lambda: self.text(depth - 1),
            lambda: self.truth(depth - 1),
            lambda: self.instant(depth - 1),
        )
        return self.one(
            *(f"({n()} {self.one('<', '<=', '=', '<>')} {n()})", f"({t()} = {t()})", f"NOT {b()}"),
            *(f"({b()} {self.one('AND', 'OR')} {b()})", f"({n()} IN ({n()}, {n()}))"),
            *(f"({t()} LIKE 'a\\_%')", f"({n()} BETWEEN {n()} AND {n()})", f"({b()} IS NOT TRUE)"),
            *(f"({t()} IS DISTINCT FROM {t()})", f"starts_with({t()}, {t()})", f"({t()})::boolean"),
            *(f"({i()} >= '2026-01-01')", f"('2026-01-01T10:00:00+02:00' IN ({i()}))"),
        )

    def instant(self, depth: int) -> str:
        if depth == 0:
            return self.one("timestamp", "timestamp '2026-01-02 03:04:05'")
        return self.one(
            f"date_trunc('{self.one('day', 'week')}', {self.instant(depth - 1)})",
            f"date_trunc('month', {self.instant(depth - 1)}, 'Asia/Kathmandu')",
            f"({self.instant(depth - 1)})::date",
        )

    def measure(self) -> str:
        filtered = f" FILTER (WHERE {self.truth(1)})" if self.chance.random() < 0.3 else ""
        n, t, i = self.number(2), self.text(2), self.instant(1)
        return self.one(
            *(f"count(*){filtered}", f"sum({n}){filtered}", f"avg({n}){filtered}"),
            *(f"max({n}){filtered}", f"count({t}){filtered}", f"count(DISTINCT {t}){filtered}"),
            *(f"count(DISTINCT {n}){filtered}", f"count(DISTINCT {i}){filtered}"),
        )

    def query(self) -> str:
        where = f" WHERE {self.truth(2)}" if self.chance.random() < 0.5 else ""
        if self.chance.random() < 0.7:
            return f"SELECT {self.measure()} {self.one('+', '/', '-')} {self.measure()} FROM events{where}"
        group = self.one(self.text(1), self.instant(1), self.number(1))
        having = f" HAVING {self.measure()} > 0" if self.chance.random() < 0.5 else ""
        key = self.one("1", "g")
        return (
            f"SELECT {self.one('sum', 'max', 'avg')}(n) FROM "
            f"(SELECT {group} AS g, {self.measure()} AS n FROM events{where} GROUP BY {key}{having}) AS p"
        )


@pytest.mark.spec("EVT-6")
async def test_random_accepted_queries__all_give_a_number(metering: Metering) -> None:
    acme = await metering.add_customer()
    ada, metric = (
        await metering.add_user(acme),
        await metering.add_sql_metric("SELECT count(*) FROM events"),
    )
    await metering.record(
        *[
            event(str(number), (acme, ada)[number % 2], str(number - 3), properties=properties)
            for number, properties in enumerate(
                (
                    {},
                    {"n": 0},
                    {"n": "1e9"},
                    {"n": "NaN", "m": "a_b"},
                    {"n": -1.5, "m": True},
                    {"m": "ä"},
                )
            )
        ]
    )
    scope = SqlScope(
        merchant_id=metering.merchant_id, customer_id=acme.id, user_id="", window=metering.window()
    )
    grammar, accepted = _Grammar(random.Random(11)), 0

    async with metering.events.sandbox.session(metering.merchant_id) as session:
        for _ in range(_QUERIES):
            text = grammar.query()
            try:
                select = read_sql(text).select
            except SqlRefusedError:
                continue
            accepted += 1
            try:
                rows = await session.run(scope, window_query(select, metric, scope), 1)
            except Exception as error:
                raise AssertionError(text) from error
            assert len(rows) == 1
            assert rows[0][1] is None or rows[0][1].is_finite(), text

    assert accepted > _QUERIES / 2
