"""Invoices and credit notes as documents: pages, repeated headers, texts in every script, the same bytes (INV-1)."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from pypdf import PdfReader

from candela_server.billing.credit_note import (
    CreditNote,
    CreditNoteId,
    CreditNoteLine,
    CreditNoteReason,
    Purpose,
)
from candela_server.billing.model import (
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTransitionRefusedError,
    LineId,
    TaxTerms,
)
from candela_server.billing.render_pdf import render_credit_note_pdf, render_pdf
from candela_server.credit.model import Draw, GrantId

from tests.helpers.invoices import FINALIZED_AT, invoice, line

D = Decimal
WORLD = {
    "Arabic": ("شركة الشموع للبرمجيات", "NotoSansArabic"),
    "Chinese": ("北京烛光科技有限公司", "NotoSansCJK"),
    "Devanagari": ("कैंडेला सॉफ्टवेयर", "NotoSansDevanagari"),
    "Japanese": ("キャンデラ株式会社", "NotoSansCJK"),
    "Korean": ("주식회사 칸델라", "NotoSansCJK"),
    "Hebrew": ("קנדלה בעמ", "NotoSansHebrew"),
    "Thai": ("บริษัท แคนเดลา", "NotoSansThai"),
    "Cyrillic": ("Кандела", "NotoSans"),
    "Greek": ("Καντέλα", "NotoSans"),
}


def pages(pdf: bytes) -> list[str]:
    """The text of each page, in which a place to break a word is nothing."""
    return [page.extract_text().replace("\u200b", "") for page in PdfReader(io.BytesIO(pdf)).pages]


def fonts(pdf: bytes) -> set[str]:
    """The names of the embedded fonts, without their subset's prefix."""
    found: set[str] = set()
    for page in PdfReader(io.BytesIO(pdf)).pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            found.add(str(font.get_object()["/BaseFont"]).rpartition("+")[2])
    return found


@pytest.mark.spec("INV-1", "INV-8")
def test_invoice_of_one_line__is_one_page_with_every_amount() -> None:
    one = invoice(
        line("a", "1234.50", quantity="1000", unit_name="messages", unit_amount="1.2345"),
        tax_percent="19",
        tax_amount="234.56",
    )

    [text] = pages(render_pdf(one))

    for shown in (
        "INV-000042",
        "1 March 2026",
        "31 March 2026",
        "1,000 messages",
        "1.2345",
        "1,234.50",
        "Tax 19 %",
        "234.56",
        "Total USD",
        "1,469.06",
        "Page 1 of 1",
    ):
        assert shown in text, shown


@pytest.mark.spec("INV-1")
def test_invoice_of_200_lines__repeats_its_header_and_shows_each_line_once() -> None:
    many = invoice(*[line(str(n), f"{n}.25", description=f"Item {n:03d}.") for n in range(1, 201)])

    texts = pages(render_pdf(many))

    assert len(texts) == 5
    for number, text in enumerate(texts, 1):
        assert "Description" in text
        assert "Unit price" in text
        assert f"Page {number} of 5" in text
    whole = "\n".join(texts)
    assert [whole.count(f"Item {n:03d}.") for n in range(1, 201)] == [1] * 200
    assert texts[-1].count("Total USD") == whole.count("Total USD") == 1
    assert "20,150.00" in texts[-1]  # 1 + 2 + … + 200 = 20,100, and 200 × 0.25


@pytest.mark.spec("INV-1")
@pytest.mark.parametrize("script", WORLD)
def test_names_in_any_script__are_drawn_by_fonts_that_come_along(script: str) -> None:
    name, font = WORLD[script]
    one = invoice(line("a", "1.00", description=name), buyer={"name": name})

    pdf = render_pdf(one)
    [text] = pages(pdf)

    assert any(found.startswith(font) for found in fonts(pdf)), fonts(pdf)
    # What no font has is drawn as a box, from the first font, and cannot be read back.
    assert not {"\ufffd", "\x00"} & set(text)
    if script not in {"Arabic", "Hebrew", "Devanagari", "Thai"}:  # read back in visual order
        assert name in text


@pytest.mark.spec("INV-1")
@pytest.mark.parametrize(
    ("country", "font"), [("CN", "SC"), ("TW", "TC"), ("JP", "JP"), ("KR", "KR"), ("HK", "HK")]
)
def test_han_characters__have_the_forms_of_the_buyers_country(country: str, font: str) -> None:
    buyer = {
        "name": "直",
        "address": {"country": country, "region": "", "city": "", "postal_code": "", "lines": []},
    }

    assert any(
        f"NotoSansCJK{font.lower()}" in found for found in fonts(render_pdf(invoice(buyer=buyer)))
    )


