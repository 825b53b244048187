"""One call makes a whole plan, or nothing (CAT-1, DSL-9)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.catalog import read
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.errors import SlugTakenError
from candela_server.catalog.model import Aggregation, CreditBasis
from candela_server.catalog.price import BillingTiming, ComponentKind, FlatCharge
from candela_server.catalog.refs import BySlug
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput
from candela_server.storage.postgres import Postgres

from demo.team_plan import team_plan
from tests.conftest import TestMerchant


async def sell(db: Postgres, clock: FixedClock, merchant: TestMerchant, request: object) -> None:
    async with db.writing(merchant.id) as tx:
        await create_plan(tx, clock, create_plan_from_proto(request))  # type: ignore[arg-type]


async def counts(db: Postgres, merchant: TestMerchant) -> list[int]:
    tables = (
        "plan",
        "plan_version",
        "price",
        "price_component",
        "feature",
        "metric",
        "credit_definition",
    )
    async with db.reading(merchant.id) as tx:
        return [
            await tx.fetchval(f"SELECT count(*) FROM {table} WHERE merchant_id = $1", merchant.id)
            for table in tables
        ]


@pytest.mark.spec("CAT-1", "DSL-9", "CRD-3")
async def test_team_plan__is_stored_as_it_was_described(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    await sell(db, clock, merchant, team_plan("team"))

    async with db.reading(merchant.id) as tx:
        plan = await read.get_plan(tx, BySlug("team"))
        [price] = await read.list_prices_on_sale(tx, plan.id)
        assert plan.current_version_id is not None
        offer = await read.get_offer(tx, plan.current_version_id, price.id)

    seats, premium, cheap = offer.price.components
    assert (seats.kind, seats.timing) == (ComponentKind.PER_UNIT, BillingTiming.IN_ADVANCE)
    assert [one.charge.model for one in (seats, premium, cheap)] == [
        FlatCharge(unit_price=Decimal(amount)) for amount in ("30", "0.20", "0.02")
    ]
    assert premium.timing is BillingTiming.IN_ARREARS
    assert {metric.aggregation for metric in offer.metrics.values()} == {Aggregation.SUM}
    granted = {
        offer.features[one.feature_id].slug: (one.default_amount, one.basis, one.metric_id)
        for one in offer.credit_definitions
        if one.feature_id
    }
    assert granted == {
        "premium-messages": (Decimal(100), CreditBasis.SEAT, premium.metric_id),
        "cheap-messages": (Decimal(1000), CreditBasis.SEAT, cheap.metric_id),
    }


@pytest.mark.spec("CAT-1")
async def test_reference_to_nothing__is_refused_by_path_and_leaves_nothing(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    request = team_plan("team")
    request.prices[0].components[2].metric = "no-such-metric"
    request.credit_definitions[1].feature = "no-such-feature"

    with pytest.raises(InvalidInput) as caught:
        await sell(db, clock, merchant, request)

    assert [violation.field for violation in caught.value.violations] == [
        "prices[0].components[2].metric",
        "credit_definitions[1].feature",
    ]
    assert await counts(db, merchant) == [0] * 7


@pytest.mark.spec("CAT-10")
async def test_slug_taken__says_which_and_leaves_nothing_more(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    await sell(db, clock, merchant, team_plan("team"))
    before = await counts(db, merchant)

    with pytest.raises(SlugTakenError) as caught:
        await sell(db, clock, merchant, team_plan("team-two"))  # its metrics and features exist

    assert caught.value.metadata["kind"] == "metric"
    assert await counts(db, merchant) == before


@pytest.mark.spec("CAT-1", "DSL-3")
@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (
            lambda r: r.prices[0].components[1].ClearField("metric"),
            "prices[0].components[1].metric",
        ),
        (
            lambda r: setattr(r.prices[0].components[0].charge.flat.unit_price, "currency", "EUR"),
            "prices[0].components[0].charge.flat.unit_price",
        ),
        (
            lambda r: setattr(
                r.prices[0].components[0].charge.flat.unit_price, "amount", "0.0000000000001"
            ),
            "prices[0].components[0].charge.flat.unit_price.amount",
        ),
        (lambda r: setattr(r, "slug", "Not A Slug"), "slug"),
        (lambda r: r.ClearField("prices"), "prices"),
        (
            lambda r: setattr(r.credit_definitions[0], "default_amount", "-5"),
            "credit_definitions[0].default_amount",
        ),
    ],
    ids=[
        "usage without metric",
        "other currency",
        "13 places",
        "bad slug",
        "no price",
        "negative credit",
    ],
)
def test_what_could_not_be_billed__is_refused_at_definition_by_path(spoil, field) -> None:  # type: ignore[no-untyped-def]
    request = team_plan("team")
    spoil(request)

    with pytest.raises(InvalidInput) as caught:
        create_plan_from_proto(request)

    assert [violation.field for violation in caught.value.violations] == [field]


@pytest.mark.spec("CAT-3")
async def test_published_version__cannot_be_changed_by_sql(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    await sell(db, clock, merchant, team_plan("team"))

    for statement in (
        "UPDATE plan_version SET message = 'x' WHERE merchant_id = $1",
        "DELETE FROM plan_version_feature WHERE merchant_id = $1",
    ):
        with pytest.raises(Exception, match="never changes"):
            async with db.writing(merchant.id) as tx:
                await tx.execute(statement, merchant.id)
