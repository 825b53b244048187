"""What could never be billed is refused when it is defined, each with the path of its field (CAT-1, DSL, CRD, TRL)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from candela.catalog.v1 import (
    credit_definition_pb2 as credit_pb,
)
from candela.catalog.v1 import metric_pb2, plan_pb2, plan_service_pb2, price_pb2, price_terms_pb2
from candela.type.v1 import money_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from candela_server.catalog.definition_wire import new_credit_definition_from_proto
from candela_server.catalog.model import Aggregation
from candela_server.catalog.price_wire import price_from_proto
from candela_server.catalog.wire import create_plan_from_proto, new_metric_from_proto
from candela_server.kernel.errors import InvalidInput, Reason

from demo.team_plan import team_plan

Terms = price_terms_pb2
ONCE, REPEATING, FOREVER = (
    Terms.DISCOUNT_DURATION_ONCE,
    Terms.DISCOUNT_DURATION_REPEATING,
    Terms.DISCOUNT_DURATION_FOREVER,
)
USAGE, FIXED, PER_UNIT = 1, 0, 2  # where each kind stands in `a_price`


def usd(amount: str, currency: str = "USD") -> money_pb2.Money:
    return money_pb2.Money(amount=amount, currency=currency)


def flat(amount: str) -> Terms.ChargeModel:
    return Terms.ChargeModel(flat=Terms.FlatCharge(unit_price=usd(amount)))


def percentage(percent: str, fee: str | None = None) -> Terms.ChargeModel:
    return Terms.ChargeModel(
        percentage=Terms.PercentageCharge(
            percent=percent, fee_per_event=None if fee is None else usd(fee)
        )
    )


def tiers(*steps: tuple[str | None, str]) -> list[Terms.Tier]:
    return [Terms.Tier(up_to=up_to, unit_price=usd(price)) for up_to, price in steps]


def at(year: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(year, 6, 1, tzinfo=UTC))
    return stamp


def a_price() -> plan_pb2.NewPrice:
    """A fee, usage and seats, all well."""
    return plan_pb2.NewPrice(
        currency="USD",
        components=[
            price_pb2.PriceComponent(
                name="Fee",
                kind=price_pb2.COMPONENT_KIND_FIXED,
                recurrence_rule="FREQ=YEARLY",
                charge=flat("500"),
            ),
            price_pb2.PriceComponent(
                name="Calls",
                kind=price_pb2.COMPONENT_KIND_USAGE,
                recurrence_rule="FREQ=MONTHLY",
                metric="calls",
                charge=flat("0.01"),
            ),
            price_pb2.PriceComponent(
                name="Seat",
                kind=price_pb2.COMPONENT_KIND_PER_UNIT,
                recurrence_rule="FREQ=MONTHLY",
                charge=flat("30"),
            ),
        ],
    )


def fields_of(caught: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [violation.field for violation in caught.value.violations]


Spoil = Callable[[plan_pb2.NewPrice], object]
Case = tuple[str, Spoil, str]

COMPONENT_CASES: list[Case] = [
    (
        "hourly rule",
        lambda p: setattr(p.components[FIXED], "recurrence_rule", "FREQ=HOURLY"),
        "components[0].recurrence_rule",
    ),
    (
        "rule with an end",
        lambda p: setattr(p.components[USAGE], "recurrence_rule", "FREQ=MONTHLY;COUNT=3"),
        "components[1].recurrence_rule",
    ),
    (
        "zone that is none",
        lambda p: setattr(p.components[FIXED], "time_zone", "Europe/Nowhere"),
        "components[0].time_zone",
    ),
    (
        "two zones",
        lambda p: (
            setattr(p.components[FIXED], "recurrence_rule", "FREQ=YEARLY;TZID=Europe/Berlin"),
            setattr(p.components[FIXED], "time_zone", "America/New_York"),
        ),
        "components[0].time_zone",
    ),
    (
        "usage without metric",
        lambda p: p.components[USAGE].ClearField("metric"),
        "components[1].metric",
    ),
    (
        "seats with metric",
        lambda p: setattr(p.components[PER_UNIT], "metric", "calls"),
        "components[2].metric",
    ),
    (
        "usage in advance",
        lambda p: setattr(p.components[USAGE], "timing", price_pb2.BILLING_TIMING_IN_ADVANCE),
        "components[1].timing",
    ),
    (
        "fixed with tiers",
        lambda p: p.components[FIXED].charge.graduated.tiers.extend(tiers((None, "1"))),
        "components[0].charge",
    ),
    (
        "fixed with free units",
        lambda p: setattr(p.components[FIXED].charge, "free_units", "1"),
        "components[0].charge.free_units",
    ),
    (
        "no charge model",
        lambda p: p.components[USAGE].charge.ClearField("flat"),
        "components[1].charge.model",
    ),
    (
        "tiers that end",
        lambda p: p.components[USAGE].charge.volume.tiers.extend(tiers(("10", "1"))),
        "components[1].charge.volume.tiers",
    ),
    (
        "tiers that overlap",
        lambda p: p.components[USAGE].charge.graduated.tiers.extend(
            tiers(("10", "1"), ("5", "1"), (None, "1"))
        ),
        "components[1].charge.graduated.tiers",
    ),
    (
        "tier of 13 places",
        lambda p: p.components[USAGE].charge.graduated.tiers.extend(
            tiers(("10", "1"), (None, "0.0000000000001"))
        ),
        "components[1].charge.graduated.tiers[1].unit_price.amount",
    ),
    (
        "negative amount",
        lambda p: setattr(p.components[FIXED].charge.flat.unit_price, "amount", "-1"),
        "components[0].charge.flat.unit_price",
    ),
    (
        "minimum above maximum",
        lambda p: (
            p.components[USAGE].charge.minimum.CopyFrom(usd("10")),
            p.components[USAGE].charge.maximum.CopyFrom(usd("9.99")),
        ),
        "components[1].charge.maximum",
    ),
    (
        "percentage above 100",
        lambda p: p.components[USAGE].charge.CopyFrom(percentage("100.01")),
        "components[1].charge.percentage.percent",
    ),
    (
        "percentage below 0",
        lambda p: p.components[USAGE].charge.CopyFrom(percentage("-1")),
        "components[1].charge.percentage.percent",
    ),
    (
        "fixed percentage",
        lambda p: p.components[FIXED].charge.CopyFrom(percentage("1")),
        "components[0].charge",
    ),
    (
        "fee per event without events",
        lambda p: p.components[PER_UNIT].charge.CopyFrom(percentage("1", "0.30")),
        "components[2].charge.percentage.fee_per_event",
    ),
    (
        "seat terms of usage",
        lambda p: p.components[USAGE].seats.CopyFrom(price_pb2.SeatTerms(minimum_seats=1)),
        "components[1].seats",
    ),
]

DISCOUNT_CASES: list[Case] = [
    (
        "nothing off",
        lambda p: p.discounts.add(duration=ONCE),
        "discounts[0].amount",
    ),
    (
        "0 percent",
        lambda p: p.discounts.add(duration=ONCE, percent="0"),
        "discounts[0].percent",
    ),
    (
        "more than 100 percent",
        lambda p: p.discounts.add(duration=ONCE, percent="100.000000000001"),
        "discounts[0].percent",
    ),
    (
        "negative amount off",
        lambda p: p.discounts.add(duration=ONCE, amount_off=usd("-5")),
        "discounts[0].amount_off",
    ),
    (
        "amount of 0 off",
        lambda p: p.discounts.add(duration=ONCE, amount_off=usd("0")),
        "discounts[0].amount_off",
    ),
    (
        "amount off in other money",
        lambda p: p.discounts.add(duration=ONCE, amount_off=usd("5", "EUR")),
        "discounts[0].amount_off",
    ),
    (
        "no duration",
        lambda p: p.components[FIXED].discounts.add(percent="10"),
        "components[0].discounts[0].duration",
    ),
    (
        "repeating how often",
        lambda p: p.components[FIXED].discounts.add(percent="10", duration=REPEATING),
        "components[0].discounts[0].period_count",
    ),
    (
        "once for three periods",
        lambda p: p.components[FIXED].discounts.add(percent="10", duration=ONCE, period_count=3),
        "components[0].discounts[0].period_count",
    ),
    (
        "stack on 100 percent",
        lambda p: (
            p.discounts.add(percent="100", duration=REPEATING, period_count=3),
            p.discounts.add(percent="10", duration=ONCE),
        ),
        "discounts[1]",
    ),
]

TIME_RULE_CASES: list[Case] = [
    (
        "no beginning",
        lambda p: p.components[FIXED].time_rules.add(stop=True),
        "components[0].time_rules[0].from",
    ),
    (
        "no change",
        lambda p: p.components[FIXED].time_rules.add(after_period_count=1),
        "components[0].time_rules[0].change",
    ),
    (
        "after 0 periods",
        lambda p: p.components[FIXED].time_rules.add(after_period_count=0, stop=True),
        "components[0].time_rules[0].after_period_count",
    ),
    (
        "stop that is false",
        lambda p: p.components[FIXED].time_rules.add(after_period_count=1, stop=False),
        "components[0].time_rules[0].stop",
    ),
    (
        "charge in other money",
        lambda p: p.components[FIXED].time_rules.add(
            after_period_count=1,
            charge=Terms.ChargeModel(flat=Terms.FlatCharge(unit_price=usd("1", "EUR"))),
        ),
        "components[0].time_rules[0].charge.flat.unit_price",
    ),
    (
        "charge of another kind",
        lambda p: p.components[FIXED].time_rules.add(after_period_count=1, charge=percentage("1")),
        "components[0].time_rules[0].charge",
    ),
    (
        "two from the same period",
        lambda p: (
            p.components[FIXED].time_rules.add(after_period_count=3, charge=flat("1")),
            p.components[FIXED].time_rules.add(after_period_count=3, charge=flat("2")),
        ),
        "components[0].time_rules[1].after_period_count",
    ),
    (
        "two out of order",
        lambda p: (
            p.components[FIXED].time_rules.add(at=at(2028), charge=flat("1")),
            p.components[FIXED].time_rules.add(at=at(2027), charge=flat("2")),
        ),
        "components[0].time_rules[1].at",
    ),
    (
        "dates among counts",
        lambda p: (
            p.components[FIXED].time_rules.add(after_period_count=3, charge=flat("1")),
            p.components[FIXED].time_rules.add(at=at(2027), charge=flat("2")),
        ),
        "components[0].time_rules[1]",
    ),
    (
        "start after the charge began",
        lambda p: (
            p.components[FIXED].time_rules.add(after_period_count=1, charge=flat("1")),
            p.components[FIXED].time_rules.add(after_period_count=2, start=True),
        ),
        "components[0].time_rules[1].start",
    ),
    (
        "change after the end",
        lambda p: (
            p.components[FIXED].time_rules.add(after_period_count=1, stop=True),
            p.components[FIXED].time_rules.add(after_period_count=2, charge=flat("1")),
        ),
        "components[0].time_rules[1]",
    ),
    (
        "start that never comes",
        lambda p: p.components[FIXED].time_rules.add(at=at(2300), start=True),
        "components[0].time_rules[0].at",
    ),
]

COMMITMENT_CASES: list[Case] = [
    (
        "negative commitment",
        lambda p: p.minimum_commitment.CopyFrom(
            Terms.MinimumCommitment(amount=usd("-1"), recurrence_rule="FREQ=YEARLY")
        ),
        "minimum_commitment.amount",
    ),
    (
        "commitment of 0",
        lambda p: p.minimum_commitment.CopyFrom(
            Terms.MinimumCommitment(amount=usd("0"), recurrence_rule="FREQ=YEARLY")
        ),
        "minimum_commitment.amount",
    ),
    (
        "commitment in other money",
        lambda p: p.minimum_commitment.CopyFrom(
            Terms.MinimumCommitment(amount=usd("1", "EUR"), recurrence_rule="FREQ=YEARLY")
        ),
        "minimum_commitment.amount",
    ),
    (
        "commitment without a period",
        lambda p: p.minimum_commitment.CopyFrom(Terms.MinimumCommitment(amount=usd("1"))),
        "minimum_commitment.recurrence_rule",
    ),
]


@pytest.mark.spec("DSL-3", "DSL-4", "DSL-5", "DSL-10")
@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        pytest.param(spoil, field, id=name)
        for name, spoil, field in COMPONENT_CASES
        + DISCOUNT_CASES
        + TIME_RULE_CASES
        + COMMITMENT_CASES
    ],
)
def test_price_that_could_not_be_billed__is_refused_by_its_field_alone(
    spoil: Spoil, field: str
) -> None:
    new = a_price()
    spoil(new)

    with pytest.raises(InvalidInput) as caught:
        price_from_proto(new)

    assert fields_of(caught) == [field]


@pytest.mark.spec("DSL-4", "DSL-10")
def test_other_currency_anywhere_in_a_price__has_a_reason_of_its_own() -> None:
    new = a_price()
    new.discounts.add(duration=ONCE, amount_off=usd("5", "EUR"))

    with pytest.raises(InvalidInput) as caught:
        price_from_proto(new)

    assert caught.value.reason is Reason.CURRENCY_MISMATCH


@pytest.mark.spec("CAT-1")
def test_several_wrong_fields__are_all_named_by_their_path_in_the_request() -> None:
    request = team_plan("team")
    request.prices.add().CopyFrom(a_price())
    request.prices[1].components[0].recurrence_rule = "FREQ=SECONDLY"
    request.prices[1].components[1].discounts.add(percent="200", duration=FOREVER)
    request.prices[1].minimum_commitment.amount.CopyFrom(usd("-1"))

    with pytest.raises(InvalidInput) as caught:
        create_plan_from_proto(request)

    assert set(fields_of(caught)) == {
        "prices[1].components[0].recurrence_rule",
        "prices[1].components[1].discounts[0].percent",
        "prices[1].minimum_commitment.amount",
        "prices[1].minimum_commitment.recurrence_rule",
    }


def a_credit() -> credit_pb.NewCreditDefinition:
    return credit_pb.NewCreditDefinition(
        name="Welcome",
        scope=credit_pb.CREDIT_SCOPE_PLAN,
        application_type=credit_pb.CREDIT_APPLICATION_TYPE_MONETARY,
        currency="USD",
        default_amount="50",
    )


@pytest.mark.spec("CRD-1", "CRD-3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": ""}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"feature": "calls"}, "feature"),
        ({"default_amount": "0"}, "default_amount"),
        ({"default_amount": "0.0000000000001"}, "default_amount"),
        ({"refill_amount": "-1"}, "refill_amount"),
        ({"renewal_rule": "FREQ=HOURLY"}, "renewal_rule"),
        ({"renewal_rule": "FREQ=MONTHLY", "renew_on_billing": True}, "renewal_rule"),
        ({"expires_after": Duration(seconds=0)}, "expires_after"),
        ({"expires_after": Duration(seconds=-1)}, "expires_after"),
        ({"expires_after": Duration(seconds=315_576_000_000)}, "expires_after"),
        ({"expires_after": Duration(seconds=60), "renew_on_billing": True}, "expires_after"),
        ({"rollover_cap": "-1", "renew_on_billing": True}, "rollover_cap"),
        ({"rollover_cap": "10"}, "rollover_cap"),
        ({"scope": credit_pb.CREDIT_SCOPE_UNSPECIFIED}, "scope"),
        ({"application_type": credit_pb.CREDIT_APPLICATION_TYPE_UNSPECIFIED}, "application_type"),
        (
            {"application_type": credit_pb.CREDIT_APPLICATION_TYPE_USAGE, "currency": ""},
            "feature",
        ),
        ({"priority": 1001}, "priority"),
    ],
    ids=[
        "money without currency",
        "no currency",
        "money of a feature",
        "nothing granted",
        "13 places",
        "negative refill",
        "hourly renewal",
        "renewed twice over",
        "lasts no time",
        "ended before",
        "lasts for ten thousand years",
        "expiry beside the period's end",
        "negative rollover",
        "rollover of what is granted once",
        "no scope",
        "no kind",
        "usage without feature",
        "priority",
    ],
)
def test_credit_that_could_not_be_granted__is_refused_by_its_field(
    changes: dict[str, object], field: str
) -> None:
    new = a_credit()
    for name, value in changes.items():
        if isinstance(value, Duration):
            new.expires_after.CopyFrom(value)
        else:
            setattr(new, name, value)

    with pytest.raises(InvalidInput) as caught:
        new_credit_definition_from_proto(new)

    assert fields_of(caught) == [field]


@pytest.mark.spec("TRL-1", "CAT-7")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"is_trial_plan": True, "trial_days": 7}, "trial_parent_plan"),
        ({"is_trial_plan": True, "parent": "pro"}, "trial_days"),
        ({"is_trial_plan": True, "parent": "pro", "trial_days": -1}, "trial_days"),
        ({"is_trial_plan": True, "parent": "pro", "trial_days": 366}, "trial_days"),
        ({"parent": "pro"}, "trial_parent_plan"),
        ({"trial_days": 7}, "trial_days"),
        (
            {"is_trial_plan": True, "parent": "pro", "trial_days": 7, "is_enterprise_plan": True},
            "is_enterprise_plan",
        ),
    ],
    ids=[
        "leads nowhere",
        "no days",
        "negative days",
        "more than a year",
        "parent of no trial",
        "days of no trial",
        "trial of nothing sold",
    ],
)
def test_trial_that_could_not_be_had__is_refused_by_its_field(
    changes: dict[str, object], field: str
) -> None:
    request = team_plan("trial")
    for name, value in changes.items():
        if name == "parent":
            request.trial_parent_plan.slug = str(value)
        else:
            setattr(request, name, value)

    with pytest.raises(InvalidInput) as caught:
        create_plan_from_proto(request)

    assert fields_of(caught) == [field]


def a_filter(operator: int, *values: str, name: str = "region") -> metric_pb2.PropertyFilter:
    return metric_pb2.PropertyFilter(property=name, operator=operator, values=values)  # type: ignore[arg-type]


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    ("one", "field"),
    [
        (a_filter(metric_pb2.FILTER_OPERATOR_UNSPECIFIED, "eu"), "filters[0].operator"),
        (a_filter(metric_pb2.FILTER_OPERATOR_EQUALS), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_EQUALS, "a", "b"), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_IN), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_IN, *["x"] * 101), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_PREFIX, ""), "filters[0].values[0]"),
        (a_filter(metric_pb2.FILTER_OPERATOR_AT_LEAST, "many"), "filters[0].values[0]"),
        (a_filter(metric_pb2.FILTER_OPERATOR_LESS_THAN, "1e3"), "filters[0].values[0]"),
        (a_filter(metric_pb2.FILTER_OPERATOR_EXISTS, "x"), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_ABSENT, name=""), "filters[0].property"),
    ],
)
def test_filter_that_means_nothing__is_refused_by_its_field(
    one: metric_pb2.PropertyFilter, field: str
) -> None:
    new = metric_pb2.NewMetric(
        slug="calls", name="Calls", aggregation=metric_pb2.AGGREGATION_SUM, filters=[one]
    )

    with pytest.raises(InvalidInput) as caught:
        new_metric_from_proto(new)

    assert fields_of(caught) == [field]


@pytest.mark.spec("EVT-6")
def test_query_beside_an_aggregation__is_refused_field_by_field() -> None:
    new = metric_pb2.NewMetric(
        slug="calls",
        name="Calls",
        aggregation=metric_pb2.AGGREGATION_SUM,
        property="size",
        unique_of=metric_pb2.UNIQUE_OF_USER,
        group_by=["region"],
        sql=metric_pb2.SqlMetric(query=""),
    )

    with pytest.raises(InvalidInput) as caught:
        new_metric_from_proto(new)

    assert sorted(fields_of(caught)) == [
        "aggregation",
        "group_by",
        "property",
        "sql.query",
        "unique_of",
    ]


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    ("new", "field"),
    [
        (metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_UNSPECIFIED), "aggregation"),
        (
            metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_COUNT, property="size"),
            "property",
        ),
        (
            metric_pb2.NewMetric(
                aggregation=metric_pb2.AGGREGATION_SUM, unique_of=metric_pb2.UNIQUE_OF_USER
            ),
            "unique_of",
        ),
        (metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_UNIQUE), "property"),
        (
            metric_pb2.NewMetric(
                aggregation=metric_pb2.AGGREGATION_UNIQUE,
                unique_of=metric_pb2.UNIQUE_OF_CUSTOMER,
                property="size",
            ),
            "property",
        ),
        (
            metric_pb2.NewMetric(
                aggregation=metric_pb2.AGGREGATION_UNIQUE,
                unique_of=99,  # type: ignore[arg-type]
            ),
            "unique_of",
        ),
        (
            metric_pb2.NewMetric(
                aggregation=metric_pb2.AGGREGATION_SUM, group_by=["a", "b", "c", "d"]
            ),
            "group_by",
        ),
        (
            metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_SUM, group_by=["a", "a"]),
            "group_by[1]",
        ),
        (
            metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_SUM, group_by=["a", ""]),
            "group_by[1]",
        ),
    ],
    ids=[
        "no aggregation",
        "count of a property",
        "sum of different users",
        "different values of nothing",
        "different customers of a property",
        "different what",
        "four groups",
        "the same group twice",
        "a group without a name",
    ],
)
def test_metric_that_would_count_nothing__is_refused_by_its_field(
    new: metric_pb2.NewMetric, field: str
) -> None:
    new.slug = new.name = "calls"

    with pytest.raises(InvalidInput) as caught:
        new_metric_from_proto(new)

    assert fields_of(caught) == [field]


@pytest.mark.spec("EVT-5")
def test_metric_with_every_option__is_read_as_sent() -> None:
    new = new_metric_from_proto(
        metric_pb2.NewMetric(
            slug="storage",
            name="Storage",
            aggregation=metric_pb2.AGGREGATION_WEIGHTED_SUM,
            event_names=["disk-resized"],
            property="gigabytes",
            filters=[a_filter(metric_pb2.FILTER_OPERATOR_PREFIX, "eu-")],
            group_by=["region", "tier"],
            unit_name="gigabyte-month",
        )
    )

    assert new.aggregation is Aggregation.WEIGHTED_SUM
    assert (new.property, new.group_by, len(new.filters)) == (
        "gigabytes",
        ("region", "tier"),
        1,
    )


@pytest.mark.spec("CAT-7")
def test_enterprise_plan__needs_no_price() -> None:
    command = create_plan_from_proto(
        plan_service_pb2.CreatePlanRequest(slug="big", name="Big", is_enterprise_plan=True)
    )

    assert command.prices == ()
