"""One decision about an allowance: what is asked, and what came of it (ENT-9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from candela_server.catalog.model import Metric, MetricId
from candela_server.customer.model import CustomerId, UserId
from candela_server.kernel.interval import Interval
from candela_server.storage.shared_mutation import AnyRequest

from .model import Answer, Snapshot
from .reservation import Reservation, ReservationId
from .standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is decided about alone: a customer's use of a metric in a window, or one user's where limits are users' own.

    `metric_id` is None for a question that no metric bounds, and `window` for one that no limit does any more. `past`
    are the parts of the window that are over, where its terms name such parts.
    """

    merchant_id: str
    customer_id: CustomerId | None
    metric_id: MetricId | None = None
    user_id: UserId | None = None
    window: Interval | None = None
    past: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The reservation as it stands now, and as it stood; `answer` is where the customer stands with it counted.

    `action`, `audit_before` and `audit_after` are for the audit log. `shown` says that checks answer otherwise now.
    """

    before: Reservation | None
    after: Reservation
    answer: Answer | None
    action: str
    audit_before: Mapping[str, Any] | None
    audit_after: Mapping[str, Any]
    shown: bool


@dataclass(slots=True, kw_only=True)
class Decision:
    """One caller's request about an allowance.

    `decide` is pure: it raises what refuses the request, and changes nothing. `respond` puts what it decided into the
    contract's words. `metric` is what measures the use, if anything has to; `event_key` names the event that would
    record it, and `reservation_id` the reservation that is settled. `decided` is what came of it; it stands only once
    the request has its response.
    """

    request: AnyRequest
    snapshot: Snapshot
    metric: Metric | None
    decide: Callable[[Standing], Decided]
    respond: Callable[[Decided], Any]
    event_key: str | None = None
    reservation_id: ReservationId | None = None
    only_makes_room: bool = False
    decided: Reservation | None = None
