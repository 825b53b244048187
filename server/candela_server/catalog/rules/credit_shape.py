"""What a credit must look like to pay for anything at all (CRD-1 to CRD-3, D2)."""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.catalog.model import CreditApplicationType, CreditScope, MetricId
from candela_server.catalog.price import Component, ComponentId, Price
from candela_server.kernel.errors import FieldViolations, Reason


def check_credit_pays(
    *,
    application_type: CreditApplicationType,
    scope: CreditScope,
    currency: str | None,
    metric_id: MetricId | None,
    prices: Sequence[Price],
) -> None:
    """Raises InvalidInput when no price of the plan has anything that the credit could pay for.

    A plan without public prices yet is given the benefit of the doubt: those it is sold at come later.
    """
    if not prices or scope is CreditScope.MERCHANT:
        return
    with FieldViolations() as fields:
        if application_type is CreditApplicationType.MONETARY:
            sold_in = sorted({price.currency for price in prices})
            if currency not in sold_in:
                fields.add(
                    "currency",
                    f"must be one that the plan is sold in, {', '.join(sold_in)}, not {currency}",
                    Reason.CURRENCY_MISMATCH,
                )
            if scope is CreditScope.COMPONENT:
                fields.add(
                    "scope",
                    "must not be COMPONENT for money that names no component; "
                    "CreateCreditDefinition takes a price_component_id",
                )
        elif scope is CreditScope.COMPONENT and not any(
            one.metric_id == metric_id for price in prices for one in price.components
        ):
            fields.add(
                "scope",
                "must not be COMPONENT: no price of the plan has a usage component with the "
                "feature's metric",
            )


def narrowed_to(
    *,
    application_type: CreditApplicationType,
    scope: CreditScope,
    currency: str | None,
    metric_id: MetricId | None,
    price: Price | None,
    component_id: ComponentId | None,
) -> ComponentId | None:
    """The component that a credit of this price offsets: the one named, or else the first with its metric (D2).

    The price is one of the credit's plan. Raises InvalidInput when the ids do not fit each other or the credit; the
    paths are those of CreateCreditDefinitionRequest.
    """
    with FieldViolations() as fields:
        if price is None:
            if component_id is not None:
                fields.add("price_id", "must name the price that has the component")
            if scope is CreditScope.PRICE:
                fields.add("price_id", "must be set for scope PRICE")
            return None
        if scope is CreditScope.MERCHANT:
            fields.add("price_id", "must be absent for scope MERCHANT, which pays for everything")
        monetary = application_type is CreditApplicationType.MONETARY
        if monetary and currency != price.currency:
            fields.add(
                "credit_definition.currency",
                f"must be the price's currency {price.currency}, not {currency}",
                Reason.CURRENCY_MISMATCH,
            )
        if component_id is None:
            found = next((one for one in price.components if one.metric_id == metric_id), None)
            if monetary or found is None:
                if scope is CreditScope.COMPONENT:
                    fields.add("price_component_id", "must be set for scope COMPONENT")
                return None
            return found.id
        named = next((one for one in price.components if one.id == component_id), None)
        if named is None:
            fields.add("price_component_id", f"price {price.id} has no component {component_id}")
        elif not monetary and named.metric_id != metric_id:
            fields.add(
                "price_component_id",
                f"{_described(named)} does not charge for the feature's metric",
            )
        return component_id


def _described(component: Component) -> str:
    return f"component {component.name!r} ({component.id})"
