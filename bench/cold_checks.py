"""Checks of customers that nobody asked about before, and what large catalogs and overrides cost."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import redis
from candela import Client
from candela.catalog.v1 import feature_pb2, feature_service_pb2
from candela.subscription.v1 import feature_override_pb2

from .harness import Row, quantile, row, say
from .stage import Stage

CUSTOMERS = 1_000
"""So many that single hiccups of the machine do not decide what the slowest hundredth is."""

FEATURE = "premium-messages"
MANY_FEATURES = 1_000
OVERRIDES = 10


def rows(stage: Stage) -> list[Row]:
    """The cold row; the others are told."""
    with Client(stage.address, stage.key) as client:
        return [_cold(stage, client), *_large(stage, client)]


def _cold(stage: Stage, client: Client) -> Row:
    say(f"cold checks: {CUSTOMERS:,} customers nobody asked about, Redis empty")
    user_ids = stage.add_crowd(client, "cold", CUSTOMERS).user_ids
    with redis.Redis.from_url(stage.redis_url) as memory:
        memory.flushall()
    latencies = _latencies(client, user_ids)
    say(
        f"cold check: p50 {quantile(latencies, 0.5):.1f} ms, p99 {quantile(latencies, 0.99):.1f} ms"
    )
    return row(
        "cold check, all caches empty (p99, ms) : 15 ms",
        quantile(latencies, 0.99),
        15,
        1,
        at_most=True,
    )


def _large(stage: Stage, client: Client) -> list[Row]:
    """The same with a thousand features in the catalog, and with ten overrides on a subscription."""
    before = _warm(client, stage.user_ids)
    [overridden] = stage.add_customers(client, "overridden", 1)
    slugs = [f"extra-{number}" for number in range(MANY_FEATURES)]
    say(f"adding {MANY_FEATURES} features and {OVERRIDES} overrides")
    for slug in slugs:
        client.features.CreateFeature(
            feature_service_pb2.CreateFeatureRequest(
                feature=feature_pb2.NewFeature(
                    slug=slug, name=slug, type=feature_pb2.FEATURE_TYPE_BOOLEAN
                )
            )
        )
    held = stage.subscription_of(client, overridden)
    for slug in slugs[:OVERRIDES]:
        client.subscriptions.SetFeatureOverride(
            feature_override_pb2.SetFeatureOverrideRequest(
                subscription_id=held,
                feature=feature_pb2.FeatureRef(slug=slug),
                value=feature_pb2.FeatureValue(boolean=True),
            )
        )
    cold = _latencies(client, stage.user_ids)
    after, with_overrides = _warm(client, stage.user_ids), _warm(client, [overridden])
    say(
        f"with {MANY_FEATURES} features: cold p50 {quantile(cold, 0.5):.1f} ms; "
        f"warm p50 {after:.3f} ms against {before:.3f} ms with three; "
        f"with {OVERRIDES} overrides {with_overrides:.3f} ms"
    )
    return [
        row(
            f"warm check with {MANY_FEATURES} features (p50, ms) : with three",
            after,
            before,
            1.1,
            at_most=True,
        ),
        row(
            f"warm check with {OVERRIDES} overrides (p50, ms) : without",
            with_overrides,
            after,
            1.1,
            at_most=True,
        ),
    ]


def _latencies(client: Client, user_ids: Sequence[str]) -> list[float]:
    """One check of each, in milliseconds, as the caller sees it."""
    latencies = []
    for user_id in user_ids:
        started = time.perf_counter()
        client.check_feature(FEATURE, user_id=user_id)
        latencies.append((time.perf_counter() - started) * 1e3)
    return sorted(latencies)


def _warm(client: Client, user_ids: Sequence[str]) -> float:
    _latencies(client, user_ids)
    return statistics.median(_latencies(client, [*user_ids] * (400 // len(user_ids))))
