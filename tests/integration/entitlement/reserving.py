"""A merchant who sells hard limits, and a server process that reserves and consumes them, on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from candela.catalog.v1 import (
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.entitlement.v1 import entitlement_pb2, entitlement_service_pb2, reservation_pb2
from candela.entitlement.v1 import reservation_service_pb2 as pb
from candela.metering.v1 import event_pb2
from google.protobuf.duration_pb2 import Duration

from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.create_customer import create_customer
from candela_server.customer.create_user import CreateUser, create_user
from candela_server.customer.model import Customer, CustomerById, User, UserById
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.check_entitlement import Checker
from candela_server.entitlement.model import Answer
from candela_server.entitlement.quick_check import QuickChecks
from candela_server.entitlement.reservation_servicer import ReservationServicer
from candela_server.entitlement.reservation_wire import usage_events_to_proto
from candela_server.entitlement.settle_reservation import Settler
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.model import TestClockId
from candela_server.metering.cache import CounterCache
from candela_server.metering.directory import Directory
from candela_server.metering.ingest_events import Ingestor
from candela_server.metering.quick_counters import PREAMBLE, QuickCounters
from candela_server.metering.read_counters import Counters
from candela_server.storage.changes import Changes
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis
from candela_server.storage.redis_lane import RedisLane
from candela_server.storage.shared_mutation import SharedMutations
from candela_server.subscription.create_subscription import (
    create_subscription,
)

from demo.team_plan import usd
from tests.helpers.acting import acting_as
from tests.helpers.commands import signing_up, taking
from tests.helpers.waiting import eventually

ONE = Decimal(1)
LIMIT = 20
_HARD, _OVERAGE = feature_pb2.LIMIT_BEHAVIOR_HARD, feature_pb2.LIMIT_BEHAVIOR_OVERAGE


@dataclass(slots=True)
class Shop:
    """Sells the plan "bounded": 20 hard of "tokens", of "calls" (counted), of "bytes" (the property "size") and, to
    each user, of "seconds"; and 20 of "pages" with overage."""

    db: Postgres
    clock: FixedClock
    merchant_id: str
    names: Any = field(default_factory=lambda: count(1))

    async def sell(self) -> None:
        """The plan."""
        async with self.db.writing(self.merchant_id) as tx:
            await create_plan(tx, self.clock, create_plan_from_proto(bounded_plan()))

    async def sign_up(self, *, test_clock_id: TestClockId | None = None) -> Customer:
        """A customer on the plan."""
        async with self.db.writing(self.merchant_id) as tx:
            made = await create_customer(
                tx,
                self.clock,
                signing_up("Acme", time_zone="America/New_York", test_clock_id=test_clock_id),
            )
            await create_subscription(
                tx,
                self.clock,
                taking(made.id, "bounded"),
            )
        return made

    async def add_user(self, customer: Customer) -> User:
        """A user of the customer."""
        async with self.db.writing(self.merchant_id) as tx:
            return await create_user(
                tx,
                self.clock,
                CreateUser(
                    customer=CustomerById(customer.id), external_id=None, name="Ada", email=None
                ),
            )


@dataclass(slots=True, kw_only=True)
class Desk:
    """One server process that answers for a merchant."""

    shop: Shop
    events: EventStore
    servicer: ReservationServicer
    checker: Checker
    settler: Settler
    ingestor: Ingestor
    counters: Counters
    quick: QuickChecks
    keys: Any = field(default_factory=lambda: count(1))

    async def reserve(
        self,
        who: Customer | User,
        quantity: str,
        feature: str = "tokens",
        *,
        key: str | None = None,
        hold_s: int | None = None,
    ) -> pb.ReserveResponse:
        """Holds a quantity."""
        request = pb.ReserveRequest(
            idempotency_key=key or self._key(), feature=feature, quantity=quantity, **_who(who)
        )
        if hold_s is not None:
            request.hold.CopyFrom(Duration(seconds=hold_s))
        return await self.call("Reserve", request)

    async def commit(
        self,
        reservation: reservation_pb2.Reservation,
        quantity: str | None = None,
        *,
        overage: reservation_pb2.OverageBehavior = reservation_pb2.OVERAGE_BEHAVIOR_UNSPECIFIED,
        key: str | None = None,
        properties: bytes = b"",
    ) -> pb.CommitResponse:
        """Settles a reservation."""
        request = pb.CommitRequest(
            idempotency_key=key or self._key(),
            reservation_id=reservation.id,
            quantity=quantity,
            overage_behavior=overage,
            properties_json=properties,
        )
        return await self.call("Commit", request)

    async def release(
        self, reservation: reservation_pb2.Reservation, *, key: str | None = None
    ) -> reservation_pb2.Reservation:
        """Gives a reservation back."""
        request = pb.ReleaseRequest(
            idempotency_key=key or self._key(), reservation_id=reservation.id
        )
        return (await self.call("Release", request)).reservation

    async def consume(
        self,
        who: Customer | User,
        quantity: str | None = None,
        feature: str = "tokens",
        *,
        key: str | None = None,
        properties: bytes = b"",
    ) -> pb.ConsumeResponse:
        """Takes a quantity."""
        request = pb.ConsumeRequest(
            idempotency_key=key or self._key(),
            feature=feature,
            quantity=quantity,
            properties_json=properties,
            **_who(who),
        )
        return await self.call("Consume", request)

    async def get(self, reservation: reservation_pb2.Reservation) -> reservation_pb2.Reservation:
        """The reservation now."""
        request = pb.GetReservationRequest(reservation_id=reservation.id)
        return (await self.call("GetReservation", request)).reservation

    async def record(self, who: Customer | User, value: str, name: str = "tokens") -> None:
        """Usage that asks nobody."""
        event = event_pb2.Event(idempotency_key=self._key(), name=name, value=value, **_who(who))
        await self.ingestor.record(self.shop.merchant_id, [event])

    async def check(self, who: Customer | User, feature: str = "tokens") -> Answer:
        """What a check answers now."""
        ref = CustomerById(who.id) if isinstance(who, Customer) else UserById(who.id)
        snapshot = await self.checker.snapshot(self.shop.merchant_id, ref)
        return await self.checker.check(self.shop.merchant_id, snapshot, feature, ONE)

    async def quick_usage(self, who: Customer) -> tuple[str, str, str]:
        """used, reserved and remaining as the data plane of checks has them."""
        question = entitlement_service_pb2.CheckRequest(customer_id=who.id, feature="tokens")
        answer = await self.quick.check(self.shop.merchant_id, question.SerializeToString())
        usage = entitlement_service_pb2.CheckResponse.FromString(answer).entitlement.usage
        return usage.used, usage.reserved, usage.remaining

    async def used(self, who: Customer | User, feature: str = "tokens") -> Decimal:
        """What the metric measured, as invoices see it, and nothing held or on its way."""
        usage = (await self.check(who, feature)).usage
        assert usage is not None
        return usage.used

    async def until_reserved(self, who: Customer | User, wanted: int) -> Answer:
        """The check's answer once the notification of a change has arrived."""

        async def look() -> Answer | None:
            answer = await self.check(who)
            reserved = answer.usage.reserved if answer.usage else None
            return answer if reserved == wanted else None

        return await eventually(look)

    async def call(self, method: str, request: Any) -> Any:
        """One call of the merchant's."""
        with acting_as(
            self.shop.merchant_id, f"candela.entitlement.v1.ReservationService/{method}"
        ):
            return await getattr(self.servicer, method)(request, None)

    def _key(self) -> str:
        return f"{id(self)}-{next(self.keys)}"


