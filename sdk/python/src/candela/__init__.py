"""Candela for Python: ask what a customer may do, send usage, and reach the whole API with types.

    from candela import Client

    with Client("127.0.0.1:8430", api_key="sk_test_…") as candela:
        if candela.is_feature_entitled("advanced-analytics", user_id="user-42"):
            ...
        candela.send_event("premium-message", value=1, user_id="user-42")

`client.local()` answers the same question inside the process, from a state that the server keeps current.
The messages of the contract are in `candela.<room>.v1`, for example `candela.catalog.v1.plan_service_pb2`.
"""

from ._aio import AsyncClient
from ._client import Client
from ._errors import Failure, FieldViolation, failure_of
from ._events import StreamProgress, StreamResult
from ._local import LocalEntitlements
from ._local_aio import AsyncLocalEntitlements
from ._local_rules import LocalAnswer, LocalUsage, Origin

__all__ = [
    "AsyncClient",
    "AsyncLocalEntitlements",
    "Client",
    "Failure",
    "FieldViolation",
    "LocalAnswer",
    "LocalEntitlements",
    "LocalUsage",
    "Origin",
    "StreamProgress",
    "StreamResult",
    "failure_of",
]
