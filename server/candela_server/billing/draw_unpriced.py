"""Draws usage that no component bills from grants that outlast its period, so that packs are used up (CRD-8, CRD-9).

Where a feature is limited by credit and its usage costs nothing, no invoice line draws. What came with the period
lapses with it and needs no draw. But a gift or a pack that goes on would be whole again with each period, and what is
carried over would be more than what was left. So the period's usage is drawn as it ends, or as a change, a pause or the
end of the subscription cuts it, in the same order as on invoices; a number that the plan includes is used up first.
Events that come later than that are not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from candela_server.credit.lapse_grants import lapse_grants
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.change import Changed
from candela_server.subscription.drawn_usage import DrawnPart
from candela_server.subscription.model import ScheduledPeriod, Subscription
from candela_server.subscription.note_drawn_usage import note_drawn_usage
from candela_server.subscription.rules.credits_held import is_over

from .billing_context import Context, read_context
from .post_unpriced import post_draws
from .rules.terms_held import cut_off, terms_held
from .rules.unpriced_parts import offer_key, parts_of
from .who_draws import drawn_by_these, ended_parts, offers_of, with_lapsed


async def draw_unpriced(
    tx: Tx, events: EventStore, context: Context, due: Sequence[ScheduledPeriod], *, now: datetime
) -> Context:
    """Posts the draws of what ends as these periods fall due; the context comes back with what the grants have left."""
    histories = {one.subscription_id: context.histories[one.subscription_id] for one in due}
    offers = await offers_of(tx, context, (held for some in histories.values() for held in some))
    in_force = {one_id: terms_held(some)[-1] for one_id, some in histories.items()}
    parts = [part for one in due for part in parts_of(in_force[one.subscription_id], one, offers)]
    rolling = {
        one.id
        for offer in offers.values()
        for one in offer.credit_definitions
        if one.rollover_cap > 0
    }
    found = [
        one
        for one in ended_parts(context, parts, offers)
        if one.outlasted or one.carried_over(rolling)
    ]
    ended = await drawn_by_these(tx, context, found, offers)
    ended = await with_lapsed(tx, context, ended, offers)
    return (await post_draws(tx, events, context, ended, offers, now=now))[0]


async def draw_cut_off(tx: Tx, events: EventStore, changed: Changed) -> None:
    """Posts the draws of the part of a period that a change has cut off; then what came with ended terms lapses.

    What was drawn is noted, so that no check counts it again (ENT-4). The subscription must be locked. What an invoice
    draws from, because its usage has a price, waits for that.
    """
    assert changed.at is not None, "something changed"
    context = await read_context(tx, [changed.subscription.id], until=changed.now)
    history = context.histories[changed.subscription.id]
    offers = await offers_of(tx, context, history)
    *_, before, after = history
    price = offers[offer_key(before)].price
    parts = [
        part
        for gone in changed.gone
        if gone.component_id == price.components[0].id and gone.last_terms is None
        for terms in terms_held(history)
        if terms.ended_at is not None and terms.versions[-1] is before
        for part in cut_off(terms, price, gone)
    ]
    ended = await drawn_by_these(tx, context, ended_parts(context, parts, offers), offers)
    outlasted = [one for one in ended if one.outlasted]
    outlasted = await with_lapsed(tx, context, outlasted, offers)
    left, drawn = await post_draws(tx, events, context, outlasted, offers, now=changed.now)
    drawn += [one.drawn({}) for one in ended if not one.outlasted]
    await note_drawn_usage(tx, [*drawn, *await _of_a_pause(tx, history, changed.at)])
    await lapse_grants(
        tx,
        [
            grant
            for grant in left.grants.get(after.customer_id, ())
            if grant.subscription_id == after.id
            and grant.metric_id is not None
            and offers[offer_key(before)].component_for_metric(grant.metric_id) is None
            and grant.counts_at(changed.at)
            # What was over before this change waits for the invoice of the period that an earlier one cut.
            and not is_over(grant, before, offers[offer_key(before)])
            and is_over(grant, after, offers[offer_key(after)])
        ],
        at=changed.now,
    )


async def _of_a_pause(tx: Tx, history: Sequence[Subscription], at: datetime) -> list[DrawnPart]:
    """The pause that ends now, of the metrics that its beginning has drawn: nothing pays for what is used in it."""
    _, *following = terms_held(history)
    if len(following) < 2 or following[-2].billed or following[-2].began_at == at:
        return []
    pause = Interval(following[-2].began_at, at)
    held = history[-1]
    return [
        replace(one, part=pause, draws={})
        for one in (await subscription.list_drawn_parts(tx, [held]))[held.id]
        if one.part.end_at == pause.start_at
    ]
