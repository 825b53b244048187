"""Packs of credits, between the contract and the model; nothing here decides."""

from __future__ import annotations

from decimal import Decimal

from candela.catalog.v1 import feature_pb2
from candela.credit.v1 import credit_service_pb2 as pb
from candela.type.v1 import money_pb2

from candela_server.catalog.refs import Ref
from candela_server.catalog.wire import ref_from_proto
from candela_server.contract.values import money_to_proto
from candela_server.customer.model import CustomerRef
from candela_server.customer.wire import customer_ref_from_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import Money, format_decimal
from candela_server.kernel.read_fields import (
    decimal,
    instant,
    money,
    positive_decimal,
    whole_number,
)

from .auto_top_up import UpdateAutoTopUp
from .buy_top_up import TopUpCredits
from .top_up import AutoTopUp

_ZERO = Decimal(0)


def top_up_from_proto(request: pb.TopUpCreditsRequest) -> TopUpCredits:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        price = fields.read("price", _price, request.price)
        return TopUpCredits(
            customer=fields.read("customer", customer_ref_from_proto, request.customer),
            feature=fields.read("feature", ref_from_proto, "feat", request.feature)
            if request.HasField("feature")
            else None,
            amount=_amount(fields, request.HasField("feature"), request.amount, price),
            price=price,
            expires_at=fields.read("expires_at", instant, request.expires_at)
            if request.HasField("expires_at")
            else None,
        )


def auto_top_up_from_proto(request: pb.UpdateAutoTopUpRequest) -> UpdateAutoTopUp:
    """The command; raises InvalidInput with every wrong field."""
    wanted = request.auto_top_up
    with FieldViolations() as all_fields:
        fields = all_fields.nested("auto_top_up")
        price = fields.read("price", _price, wanted.price)
        return UpdateAutoTopUp(
            customer=all_fields.read("customer", customer_ref_from_proto, request.customer),
            feature=fields.read("feature", ref_from_proto, "feat", wanted.feature)
            if wanted.HasField("feature")
            else None,
            enabled=wanted.enabled,
            threshold=fields.read("threshold", decimal(least=_ZERO), wanted.threshold),
            amount=_amount(fields, wanted.HasField("feature"), wanted.amount, price),
            price=price,
            monthly_cap_count=fields.read(
                "monthly_cap_count", whole_number(1, 100), wanted.monthly_cap_count
            ),
        )


def _amount(fields: FieldViolations, is_usage: bool, text: str, price: Money) -> Decimal:
    """How much a pack holds: units, or money in whole minor units of the price's currency."""
    amount = fields.read("amount", positive_decimal, text)
    if not is_usage and not fields.any:
        whole = Money(currency=price.currency, amount=amount).rounded().amount
        if whole != amount:
            fields.add("amount", f"has more decimals than {price.currency} has; round it")
    return amount


def _price(value: money_pb2.Money) -> Money:
    price = money(value)
    if price.amount <= 0:
        raise ValueError("must be above 0; what is given away is granted by GrantCredits")
    if price.rounded() != price:
        raise ValueError(f"has more decimals than {price.currency} has; round it")
    return price


def get_auto_top_up_from_proto(request: pb.GetAutoTopUpRequest) -> tuple[CustomerRef, Ref | None]:
    """Whose setting for what; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return (
            fields.read("customer", customer_ref_from_proto, request.customer),
            fields.read("feature", ref_from_proto, "feat", request.feature)
            if request.HasField("feature")
            else None,
        )


def auto_top_up_to_proto(setting: AutoTopUp) -> pb.AutoTopUp:
    """The setting as the contract shows it."""
    return pb.AutoTopUp(
        enabled=setting.enabled,
        feature=feature_pb2.FeatureRef(id=setting.feature.id) if setting.feature else None,
        threshold=format_decimal(setting.threshold),
        amount=format_decimal(setting.amount),
        price=money_to_proto(setting.price),
        monthly_cap_count=setting.monthly_cap_count,
        stopped_reason=setting.stopped_reason,
    )
