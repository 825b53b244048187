"""Which plans a pricing table may list (PUB-1, CAT-1, CAT-7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from candela_server.catalog.model import Plan, PlanId
from candela_server.catalog.pricing_table import PricingTableRow
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.reason import Reason

MAX_ROWS = 50


def check_rows(field: str, rows: Sequence[PricingTableRow], plans: Mapping[PlanId, Plan]) -> None:
    """Raises InvalidInput for every row that cannot be shown; `field` is the list's path in the request.

    A plan without a published version may be listed: it appears once it has one.
    """
    first_at: dict[PlanId, int] = {}
    with FieldViolations() as fields:
        for index, row in enumerate(rows):
            at = fields.nested(f"{field}[{index}]")
            plan = plans.get(row.plan_id)
            earlier = first_at.setdefault(row.plan_id, index)
            if earlier != index:
                at.add("plan_id", f"is in {field}[{earlier}] already; list each plan once")
            elif plan is None:
                at.add(
                    "plan_id",
                    f"no plan {row.plan_id}; ListPlans shows what exists",
                    Reason.PLAN_NOT_FOUND,
                )
            elif plan.archived_at is not None:
                at.add("plan_id", f"plan {plan.slug!r} is archived; leave its row out")
            elif not plan.publicly_visible:
                at.add(
                    "plan_id",
                    f"plan {plan.slug!r} is not public; set its publicly_visible, or leave its row out",
                )
            if row.enterprise_redirect_url and plan is not None and not plan.is_enterprise_plan:
                at.add(
                    "enterprise_redirect_url",
                    f"must be empty: plan {plan.slug!r} is bought in a checkout; "
                    "only enterprise plans lead to sales",
                )
