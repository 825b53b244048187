"""Migrations, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela.subscription.v1 import migration_pb2, subscription_pb2
from candela.subscription.v1 import migration_service_pb2 as pb

from candela_server.catalog.model import PlanVersionId
from candela_server.catalog.price import PriceId
from candela_server.contract.values import (
    money_to_proto,
    optional_timestamp_to_proto,
    timestamp_to_proto,
)
from candela_server.customer.model import CustomerId
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import Money
from candela_server.kernel.read_fields import instant, typed_id

from .migration import (
    Migration,
    MigrationFilter,
    MigrationId,
    MigrationResult,
    MigrationStatus,
    MigrationTerms,
    MoveTiming,
    Outcome,
    Proration,
)
from .model import SubscriptionId

MAX_SUBSCRIPTIONS = 1000
MAX_CUSTOMERS = 1000
MAX_PRICES = 100

_TIMINGS: dict[int, MoveTiming] = {
    subscription_pb2.EFFECTIVE_TIME_UNSPECIFIED: MoveTiming.PERIOD_END,
    subscription_pb2.EFFECTIVE_TIME_NOW: MoveTiming.NOW,
    subscription_pb2.EFFECTIVE_TIME_PERIOD_END: MoveTiming.PERIOD_END,
    subscription_pb2.EFFECTIVE_TIME_AT: MoveTiming.AT,
}
_TIMINGS_SHOWN = {
    MoveTiming.NOW: subscription_pb2.EFFECTIVE_TIME_NOW,
    MoveTiming.PERIOD_END: subscription_pb2.EFFECTIVE_TIME_PERIOD_END,
    MoveTiming.AT: subscription_pb2.EFFECTIVE_TIME_AT,
}
_PRORATIONS: dict[int, Proration] = {
    subscription_pb2.PRORATION_BEHAVIOR_UNSPECIFIED: Proration.NEXT_INVOICE,
    subscription_pb2.PRORATION_BEHAVIOR_NEXT_INVOICE: Proration.NEXT_INVOICE,
    subscription_pb2.PRORATION_BEHAVIOR_INVOICE_NOW: Proration.INVOICE_NOW,
    subscription_pb2.PRORATION_BEHAVIOR_NONE: Proration.NONE,
}
_PRORATIONS_SHOWN = {
    Proration.NEXT_INVOICE: subscription_pb2.PRORATION_BEHAVIOR_NEXT_INVOICE,
    Proration.INVOICE_NOW: subscription_pb2.PRORATION_BEHAVIOR_INVOICE_NOW,
    Proration.NONE: subscription_pb2.PRORATION_BEHAVIOR_NONE,
}
_STATUSES = {
    MigrationStatus.RUNNING: migration_pb2.MIGRATION_STATUS_RUNNING,
    MigrationStatus.DONE: migration_pb2.MIGRATION_STATUS_DONE,
    MigrationStatus.CANCELED: migration_pb2.MIGRATION_STATUS_CANCELED,
}
_OUTCOMES = {
    Outcome.PENDING: migration_pb2.MIGRATION_OUTCOME_PENDING,
    Outcome.SCHEDULED: migration_pb2.MIGRATION_OUTCOME_SCHEDULED,
    Outcome.MOVED: migration_pb2.MIGRATION_OUTCOME_MOVED,
    Outcome.FAILED: migration_pb2.MIGRATION_OUTCOME_FAILED,
}


def terms_from_proto(
    request: pb.CreateMigrationRequest | pb.PreviewMigrationRequest,
) -> MigrationTerms:
    """What both requests describe; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        timing = fields.read("when", _timing_from_proto, request.when)
        effective_at = None
        if request.HasField("effective_at"):
            effective_at = fields.read("effective_at", instant, request.effective_at)
            if timing is not MoveTiming.AT:
                fields.add("effective_at", "must be absent unless when is AT")
        elif timing is MoveTiming.AT:
            fields.add("effective_at", "must be there when when is AT")
        return MigrationTerms(
            from_version_id=PlanVersionId(
                fields.read("from_plan_version_id", typed_id("plv"), request.from_plan_version_id)
            ),
            to_version_id=PlanVersionId(
                fields.read("to_plan_version_id", typed_id("plv"), request.to_plan_version_id)
            ),
            filter=_filter_from_proto(fields.nested("filter"), request.filter),
            timing=timing,
            effective_at=effective_at,
            proration=fields.read("proration", _proration_from_proto, request.proration),
        )


