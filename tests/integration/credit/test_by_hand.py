"""Credit is given, corrected and taken back by hand, and pays for usage of its own time (CRD-10, CRD-4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.billing.model import Invoice, LineKind
from candela_server.credit.draw_credits import draw_credits
from candela_server.credit.model import (
    CreditGrant,
    GrantId,
    GrantInsufficientError,
    GrantNotFoundError,
    GrantSpentMeanwhileError,
    LineDraw,
)
from candela_server.kernel.errors import InvalidInput

from tests.helpers.billing import Books
from tests.helpers.crediting import adjust, give, grant_now, grants_of, history_of, revoke
from tests.helpers.selling import Shop

FEBRUARY_10 = datetime(2026, 2, 10, 15, tzinfo=UTC)
FEBRUARY_20 = datetime(2026, 2, 20, 15, tzinfo=UTC)
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)


def drawing(shop: Shop, grant: CreditGrant, amount: int) -> list[LineDraw]:
    return [
        LineDraw(
            grant_id=grant.id,
            amount=Decimal(amount),
            invoice_line_id="line_1",
            at=shop.clock.now(),
        )
    ]


async def posted(books: Books, grant_id: GrantId) -> list[tuple[str, int, str]]:
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        rows = await tx.fetch(
            """
            SELECT kind, amount, reason FROM credit_transaction
            WHERE merchant_id = $1 AND grant_id = $2 ORDER BY id
            """,
            books.shop.merchant_id,
            grant_id,
        )
    return [(row["kind"], row["amount"], row["reason"]) for row in rows]


def usage_lines(invoice: Invoice) -> list[tuple[str, Decimal, Decimal]]:
    """Kind, quantity and amount of the premium messages' lines."""
    return [
        (line.kind, line.quantity, line.amount)
        for line in invoice.lines
        if line.kind in (LineKind.USAGE, LineKind.USAGE_CREDIT) and "remium" in line.description
    ]


@pytest.mark.spec("CRD-10", "CRD-4", "AUD-1")
async def test_given_corrected_and_taken_back__leaves_every_step_with_its_reason(
    books: Books,
) -> None:
    holder = await books.shop.sign_up("acme")
    grant = await give(books.shop, holder, "50")
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        await draw_credits(tx, drawing(books.shop, grant, 30))

    # 50 − 30 + 5 − 15 = 10
    await adjust(books.shop, grant.id, "5")
    adjusted = await adjust(books.shop, grant.id, "-15")
    revoked = await revoke(books.shop, grant.id)
    again = await revoke(books.shop, grant.id)

    assert adjusted.balance == 10
    assert revoked == again == await grant_now(books.shop, grant.id)
    assert await posted(books, grant.id) == [
        ("grant", 50, "a gift"),
        ("draw", -30, ""),
        ("adjust", 5, "miscounted"),
        ("adjust", -15, "miscounted"),
        ("revoke", -10, "given by mistake"),
    ]
    assert len(await history_of(books.shop, holder, grant.id)) == 5
    assert await books.audited(grant.id) == [
        "grant.created",
        "grant.adjusted",
        "grant.adjusted",
        "grant.revoked",
        "grant.revoked",
    ]


@pytest.mark.spec("CRD-10")
async def test_more_taken_than_is_left__is_refused_and_changes_nothing(books: Books) -> None:
    holder = await books.shop.sign_up("acme")
    grant = await give(books.shop, holder, "50")

    with pytest.raises(GrantInsufficientError, match="has 50 left"):
        await adjust(books.shop, grant.id, "-50.5")

    assert await grant_now(books.shop, grant.id) == grant


@pytest.mark.spec("CRD-10", "CRD-4")
async def test_draw_from_a_balance_read_before_a_revocation__conflicts_and_posts_nothing(
    books: Books,
) -> None:
    holder = await books.shop.sign_up("acme")
    grant = await give(books.shop, holder, "50")
    await revoke(books.shop, grant.id)

    with pytest.raises(GrantSpentMeanwhileError):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await draw_credits(tx, drawing(books.shop, grant, 1))

    assert (await grant_now(books.shop, grant.id)).balance == 0


@pytest.mark.spec("CRD-10")
async def test_unknown_grant__is_not_found(books: Books) -> None:
    with pytest.raises(GrantNotFoundError):
        await revoke(books.shop, GrantId("grant_unknown"))


@pytest.mark.spec("CRD-10")
async def test_credit_for_a_feature_without_usage_or_that_ends_first__is_refused(
    books: Books,
) -> None:
    holder = await books.shop.sign_up("acme")
    now = books.shop.clock.now()

    with pytest.raises(InvalidInput, match="has no metric"):
        await give(books.shop, holder, "5", feature="advanced-analytics")
    with pytest.raises(InvalidInput, match="expires_at: is 2026-01-31T15:00:00Z"):
        await give(books.shop, holder, "5", expires_at=now)
    with pytest.raises(InvalidInput, match="effective_at: is 2025-01-29"):
        await give(books.shop, holder, "5", effective_at=now - timedelta(days=367))

    assert await grants_of(books.shop, holder) == []


@pytest.mark.spec("CRD-10", "CRD-8")
async def test_given_in_mid_period__pays_for_what_is_used_from_then_on(books: Books) -> None:
    shop = books.shop
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    shop.clock.advance(FEBRUARY_10)
    await books.use(holder, "130")  # 100 are included
    shop.clock.advance(FEBRUARY_20)
    grant = await give(shop, holder, "50")
    await books.use(holder, "20")
    await books.bill_at(FEBRUARY_28)
    await books.pass_grace()

    [*_, invoice] = await books.invoices()

    # 150 used; 100 included pay for the first ones; the gift pays for the 20 after it was given; 30 at 0.20 remain
    gross, credit = usage_lines(invoice)
    assert gross[1:] == (150, Decimal("30.00"))
    assert credit[1:] == (120, Decimal("-24.00"))
    assert (await grant_now(shop, grant.id)).balance == 30
