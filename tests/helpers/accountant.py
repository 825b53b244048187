"""An accountant who has nothing but the text of an invoice's PDF, and computes each of its lines anew (INV-1).

Shares no code with what is checked: reads the texts between the table's head and its sum, takes every equation for what
it says, and follows it to the amount.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from pypdf import PdfReader

_NUMBER = r"[−-]?[\d,]+(?:\.\d+)?"
_OPERAND = rf"{_NUMBER}(?: of {_NUMBER} free)?(?: [a-z][a-z ]*)?"
_EQUATION = rf"(?P<left>{_OPERAND}(?: (?:×|−|\+|/|% of) {_OPERAND})*) = (?P<right>{_NUMBER})"
_BOUND = rf"(?P<word>minimum|maximum) (?P<whole>{_NUMBER}), instead of (?P<other>{_NUMBER})"
_CUT_BOUND = (
    rf"(?P<cut_word>minimum|maximum) (?P<cut>{_EQUATION}), instead of (?P<cut_other>{_NUMBER})"
)
_STEP = re.compile(
    "|".join(
        [
            _CUT_BOUND.replace("<left>", "<cut_left>").replace("<right>", "<cut_right>"),
            _BOUND,
            _EQUATION,
        ]
    )
)
_DISCOUNT = re.compile(rf"; [^;:]*: −({_NUMBER})")
_TERM = re.compile(rf"(?P<number>{_NUMBER})|(?P<sign>×|−|\+|/|% of)")


_CELL = rf"(?P<quantity>{_NUMBER})(?: [a-z]+)?(?: (?P<price>{_NUMBER}))? (?P<amount>{_NUMBER})"
_CELLS = re.compile(_CELL)
_WITH_CELLS = re.compile(
    rf"(?P<text>.*?[A-Z][a-z]+ 20\d\d(?:, \d+ of \d+ days)?(?:; [^;:]*: −{_NUMBER})*) {_CELL}"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line as it is printed."""

    text: str
    quantity: str
    unit_price: str | None
    amount: str


def recompute(pdf: bytes, *, minor_unit: Decimal) -> tuple[Fraction, Fraction]:
    """What an invoice of one line asks for, and what its text comes to. Fails where an equation does not hold."""
    row = _row(pdf)
    half = Fraction(minor_unit) / 2
    result: Fraction | None = None
    model: list[Fraction] = []
    for step in _STEP.finditer(row.text):
        found = step.groupdict()
        if found["right"]:
            left, right = _value(found["left"]), number(found["right"])
            assert left == right or ("/" in found["left"] and abs(left - right) <= half), step[0]
            result = right
            model.append(right)
            continue
        word, other = found["word"] or found["cut_word"], found["other"] or found["cut_other"]
        # Nothing charged has no equation.
        assert number(other) in model or not number(other), step[0]
        if found["cut"]:
            result = number(found["cut_right"])
            assert abs(_value(found["cut_left"]) - result) <= half, step[0]
        else:
            result = number(found["whole"])
        assert result > number(other) if word == "minimum" else result < number(other), step[0]
    if result is None:
        result = _product(row)
    off = sum((number(one) for one in _DISCOUNT.findall(row.text)), Fraction(0))
    return number(row.amount), _rounded(result, Fraction(minor_unit)) - off


def number(text: str) -> Fraction:
    """A number as documents print it."""
    return Fraction(text.replace(",", "").replace("−", "-"))


def _row(pdf: bytes) -> Row:
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    # A place where a word may be broken is nothing.
    text = re.sub("\u200b\n?", "", text)
    body = re.split(r"Unit price Amount\n", text, maxsplit=1)[1].split("Subtotal ")[0]
    body = re.sub(r"\S+ Page \d+ of \d+\n.*?Unit price Amount\n", "", body, flags=re.S)
    *described, cells = (one.strip() for one in body.strip().split("\n"))
    if found := _CELLS.fullmatch(cells):
        return Row(" ".join(described), found["quantity"], found["price"], found["amount"])
    # Where nothing is computed, they follow the description on its line.
    found = _WITH_CELLS.fullmatch(" ".join([*described, cells]))
    assert found, body
    return Row(found["text"], found["quantity"], found["price"], found["amount"])


def _product(row: Row) -> Fraction:
    """Quantity times unit price, where both are all there is; nothing was charged where there is no price."""
    product = number(row.quantity) * number(row.unit_price or "0")
    return -product if number(row.amount) < 0 < product else product


def _value(expression: str) -> Fraction:
    """The left side of an equation, with × and / before + and −; words and what is in "of N free" are left out."""
    terms = [Fraction(0)]
    factor, sign = "+", "+"
    for term in _TERM.finditer(re.sub(rf" of {_NUMBER} free", "", expression)):
        if term["sign"]:
            sign = term["sign"]
            if sign in "+−":
                factor = sign
            continue
        value = number(term["number"])
        if sign in "+−":
            terms.append(value if factor == "+" else -value)
        elif sign == "/":
            terms[-1] /= value
        else:
            terms[-1] *= value / 100 if sign == "% of" else value
    return sum(terms, Fraction(0))


def _rounded(value: Fraction, unit: Fraction) -> Fraction:
    """Half away from zero."""
    units = abs(value) / unit
    whole = (units + Fraction(1, 2)).__floor__() * unit
    return whole if value >= 0 else -whole
