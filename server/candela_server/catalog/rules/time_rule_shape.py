"""Which time rules can go together (DSL-4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from candela_server.catalog.price import ChargeSwitch, TimeRule
from candela_server.kernel.errors import FieldViolations

MAX_TIME_RULES = 50
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""What is to change later than this never will."""


def check_time_rules(rules: Sequence[TimeRule]) -> None:
    """Raises InvalidInput unless the rules are one sequence: [start] (charge)* [stop], each later than the one before.

    All count periods or all name instants, because which of two kinds comes first would depend on when a subscription
    begins, and with it what is charged.
    """
    with FieldViolations() as fields:
        if len(rules) > MAX_TIME_RULES:
            fields.add("", f"must be at most {MAX_TIME_RULES}, not {len(rules)}")
        for number, rule in enumerate(rules):
            path = f"[{number}]"
            if isinstance(rule.since, datetime) and rule.since >= LATEST:
                fields.add(f"{path}.at", f"must lie before the year {LATEST.year}; it never comes")
            if rule.change is ChargeSwitch.START and number:
                fields.add(
                    f"{path}.start",
                    "must be the first rule: the charge has begun already, so this never starts it",
                )
            if number:
                _check_order(fields, path, rules[number - 1], rule)
            stopped = _stopped_before(rules, number)
            if stopped is not None:
                fields.add(path, f"never holds: the charge ends with [{stopped}]")


def _check_order(fields: FieldViolations, path: str, before: TimeRule, rule: TimeRule) -> None:
    if isinstance(before.since, int) and isinstance(rule.since, int):
        if rule.since <= before.since:
            fields.add(
                f"{path}.after_period_count",
                f"must be above that of the rule before it, {before.since}, not {rule.since}: "
                f"the two overlap",
            )
    elif isinstance(before.since, datetime) and isinstance(rule.since, datetime):
        if rule.since <= before.since:
            fields.add(f"{path}.at", "must be later than that of the rule before it: they overlap")
    else:
        fields.add(
            path,
            "must say when it begins as the rule before it does, all by after_period_count or all "
            "by at: which one comes first would depend on when a subscription begins",
        )


def _stopped_before(rules: Sequence[TimeRule], number: int) -> int | None:
    for before, rule in enumerate(rules[:number]):
        if rule.change is ChargeSwitch.STOP:
            return before
    return None
