"""Posts what parts of periods draw from grants where no invoice line does (CRD-8, CRD-9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.credit.draw_credits import draw_without_line
from candela_server.credit.model import Draw, GrantId
from candela_server.credit.rules.waterfall import UsedSpan, draw_in_spans
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.drawn_usage import DrawnPart

from .billing_context import Context
from .included_left import Included, included_left
from .measure_usage import Ask, measure
from .rules.included_first import less_included
from .rules.unpriced_parts import EndedPart, offer_key

_ZERO = Decimal(0)


async def post_draws(
    tx: Tx,
    events: EventStore,
    context: Context,
    ended: Sequence[EndedPart],
    offers: dict[catalog.OfferKey, Offer],
    *,
    now: datetime,
) -> tuple[Context, list[DrawnPart]]:
    """Posts the draws of what ended; what the grants have left, and what each part has drawn."""
    if not ended:
        return context, []
    metrics = next(iter(context.offers.values())).metrics
    measured = await measure(
        events,
        tx.merchant_id,
        [
            Ask(
                customer_id=one.held.customer_id,
                metric=metrics[one.metric_id],
                period=one.period,
                counts_events=False,
                grants=one.grants,
            )
            for one in ended
        ],
    )
    included = await included_left(
        tx,
        events,
        [
            Included(
                held=one.held,
                offer=offers[offer_key(one.held)],
                metric=metrics[one.metric_id],
                part=one.period,
                grants=one.grants,
            )
            for one in ended
        ],
    )
    drawn: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    gone: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    posted: defaultdict[str, list[Draw]] = defaultdict(list)
    parts = []
    for one, used, number in zip(ended, measured, included, strict=True):
        grants = [replace(grant, balance=grant.balance - drawn[grant.id]) for grant in one.grants]
        spans = used.spans or (UsedSpan(one.period, used.value),)
        draws, _ = draw_in_spans(grants, *less_included(spans, used.value, number))
        for draw in draws.draws:
            drawn[draw.grant_id] += draw.amount
        # What a grant paid for before it lapsed has left the ledger with the rest of it.
        to_post = [draw for draw in draws.draws if draw.grant_id not in one.lapsed]
        for draw in to_post:
            gone[draw.grant_id] += draw.amount
        posted[_reason(one.period)] += to_post
        parts.append(one.drawn({draw.grant_id: draw.amount for draw in to_post}))
    await draw_without_line(tx, posted, at=now)
    left = replace(
        context,
        grants={
            holder: [
                replace(grant, balance=grant.balance - gone.get(grant.id, _ZERO))
                for grant in grants
            ]
            for holder, grants in context.grants.items()
        },
    )
    return left, parts


def _reason(period: Interval) -> str:
    return f"used from {period.start_at:%Y-%m-%dT%H:%M:%SZ} to {period.end_at:%Y-%m-%dT%H:%M:%SZ}"
