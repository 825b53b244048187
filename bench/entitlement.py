"""Checks: unary Check of a usage feature, warm and with auth, against a bare echo; batches; cold; memory."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from candela import Client
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from . import busy_checks, cold_checks, hot_allowances, local_checks, snapshot_memory
from .ghz import Ghz, Report
from .harness import (
    SERVER_CORE,
    Row,
    cpu_seconds,
    free_port,
    interleave,
    process,
    row,
    say,
    wait_for,
)
from .stage import Stage

CONCURRENCY = 32
BATCH = 100
CUSTOMERS = 5_000
FEATURE = "premium-messages"
CHECK = "candela.entitlement.v1.EntitlementService/Check"
CHECK_MANY = "candela.entitlement.v1.EntitlementService/CheckMany"


@dataclass(frozen=True, slots=True)
class _Target:
    """A server, and what it is asked."""

    ghz: Ghz
    address: str
    pid: int
    method: str
    data: object

    def load(self, seconds: float, rate: float | None = None) -> tuple[Report, float]:
        """A run, and the server's processor time per call in microseconds."""
        before = cpu_seconds(self.pid)
        report = self.ghz.run(
            self.method,
            self.data,
            self.address,
            seconds=seconds,
            concurrency=CONCURRENCY,
            rate=rate,
        )
        return report, (cpu_seconds(self.pid) - before) / report.calls * 1e6


def rows(stage: Stage, *, rounds: int, seconds: float) -> list[Row]:
    """All rows of the area."""
    ghz = Ghz(stage.folder, stage.key)
    with Client(stage.address, stage.key) as client:
        say(f"a crowd of {CUSTOMERS:,} customers, each asked about once")
        crowd = stage.add_crowd(client, "crowd", CUSTOMERS)
        for user_id in crowd.user_ids:
            answer: pb.CheckResponse = client.check_feature(FEATURE, user_id=user_id)
    # The load generator draws a customer for every question.
    question = {
        "external_user_id": f"{crowd.prefix}{{{{randomInt 1 {CUSTOMERS + 1}}}}}",
        "feature": FEATURE,
    }
    check = _Target(ghz, stage.address, stage.server_pid, CHECK, question)
    with _echo(stage, answer) as (address, pid):
        echo = _Target(ghz, address, pid, CHECK, question)
        found = _unary(replace(stage, user_ids=crowd.user_ids), check, echo, rounds, seconds)
    found += _batches(check, question, crowd.user_ids, rounds, seconds)
    found += local_checks.rows(stage, crowd, rounds=rounds)
    found += hot_allowances.rows(stage, ghz, rounds=rounds, seconds=seconds)
    found += cold_checks.rows(stage)
    found += snapshot_memory.rows(stage)
    return found


def _unary(stage: Stage, check: _Target, echo: _Target, rounds: int, seconds: float) -> list[Row]:
    say(f"unary Check against a bare echo: {rounds} rounds of {seconds:.0f} s each")
    costs: dict[str, list[float]] = {"check": [], "echo": []}

    def rate(name: str, target: _Target) -> float:
        report, cost = target.load(seconds)
        costs[name].append(cost)
        return report.rate

    rate("check", check)
    rate("echo", echo)
    fast, bare = interleave(lambda: rate("check", check), lambda: rate("echo", echo), rounds)
    say(
        "server processor time: "
        f"{median(costs['check']):.0f} µs per Check, {median(costs['echo']):.0f} µs per echo"
    )
    half = bare / 2
    say(f"the same at half the echo's rate, {half:,.0f} calls/s")

    def check_p99_ms() -> float:
        return check.load(seconds / 2, half)[0].p99_ms

    def echo_p99_ms() -> float:
        return echo.load(seconds / 2, half)[0].p99_ms

    # Single tails differ by a factor of two from round to round: many short rounds tell more than few long ones.
    late, bare_late = interleave(check_p99_ms, echo_p99_ms, 4 * rounds)
    return [
        row("unary Check, warm, usage feature (calls/s) : bare echo", fast, bare, 0.90),
        row("the same at half load (p99, ms) : bare echo", late, bare_late, 1.25, at_most=True),
        busy_checks.row_of(stage, check_p99_ms, echo_p99_ms, 2 * rounds),
    ]


def _batches(
    check: _Target, question: object, user_ids: Sequence[str], rounds: int, seconds: float
) -> list[Row]:
    """CheckMany of 100 customers' usage features: what one answer costs the server, against a Check of its own.

    Once it is the same batch each time, as a page asks that shows the same things again. Once each of the 100 is drawn
    for every call, so that no batch comes twice: what is known of thousands of customers does not stay in the
    processor's caches, and each answer waits for memory some twenty times, which no lone Check notices.
    """
    found = []
    for name, questions, goal in (
        (
            "the same CheckMany of 100 each time",
            [{"external_user_id": one, "feature": FEATURE} for one in user_ids[:BATCH]],
            40,
        ),
        ("CheckMany of 100 drawn afresh", [question] * BATCH, 20),
    ):
        say(f"{name}, against as many checks: processor time of the server")
        batch = _Target(check.ghz, check.address, check.pid, CHECK_MANY, {"checks": questions})
        batch.load(seconds)
        single, batched = interleave(
            lambda: check.load(seconds)[1], partial(_of_one, batch, seconds), rounds
        )
        found.append(row(f"Check (µs of the server) : one within {name}", single, batched, goal))
    return found


def _of_one(batch: _Target, seconds: float) -> float:
    return batch.load(seconds)[1] / BATCH


@contextmanager
def _echo(stage: Stage, answer: pb.CheckResponse) -> Iterator[tuple[str, int]]:
    """A bare server that sends this answer, pinned where Candela's is."""
    address = f"127.0.0.1:{free_port()}"
    encoded = base64.b64encode(answer.SerializeToString()).decode()
    with process(
        [sys.executable, "-m", "bench.echo_server", address, encoded],
        stage.environment,
        core=SERVER_CORE,
        log=stage.folder / "echo.log",
    ) as pid:
        wait_for(address)
        yield address, pid
