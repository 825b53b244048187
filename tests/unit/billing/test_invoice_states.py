"""The table of an invoice's states, cell by cell (INV-1, INV-7)."""

from __future__ import annotations

import itertools

import pytest

from candela_server.billing.model import InvoiceStatus, InvoiceTransitionRefusedError
from candela_server.billing.rules.invoice_states import TRANSITIONS, InvoiceAct, after

from tests.helpers.invoices import invoice

# As an accountant would write it: a row per state, the state afterwards per act, "-" where it is refused.
#            FINALIZE    RENDER        PAY    VOID   WRITE_OFF      REISSUE  REDUCE       CREDIT  REFUND
_BOOK = """
draft         finalized  -             -      -      -              -        -            -       -
finalized     -          finalized     paid   void   uncollectible  void     finalized    -       -
paid          -          paid          -      -      -              -        -            paid    paid
void          -          void          -      -      -              void     -            -       -
uncollectible -          uncollectible -      -      -              -        -            -       -
"""
_ACTS = (
    InvoiceAct.FINALIZE,
    InvoiceAct.RENDER,
    InvoiceAct.PAY,
    InvoiceAct.VOID,
    InvoiceAct.WRITE_OFF,
    InvoiceAct.REISSUE,
    InvoiceAct.REDUCE,
    InvoiceAct.CREDIT,
    InvoiceAct.REFUND,
)
_CELLS = [
    (InvoiceStatus(row[0]), act, None if cell == "-" else InvoiceStatus(cell))
    for row in (line.split() for line in _BOOK.strip().splitlines())
    for act, cell in zip(_ACTS, row[1:], strict=True)
]


@pytest.mark.spec("INV-1", "INV-6", "INV-7")
@pytest.mark.parametrize(("status", "act", "want"), _CELLS)
def test_act_on_an_invoice__leads_where_the_table_says_or_is_refused_by_name(
    status: InvoiceStatus, act: InvoiceAct, want: InvoiceStatus | None
) -> None:
    one = invoice(status=status)

    if want is not None:
        assert after(one, act) is want
        return
    with pytest.raises(InvoiceTransitionRefusedError) as refused:
        after(one, act)
    assert refused.value.metadata["from"] == status
    assert refused.value.metadata["to"] == act
    assert f"is {status} and cannot be {act}; " in refused.value.message


@pytest.mark.spec("INV-1")
def test_table__has_every_state_and_act_and_nothing_else() -> None:
    assert {(status, act) for status, act, _ in _CELLS} == set(
        itertools.product(InvoiceStatus, InvoiceAct)
    )
    assert set(TRANSITIONS) == {(status, act) for status, act, want in _CELLS if want}


@pytest.mark.spec("INV-1")
def test_ended_invoice__is_never_open_again() -> None:
    ended = {InvoiceStatus.PAID, InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE}

    for (status, _), to in TRANSITIONS.items():
        assert status not in ended or to is status
