"""How many digits a calculation keeps: so many that nothing a caller may send is ever rounded by accident (INV-8).

Python's own default is 28 digits and silent rounding, while a quantity may have 38: a balance less its usage would be
off in the last places, and what is compared with the database's exact sums would never agree with them again.
"""

from __future__ import annotations

import decimal
from typing import Final

DIGITS: Final = 120
"""The product of three of the longest numbers a caller may send (38 digits each) still fits."""


def keep_every_digit() -> None:
    """From now on arithmetic of this process keeps `DIGITS` digits: in this thread, and in those that begin later.

    Where a lost digit would be a defect, `money.exact()` makes it an error besides.
    """
    decimal.DefaultContext.prec = DIGITS
    decimal.getcontext().prec = DIGITS
