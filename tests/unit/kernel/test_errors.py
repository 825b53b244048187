"""Errors carry data; a request is told every wrong field at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.kernel.errors import (
    MAX_VIOLATIONS,
    CandelaError,
    Conflict,
    FieldViolation,
    FieldViolations,
    InvalidInput,
    Reason,
    Refused,
    Unavailable,
)
from candela_server.kernel.read_fields import positive_decimal, recurrence, slug, text
from candela_server.kernel.recurrence import Recurrence


@dataclass(frozen=True)
class Rename:
    """A message with a field that may be absent, as the stubs show it."""

    slug: str = ""
    given: bool = True

    def HasField(self, field_name: str, /) -> bool:
        """Whether the field is there."""
        return field_name == "slug" and self.given


class GrantEmptyError(Refused):
    """A fact as a room defines it."""

    reason = Reason.GRANT_INSUFFICIENT

    def __init__(self, grant_id: str, balance: Decimal, at: datetime) -> None:
        super().__init__(
            f"grant {grant_id} is empty; grant more", grant_id=grant_id, balance=balance, at=at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Born valid: touches its fields, as models do."""

    name: str
    amount: Decimal
    rule: Recurrence

    def __post_init__(self) -> None:
        if self.amount > 100:
            raise ValueError("too much")


@pytest.mark.spec("AUD-2")
def test_fact_of_a_room__carries_its_reason_and_its_data_as_text() -> None:
    error = GrantEmptyError("grant_1", Decimal("0.50"), datetime(2026, 1, 31, 10, tzinfo=UTC))

    assert error.reason is Reason.GRANT_INSUFFICIENT
    assert dict(error.metadata) == {
        "grant_id": "grant_1",
        "balance": "0.5",
        "at": "2026-01-31T10:00:00Z",
    }
    assert str(error) == error.message == "grant grant_1 is empty; grant more"


@pytest.mark.spec("AUD-2")
def test_kinds_used_directly__have_the_generic_reasons() -> None:
    assert InvalidInput("x").reason is Reason.INVALID_FIELD
    assert Conflict("x").reason is Reason.CONCURRENT_CHANGE
    assert Unavailable("x", retry_after=timedelta(seconds=1)).retry_after == timedelta(seconds=1)
    assert issubclass(InvalidInput, CandelaError)
    with pytest.raises(AssertionError, match="must say its reason"):
        Refused("x")


def wrong_fields(read: Callable[[], object]) -> list[str]:
    """The paths that reading complains about."""
    with pytest.raises(InvalidInput) as refused:
        read()
    return [violation.field for violation in refused.value.violations]


def component(name: str, amount: str, rule: str) -> Component:
    with FieldViolations() as fields:
        return Component(
            name=fields.read("name", text(1, 10), name),
            amount=fields.read("amount", positive_decimal, amount),
            rule=fields.read("recurrence_rule", recurrence, rule, "UTC"),
        )


@pytest.mark.spec("CAT-1")
def test_right_fields__make_the_command() -> None:
    got = component("seats", "30", "FREQ=MONTHLY")

    assert (got.name, got.amount) == ("seats", Decimal(30))


@pytest.mark.spec("CAT-1")
def test_wrong_fields__are_told_all_at_once_although_the_command_cannot_be_made() -> None:
    with pytest.raises(InvalidInput) as refused:
        component("", "-1", "FREQ=HOURLY")

    assert [violation.field for violation in refused.value.violations] == [
        "name",
        "amount",
        "recurrence_rule",
    ]
    assert refused.value.reason is Reason.INVALID_FIELD
    assert "3 fields are wrong: name: must not be empty; amount: must be above 0" in str(
        refused.value
    )


@pytest.mark.spec("DSL-5")
def test_one_specific_reason__becomes_the_errors_own() -> None:
    with pytest.raises(InvalidInput) as refused:
        component("seats", "1", "FREQ=HOURLY")

    assert refused.value.reason is Reason.RECURRENCE_RULE_INVALID
    assert refused.value.violations == (
        FieldViolation(
            "recurrence_rule",
            "FREQ=HOURLY recurs more than daily; use DAILY or a longer one",
            Reason.RECURRENCE_RULE_INVALID,
        ),
    )


@pytest.mark.spec("CAT-1")
def test_wrong_fields_deep_inside__are_named_by_their_whole_path() -> None:
    def price(rows: list[tuple[str, str, str]]) -> tuple[Component, ...]:
        with FieldViolations() as fields:
            return fields.read_each("components", lambda row: component(*row), rows)

    fine, broken = ("seats", "1", "FREQ=DAILY"), ("seats", "1", "FREQ=DAILY;COUNT=1")

    def read() -> None:
        with FieldViolations() as fields:
            fields.read("slug", slug, "Not a slug")
            fields.read_each("prices", price, [[fine], [broken, fine, broken]])

    assert wrong_fields(read) == [
        "slug",
        "prices[1].components[0].recurrence_rule",
        "prices[1].components[2].recurrence_rule",
    ]


@pytest.mark.spec("CAT-1")
def test_nested_view__notes_under_its_prefix_and_lets_the_rest_go_on() -> None:
    def read() -> None:
        with FieldViolations() as fields:
            with fields.nested("prices[1]").nested("components[0]") as component_fields:
                component_fields.read("recurrence_rule", recurrence, "FREQ=", "UTC")
                component_fields.add("", "must have a charge")
            fields.add("name", "must not be empty")

    assert wrong_fields(read) == [
        "prices[1].components[0].recurrence_rule",
        "prices[1].components[0]",
        "name",
    ]


@pytest.mark.spec("CAT-1")
def test_nested_block_that_cannot_go_on__still_reports_what_it_found() -> None:
    def read() -> None:
        with FieldViolations() as fields, fields.nested("prices[0]") as price_fields:
            amount = price_fields.read("amount", positive_decimal, "-1")
            assert amount > 0  # fails: there is no amount

    assert wrong_fields(read) == ["prices[0].amount"]


@pytest.mark.spec("CAT-1")
def test_failure_that_no_field_explains__is_not_hidden() -> None:
    def fail(error: BaseException, description: str | None) -> None:
        with FieldViolations() as fields:
            if description is not None:
                fields.add("name", description)
            raise error

    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError(), None)
    with pytest.raises(KeyboardInterrupt):
        fail(KeyboardInterrupt(), "must not be empty")


@pytest.mark.spec("CAT-1")
def test_endless_wrong_items__make_a_bounded_answer() -> None:
    with pytest.raises(InvalidInput) as refused, FieldViolations() as fields:
        fields.read_each("slugs", slug, ["?"] * 10_000)

    assert len(refused.value.violations) == MAX_VIOLATIONS


@pytest.mark.spec("CAT-10")
def test_field_that_may_be_absent__is_read_where_it_is_given() -> None:
    with FieldViolations() as fields:
        got = [fields.read_given(one, "slug", slug) for one in (Rename("a"), Rename(given=False))]

    with pytest.raises(InvalidInput) as refused, FieldViolations() as fields:
        fields.read_given(Rename("A"), "slug", slug)

    assert got == ["a", None]
    assert [one.field for one in refused.value.violations] == ["slug"]
