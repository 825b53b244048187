"""What can be defined but not billed yet: an offer that holds such a thing cannot be subscribed to.

Each line of the tables goes with the work that bills it. Until then a subscription is refused, so that nothing that was
promised is ever left out of an invoice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from candela_server.catalog.model import Offer, Plan

_T = TypeVar("_T")


class NotBillable(NamedTuple):
    """What cannot be billed yet, named as its merchant knows it, and the lines of the specification it waits for."""

    what: str
    spec_ids: str


_Lines = tuple[tuple[str, str, Callable[[_T], bool]], ...]
"""What it is, the specification's ids, and whether a definition holds it."""

_PLANS: _Lines[Plan] = (("a trial", "TRL-1, TRL-2", lambda plan: plan.trial is not None),)


def what_cannot_be_billed(offer: Offer) -> NotBillable | None:
    """The first thing in the offer that the billing engine cannot bill yet; None when it can bill all of it."""
    return _first(_PLANS, offer.plan, f"plan {offer.plan.slug!r}")


def _first(lines: _Lines[_T], value: _T, name: str) -> NotBillable | None:
    for what, spec_ids, holds in lines:
        if holds(value):
            return NotBillable(f"{name} with {what}", spec_ids)
    return None
