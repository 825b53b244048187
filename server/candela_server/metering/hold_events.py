"""Keeps events apart that name nobody who is known, or a name that no metric reads, if the merchant says so (EVT-11).

Beside the data plane: what is good in a batch never comes here. A batch without strangers of a merchant that accepts
every name costs two comparisons; one with strangers costs one look at the keys and one small transaction, before its
good events are queued, so that an answer covers both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from candela_server.catalog import read as catalog
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Reason
from candela_server.kernel.ids import new_id
from candela_server.merchant.model import UnknownEventPolicy, UnmatchedNamePolicy
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx

from . import key_store, rejected_event_store
from .address_events import check_unaddressed
from .directory import Book, Directory
from .model import Outcome, Rejection
from .prepared_event import Prepared
from .rejected_event import KEPT_FOR, MAX_KEPT, NewLetter
from .rules.dedupe import oldest_month

_CONFLICT: Final = "the key was used with another payload and the first one stands; use a new key"


@dataclass(slots=True)
class _Stranger:
    """An event that may be kept apart. `counted_hash` is its payload as event_key has it, None if it names nobody."""

    index: int
    key_hash: bytes
    counted_hash: bytes | None
    sent_hash: bytes
    holdable: bool


class Strangers:
    """Decides about events that nobody expects. One per process."""

    def __init__(
        self, db: Postgres, events: EventStore, directory: Directory, clock: Clock
    ) -> None:
        self._db = db
        self._events = events
        self._directory = directory
        self._clock = clock
        self._names: dict[str, tuple[Book, frozenset[str]]] = {}

    async def set_apart(
        self, merchant_id: str, events: Sequence[Any], prepared: Prepared
    ) -> list[Outcome]:
        """The outcome of each event as far as it is known before the good ones are stored: HELD, DEDUPLICATED, or
        REJECTED until somebody says otherwise.

        Takes out of `prepared` what must not be counted, and writes into its rejections why.
        """
        outcomes = [Outcome.REJECTED] * len(events)
        book = await self._directory.book(merchant_id)
        holds_unknown = book.unknown_policy is UnknownEventPolicy.DEAD_LETTER
        if not (prepared.nobody and holds_unknown) and (
            book.name_policy is UnmatchedNamePolicy.ACCEPT
        ):
            return outcomes
        strangers: list[_Stranger] = []
        rejections = {one.index: one for one in prepared.rejections}
        if holds_unknown:
            for index in prepared.nobody:
                wrong = check_unaddressed(events[index], index, book, prepared.now_us)
                if wrong is not None:
                    rejections[index] = wrong
                else:
                    strangers.append(_stranger(merchant_id, events[index], index, None, True))
        holds_names = book.name_policy is UnmatchedNamePolicy.DEAD_LETTER
        for rejection in await self.refuse_unread(merchant_id, prepared):
            rejections[rejection.index] = rejection
            known = prepared.take(rejection.index)
            strangers.append(
                _stranger(
                    merchant_id,
                    events[rejection.index],
                    rejection.index,
                    known.payload_hash,
                    holds_names,
                )
            )
        if strangers:
            await self._decide(book, events, strangers, outcomes, rejections)
            prepared.rejections[:] = [rejections[index] for index in sorted(rejections)]
        return outcomes

    async def refuse_unread(self, merchant_id: str, prepared: Prepared) -> list[Rejection]:
        """Why those of the prepared events are refused whose name no metric reads; none if the merchant takes them."""
        book = await self._directory.book(merchant_id)
        if book.name_policy is UnmatchedNamePolicy.ACCEPT:
            return []
        names = await self._read_names(book, fresh=False)
        unread = {
            event.name for event in prepared.events if event is not None and event.name not in names
        }
        if unread:
            # A metric may have been made a moment ago, by another process.
            unread -= await self._read_names(book, fresh=True)
        if not unread:
            return []
        return [
            Rejection(
                index,
                Reason.EVENT_NAME_UNMATCHED,
                "name",
                f"no metric reads {event.name!r}; correct the name, or create a metric that reads it",
            )
            for index, event in enumerate(prepared.events)
            if event is not None and event.name in unread
        ]

    async def _read_names(self, book: Book, *, fresh: bool) -> frozenset[str]:
        """The names that the merchant's metrics read; kept as long as the book, unless asked for fresh."""
        kept = self._names.get(book.merchant_id)
        if not fresh and kept is not None and kept[0] is book:
            return kept[1]
        async with self._db.reading(book.merchant_id) as tx:
            metrics = await catalog.list_metrics(tx)
        names = frozenset(name for metric in metrics for name in metric.event_names)
        self._names[book.merchant_id] = (book, names)
        return names

    async def _decide(
        self,
        book: Book,
        events: Sequence[Any],
        strangers: Sequence[_Stranger],
        outcomes: list[Outcome],
        rejections: dict[int, Rejection],
    ) -> None:
        """What counts already is no stranger; the rest is kept apart once per key."""
        oldest = oldest_month(self._clock.now(), book.dedupe_window)
        async with self._events.reader() as connection:
            counted = await key_store.get_payload_hashes(
                connection, [one.key_hash for one in strangers], oldest
            )
        waiting: list[_Stranger] = []
        for one in strangers:
            stands = counted.get(one.key_hash)
            if stands is None:
                if one.holdable:
                    waiting.append(one)
            elif stands == one.counted_hash:
                outcomes[one.index] = Outcome.DEDUPLICATED
                del rejections[one.index]
            else:
                rejections[one.index] = _conflict(one.index)
        if not waiting:
            return
        letters: dict[bytes, NewLetter] = {}
        for one in waiting:
            if one.key_hash not in letters:
                letters[one.key_hash] = NewLetter(
                    id=new_id("rej"),
                    key_hash=one.key_hash,
                    payload_hash=one.sent_hash,
                    event=events[one.index].SerializeToString(deterministic=True),
                    error=rejections[one.index],
                )
        async with self._db.writing(book.merchant_id) as tx:
            kept = await self._keep(tx, letters)
        for one in waiting:
            stands = kept.get(one.key_hash)
            if stands is None:
                rejections[one.index] = _full(rejections[one.index])
            elif stands == one.sent_hash:
                outcomes[one.index] = Outcome.HELD
            else:
                rejections[one.index] = _conflict(one.index)

    async def _keep(self, tx: Tx, letters: dict[bytes, NewLetter]) -> dict[bytes, bytes]:
        """Keeps the letters as far as there is room; answers the payload that stands under each key that is kept."""
        keys = sorted(letters)
        kept = await rejected_event_store.get_payload_hashes(tx, keys)
        new = [letters[key] for key in keys if key not in kept]
        if not new:
            return kept
        room = MAX_KEPT - await rejected_event_store.count_letters(tx, MAX_KEPT)
        if room < len(new):
            room += await rejected_event_store.delete_replayed(tx, len(new) - room)
        await rejected_event_store.insert_letters(tx, new[:room], self._clock.now())
        return await rejected_event_store.get_payload_hashes(tx, keys)


def _stranger(
    merchant_id: str, event: Any, index: int, counted_hash: bytes | None, holdable: bool
) -> _Stranger:
    sent = event.SerializeToString(deterministic=True)
    key = event.idempotency_key.encode()
    return _Stranger(
        index=index,
        key_hash=blake2b(merchant_id.encode() + b"\x00" + key, digest_size=16).digest(),
        counted_hash=counted_hash,
        sent_hash=blake2b(sent, digest_size=8).digest(),
        holdable=holdable,
    )


def _conflict(index: int) -> Rejection:
    return Rejection(index, Reason.EVENT_KEY_CONFLICT, "idempotency_key", _CONFLICT)


def _full(rejection: Rejection) -> Rejection:
    return Rejection(
        rejection.index,
        rejection.reason,
        rejection.field,
        f"{rejection.message}; and {MAX_KEPT} events are kept apart already: replay them, or wait until they "
        f"are {KEPT_FOR.days} days old",
    )