@asynccontextmanager
async def open_desk(shop: Shop, events: EventStore, redis_url: str) -> AsyncIterator[Desk]:
    """A server process's rooms, wired as app/rooms.py wires them; it hears of changes."""
    db, clock = shop.db, shop.clock
    changes = Changes(db, lambda *changed: hear(*changed), lambda: snapshots.doubt_all())
    snapshots = SnapshotCache(changes.is_current)
    redis = Redis(redis_url)
    counters = Counters(CounterCache(redis), events, clock)
    lane = RedisLane(redis_url, PREAMBLE)
    directory = Directory(db, clock)
    ingestor = Ingestor(db, events, directory, counters, clock)
    settler = Settler(db, ingestor, clock, usage_events_to_proto, changes)
    checker = Checker(db, counters, snapshots, clock)

    def hear(merchant_id: str, customer_id: str | None) -> None:
        snapshots.forget(merchant_id, customer_id)
        directory.forget(merchant_id, customer_id)

    await changes.start()
    await counters.start()
    await ingestor.start()
    try:
        yield Desk(
            shop=shop,
            events=events,
            servicer=ReservationServicer(
                db, events, SharedMutations(db, clock, changes), clock, checker, settler
            ),
            checker=checker,
            settler=settler,
            ingestor=ingestor,
            counters=counters,
            quick=QuickChecks(checker, QuickCounters(lane, counters), clock, snapshots.is_current),
        )
    finally:
        await settler.stop()
        await ingestor.stop()
        await counters.stop()
        await changes.close()
        await lane.close()
        await redis.close()


