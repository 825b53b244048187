"""Draws samples of the documents as pictures, for whoever edits billing/document.typ.

.venv/bin/python -m tests.helpers.draw_samples FOLDER
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import typst

from candela_server.billing.credit_note import (
    CreditNote,
    CreditNoteId,
    CreditNoteLine,
    CreditNoteReason,
    Purpose,
)
from candela_server.billing.model import Invoice, InvoiceStatus, LineId, TaxTerms
from candela_server.billing.render_pdf import sources_of
from candela_server.billing.rules.document_texts import credit_note_texts, invoice_texts

from tests.helpers.invoices import FINALIZED_AT, invoice, line

_PPI = 90
_LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def address(country: str, city: str, street: str) -> dict[str, object]:
    """An address as invoices keep it."""
    return {
        "country": country,
        "region": "",
        "city": city,
        "postal_code": "10115",
        "lines": [street],
    }


def samples() -> dict[str, Invoice]:
    """An invoice for each thing that a template can get wrong."""
    seller = {"name": "Candela GmbH", "tax_id": "DE1", "address": address("DE", "Berlin", "Weg 1")}
    kuwait = {"name": "شركة الشموع للبرمجيات", "address": address("KW", "الكويت", "شارع 12")}
    beijing = {"name": "北京烛光科技有限公司", "business_name": "कैंडेला सॉफ्टवेयर प्राइवेट लिमिटेड"}
    return {
        "one-line": invoice(line("a", "100.00"), tax_percent="19", tax_amount="19.00"),
        "tax-included": invoice(
            line("a", "119.00"),
            tax=TaxTerms(percent=Decimal(19), reason="", name="USt", country="DE", inclusive=True),
            tax_amount="19.00",
            seller=seller,
        ),
        "reverse-charge": invoice(
            line("a", "100.00"),
            tax=TaxTerms(percent=Decimal(0), reason="reverse_charge", country="FR"),
            seller=seller,
            buyer={
                "name": "Bougie SARL",
                "tax_id": "FR40303265045",
                "address": address("FR", "Lyon", "Rue 3"),
            },
        ),
        "200-lines": invoice(
            *[line(str(n), f"{n}.25", quantity=str(n * 35), unit_amount="0.2") for n in range(200)],
            seller=seller,
        ),
        "long-names-void": invoice(
            line("a", "123456789.00", description=_LONG * 2, quantity="123456789012.123456"),
            line("b", "-10.00", source="a"),
            buyer={"name": "X" * 200},
            tax_reason="b2c_tax_not_supported",
            status=InvoiceStatus.VOID,
        ),
        "every-script": invoice(
            line("a", "12.345", description="رسائل مميزة × 12"),
            line("b", "1.000", description="プレミアム · 프리미엄 · 高级消息 · प्रीमियम · ข้อความ"),
            currency="KWD",
            seller=kuwait,
            buyer={**beijing, "address": address("CN", "北京市", "建国路 88 号")},
        ),
    }


def main(folder: Path) -> None:
    """Writes NAME-PAGE.png of every sample."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {
        name: (one, invoice_texts(one, from_account=Decimal(0))) for name, one in samples().items()
    }
    corrected = samples()["one-line"]
    note = CreditNote(
        id=CreditNoteId("cn_1"),
        number="CN-000007",
        invoice_id=corrected.id,
        customer_id=corrected.customer_id,
        currency="USD",
        tax=corrected.tax,
        lines=(
            CreditNoteLine(
                invoice_line_id=LineId("line_a"),
                amount=Decimal("50.00"),
                tax_amount=Decimal("9.50"),
            ),
        ),
        purpose=Purpose.REFUND,
        reason=CreditNoteReason.OTHER,
        memo="Half of February was not usable.",
        grant_id=None,
        created_at=FINALIZED_AT,
    )
    drawn["credit-note"] = (corrected, credit_note_texts(note, corrected))
    for name, (one, texts) in drawn.items():
        # One page comes as its bytes alone, several as a list, whatever the stubs say.
        pages: Any = typst.compile(**sources_of(texts, one), format="png", ppi=_PPI)
        for number, png in enumerate(pages if isinstance(pages, list) else [pages], 1):
            (folder / f"{name}-{number}.png").write_bytes(png)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
