"""What a subscription's state lets its customer do, and until when (SUB-6, SUB-7, ENT-10).

| the subscription is …                   | access                                              | until           |
|-----------------------------------------|-----------------------------------------------------|-----------------|
| trialing or active                      | full                                                | it changes      |
| past due, within the merchant's grace   | full                                                | the grace's end |
| past due, after it; policy keep         | full                                                | it changes      |
| past due, after it; policy downgrade    | reduced: the features of the plan that is left      | it changes      |
| past due, after it; policy block        | none, because it is past due                        | it changes      |
| paused                                  | none, because it is paused                          | it changes      |
| incomplete, canceled, expired           | it is no subscription to look at                    |                 |
| to end at an instant that has come      | it is no subscription to look at                    |                 |

One that is to end gives what its state gives until then, and nothing afterwards: the end is told beforehand, and holds
whether or not somebody has come to carry it out. A trial's end is told beforehand, too; what comes then is decided as
it is carried out, so that nobody who goes on to a paid plan is turned away between.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from candela_server.merchant.model import PastDueAction, PastDuePolicy
from candela_server.subscription.model import Status

from .precedence import Access

_ACCESS: Final = {
    Status.TRIALING: Access.FULL,
    Status.ACTIVE: Access.FULL,
    Status.PAUSED: Access.PAUSED,
}
_AFTER_GRACE: Final = {
    PastDueAction.KEEP: Access.FULL,
    PastDueAction.DOWNGRADE: Access.REDUCED,
    PastDueAction.BLOCK: Access.PAST_DUE,
}


def access_in(
    status: Status,
    *,
    since: datetime,
    policy: PastDuePolicy,
    now: datetime,
    ends_at: datetime | None = None,
) -> tuple[Access, datetime | None] | None:
    """The access, and when time alone ends it; None for subscriptions that are not looked at.

    `since` is when the subscription came into this state; a grace of zero is over at that instant. `ends_at` is when
    it is to be canceled.
    """
    if ends_at is not None and ends_at <= now:
        return None
    access, until = _ACCESS.get(status), None
    if status is Status.PAST_DUE:
        access = _AFTER_GRACE[policy.then]
        grace_end = since + policy.grace
        if now < grace_end and access is not Access.FULL:
            access, until = Access.FULL, grace_end
    if access is None:
        return None
    return access, min((end for end in (until, ends_at) if end is not None), default=None)