def usage_of(response: Any) -> tuple[str, str, str]:
    """used, reserved and remaining of an answer."""
    usage: entitlement_pb2.Usage = (
        response.entitlement.usage if isinstance(response, pb.ConsumeResponse) else response.usage
    )
    return usage.used, usage.reserved, usage.remaining


def days_after(instant: datetime, stamp: Any) -> float:
    """How many days after `instant` a timestamp of the contract lies."""
    return (stamp.ToDatetime(instant.tzinfo) - instant).total_seconds() / 86_400


def _who(who: Customer | User) -> dict[str, str]:
    return {"customer_id": who.id} if isinstance(who, Customer) else {"user_id": who.id}


def bounded_plan() -> plan_service_pb2.CreatePlanRequest:
    kinds = {
        "tokens": (metric_pb2.AGGREGATION_SUM, _HARD, feature_pb2.LIMIT_SCOPE_CUSTOMER),
        "calls": (metric_pb2.AGGREGATION_COUNT, _HARD, feature_pb2.LIMIT_SCOPE_CUSTOMER),
        "seconds": (metric_pb2.AGGREGATION_SUM, _HARD, feature_pb2.LIMIT_SCOPE_USER),
        "pages": (metric_pb2.AGGREGATION_SUM, _OVERAGE, feature_pb2.LIMIT_SCOPE_CUSTOMER),
        "bytes": (metric_pb2.AGGREGATION_SUM, _HARD, feature_pb2.LIMIT_SCOPE_CUSTOMER),
        "peak": (metric_pb2.AGGREGATION_MAX, _HARD, feature_pb2.LIMIT_SCOPE_CUSTOMER),
    }
    return plan_service_pb2.CreatePlanRequest(
        slug="bounded",
        name="Bounded",
        metrics=[
            metric_pb2.NewMetric(
                slug=slug,
                name=slug,
                aggregation=aggregation,
                event_names=[slug],
                unit_name=slug,
                property="size" if slug == "bytes" else "",
            )
            for slug, (aggregation, _, _) in kinds.items()
        ],
        features=[
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug=slug,
                    name=slug,
                    type=feature_pb2.FEATURE_TYPE_NUMBER,
                    metric=metric_pb2.MetricRef(slug=slug),
                ),
                value=feature_pb2.FeatureValue(number=str(LIMIT)),
                limit_behavior=behavior,
                limit_scope=scope,
            )
            for slug, (_, behavior, scope) in kinds.items()
        ]
        + [
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug="reports", name="Reports", type=feature_pb2.FEATURE_TYPE_BOOLEAN
                )
            )
        ],
        prices=[
            plan_pb2.NewPrice(
                name="Monthly",
                currency="USD",
                components=[
                    price_pb2.PriceComponent(
                        name="Fee",
                        kind=price_pb2.COMPONENT_KIND_FIXED,
                        recurrence_rule="FREQ=MONTHLY",
                        timing=price_pb2.BILLING_TIMING_IN_ADVANCE,
                        charge=price_terms_pb2.ChargeModel(
                            flat=price_terms_pb2.FlatCharge(unit_price=usd("49"))
                        ),
                    )
                ],
            )
        ],
    )
