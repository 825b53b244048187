"""Which prices a plan can be sold at, and which plans a trial can lead to (CAT-5, CAT-7, TRL-1)."""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.catalog.model import Plan
from candela_server.kernel.errors import FieldViolations, Reason

SaleKey = tuple[str, tuple[str, ...]]
"""A currency and a cadence: of the public prices with the same one, only the latest is sold (CAT-5, D19)."""


def check_public_prices(keys: Sequence[SaleKey | None]) -> None:
    """Raises InvalidInput when of two new public prices one could never be sold; None stands for a private one."""
    with FieldViolations() as fields:
        for number, key in enumerate(keys):
            if key is not None and key in keys[:number]:
                fields.add(
                    f"[{number}]",
                    f"has the currency and the recurrence rules of [{keys.index(key)}]; only the "
                    f"latest of such prices is ever sold, so leave one of them away",
                )


def check_sold_to_somebody(*, is_enterprise_plan: bool, private_customer_id: str | None) -> None:
    """Raises ValueError for a public price of an enterprise plan, which is sold at negotiated ones only (CAT-7)."""
    if is_enterprise_plan and private_customer_id is None:
        raise ValueError(
            "must name the customer: an enterprise plan is sold at negotiated, private prices only"
        )


def check_trial_parent(parent: Plan) -> None:
    """Raises InvalidInput for a plan that no trial can lead to (TRL-1)."""
    with FieldViolations() as fields:
        if parent.trial is not None:
            fields.add("", f"must not be a trial itself, as {parent.slug!r} is")
        if parent.is_enterprise_plan:
            fields.add(
                "", f"must not be an enterprise plan, as {parent.slug!r} is: nothing is sold to all"
            )
        if parent.archived_at is not None:
            fields.add("", f"must be on sale; {parent.slug!r} is archived", Reason.PLAN_NOT_SOLD)
