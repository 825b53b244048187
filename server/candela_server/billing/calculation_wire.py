"""How a line's amount came about, as the contract shows it; nothing here decides."""

from __future__ import annotations

from decimal import Decimal

from candela.billing.v1 import invoice_line_pb2

from candela_server.kernel.money import format_decimal

from .calculation import Calculation


def calculation_to_proto(made: Calculation | None) -> invoice_line_pb2.LineCalculation | None:
    """The calculation; None of a line that was not rated from a quantity."""
    if made is None:
        return None
    return invoice_line_pb2.LineCalculation(
        measured_quantity=format_decimal(made.measured),
        earlier_quantity=format_decimal(made.earlier_quantity),
        covered_quantity=format_decimal(made.covered),
        free_units=format_decimal(made.free_units),
        charged_quantity=format_decimal(made.quantity),
        percent=_optional(made.percent),
        fee_per_event=_optional(made.fee_per_event),
        event_count=None if made.fee_per_event is None else format_decimal(made.event_count),
        package_size=_optional(made.package_size),
        model_amount=format_decimal(made.model_amount),
        minimum=_optional(made.minimum),
        maximum=_optional(made.maximum),
        bound_amount=_optional(made.bound_amount),
        days=made.days,
        whole_days=made.whole_days,
        earlier_amount=format_decimal(made.earlier_amount),
        billed_amount=format_decimal(made.billed_amount),
        left_amount=format_decimal(made.left_amount),
    )


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(value)
