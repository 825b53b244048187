"""What is left in all, by feature and by currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import FeatureId
from candela_server.credit.model import CreditGrant

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureBalance:
    """What the usage credits of one feature gave and have left, as posted."""

    feature_id: FeatureId
    granted: Decimal
    balance: Decimal
    next_expiry_at: datetime | None


def balances_by_feature(grants: Iterable[CreditGrant]) -> list[FeatureBalance]:
    """One balance per feature that these grants belong to, by feature id."""
    by_feature: defaultdict[FeatureId, list[CreditGrant]] = defaultdict(list)
    for grant in grants:
        if grant.feature_id is not None:
            by_feature[grant.feature_id].append(grant)
    return [
        FeatureBalance(
            feature_id=feature_id,
            granted=sum((grant.amount for grant in found), _ZERO),
            balance=sum((grant.balance for grant in found), _ZERO),
            next_expiry_at=min(
                (grant.expires_at for grant in found if grant.expires_at is not None), default=None
            ),
        )
        for feature_id, found in sorted(by_feature.items())
    ]


def balances_by_currency(grants: Iterable[CreditGrant]) -> dict[str, Decimal]:
    """The money that is left of these grants, by currency code."""
    left: defaultdict[str, Decimal] = defaultdict(Decimal)
    for grant in grants:
        if grant.currency is not None:
            left[grant.currency] += grant.balance
    return dict(sorted(left.items()))
