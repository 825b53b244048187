"""Lists events as they are stored: of a customer, of a user, of some names, in a span of time (EVT-8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerRef, UserRef
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.kernel.page import PageRequest
from candela_server.storage.events import Connection, EventStore
from candela_server.storage.postgres import Postgres

from . import event_list_store
from .event_list_store import EventRange, ListedEvent

MAX_LISTED_WINDOW: Final = timedelta(days=400)
"""More than a year: what somebody looks through."""

MAX_SCANNED: Final = 50_000
"""Events that one page looks through for those that are wanted; a page that found few of them ends there, with a token
that goes on."""

MAX_NAMES_WALKED: Final = 100
"""Names of a customer's events that are walked along one by one; who sends more is looked through by time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEvents:
    """Which events: of a customer, of a user, of some names; of all where None or empty."""

    customer: CustomerRef | None
    user: UserRef | None
    names: tuple[str, ...]
    window: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events in order, and the position after which the list goes on; None at its end."""

    events: list[ListedEvent]
    next_after: tuple[datetime, str] | None


class UserOfAnotherCustomerError(InvalidInput):
    """The user does not act for the customer that is named beside it."""

    def __init__(self) -> None:
        super().__init__(
            "acts for another customer than the one named; name one of the two", field="user"
        )


async def list_events(
    db: Postgres, events: EventStore, merchant_id: str, ask: ListEvents, page: PageRequest
) -> EventPage:
    """One page, by timestamp and idempotency key. Raises NotFound for whom is unknown."""
    customer_id = user_id = ""
    async with db.reading(merchant_id) as tx:
        if ask.customer is not None:
            customer_id = (await customer.get_customer(tx, ask.customer)).id
        if ask.user is not None:
            user = await customer.get_user(tx, ask.user)
            if customer_id and user.customer_id != customer_id:
                raise UserOfAnotherCustomerError
            owner = await customer.get_customer(tx, CustomerById(user.customer_id))
            customer_id, user_id = owner.id, user.id
    after_at, after_key = page.after or (ask.window.start_at, "")
    span = EventRange(
        merchant_id=merchant_id,
        from_at=max(after_at, ask.window.start_at),
        after_key=after_key,
        end_at=ask.window.end_at,
        user_id=user_id,
    )
    async with events.reader() as connection:
        if customer_id:
            names = ask.names or tuple(
                await event_list_store.list_names(
                    connection, merchant_id, customer_id, MAX_NAMES_WALKED + 1
                )
            )
            if len(names) <= MAX_NAMES_WALKED:
                found = await event_list_store.list_events_by_name(
                    connection, span, customer_id, names, page.fetch_limit
                )
                return _page(found, page, None)
        return await _look_through(connection, span, customer_id, ask.names, page)


async def _look_through(
    connection: Connection,
    span: EventRange,
    customer_id: str,
    names: tuple[str, ...],
    page: PageRequest,
) -> EventPage:
    found = await event_list_store.list_events_by_time(
        connection, span, customer_id, names, page.fetch_limit, MAX_SCANNED
    )
    if len(found) >= page.fetch_limit:
        return _page(found, page, None)
    return _page(found, page, await event_list_store.find_position(connection, span, MAX_SCANNED))


def _page(
    found: list[ListedEvent], page: PageRequest, looked_until: tuple[datetime, str] | None
) -> EventPage:
    if len(found) < page.fetch_limit:
        return EventPage(events=found, next_after=looked_until)
    listed = found[: page.size]
    return EventPage(events=listed, next_after=(listed[-1].happened_at, listed[-1].idempotency_key))
