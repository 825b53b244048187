"""Answers gRPC for subscriptions: beginning and reading them, and overrides of their features."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from candela.subscription.v1 import (
    feature_override_pb2,
    subscription_pb2,
    subscription_service_pb2_grpc,
)
from candela.subscription.v1 import subscription_service_pb2 as pb

from candela_server.catalog import read as catalog
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.customer.wire import customer_ref_from_proto
from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page, read_page_request
from candela_server.kernel.read_fields import instant
from candela_server.merchant.model import TestClockId
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx

from . import override_wire, read, store, wire
from .change_servicer import ChangeMethods
from .create_subscription import create_subscription
from .history_servicer import HistoryMethods
from .model import Subscription
from .override_feature import remove_feature_override, set_feature_override
from .preview_token import Settle, SettleCreation, check_creation, pinned, read_token
from .rules.schedule import current_period
from .schedule_servicer import ScheduleMethods

CountEnded = Callable[[Tx, Subscription], Awaitable[None]]
"""Takes off what a subscription was granted as it began what one that ended has used of the running period."""


class SubscriptionServicer(
    ChangeMethods,
    HistoryMethods,
    ScheduleMethods,
    subscription_service_pb2_grpc.SubscriptionServiceServicer,
):
    """SubscriptionService."""

    def __init__(
        self,
        db: Postgres,
        mutations: Mutations,
        clock: Clock,
        page_secret: bytes,
        settle: Settle,
        settle_creation: SettleCreation,
        count_ended: CountEnded,
    ) -> None:
        """Takes what it reads from, writes through, tells time by, bills with at once, and takes off allowances by."""
        self._count_ended = count_ended
        self._settle = settle
        self._settle_creation = settle_creation
        self._db = db
        self._mutations = mutations
        self._clock = clock
        self._page_secret = page_secret

    async def CreateSubscription(
        self, request: pb.CreateSubscriptionRequest, context: Any
    ) -> pb.CreateSubscriptionResponse:
        """Begins a subscription; as a preview showed it, with its first invoices."""
        command = wire.create_subscription_from_proto(request)
        shown = None
        if command.preview_token:
            shown = read_token(self._page_secret, current_caller.get().merchant_id, command)
            command = pinned(command, shown)

        async def act(tx: Tx) -> pb.CreateSubscriptionResponse:
            created = await create_subscription(tx, self._clock, command)
            await self._count_ended(tx, created)
            if shown is not None:
                check_creation(shown, created, await self._settle_creation(tx, created))
            return pb.CreateSubscriptionResponse(subscription=await self._shown(tx, created))

        return await self._mutations.run(request, pb.CreateSubscriptionResponse, act)

    async def GetSubscription(
        self, request: pb.GetSubscriptionRequest, context: Any
    ) -> pb.GetSubscriptionResponse:
        """A subscription, now or as it was (SUB-3)."""
        subscription_id = wire.subscription_id_from_proto(request.subscription_id)
        with FieldViolations() as fields:
            as_of = (
                fields.read("as_of_at", instant, request.as_of_at)
                if request.HasField("as_of_at")
                else None
            )
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await read.get_subscription(tx, subscription_id, as_of=as_of)
            return pb.GetSubscriptionResponse(subscription=await self._shown(tx, found))

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Any
    ) -> pb.ListSubscriptionsResponse:
        """One page of subscriptions."""
        with FieldViolations() as fields:
            ref = (
                fields.read("customer", customer_ref_from_proto, request.customer)
                if request.HasField("customer")
                else None
            )
        statuses = wire.statuses_from_proto(list(request.statuses))
        scope = self._scope("subscriptions", f"{ref!r}:{statuses!r}")
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            holder = await customer.get_customer(tx, ref) if ref else None
            found = await store.page_subscriptions(
                tx,
                customer_id=holder.id if holder else None,
                statuses=statuses,
                limit=wanted.fetch_limit,
                after=wanted.after,
            )
            page = make_page(scope, wanted, found, lambda one: (one.created_at, one.id))
            shown = await self._all_shown(tx, page.items)
        return pb.ListSubscriptionsResponse(subscriptions=shown, next_page_token=page.next_token)

    async def ListSubscriptionVersions(
        self, request: pb.ListSubscriptionVersionsRequest, context: Any
    ) -> pb.ListSubscriptionVersionsResponse:
        """One page of a subscription's history."""
        subscription_id = wire.subscription_id_from_proto(request.subscription_id)
        scope = self._scope("subscription_versions", subscription_id)
        wanted = read_page_request(scope, request.page_size, request.page_token)
        after_number = int(wanted.after[1]) if wanted.after else 0
        async with self._db.reading(scope.merchant_id) as tx:
            await read.get_subscription(tx, subscription_id)
            found = await store.list_versions(
                tx, subscription_id, after_number=after_number, limit=wanted.fetch_limit
            )
            page = make_page(
                scope, wanted, found, lambda one: (one.created_at, str(one.version.number))
            )
            shown = await self._all_shown(tx, page.items)
        return pb.ListSubscriptionVersionsResponse(versions=shown, next_page_token=page.next_token)

    async def SetFeatureOverride(
        self, request: feature_override_pb2.SetFeatureOverrideRequest, context: Any
    ) -> feature_override_pb2.SetFeatureOverrideResponse:
        """Another value of a feature for one subscription (SUB-8)."""
        command = override_wire.set_override_from_proto(request)

        async def act(tx: Tx) -> feature_override_pb2.SetFeatureOverrideResponse:
            override = await set_feature_override(tx, self._clock, command)
            return feature_override_pb2.SetFeatureOverrideResponse(
                feature_override=override_wire.override_to_proto(override)
            )

        return await self._mutations.run(
            request, feature_override_pb2.SetFeatureOverrideResponse, act
        )

    async def RemoveFeatureOverride(
        self, request: feature_override_pb2.RemoveFeatureOverrideRequest, context: Any
    ) -> feature_override_pb2.RemoveFeatureOverrideResponse:
        """The plan's value counts again."""
        command = override_wire.remove_override_from_proto(request)

        async def act(tx: Tx) -> feature_override_pb2.RemoveFeatureOverrideResponse:
            await remove_feature_override(tx, self._clock, command)
            return feature_override_pb2.RemoveFeatureOverrideResponse()

        return await self._mutations.run(
            request, feature_override_pb2.RemoveFeatureOverrideResponse, act
        )

    async def ListFeatureOverrides(
        self, request: feature_override_pb2.ListFeatureOverridesRequest, context: Any
    ) -> feature_override_pb2.ListFeatureOverridesResponse:
        """The overrides of a subscription that are in force."""
        subscription_id = wire.subscription_id_from_proto(request.subscription_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            held = await read.get_subscription(tx, subscription_id)
            holder = await customer.get_customer(tx, CustomerById(held.customer_id))
            now = (await customer.customer_clock(tx, self._clock, holder)).now()
            overrides = await read.list_overrides(tx, [held.id])
        return feature_override_pb2.ListFeatureOverridesResponse(
            feature_overrides=[
                override_wire.override_to_proto(one)
                for one in overrides
                if one.expires_at is None or now < one.expires_at
            ]
        )

    async def _all_shown(
        self, tx: Tx, found: Sequence[Subscription]
    ) -> list[subscription_pb2.Subscription]:
        """The subscriptions, each with the period that contains the present of its customer; read as sets."""
        holders = await customer.get_customers(tx, sorted({one.customer_id for one in found}))
        prices = await catalog.get_prices(tx, sorted({one.version.price_id for one in found}))
        presents: dict[TestClockId | None, datetime] = {}
        for holder in holders.values():
            if holder.test_clock_id not in presents:
                own_clock = await customer.customer_clock(tx, self._clock, holder)
                presents[holder.test_clock_id] = own_clock.now()
        return [
            wire.subscription_to_proto(
                one,
                current_period(
                    one,
                    prices[one.version.price_id],
                    presents[holders[one.customer_id].test_clock_id],
                ),
            )
            for one in found
        ]

    async def _shown(self, tx: Tx, found: Subscription) -> subscription_pb2.Subscription:
        return (await self._all_shown(tx, [found]))[0]
