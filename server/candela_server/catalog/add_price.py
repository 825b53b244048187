"""Adds a price to a plan that exists (CAT-2); it is the one sold for its currency and cadence from now on (CAT-5)."""

from __future__ import annotations

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, Reason
from candela_server.storage.postgres import Tx

from . import read
from .create_price import NewPrice, create_price
from .keep_downgrade_plan import keep_downgrade_plan
from .new_price_references import check_new_price, customers_named
from .price import Price
from .refs import Ref


async def add_price(tx: Tx, clock: Clock, ref: Ref, new: NewPrice) -> tuple[Price, list[str]]:
    """Adds a price, with what its seller should know. Who holds another price keeps it (CAT-5).

    Raises PlanNotFoundError, and InvalidInput whose violations point into the request.
    """
    plan = await read.get_plan(tx, ref)
    metrics = await read.metrics_in_use(tx)
    customers = await customers_named(tx, [new])
    with FieldViolations() as fields:
        if plan.archived_at is not None:
            fields.add(
                "plan",
                f"plan {plan.slug!r} is archived and sells nothing more; name one on sale",
                Reason.PLAN_NOT_SOLD,
            )
        fields.read(
            "price",
            check_new_price,
            new,
            metrics=metrics,
            customers=customers,
            is_enterprise_plan=plan.is_enterprise_plan,
        )
    created = await create_price(
        tx, clock, plan.id, new, {slug: one.id for slug, one in metrics.items()}
    )
    # Nobody holds the price yet.
    await keep_downgrade_plan(tx, plan.id)
    return created
