"""Checks inside the caller's process, against a nested-map look-up and the network; and how soon changes come."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import timedelta

from candela import AsyncClient, Client
from candela.catalog.v1 import feature_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from candela.subscription.v1 import feature_override_pb2

from .harness import Row, interleave, row, say
from .stage import Stage

FEATURE = "advanced-analytics"
LOOKUPS = 200_000
STREAMS = 200
CHANGES = 20
PATIENCE_S = 10.0


def rows(stage: Stage, *, rounds: int) -> list[Row]:
    """Local checks and watching."""
    found = _local(stage, rounds)
    say(f"a change, seen by {STREAMS} streams, {CHANGES} times")
    latencies = sorted(asyncio.run(_watch(stage)))
    p99_ms = latencies[int(len(latencies) * 0.99)] * 1e3
    say(f"change to watcher: p50 {statistics.median(latencies) * 1e3:.0f} ms, p99 {p99_ms:.0f} ms")
    found.append(
        row(
            f"change to every one of {STREAMS} watchers (p99, ms) : 100",
            p99_ms,
            100,
            1,
            at_most=True,
        )
    )
    return found


def _local(stage: Stage, rounds: int) -> list[Row]:
    say(f"local checks of a boolean feature: {LOOKUPS:,} a round")
    users = stage.user_ids
    with Client(stage.address, stage.key) as client, client.local() as local:
        if not local.wait_until_current(timedelta(seconds=30)):
            raise RuntimeError("the local state never became current")
        assert local.is_feature_entitled(FEATURE, user_id=users[0]), "the plan Team has the feature"
        states = {user: {FEATURE: True} for user in users}

        def ask_local() -> float:
            ask, count = local.is_feature_entitled, len(users)
            started = time.perf_counter()
            for number in range(LOOKUPS):
                ask(FEATURE, user_id=users[number % count])
            return (time.perf_counter() - started) / LOOKUPS * 1e9

        def look_up(feature: str, *, user_id: str) -> bool:
            return states[user_id][feature]

        def ask_map() -> float:
            ask, count = look_up, len(users)
            started = time.perf_counter()
            for number in range(LOOKUPS):
                ask(FEATURE, user_id=users[number % count])
            return (time.perf_counter() - started) / LOOKUPS * 1e9

        def ask_server() -> float:
            started = time.perf_counter()
            for number in range(300):
                client.is_feature_entitled(FEATURE, user_id=users[number % len(users)])
            return (time.perf_counter() - started) / 300 * 1e9

        local_ns, map_ns = interleave(ask_local, ask_map, rounds)
        network_ns = statistics.median(ask_server() for _ in range(3))
    return [
        row("local check (ns) : a function over a nested map", local_ns, map_ns, 3, at_most=True),
        row("network check (ns) : local check", network_ns, local_ns, 1_000),
    ]


async def _watch(stage: Stage) -> list[float]:
    """Seconds from the call that changes something until each stream has told it."""
    with Client(stage.address, stage.key) as client:
        [user_id] = stage.add_customers(client, "watched", 1)
        held = stage.subscription_of(client, user_id)
        customer_id = client.entitlements.ListEntitlements(
            pb.ListEntitlementsRequest(external_user_id=user_id)
        ).customer_id
        slug = FEATURE
        async with AsyncClient(stage.address, stage.key) as watcher:
            streams = [
                watcher.entitlements.Watch(pb.WatchRequest(customer_ids=[customer_id]))
                for _ in range(STREAMS)
            ]
            await asyncio.gather(*(_next_news(stream) for stream in streams))
            latencies: list[float] = []
            for number in range(CHANGES):
                waiting = [asyncio.create_task(_arrival(stream)) for stream in streams]
                await asyncio.sleep(0)
                started = time.perf_counter()
                await asyncio.to_thread(_override, client, held, slug, number % 2 == 0)
                latencies += [arrived - started for arrived in await asyncio.gather(*waiting)]
            for stream in streams:
                stream.cancel()
    return latencies


def _override(client: Client, subscription_id: str, slug: str, off: bool) -> None:
    client.subscriptions.SetFeatureOverride(
        feature_override_pb2.SetFeatureOverrideRequest(
            subscription_id=subscription_id,
            feature=feature_pb2.FeatureRef(slug=slug),
            value=feature_pb2.FeatureValue(boolean=not off),
        )
    )


async def _arrival(stream: object) -> float:
    await _next_news(stream)
    return time.perf_counter()


async def _next_news(stream: object) -> pb.WatchResponse:
    """The next message that is no heartbeat."""
    async with asyncio.timeout(PATIENCE_S):
        async for message in stream:  # type: ignore[attr-defined]
            if message.WhichOneof("change") != "heartbeat":
                return message  # type: ignore[no-any-return]
    raise RuntimeError("the stream ended")
