"""What a new price names: metrics that exist, and the customer that a private one is for (CAT-1, CAT-7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerId
from candela_server.kernel.errors import FieldViolations, Reason
from candela_server.storage.postgres import Tx

from .create_price import NewPrice
from .model import Metric
from .rules.not_billable_yet import charges_events
from .rules.plan_shape import check_sold_to_somebody


async def customers_named(tx: Tx, prices: Iterable[NewPrice]) -> Mapping[CustomerId, Customer]:
    """The customers whom private prices are for; those that do not exist are left out."""
    named = {price.private_customer_id for price in prices} - {None}
    return await customer.get_customers(
        tx, [CustomerId(str(one)) for one in sorted(named, key=str)]
    )


def check_new_price(
    new: NewPrice,
    *,
    metrics: Mapping[str, Metric],
    customers: Mapping[CustomerId, Customer],
    is_enterprise_plan: bool,
) -> None:
    """Raises InvalidInput for everything that a price names and that is not there; paths begin at the price."""
    with FieldViolations() as fields:
        for number, component in enumerate(new.components):
            slug = component.metric_slug
            metric = metrics.get(slug) if slug is not None else None
            if metric is not None and metric.sql is not None and charges_events(component):
                # Which events a query reads, only the query knows; it answers a number.
                fields.add(
                    f"components[{number}].charge",
                    f"must be without fee_per_event: metric {slug!r} is a query, which counts no events",
                )
            if slug is not None and metric is None:
                fields.add(
                    f"components[{number}].metric",
                    f"no metric {slug!r} in use; add it to metrics, or check the spelling",
                    Reason.METRIC_NOT_FOUND,
                )
        fields.read(
            "private_customer_id",
            check_sold_to_somebody,
            is_enterprise_plan=is_enterprise_plan,
            private_customer_id=new.private_customer_id,
        )
        if new.private_customer_id is not None:
            holder = customers.get(CustomerId(new.private_customer_id))
            if holder is None:
                fields.add(
                    "private_customer_id",
                    f"no customer {new.private_customer_id}; create the customer first",
                    Reason.CUSTOMER_NOT_FOUND,
                )
            elif holder.archived_at is not None:
                fields.add(
                    "private_customer_id",
                    f"customer {holder.id} is archived and buys nothing more",
                    Reason.CUSTOMER_ARCHIVED,
                )
