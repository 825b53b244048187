"""Calls that must fail, and why they did."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import grpc
import pytest
from candela import Failure, failure_of

_Request = TypeVar("_Request")


def refused(call: Callable[[_Request], object], request: _Request) -> Failure:
    """Why a call failed; it must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    return failure_of(caught.value)
