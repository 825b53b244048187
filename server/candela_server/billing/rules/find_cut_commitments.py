"""Which periods of commitments the changes of a subscription cut or ended (DSL-10, SUB-6): see `cut_commitment`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from candela_server.catalog.model import Offer
from candela_server.catalog.price import PriceId

from .commitment import CommittedPeriod, periods_ending
from .cut_commitment import CutCommitment, Terms

_MICROSECOND = timedelta(microseconds=1)


def cut_commitments(
    history: Sequence[Terms], time_zone: str, *, since: datetime | None = None
) -> list[CutCommitment]:
    """The periods around each change of what is held, or of how much, after an instant; oldest first.

    With them are whole ones that were over before a change, but that nothing was billed after which would have settled
    them. Most histories have none.
    """
    if not any(one.committed_to for one in history):
        return []
    # What changes nothing, such as an end that is called off, begins nothing either.
    steps = [
        one for one, last in zip(history, [None, *history], strict=False) if not _same(last, one)
    ]
    found: dict[tuple[PriceId, datetime, int], CutCommitment] = {}
    for before, after in pairwise(steps):
        if since is not None and after.since <= since:
            continue
        for one in _around(history, before, after, time_zone):
            found.setdefault(one.key, one)
    return sorted(found.values(), key=lambda one: (one.committed.period.start_at, one.key))


def _same(before: Terms | None, after: Terms) -> bool:
    def what(terms: Terms | None) -> object:
        return terms and (
            terms.anchor_at,
            terms.offer.price.id if terms.offer else None,
            terms.quantities,
        )

    return what(before) == what(after)


def _around(
    history: Sequence[Terms], before: Terms, after: Terms, time_zone: str
) -> list[CutCommitment]:
    at = after.since
    found = []
    if _was_in_force(before, at - _MICROSECOND):
        assert before.offer is not None, "it is committed to"
        ended = periods_ending(before.offer.price, before.anchor_at, time_zone, at)
        found += [
            _cut(history, before, each) for each in ended if before.since < each.period.end_at
        ]
        found.append(_cut(history, before, _period_at(before, at - _MICROSECOND, time_zone)))
    if _was_in_force(after, at):
        begun = _period_at(after, at, time_zone)
        # What begins with a period is cut by nothing.
        if begun.period.start_at < at:
            found.append(_cut(history, after, begun))
    return found


def _was_in_force(terms: Terms, instant: datetime) -> bool:
    """Whether a commitment was; what was left at the very instant at which it was taken never was."""
    return terms.committed_to is not None and instant >= max(terms.anchor_at, terms.since)


def _period_at(terms: Terms, instant: datetime, time_zone: str) -> CommittedPeriod:
    assert terms.offer is not None, "it is committed to"
    commitment = terms.offer.price.minimum_commitment
    assert commitment is not None, "it is committed to"
    rule = commitment.recurrence_in(time_zone)
    number = rule.period_number_at(terms.anchor_at, instant)
    return CommittedPeriod(
        number=number,
        period=rule.period(terms.anchor_at, number),
        whole=rule.whole_period(terms.anchor_at, number),
    )


def _cut(history: Sequence[Terms], terms: Terms, committed: CommittedPeriod) -> CutCommitment:
    offers: dict[PriceId, Offer] = {}
    for one in history:
        if (
            one.offer
            and one.committed_to == terms.committed_to
            and one.since < committed.period.end_at
        ):
            # The one held last stands at the end.
            offers.pop(one.offer.price.id, None)
            offers[one.offer.price.id] = one.offer
    return CutCommitment(
        offers=tuple(offers.values()),
        anchor_at=terms.anchor_at,
        anchored_until=min(
            (one.anchor_at for one in history if one.anchor_at > terms.anchor_at), default=None
        ),
        committed=committed,
    )
