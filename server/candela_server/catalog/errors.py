"""Why catalog calls fail; each a fact with its reason, its data and what to do."""

from __future__ import annotations

from candela_server.kernel.errors import AlreadyExists, InvalidInput, NotFound, Reason, Refused


class SlugTakenError(AlreadyExists):
    """A slug names one thing of its kind only (CAT-10)."""

    reason = Reason.SLUG_TAKEN

    def __init__(self, kind: str, slug: str) -> None:
        super().__init__(
            f"another {kind} has the slug {slug!r}; choose another one", kind=kind, slug=slug
        )


class FeatureNotFoundError(NotFound):
    """No feature of this merchant has the id or slug: a mistake in the caller's code, never a "no" (ENT-2)."""

    reason = Reason.FEATURE_NOT_FOUND

    def __init__(self, feature: str) -> None:
        super().__init__(
            f"no feature {feature!r}; check the spelling, or create the feature first",
            feature=feature,
        )


class MetricNotFoundError(NotFound):
    """No metric of this merchant has the id or slug, or it is archived and new things may not name it."""

    reason = Reason.METRIC_NOT_FOUND

    def __init__(self, metric: str, *, archived: bool = False) -> None:
        super().__init__(
            f"metric {metric!r} is archived; name one that is in use"
            if archived
            else f"no metric {metric!r}; check the spelling, or create the metric first",
            metric=metric,
        )


class SqlMetricRefusedError(InvalidInput):
    """A metric's SQL uses something that is not allowed; the message says where, and never shows a row (EVT-6)."""

    reason = Reason.SQL_METRIC_REFUSED

    def __init__(self, field: str, construct: str, why: str, position: int | None = None) -> None:
        where = f" (at character {position})" if position else ""
        super().__init__(
            f"{construct}{where}: {why}; change the query",
            field=field,
            construct=construct,
            position=position or "",
        )


class PlanNotFoundError(NotFound):
    """No plan of this merchant has the id or slug."""

    reason = Reason.PLAN_NOT_FOUND

    def __init__(self, plan: str) -> None:
        super().__init__(f"no plan {plan!r}; ListPlans shows what exists", plan=plan)


class PlanVersionNotFoundError(NotFound):
    """No such version of this merchant."""

    reason = Reason.PLAN_VERSION_NOT_FOUND

    def __init__(self, plan_version: str) -> None:
        super().__init__(
            f"no plan version {plan_version}; ListPlanVersions shows what exists",
            plan_version=plan_version,
        )


class PlanVersionPublishedError(Refused):
    """A version that was published never changes, and is published once (CAT-3)."""

    reason = Reason.PLAN_VERSION_PUBLISHED

    def __init__(self, plan_version: str, status: str) -> None:
        super().__init__(
            f"plan version {plan_version} is {status} and never changes; CreatePlanVersion begins a new one",
            plan_version_id=plan_version,
            status=status,
        )


class PlanVersionIsDraftError(Refused):
    """A draft is not sold, so it cannot be taken out of sale (CAT-3)."""

    reason = Reason.PLAN_NOT_SOLD

    def __init__(self, plan_version: str) -> None:
        super().__init__(
            f"plan version {plan_version} is a draft and was never sold; only published versions are archived",
            plan_version_id=plan_version,
        )


class PlanArchivedError(Refused):
    """An archived plan gets no new versions: nobody could buy them."""

    reason = Reason.PLAN_NOT_SOLD

    def __init__(self, plan: str) -> None:
        super().__init__(
            f"plan {plan!r} is archived and gets no new versions; create another plan", plan=plan
        )


class PriceNotFoundError(NotFound):
    """No price of this merchant has the id, or none fits what was asked for."""

    reason = Reason.PRICE_NOT_FOUND

    def __init__(self, price: str) -> None:
        super().__init__(f"no price {price}; ListPrices shows what exists", price_id=price)


class CreditDefinitionNotFoundError(NotFound):
    """No credit definition of this merchant has the id."""

    reason = Reason.CREDIT_DEFINITION_NOT_FOUND

    def __init__(self, definition: str) -> None:
        super().__init__(
            f"no credit definition {definition}; ListCreditDefinitions shows what exists",
            credit_definition_id=definition,
        )


class PriceNotOfPlanError(InvalidInput):
    """The price belongs to another plan."""

    reason = Reason.PRICE_NOT_OF_PLAN

    def __init__(self, price_id: str, plan: str) -> None:
        super().__init__(
            f"price {price_id} does not belong to plan {plan!r}; ListPrices shows the plan's prices",
            field="price_id",
            price_id=price_id,
            plan_id=plan,
        )


class DowngradePlanNeededError(Refused):
    """The plan is what remains for past-due customers, so it must go on being sold (ENT-10)."""

    reason = Reason.PLAN_NOT_SOLD

    def __init__(self, plan: str) -> None:
        super().__init__(
            f"plan {plan!r} is what the past-due policy leaves to customers who owe, and would not be sold any more; "
            "choose another one by UpdateMerchant first",
            plan=plan,
            field="settings.past_due_policy.downgrade_plan_id",
        )


class PlanNotSoldError(Refused):
    """The plan or price is a draft, archived, or private to another customer."""

    reason = Reason.PLAN_NOT_SOLD

    def __init__(self, plan: str, why: str, price_id: str = "") -> None:
        super().__init__(
            f"plan {plan!r} cannot be bought: {why}; choose what is on sale",
            plan=plan,
            price_id=price_id,
        )
