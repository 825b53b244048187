"""What the common fields take and refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from candela_server.kernel import read_fields
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.kernel.money import Money


@dataclass(frozen=True)
class Stamp:
    """As google.protobuf.Timestamp has them."""

    seconds: int
    nanos: int = 0


@dataclass(frozen=True)
class Amount:
    """As candela.type.v1.Money has them."""

    currency: str
    amount: str


ID = new_id("cus")

TAKEN: list[tuple[Callable[[Any], object], object, object]] = [
    (read_fields.slug, "api-calls", "api-calls"),
    (read_fields.slug, "a" * 64, "a" * 64),
    (read_fields.slug, "2-fa", "2-fa"),
    (read_fields.text(1, 5), "Größe", "Größe"),
    (read_fields.text(0, 5), "", ""),
    (read_fields.text(1, 5), "a\nb", "a\nb"),
    (read_fields.positive_decimal, "0.000000000001", Decimal("0.000000000001")),
    (read_fields.decimal(least=Decimal(0), most=Decimal(1)), "1", Decimal(1)),
    (read_fields.whole_number(0, 10), 10, 10),
    (read_fields.currency_code, "JPY", "JPY"),
    (read_fields.time_zone, "Europe/Berlin", "Europe/Berlin"),
    (read_fields.typed_id("cus"), ID, ID),
    (read_fields.optional(read_fields.slug), "", None),
    (read_fields.optional(read_fields.slug), "a", "a"),
    (read_fields.or_empty(read_fields.slug), "", ""),
    (read_fields.or_empty(read_fields.slug), "a", "a"),
    (read_fields.idempotency_key, "k" * 255, "k" * 255),
    (read_fields.email, "billing@example.com", "billing@example.com"),
    (read_fields.metadata, {"team": "", "a": "b"}, {"team": "", "a": "b"}),
    (read_fields.instant, Stamp(0, 1_999), datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    (read_fields.instant, Stamp(-1, 0), datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (read_fields.money, Amount("USD", "-1.5"), Money(currency="USD", amount=Decimal("-1.5"))),
]


def refusals(
    read: Callable[[Any], object], *values: object
) -> list[tuple[Callable[[Any], object], object]]:
    """One case for each value."""
    return [(read, value) for value in values]


REFUSED: list[tuple[Callable[[Any], object], object]] = [
    *refusals(read_fields.slug, "", "A", "a--b", "-a", "a-", "a_b", "a b", "ü", "a\n", "a" * 65),
    *refusals(read_fields.text(1, 5), "", "123456", "a\x00b", "a\x1bb"),
    *refusals(read_fields.positive_decimal, "", "0", "-0", "-1", "1e3", "0.0000000000001"),
    *refusals(read_fields.decimal(least=Decimal(0), most=Decimal(1)), "-0.1", "1.1"),
    *refusals(read_fields.whole_number(0, 10), -1, 11),
    *refusals(read_fields.currency_code, "", "usd", "XXX"),
    *refusals(read_fields.time_zone, "", "Berlin", "+01:00"),
    *refusals(read_fields.typed_id("cus"), "", "cus_1", new_id("sub")),
    *refusals(read_fields.idempotency_key, "", "k" * 256, "ü" * 128, "a\x00b"),
    *refusals(read_fields.or_empty(read_fields.slug), "A"),
    *refusals(read_fields.email, "", "a", "a@b", "a b@c.de", "a@b@c.de", "a@" + "b" * 260 + ".de"),
    *refusals(read_fields.instant, Stamp(0, -1), Stamp(0, 10**9), Stamp(2**62), Stamp(-(2**62))),
    (read_fields.metadata, {str(n): "" for n in range(51)}),
    (read_fields.metadata, {"": "a"}),
    (read_fields.metadata, {"k" * 41: "a"}),
    (read_fields.metadata, {"k": "v" * 501}),
    (read_fields.metadata, {"k": "\x00"}),
]


@pytest.mark.spec("CAT-10", "AUD-2", "DSL-3")
@pytest.mark.parametrize(("read", "value", "want"), TAKEN)
def test_right_value__is_read(
    read: Callable[[object], object], value: object, want: object
) -> None:
    assert read(value) == want


@pytest.mark.spec("CAT-10", "AUD-2", "DSL-3")
@pytest.mark.parametrize(("read", "value"), REFUSED)
def test_wrong_value__is_refused_with_a_reason(
    read: Callable[[object], object], value: object
) -> None:
    with pytest.raises(ValueError, match=r"\w{2}"):
        read(value)


@pytest.mark.spec("INV-8")
def test_wrong_money__names_both_wrong_fields() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_fields.money(Amount("usd", "1e3"))

    assert [violation.field for violation in refused.value.violations] == ["currency", "amount"]
