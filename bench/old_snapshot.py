"""What a long transaction elsewhere costs ingestion: a backup, a report, a replica that is asked."""

from __future__ import annotations

import psycopg

from . import paced_stream
from .harness import Row, interleave, quantile, row, say
from .stage import Stage


def beside_an_old_snapshot(stage: Stage, rate: float, *, rounds: int, seconds: float) -> Row:
    """Half of all acknowledgements while somebody's snapshot has been kept for `seconds` and is kept as long again,
    against none; in both, the second of two runs at a steady rate is counted."""
    say(f"the same while another transaction goes on, {rounds} rounds")

    def median_ms() -> float:
        paced_stream.latencies_ms(stage, rate, seconds)
        return quantile(paced_stream.latencies_ms(stage, rate, seconds), 0.5)

    def beside() -> float:
        with psycopg.connect(stage.database_url) as reporting:
            reporting.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            reporting.execute("SELECT 1")
            return median_ms()

    slowed, alone = interleave(beside, median_ms, rounds)
    return row(
        f"acknowledgement beside a transaction of {2 * seconds:.0f} s (p50, ms) : beside none",
        slowed,
        alone,
        3,
        at_most=True,
    )
