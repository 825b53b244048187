"""Shows what a change of a subscription would bill: it is made by the very code that makes it, and undone (SUB-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.change import ChangeSubscription
from candela_server.subscription.create_subscription import CreateSubscription, create_subscription
from candela_server.subscription.make_change import make_change
from candela_server.subscription.preview_token import Previewed, digest_of
from candela_server.subscription.rules.reschedule import ENDED
from candela_server.subscription.undo_cancellation import UndoCancellation

from .carry_out_planned import carry_out_in_time
from .count_ended_before import count_ended_before
from .credit_note import CreditNote
from .give_back_days import amounts_of_notes, give_back_after
from .model import Invoice
from .preview_given_back import as_shown, preview_given_back
from .preview_next_invoice import as_draft, preview_next_invoice
from .run_changes import amounts_of, bill_change
from .settle_creation import bill_creation


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePreview:
    """The invoices that a change would cause at its time, what it would give back of earlier ones, and after an end
    whatever comes back once the last invoice is final; the regular one after it, and what a token promises of it.
    """

    invoices: Sequence[Invoice]
    credit_notes: Sequence[CreditNote]
    next_invoice: Invoice | None
    shown: Previewed


async def preview_change(
    tx: Tx, events: EventStore, clock: Clock, command: ChangeSubscription | UndoCancellation
) -> ChangePreview:
    """Makes the change; the caller must roll back. One whose time lies ahead is made then, after all that comes before.

    Raises what the change raises.
    """
    before = await subscription.get_subscription(tx, command.subscription_id)
    changed = await make_change(tx, clock, command)
    invoices = await bill_change(tx, events, changed)
    notes = await give_back_after(tx, changed)
    # The token holds to what the command itself does; what is planned has not happened when it is given back.
    shown = Previewed(
        at=changed.at or changed.now,
        version=before.version.number,
        digest=digest_of(
            changed.terms, [*amounts_of(invoices), *amounts_of_notes(notes)], changed.proration
        ),
    )
    if changed.scheduled is not None:
        later = await carry_out_in_time(tx, events, changed.scheduled, now=changed.now)
        invoices, notes = [*later.invoices], [*later.credit_notes]
    notes = [as_shown(one) for one in notes]
    next_invoice = await preview_next_invoice(tx, events, clock, before.id)
    if (await subscription.get_subscription(tx, before.id)).version.status in ENDED:
        # Nothing bears it any more: all that is still to come back does so because of the end.
        notes += await preview_given_back(tx, events, clock, before.id, next_invoice)
    return ChangePreview(
        invoices=[as_draft(one) for one in invoices],
        credit_notes=notes,
        next_invoice=next_invoice,
        shown=shown,
    )


async def preview_creation(
    tx: Tx, events: EventStore, clock: Clock, command: CreateSubscription
) -> ChangePreview:
    """Begins the subscription and bills what is due first; the caller must roll back. One that begins later bills
    nothing at once, and next what it does then."""
    made = await create_subscription(tx, clock, command)
    await count_ended_before(tx, events, made, now=made.created_at)
    invoices = await bill_creation(tx, events, made)
    return ChangePreview(
        invoices=[as_draft(one) for one in invoices],
        credit_notes=[],
        next_invoice=await preview_next_invoice(tx, events, clock, made.id),
        shown=Previewed(
            at=made.created_at,
            version=0,
            digest=digest_of(made.version, amounts_of(invoices)),
        ),
    )
