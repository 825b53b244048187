"""Events as they are when they have been prepared, for tests that need little of them."""

from __future__ import annotations

from decimal import Decimal

from candela_server.metering.prepared_event import PreparedEvent

ANY_EVENT = PreparedEvent(
    key_hash=bytes(16),
    payload_hash=bytes(8),
    row=b"",
    customer_id="cus_0",
    user_id="",
    name="call",
    happened_us=0,
    value=Decimal(1),
    properties={},
)
"""Its row is empty: it can take a key, and cannot be stored."""
