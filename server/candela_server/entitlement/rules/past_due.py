"""What a subscription's state lets its customer do, and until when (SUB-7, ENT-10).

| the subscription is …                   | access                                              | until           |
|-----------------------------------------|-----------------------------------------------------|-----------------|
| trialing or active                      | full                                                | it changes      |
| past due, within the merchant's grace   | full                                                | the grace's end |
| past due, after it; policy keep         | full                                                | it changes      |
| past due, after it; policy downgrade    | reduced: the features of the plan that is left      | it changes      |
| past due, after it; policy block        | none, because it is past due                        | it changes      |
| paused                                  | none, because it is paused                          | it changes      |
| incomplete, canceled, expired           | it is no subscription to look at                    |                 |
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
    status: Status, *, since: datetime, policy: PastDuePolicy, now: datetime
) -> tuple[Access, datetime | None] | None:
    """The access, and when time alone ends it; None for subscriptions that are not looked at.

    `since` is when the subscription came into this state; a grace of zero is over at that instant.
    """
    if status is not Status.PAST_DUE:
        access = _ACCESS.get(status)
        return None if access is None else (access, None)
    after = _AFTER_GRACE[policy.then]
    grace_end = since + policy.grace
    if now < grace_end and after is not Access.FULL:
        return Access.FULL, grace_end
    return after, None
