"""PostgreSQL's binary forms, as PostgreSQL itself reads them."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.numeric import NumericBinaryLoader

from candela_server.storage.copy_binary import numeric_field
from candela_server.storage.events import EventStore


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.decimals(-(10**26), 10**26, allow_nan=False, places=12)
    | st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal)
    | st.sampled_from([Decimal(0), Decimal("0.0001"), Decimal("10000"), Decimal("-0.000000000001")])
)
def test_a_number__is_read_back_exactly(value: Decimal) -> None:
    content = numeric_field(format(value, "f"))

    assert int.from_bytes(content[:4], "big") == len(content) - 4
    assert NumericBinaryLoader(1700).load(content[4:]) == value


async def test_numbers__are_what_postgresql_writes_itself(events: EventStore) -> None:
    async with events.reader() as connection:
        for text in ["0", "1", "-1.50", "10000", "0.00001", "99999999.000000000001", "100000000"]:
            cursor = await connection.execute("SELECT numeric_send(%s::numeric)", [text])
            row = await cursor.fetchone()
            assert row is not None
            assert numeric_field(text)[4:] == bytes(row[0])
