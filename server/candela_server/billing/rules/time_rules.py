"""Which charge holds in a period: ramps, charges that begin later or end (DSL-4)."""

from __future__ import annotations

from candela_server.catalog.price import Charge, ChargeSwitch, Component, TimeRule
from candela_server.kernel.interval import Interval


def charge_in_period(component: Component, number: int, period: Interval) -> Charge | None:
    """The component's charge in its period of this number, counted from 0; None while there is none.

    A rule after N periods holds from period N on. One with an instant holds from the period that contains the instant,
    the whole of it: no period is charged in two ways. It is told from number and period alone, so that the same period
    is always rated alike, however often and whenever.
    """
    rules = component.time_rules
    if not rules:
        return component.charge
    begun = rules[0].change is not ChargeSwitch.START
    charge: Charge | None = component.charge if begun else None
    for rule in rules:
        if not _holds(rule, number, period):
            break
        match rule.change:
            case ChargeSwitch.START:
                charge = component.charge
            case ChargeSwitch.STOP:
                charge = None
            case Charge():
                charge = rule.change
    return charge


def _holds(rule: TimeRule, number: int, period: Interval) -> bool:
    if isinstance(rule.since, int):
        return number >= rule.since
    return rule.since < period.end_at
