"""The model's numbers are the contract's: wire.py passes them on as they are."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest
from candela.metering.v1 import backfill_pb2, event_pb2, usage_pb2

from candela_server.metering.correction import BackfillStatus
from candela_server.metering.metric_fill import FillStatus
from candela_server.metering.model import BucketSize, Outcome


@pytest.mark.spec("EVT-3", "EVT-8")
@pytest.mark.parametrize(
    ("ours", "theirs", "prefix", "unspecified"),
    [
        (Outcome, event_pb2.EventOutcome, "EVENT_OUTCOME_", None),
        (BucketSize, usage_pb2.BucketSize, "BUCKET_SIZE_", "WHOLE"),
        (FillStatus, usage_pb2.FillStatus, "FILL_STATUS_", None),
        (BackfillStatus, backfill_pb2.BackfillStatus, "BACKFILL_STATUS_", None),
    ],
    ids=["outcomes", "bucket sizes", "fill statuses", "backfill statuses"],
)
def test_each_value__has_the_contracts_number(
    ours: type[IntEnum], theirs: Any, prefix: str, unspecified: str | None
) -> None:
    want = {
        name.removeprefix(prefix): number
        for name, number in theirs.items()
        if number or unspecified
    }

    got = {("UNSPECIFIED" if one.name == unspecified else one.name): one.value for one in ours}
    assert got == want
