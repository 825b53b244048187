"""Runs, between the contract and the model; nothing here decides."""

from __future__ import annotations

from candela.billing.v1 import billing_run_pb2

from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import typed_id

from .billing_run import BillingRun, BillingRunId, BillingRunStatus

_STATUSES = {
    BillingRunStatus.RUNNING: billing_run_pb2.BILLING_RUN_STATUS_RUNNING,
    BillingRunStatus.DONE: billing_run_pb2.BILLING_RUN_STATUS_DONE,
    BillingRunStatus.FAILED: billing_run_pb2.BILLING_RUN_STATUS_FAILED,
}


def billing_run_id_from_proto(value: str) -> BillingRunId:
    """A run's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return BillingRunId(fields.read("billing_run_id", typed_id("run"), value))


def billing_run_to_proto(run: BillingRun) -> billing_run_pb2.BillingRun:
    """The run as the contract shows it."""
    return billing_run_pb2.BillingRun(
        id=run.id,
        until_at=timestamp_to_proto(run.until_at),
        status=_STATUSES[run.status],
        subscription_count=run.subscription_count,
        invoice_count=run.invoice_count,
        parked_count=run.parked_count,
        created_at=timestamp_to_proto(run.created_at),
        ended_at=optional_timestamp_to_proto(run.ended_at),
        failure=run.failure,
    )
