"""What tests do with the merchant that calls: reading it, changing it, and changes that are refused."""

from __future__ import annotations

from typing import Final

import grpc
import pytest
from candela import Client, Failure, failure_of
from candela.merchant.v1 import merchant_pb2, merchant_service_pb2

Change: Final = merchant_service_pb2.UpdateMerchantRequest


def read(candela: Client) -> merchant_pb2.Merchant:
    """The merchant as it is."""
    return candela.merchant.GetMerchant(merchant_service_pb2.GetMerchantRequest()).merchant


def update(
    candela: Client, change: merchant_service_pb2.UpdateMerchantRequest
) -> merchant_pb2.Merchant:
    """The merchant after a change."""
    return candela.merchant.UpdateMerchant(change).merchant


def refused(candela: Client, change: merchant_service_pb2.UpdateMerchantRequest) -> Failure:
    """Why a change failed; it must fail, and change nothing."""
    before = read(candela)
    with pytest.raises(grpc.RpcError) as caught:
        update(candela, change)
    assert read(candela) == before
    return failure_of(caught.value)
