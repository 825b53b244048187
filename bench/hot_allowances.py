"""Consuming one customer's allowance by many callers at once, against as many callers with a customer each (ENT-9)."""

from __future__ import annotations

from .ghz import Ghz
from .harness import Row, interleave, row, say
from .stage import Stage

CALLERS = 50
FEATURE = "premium-messages"
CONSUME = "candela.entitlement.v1.ReservationService/Consume"


def rows(stage: Stage, ghz: Ghz, *, rounds: int, seconds: float) -> list[Row]:
    """The one row: a hot key must not make a convoy."""
    say(f"Consume by {CALLERS} callers: of one customer, and of {CALLERS}")

    def rate_of(user: str) -> float:
        # Every call is a new request: a key that was used before would only repeat its answer.
        question = {"external_user_id": user, "feature": FEATURE, "idempotency_key": "{{.UUID}}"}
        return ghz.run(CONSUME, question, stage.address, seconds=seconds, concurrency=CALLERS).rate

    hot, spread = stage.user_ids[0], f"user-{{{{randomInt 0 {CALLERS}}}}}"
    rate_of(hot)
    rate_of(spread)
    together, apart = interleave(lambda: rate_of(hot), lambda: rate_of(spread), rounds)
    say(f"of one customer {together:,.0f} calls/s, of {CALLERS} customers {apart:,.0f}")
    return [
        row(
            f"Consume of one customer by {CALLERS} callers (calls/s) : of {CALLERS} customers",
            together,
            apart,
            0.8,
        )
    ]
