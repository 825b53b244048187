"""What could be defined once but is not billed yet: an offer that holds such a thing cannot be subscribed to.

Each line of the table goes with the work that bills it, and new definitions are refused (new_price_references.py).
Until then a subscription is refused, too, so that nothing that was promised is ever left out of an invoice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from candela_server.catalog.model import Metric, MetricId, Offer
from candela_server.catalog.price import Charge, Component, PercentageCharge, TimeRule

_T = TypeVar("_T")


class NotBillable(NamedTuple):
    """What cannot be billed yet, named as its merchant knows it, and the lines of the specification it waits for."""

    what: str
    spec_ids: str


_Lines = tuple[tuple[str, str, Callable[[_T], bool]], ...]
"""What it is, the specification's ids, and whether a definition holds it."""

_USAGE: _Lines[tuple[Component, Metric]] = (
    (
        # Which events a query reads, only the query knows; it answers a number.
        "a fee for each event of a metric in SQL",
        "DSL-3, EVT-6",
        lambda one: one[1].sql is not None and charges_events(one[0]),
    ),
)


def what_cannot_be_billed(offer: Offer) -> NotBillable | None:
    """The first thing in the offer that the billing engine cannot bill yet; None when it can bill all of it."""
    found: NotBillable | None = None
    for component in offer.price.components:
        if component.metric_id is not None:
            measured = offer.metrics[MetricId(component.metric_id)]
            name = f"component {component.name!r}"
            found = found or _first(_USAGE, (component, measured), name)
    return found


class Charged(Protocol):
    """What is looked at of a component, sold already or about to be."""

    @property
    def charge(self) -> Charge:
        """What it charges at first."""
        ...

    @property
    def time_rules(self) -> tuple[TimeRule, ...]:
        """What it charges later."""
        ...


def charges_events(component: Charged) -> bool:
    """Whether the component charges a fee for each event, at any time."""
    return any(map(_has_event_fee, _charges(component)))


def _charges(component: Charged) -> Iterable[Charge]:
    """What the component charges, at any time."""
    yield component.charge
    yield from (one.change for one in component.time_rules if isinstance(one.change, Charge))


def _has_event_fee(charge: Charge) -> bool:
    return isinstance(charge.model, PercentageCharge) and charge.model.fee_per_event is not None


def _first(lines: _Lines[_T], value: _T, name: str) -> NotBillable | None:
    for what, spec_ids, holds in lines:
        if holds(value):
            return NotBillable(f"{name} with {what}", spec_ids)
    return None
