"""What comes back by credit notes (SUB-6, EVT-4, EVT-9): what was paid for and no invoice can bear.

After an end that is days that are not used; and always usage that costs less by what was reported late, such as in a
cheaper volume tier.
What other periods still cost is taken off. The lines that billed it bear it, the latest invoice first, and one that was
made ahead after the period's own. As far as an invoice gave days back and charged for it beside, that paid for it; so
whatever else was charged bears as much of it. What promotional credit paid for, or nobody, does not come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from .bills import Bills
from .commitments import above_least, counts
from .expected import Expected
from .lines import Line

_ZERO = Decimal(0)


def days_given_back(account: Bills, now: datetime) -> list[tuple[Expected, Decimal]]:
    """How much of which invoice, one after the other; it is noted at their lines."""
    if account.history.now.status != "canceled":
        return []
    return _given_back(account, account.differences(now), now)


def usage_given_back(account: Bills, now: datetime) -> list[tuple[Expected, Decimal]]:
    """The same of usage, and also while the subscription goes on: of what no invoice could bear."""
    return _given_back(account, account.usage_differences(now), now)


def _given_back(
    account: Bills, differences: Sequence[Line], now: datetime
) -> list[tuple[Expected, Decimal]]:
    standing = [one for one in account.invoices if one.status in ("finalized", "paid")]
    room = -sum((one.amount for one in differences), _ZERO)
    bears = {
        line: amount
        for made in standing
        for line, amount in zip(made.lines, made.creditable, strict=True)
        if amount > 0 and not line.charge.is_commitment
    }
    gave = {
        made: -sum((one.amount for one in made.lines if _gives_days(one)), _ZERO)
        for made in standing
    }
    of = {line: made for made in standing for line in made.lines}
    found: list[tuple[Expected, Decimal]] = []
    known = [line for one in account.invoices if one.status != "void" for line in one.lines]
    bounds = above_least(account.history, known, now)
    for difference in differences:
        own = [one for one in of if one.charge.key == difference.charge.key]
        billing = [one for one in own if not one.is_ahead]
        bounding = [one for one in bounds if counts(one, difference.charge)]
        wanted = min(-difference.amount, room, *(bounds[one] for one in bounding))
        if not billing or wanted <= 0:
            continue
        room -= wanted
        for one in bounding:
            bounds[one] -= wanted
        there = {of[one] for one in own}
        latest = sorted(reversed(bears), key=lambda one: one.is_ahead)
        for line in sorted(latest, key=lambda one: one not in own):
            given = min(wanted, bears[line])
            if line not in own:
                if line.is_ahead:
                    continue
                given = _taken(gave, [one for one in standing if one in there], given)
            if given > 0:
                wanted -= given
                bears[line] -= given
                line.noted += given
                billing[0].returned += given
                found.append((of[line], given))
    return found


def _gives_days(line: Line) -> bool:
    return line.is_change and not line.charge.is_usage and line.amount < 0


def _taken(gave: dict[Expected, Decimal], some: list[Expected], wanted: Decimal) -> Decimal:
    taken = _ZERO
    for one in some:
        part = min(wanted - taken, gave[one])
        gave[one] -= part
        taken += part
    return taken
