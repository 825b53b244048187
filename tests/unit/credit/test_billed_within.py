"""What credits had before invoices took from them for periods that still run (CRD-8, ENT-4)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from candela_server.credit.model import Taken
from candela_server.credit.rules.billed_within import before_invoices, less_promised
from candela_server.kernel.interval import Interval

from tests.helpers.builders import day, grant

D = Decimal
CUT, APRIL = day(2026, 4, 10), day(2026, 4, 1)
MARCH = Interval(day(2026, 3, 1), APRIL)
FIRST_PART = Interval(APRIL, CUT)


def taken(period: Interval, amount: str) -> Taken:
    return Taken(period=period, amount=D(amount))


@pytest.mark.spec("CRD-8", "ENT-4")
def test_what_was_taken_for_the_running_period__is_there_again_and_no_more() -> None:
    gift = grant("gift", balance="30", effective_at=MARCH.start_at)
    gift = replace(gift, taken=(taken(MARCH, "50"), taken(FIRST_PART, "20")))

    assert before_invoices(gift, APRIL).balance == 50
    assert before_invoices(gift, CUT).balance == 30


@pytest.mark.spec("CRD-8", "ENT-4")
def test_line_of_a_period_that_began_earlier__is_known_of_a_grant_that_began_since_alone() -> None:
    long = (taken(Interval(MARCH.start_at, CUT), "20"),)
    older = grant("older", balance="30", effective_at=MARCH.start_at)
    newer = grant("newer", balance="30", effective_at=APRIL)

    assert before_invoices(replace(older, taken=long), APRIL).balance == 30
    assert before_invoices(replace(newer, taken=long), APRIL).balance == 50


@pytest.mark.spec("CRD-8", "CRD-9", "ENT-4")
def test_drafts_that_promise_more_than_there_is__take_what_there_is() -> None:
    gift = grant("gift", balance="30", effective_at=MARCH.start_at)

    got = less_promised(gift, [taken(MARCH, "20"), taken(FIRST_PART, "20")])

    assert got.balance == 0
    assert before_invoices(got, APRIL).balance == 10
