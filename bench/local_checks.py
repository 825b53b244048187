"""Checks inside the caller's process, against a nested-map look-up and the network; and how soon changes come."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta

from candela import AsyncClient, Client
from candela.catalog.v1 import feature_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from candela.subscription.v1 import feature_override_pb2

from .harness import Row, interleave, quantile, row, say
from .stage import Crowd, Stage

FEATURE = "advanced-analytics"
LOOKUPS = 200_000
STREAMS = 200
CHANGES = 50
WATCHED = 20
"""Customers of its own that each stream watches."""
PATIENCE_S = 10.0


def rows(stage: Stage, crowd: Crowd, *, rounds: int) -> list[Row]:
    """Local checks and watching."""
    found = _local(stage, crowd, rounds)
    say(
        f"changes seen by {STREAMS} streams, each of {WATCHED} customers of its own and one of all: "
        f"{CHANGES} changes of that one, and one of a customer of each stream"
    )
    # The 200 watchers are one process, which holds much more than a watcher does: what is there already is not gone
    # through by its garbage collector again, for which all of them would wait.
    gc.collect()
    gc.freeze()
    of_all, of_each = asyncio.run(_watch(stage, crowd))
    gc.unfreeze()
    for what, latencies in (("all", of_all), ("one each", of_each)):
        told = sorted(latencies)
        say(
            f"change of {what} to watcher: p50 {statistics.median(told) * 1e3:.0f} ms, "
            f"p99 {quantile(told, 0.99) * 1e3:.0f} ms"
        )
    found.append(
        row(
            f"change to every watcher, {STREAMS} streams of {STREAMS * WATCHED:,} customers (p99, ms) : 100",
            quantile(sorted([*of_all, *of_each]), 0.99) * 1e3,
            100,
            1,
            at_most=True,
        )
    )
    return found


def _local(stage: Stage, crowd: Crowd, rounds: int) -> list[Row]:
    say(f"local checks of a boolean feature of {len(crowd.user_ids):,} users: {LOOKUPS:,} a round")
    users = crowd.user_ids
    with Client(stage.address, stage.key) as client, client.local() as local:
        if not local.wait_until_current(timedelta(seconds=60)):
            raise RuntimeError("the local state never became current")
        assert local.is_feature_entitled(FEATURE, user_id=users[0]), "the plan Team has the feature"
        # Equal keys, and not the same objects: neither side may know a text by its address, as no application could.
        states = {_copied(user): {_copied(FEATURE): True} for user in users}

        def ask_local() -> float:
            ask, count = local.is_feature_entitled, len(users)
            started = time.perf_counter()
            for number in range(LOOKUPS):
                ask(FEATURE, user_id=users[number % count])
            return (time.perf_counter() - started) / LOOKUPS * 1e9

        def ask_map() -> float:
            count = len(users)
            started = time.perf_counter()
            for number in range(LOOKUPS):
                states[users[number % count]][FEATURE]
            return (time.perf_counter() - started) / LOOKUPS * 1e9

        def entitled(feature: str, *, user_id: str) -> bool:
            return states[user_id][feature]

        def ask_function() -> float:
            count = len(users)
            started = time.perf_counter()
            for number in range(LOOKUPS):
                entitled(FEATURE, user_id=users[number % count])
            return (time.perf_counter() - started) / LOOKUPS * 1e9

        def ask_server() -> float:
            started = time.perf_counter()
            for number in range(300):
                client.is_feature_entitled(FEATURE, user_id=users[number % len(users)])
            return (time.perf_counter() - started) / 300 * 1e9

        local_ns, map_ns = interleave(ask_local, ask_map, rounds)
        again_ns, function_ns = interleave(ask_local, ask_function, rounds)
        network_ns = statistics.median(ask_server() for _ in range(3))
    return [
        row("local check (ns) : a bare nested-map look-up", local_ns, map_ns, 3, at_most=True),
        row("local check (ns) : a function that looks up", again_ns, function_ns, 3, at_most=True),
        row("network check (ns) : local check", network_ns, local_ns, 1_000),
    ]


def _copied(text: str) -> str:
    return text.encode().decode()


async def _watch(stage: Stage, crowd: Crowd) -> tuple[list[float], list[float]]:
    """Seconds from a call that changes something until each stream that watches it has told it.

    First of the customer that all streams watch, then of one that only one stream watches, of each in turn.
    """
    with Client(stage.address, stage.key) as client:
        [user_id] = stage.add_customers(client, "watched", 1)
        shared = client.entitlements.ListEntitlements(
            pb.ListEntitlementsRequest(external_user_id=user_id)
        ).customer_id
        held = stage.subscription_of(client, user_id)
        own = [crowd.customer_ids[n * WATCHED : (n + 1) * WATCHED] for n in range(STREAMS)]
        held_by_first = [
            stage.subscription_of(client, crowd.user_ids[n * WATCHED]) for n in range(STREAMS)
        ]
        async with AsyncClient(stage.address, stage.key) as watcher:
            streams = [
                watcher.entitlements.Watch(pb.WatchRequest(customer_ids=[shared, *mine]))
                for mine in own
            ]
            for stream in streams:
                for _ in range(WATCHED + 1):
                    await _next_news(stream)
            of_all: list[float] = []
            for number in range(CHANGES):
                of_all += await _arrivals(client, streams, held, number % 2 == 0)
            of_each: list[float] = []
            for stream, subscription_id in zip(streams, held_by_first, strict=True):
                of_each += await _arrivals(client, [stream], subscription_id, True)
            for stream in streams:
                stream.cancel()
    return of_all, of_each


async def _arrivals(
    client: Client, streams: Sequence[object], subscription_id: str, off: bool
) -> list[float]:
    """Seconds until each of the streams has told a change of this subscription."""
    waiting = [asyncio.create_task(_arrival(stream)) for stream in streams]
    await asyncio.sleep(0)
    started = time.perf_counter()
    await asyncio.to_thread(_override, client, subscription_id, FEATURE, off)
    return [arrived - started for arrived in await asyncio.gather(*waiting)]


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
