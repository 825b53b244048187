"""All that is sold in the simulated year, in the order in which it is put on sale."""

from __future__ import annotations

from .overridden import FORMER, OVERRIDDEN
from .sold import Sold
from .wares import PLANS

PRICES: tuple[Sold, ...] = (*PLANS, *FORMER, *OVERRIDDEN)
"""What a plan was sold for before comes before it."""
