"""How a line is computed, in words and numbers, where quantity times unit price does not say it (INV-1).

Every text with a "=" is an equation of what the line says and what the equations before it came to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from candela_server.billing.calculation import Calculation
from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.kernel.currency import minor_digits
from candela_server.kernel.money import Money, exact, format_decimal

from .words import number_of

_ZERO = Decimal(0)


def workings_of(line: InvoiceLine, currency: str) -> list[str]:
    """The steps from the quantity to the amount, discounts aside: those are in the description."""
    made = line.calculation
    if made is None:
        return []
    with exact():
        if _is_plain(line, made, currency):
            return []
        return list(_steps(line, made, currency))


def _is_of_credits(line: InvoiceLine) -> bool:
    """Whether the line is what credits paid of another; ahead of a period's end, such lines are of one kind with it."""
    ahead = line.kind is LineKind.THRESHOLD and line.source_line_id is not None
    return ahead or line.kind is LineKind.USAGE_CREDIT


def _is_plain(line: InvoiceLine, made: Calculation, currency: str) -> bool:
    """Whether quantity, unit price and amount say it all, as on most lines."""
    if line.unit_amount is None or made.left_amount:
        return False
    sign = -1 if _is_of_credits(line) else 1
    product = Money(currency=currency, amount=sign * line.quantity * line.unit_amount)
    return product.rounded().amount == _before_discounts(line)


def _steps(line: InvoiceLine, made: Calculation, currency: str) -> Iterator[str]:
    def money(amount: Decimal) -> str:
        return money_of(amount, currency)

    yield from _quantity(made)
    yield from _model(line, made, currency)
    result = made.decided
    held = line.kind is LineKind.RECURRING
    is_cut = made.days != made.whole_days
    if made.bound_amount is not None:
        whole = made.minimum if made.bound == "minimum" else made.maximum
        assert whole is not None, "a bound that decides is there"
        text = f"{made.bound} {money(whole)}"
        if is_cut and not held:
            days = max(made.days, 1) if made.bound == "maximum" else made.days
            text += f" × {days} / {made.whole_days} days = {money(result)}"
        yield f"{text}, instead of {money(made.model_amount)}"
    if made.earlier_amount:
        rest = result - made.earlier_amount
        yield (
            f"{money(result)} − {money(made.earlier_amount)} for earlier days of the period "
            f"= {money(rest)}"
        )
        result = rest
    if is_cut and held:
        share = f"{money(result)} × {made.days} / {made.whole_days} days"
        yield f"{share} = {money(_before_discounts(line))}"
    if _is_of_credits(line) or line.kind is LineKind.ADJUSTMENT:
        yield from _billed(line, made, Money(currency=currency, amount=result).rounded())


def _quantity(made: Calculation) -> Iterator[str]:
    """What is charged, where it is not what was measured."""
    total = made.earlier_quantity + made.measured - made.covered
    if total == made.measured == made.quantity:
        return
    text = number_of(made.measured)
    if made.earlier_quantity:
        text = f"{number_of(made.earlier_quantity)} earlier + {text}"
    if made.covered:
        text += f" − {number_of(made.covered)} paid by credits"
    if made.free_units:
        free = min(made.free_units, max(total, _ZERO))
        text += f" − {number_of(free)} of {number_of(made.free_units)} free"
    yield f"{text} = {number_of(made.quantity)}"


def _model(line: InvoiceLine, made: Calculation, currency: str) -> Iterator[str]:
    def money(amount: Decimal) -> str:
        return money_of(amount, currency)

    quantity = number_of(made.quantity)
    amounts: Sequence[Decimal]
    if made.percent is not None:
        fees = made.event_count * (made.fee_per_event or _ZERO)
        amounts = [made.model_amount - fees]
        yield f"{number_of(made.percent)} % of {quantity} = {money(amounts[0])}"
        if made.fee_per_event is not None:
            amounts = [*amounts, fees]
            yield f"{number_of(made.event_count)} events × {money(made.fee_per_event)} = {money(fees)}"
    elif line.unit_amount is not None:
        yield f"{quantity} × {money(line.unit_amount)} = {money(made.model_amount)}"
        return
    else:
        amounts = [part.amount for part in line.parts]
        for part in line.parts:
            where = "beyond" if part.up_to is None else f"up to {number_of(part.up_to)}"
            if made.package_size is not None:
                where = f"blocks of {number_of(made.package_size)}"
            fee = f" + {money(part.flat_fee)}" if part.flat_fee else ""
            yield (
                f"{where}: {number_of(part.quantity)} × {money(part.unit_amount)}{fee} "
                f"= {money(part.amount)}"
            )
    if len(amounts) > 1:
        yield f"{' + '.join(money(one) for one in amounts)} = {money(made.model_amount)}"


def _billed(line: InvoiceLine, made: Calculation, result: Money) -> Iterator[str]:
    """What other lines bill of the result, and what an adjustment leaves for later ones."""

    def money(amount: Decimal) -> str:
        return money_of(amount, result.currency)

    source = "billed with the usage" if _is_of_credits(line) else "billed before"
    discounts = sum((one.amount for one in line.discounts), _ZERO)
    rest = result.amount - made.billed_amount - discounts
    text = f"{money(result.amount)} − {money(made.billed_amount)} {source}"
    if discounts:
        text += f" − {money(discounts)} of discounts"
    yield f"{text} = {money(rest)}"
    if made.left_amount:
        yield (
            f"{money(rest)} − {money(made.left_amount)} that comes back besides "
            f"= {money(line.amount)}"
        )


def _before_discounts(line: InvoiceLine) -> Decimal:
    return line.amount + sum((one.amount for one in line.discounts), _ZERO)


def money_of(amount: Decimal, currency: str) -> str:
    """An exact amount with at least the currency's own places and thousands apart: 1,365.00, −0.0004."""
    whole, point, places = format_decimal(abs(amount), min_places=minor_digits(currency)).partition(
        "."
    )
    return f"{'−' if amount < 0 else ''}{int(whole):,}{point}{places}"
