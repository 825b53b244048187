"""Why a metric in SQL has no number (EVT-6); what the sandbox refuses is its own (storage/sql_sandbox.py)."""

from __future__ import annotations

from datetime import datetime

from candela_server.kernel.errors import InvalidInput, Reason


class SqlMetricResultError(InvalidInput):
    """A metric's query gave no number that could be billed; nothing is ever billed as 0 instead (EVT-6)."""

    reason = Reason.SQL_METRIC_REFUSED

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"metric {slug!r}: its SQL gives no finite number over these events; correct the query, for example "
            "with a condition on what it reads",
            metric=slug,
            construct="result",
        )


class SqlEventsDroppedError(InvalidInput):
    """A query would have to read events that were dropped for their age."""

    def __init__(self, kept_since: datetime) -> None:
        super().__init__(
            f"events before {kept_since:%Y-%m-%dT%H:%M:%SZ} are not kept any more, and a metric in SQL reads events; "
            "begin the window there or later",
            field="window",
            kept_since=kept_since,
        )