@pytest.mark.spec("INV-1")
def test_words_that_no_column_is_wide_enough_for__are_broken_and_lose_nothing() -> None:
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    one = invoice(
        line("a", "1.00", description=long, quantity="123456789012.123456", unit_name="x" * 40),
        buyer={"name": "X" * 200},
    )

    [text] = pages(render_pdf(one))
    together = text.replace("\n", "")

    assert long in together
    assert "X" * 200 in together
    assert "123,456,789,012.123456" in together


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [("JPY", "1234", "1,234"), ("USD", "1234.5", "1,234.50"), ("KWD", "1234.5", "1,234.500")],
)
def test_amounts__have_as_many_decimals_as_the_currency(
    currency: str, amount: str, shown: str
) -> None:
    [text] = pages(render_pdf(invoice(line("a", amount), currency=currency)))

    assert f"Total {currency}" in text
    assert shown in text


@pytest.mark.spec("INV-1", "CRD-7")
def test_credits__are_negative_lines_that_say_which_grants_paid() -> None:
    credit: InvoiceLine = replace(
        line("c", "-20.00", source="u", description="Messages: 100 included"),
        draws=(Draw(GrantId("grant_7"), D(100)),),
    )

    [text] = pages(render_pdf(invoice(line("u", "30.00"), credit)))

    assert "−20.00" in text
    assert "100 from grant_7" in text


@pytest.mark.spec("INV-6")
def test_what_the_account_paid__is_taken_off_the_amount_due() -> None:
    [text] = pages(render_pdf(invoice(due="60.00"), from_account=D(40)))

    assert "Paid from your account" in text
    assert "−40.00" in text
    assert "60.00" in text


@pytest.mark.spec("INV-1")
def test_invoice_drawn_again_after_it_was_paid__is_the_same_document() -> None:
    sent: Invoice = invoice()
    paid = replace(sent, status=InvoiceStatus.PAID, amount_due=D(0), ended_at=FINALIZED_AT)

    assert render_pdf(sent) == render_pdf(sent) == render_pdf(paid)


@pytest.mark.spec("INV-6")
def test_void_invoice__says_so() -> None:
    [text] = pages(render_pdf(invoice(status=InvoiceStatus.VOID, due="0")))

    assert "VOID" in text


@pytest.mark.spec("INV-1")
def test_draft__is_not_drawn() -> None:
    with pytest.raises(InvoiceTransitionRefusedError, match="cannot be rendered; finalize it"):
        render_pdf(invoice(status=InvoiceStatus.DRAFT))


@pytest.mark.spec("INV-6")
def test_credit_note__is_a_document_of_its_own_that_names_the_invoice() -> None:
    corrected = invoice(line("a", "100.00"), tax_percent="19", tax_amount="19.00")
    note = CreditNote(
        id=CreditNoteId("cn_1"),
        number="CN-000007",
        invoice_id=corrected.id,
        customer_id=corrected.customer_id,
        currency="USD",
        tax=corrected.tax,
        lines=(
            CreditNoteLine(
                invoice_line_id=LineId("line_a"), amount=D("50.00"), tax_amount=D("9.50")
            ),
        ),
        purpose=Purpose.REFUND,
        reason=CreditNoteReason.OTHER,
        memo="Half of February was not usable.",
        grant_id=None,
        created_at=FINALIZED_AT,
    )

    pdf = render_credit_note_pdf(note, corrected)
    [text] = pages(pdf)

    for shown in ("Credit note", "CN-000007", "INV-000042", "−50.00", "−9.50", "−59.50"):
        assert shown in text, shown
    assert "Half of February was not usable." in text
    assert pdf == render_credit_note_pdf(note, corrected)


@pytest.mark.spec("TAX-2", "INV-1")
def test_tax_line__says_name_rate_and_whose_it_is() -> None:
    taxed = invoice(
        line("a", "100.00"),
        tax=TaxTerms(percent=D(19), reason="", name="USt", country="DE"),
        tax_amount="19.00",
    )

    [text] = pages(render_pdf(taxed))

    assert "USt 19 % (DE)" in text
    assert "119.00" in text


@pytest.mark.spec("TAX-2", "INV-8")
def test_prices_with_tax__show_the_base_and_the_tax_that_add_up_to_the_total() -> None:
    taxed = invoice(
        line("a", "100.00"),
        tax=TaxTerms(percent=D(19), reason="", name="USt", country="DE", inclusive=True),
        tax_amount="15.97",
    )

    [text] = pages(render_pdf(taxed))

    for shown in ("Total before tax", "84.03", "15.97", "100.00", "contain the tax"):
        assert shown in text, shown
    assert "115.97" not in text


@pytest.mark.spec("TAX-2", "INV-1")
def test_reverse_charge__is_named_with_both_tax_ids() -> None:
    taxed = invoice(
        line("a", "100.00"),
        tax=TaxTerms(percent=D(0), reason="reverse_charge", country="FR"),
        seller={"name": "Kerze", "tax_id": "DE136695976"},
        buyer={"name": "Bougie", "tax_id": "FR40303265045"},
    )

    [text] = pages(render_pdf(taxed))

    for shown in ("Reverse charge", "reverse_charge", "DE136695976", "FR40303265045"):
        assert shown in text, shown
