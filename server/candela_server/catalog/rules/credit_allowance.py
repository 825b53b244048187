"""Which credits come with a price, and what a pricing table says about them (PUB-1, CRD-3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.catalog.model import (
    CreditApplicationType,
    CreditBasis,
    CreditDefinition,
    FeatureId,
)
from candela_server.catalog.price import Price, PriceId
from candela_server.catalog.pricing_table import CreditAllowance


def comes_with(definition: CreditDefinition, price: Price) -> bool:
    """Whether a credit of the plan's version comes with a price; with one that varies another, as with that (SUB-6).

    One that pays for a component comes as long as what stands in its place charges the same metric.
    """
    if definition.price_id not in (None, price.id, price.sold_as):
        return False
    if definition.component_id is None or price.varies is None:
        return True
    standing = price.component_sold_as(definition.component_id)
    monetary = definition.metric_id is None
    return standing is not None and (monetary or standing.metric_id == definition.metric_id)


def credit_allowance(
    definitions: Sequence[CreditDefinition], feature_id: FeatureId, price_ids: Sequence[PriceId]
) -> CreditAllowance | None:
    """The credits for one feature that come anew with each period, added up; None without any.

    What is granted once is no allowance per period, so it is left out. Definitions of one price come with that price
    only: shown is what comes with the first of `price_ids` that brings any. When some come per customer and some per
    seat, the part per customer is shown, so that a page never promises more than everybody gets.
    """
    renewing = [
        one
        for one in definitions
        if one.feature_id == feature_id
        and one.application_type is CreditApplicationType.USAGE
        and (one.renew_on_billing or one.renewal_rule is not None)
        and one.refill_amount > 0
    ]
    for price_id in price_ids or (None,):
        coming = [one for one in renewing if one.price_id in (None, price_id)]
        for basis in (CreditBasis.CUSTOMER, CreditBasis.SEAT):
            amounts = [one.refill_amount for one in coming if one.basis is basis]
            if amounts:
                return CreditAllowance(
                    amount=sum(amounts, Decimal(0)), per_seat=basis is CreditBasis.SEAT
                )
    return None