def _timing_from_proto(value: int) -> MoveTiming:
    if value not in _TIMINGS:
        raise ValueError("must be NOW, PERIOD_END or AT")
    return _TIMINGS[value]


def _proration_from_proto(value: int) -> Proration:
    if value not in _PRORATIONS:
        raise ValueError("must be NEXT_INVOICE, INVOICE_NOW or NONE")
    return _PRORATIONS[value]


def _filter_from_proto(
    fields: FieldViolations, wanted: migration_pb2.MigrationFilter
) -> MigrationFilter:
    subscriptions = _ids(
        fields, "subscription_ids", "sub", wanted.subscription_ids, MAX_SUBSCRIPTIONS
    )
    customers = _ids(fields, "customer_ids", "cus", wanted.customer_ids, MAX_CUSTOMERS)
    prices = _ids(fields, "price_ids", "price", wanted.price_ids, MAX_PRICES)
    return MigrationFilter(
        subscription_ids=tuple(map(SubscriptionId, subscriptions)),
        customer_ids=tuple(map(CustomerId, customers)),
        price_ids=tuple(map(PriceId, prices)),
    )


def _ids(
    fields: FieldViolations, name: str, prefix: str, values: Sequence[str], most: int
) -> list[str]:
    """The ids, each once and in one order, so that the same filter is always the same."""
    if len(values) > most:
        fields.add(name, f"must hold at most {most} ids, not {len(values)}")
        return []
    return sorted(set(fields.read_each(name, typed_id(prefix), values)))


def migration_id_from_proto(value: str) -> MigrationId:
    """A migration's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return MigrationId(fields.read("migration_id", typed_id("mig"), value))


def outcomes_from_proto(values: Sequence[int]) -> list[Outcome]:
    """The outcomes that a list asks for. Raises InvalidInput."""
    known = {int(number): outcome for outcome, number in _OUTCOMES.items()}
    with FieldViolations() as fields:
        for index, value in enumerate(values):
            if value not in known:
                fields.add(f"outcomes[{index}]", "must be PENDING, SCHEDULED, MOVED or FAILED")
        return [known[value] for value in values]


def migration_to_proto(migration: Migration) -> migration_pb2.Migration:
    """The migration as the contract shows it."""
    terms = migration.terms
    return migration_pb2.Migration(
        id=migration.id,
        from_plan_version_id=terms.from_version_id,
        to_plan_version_id=terms.to_version_id,
        filter=migration_pb2.MigrationFilter(
            subscription_ids=terms.filter.subscription_ids,
            customer_ids=terms.filter.customer_ids,
            price_ids=terms.filter.price_ids,
        ),
        when=_TIMINGS_SHOWN[terms.timing],
        effective_at=optional_timestamp_to_proto(terms.effective_at),
        proration=_PRORATIONS_SHOWN[terms.proration],
        status=_STATUSES[migration.status],
        total_count=migration.total_count,
        done_count=migration.done_count,
        failed_count=migration.failed_count,
        created_at=timestamp_to_proto(migration.created_at),
        ended_at=optional_timestamp_to_proto(migration.ended_at),
    )


def result_to_proto(result: MigrationResult) -> migration_pb2.MigrationResult:
    """What became of one subscription; it keeps its price, so that its periods cost what they did."""
    return migration_pb2.MigrationResult(
        subscription_id=result.subscription_id,
        outcome=_OUTCOMES[result.outcome],
        reason=result.reason,
        amount_difference=money_to_proto(Money(currency=result.currency, amount=Decimal(0))),
    )
