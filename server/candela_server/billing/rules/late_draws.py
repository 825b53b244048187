"""What closed periods draw from grants, and what these have left for them (EVT-9, CRD-8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.catalog.price import ComponentId
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.kernel.interval import Interval

_ZERO = Decimal(0)
_OF_PERIOD = frozenset({LineKind.USAGE, LineKind.USAGE_CREDIT, LineKind.ADJUSTMENT})


def is_of(line: InvoiceLine, component_id: ComponentId, period: Interval) -> bool:
    """Whether a line bills, or corrects, the usage of a component in a period."""
    return line.component_id == component_id and line.period == period and line.kind in _OF_PERIOD


def available(
    grant: CreditGrant,
    good_for: Mapping[GrantId, Decimal],
    own: Sequence[InvoiceLine],
    drawn: Mapping[str, Decimal],
) -> Decimal:
    """What a grant holds for a closed period: what the period drew, and what nobody did, lapsed since or not.

    `good_for` is what grants ever held, `own` the period's lines, and `drawn` what all lines drew.
    """
    by_period = sum(
        (draw.amount for line in own for draw in line.draws if draw.grant_id == grant.id), _ZERO
    )
    unspent = good_for.get(grant.id, _ZERO) - drawn.get(grant.id, _ZERO)
    return max(unspent, _ZERO) + by_period


def count_draws(drawn: dict[str, Decimal], lines: Sequence[InvoiceLine]) -> None:
    """Adds what these lines draw to what is drawn of each grant."""
    for line in lines:
        for draw in line.draws:
            drawn[draw.grant_id] = drawn.get(draw.grant_id, _ZERO) + draw.amount
