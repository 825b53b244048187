"""`scripts/bench`: every row is a ratio of two things measured side by side in this run."""

from __future__ import annotations

import argparse
import os

from . import billing, entitlement, metering
from .harness import Row, show
from .stage import stage

AREAS = ("entitlement", "metering", "billing")


def main() -> int:
    """Prints the table; 0 whether or not goals are met, as a figure is no failure."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "areas", nargs="*", metavar="AREA", help=f"{', '.join(AREAS)}; all when none is named"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that it runs")
    options = parser.parse_args()
    unknown = set(options.areas) - set(AREAS)
    if unknown:
        parser.error(f"no such area: {', '.join(sorted(unknown))}; there are {', '.join(AREAS)}")
    wanted = options.areas or AREAS
    rows: list[Row] = []
    with stage(os.environ.get("CANDELA_BENCH_POSTGRES_DSN")) as made:
        if "entitlement" in wanted:
            rounds, seconds = (2, 1.0) if options.quick else (6, 4.0)
            rows += entitlement.rows(made, rounds=rounds, seconds=seconds)
        if "metering" in wanted:
            rounds, events = (2, 20_000) if options.quick else (4, metering.EVENTS)
            soak = 200_000 if options.quick else 5_000_000
            rows += metering.rows(made, rounds=rounds, events=events, soak_events=soak)
        if "billing" in wanted:
            rounds, many = (2, 1_000) if options.quick else (4, 10_000)
            rows += billing.rows(
                made, rounds=rounds, few=many // 100, many=many, alone=many // 40, pdfs=many // 50
            )
    show(rows, as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
