"""Makes a price that differs from another by one component, for one subscription alone (SUB-6, SUB-8).

It is private to the customer and archived from the beginning, so that nobody is ever sold it. The components that stay
are shared, not copied: what is billed of them, what is in use and what is due goes on as if nothing had happened.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.kernel.errors import FieldViolations, InvalidInput, Reason
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import price_store, read
from .create_price import NewComponent, component_of, trace_of
from .price import Component, ComponentId, Price, PriceId


async def vary_price(
    tx: Tx, held: Price, component_id: ComponentId, new: NewComponent, *, customer_id: str
) -> Price:
    """The price with the new component in the place of another; nothing is stored yet.

    One that is no different is the price itself. Raises InvalidInput for a component that the price does not have, and
    for a metric that is not in use.
    """
    if component_id not in {one.id for one in held.components}:
        raise InvalidInput(
            f"{component_id} is no component of the price {held.id}; GetPrice shows those it has",
            field="price_component_id",
        )
    metrics = await read.metric_ids_in_use(tx)
    with FieldViolations() as fields:
        if new.metric_slug is not None and new.metric_slug not in metrics:
            fields.add(
                "component.metric",
                f"no metric {new.metric_slug!r} in use; create it first, or check the spelling",
                Reason.METRIC_NOT_FOUND,
            )
    before = held.component(component_id)
    after = replace(component_of(new, before.position, metrics), varies=before.sold_as)
    if replace(after, id=before.id, varies=before.varies) == before:
        return held
    return replace(
        held,
        id=PriceId(new_id("price")),
        components=tuple(after if one.id == component_id else one for one in held.components),
        private_customer_id=customer_id,
        varies=held.sold_as,
    )


async def add_variation(tx: Tx, held: Price, varied: Price, *, at: datetime) -> Price:
    """Stores what vary_price made of a price."""
    own = _own_component(held, varied)
    made = replace(varied, created_at=at, archived_at=at)
    await price_store.insert_variation(tx, made, own)
    await tx.audit(
        "price.created",
        made.id,
        after={**trace_of(made), "varies_price_id": made.varies, "component_id": own.id},
    )
    return made


def _own_component(held: Price, varied: Price) -> Component:
    shared = {one.id for one in held.components}
    [own] = (one for one in varied.components if one.id not in shared)
    return own
