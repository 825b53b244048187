"""The kernel's reasons are the contract's."""

from __future__ import annotations

import pytest
from candela.type.v1 import error_reason_pb2

from candela_server.kernel.errors import Reason


@pytest.mark.spec("AUD-2")
def test_reasons__equal_the_contracts_in_name_and_order() -> None:
    contract = error_reason_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"]
    want = [value.name for value in contract.values][1:]

    assert [reason.value for reason in Reason] == want
    assert [f"ERROR_REASON_{reason.name}" for reason in Reason] == want
