"""The blocking client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Self

import grpc
from candela.entitlement.v1 import entitlement_service_pb2
from candela.metering.v1 import event_pb2, ingestion_service_pb2

from ._channel import open_channel
from ._events import CHUNK_EVENTS, EventStream, StreamProgress, StreamResult
from ._local import MAX_AGE, LocalEntitlements
from ._local_rules import Policy
from ._requests import Property, check_request, usage_event, usage_request
from ._services import Services


class Client(Services):
    """Talks to a Candela server; safe to share between threads, and made once per process.

    The three calls that an application needs every day are methods; everything else is under the service attributes,
    for example `client.plans.CreatePlan(request)`. Every call carries the API key and has a deadline, changing ones an
    idempotency key; UNAVAILABLE is retried. A failure is a grpc.RpcError; `candela.failure_of(error)` reads it.
    """

    def __init__(self, address: str, api_key: str, *, tls: bool | None = None) -> None:
        """Connects lazily to "host:port". TLS is used unless the host is this machine, or as `tls` says."""
        self._channel: grpc.Channel = open_channel(address, api_key, tls=tls)
        super().__init__(self._channel)

    def is_feature_entitled(
        self,
        feature: str,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        quantity: Decimal | int | None = None,
    ) -> bool:
        """Whether the user or customer may use the feature now (SDK-1).

        `user_id` is your application's own id of the user; `customer_id` is Candela's id ("cus_…") and
        `external_customer_id` yours. `quantity` asks whether that much more would still be allowed.
        Raises grpc.RpcError, also for an unknown feature slug: that is a mistake, never a "no".
        """
        return self.check_feature(
            feature,
            user_id=user_id,
            customer_id=customer_id,
            external_customer_id=external_customer_id,
            quantity=quantity,
        ).entitlement.entitled

    def check_feature(
        self,
        feature: str,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        quantity: Decimal | int | None = None,
    ) -> entitlement_service_pb2.CheckResponse:
        """As `is_feature_entitled`, with the value, the usage, the source and the reason of a denial."""
        return self.entitlements.Check(
            check_request(feature, user_id, customer_id, external_customer_id, quantity)
        )

    def get_usage(
        self,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
    ) -> entitlement_service_pb2.GetFeatureUsageResponse:
        """What was used of each usage feature in the current window, with limits and credits (SDK-1)."""
        return self.entitlements.GetFeatureUsage(
            usage_request(user_id, customer_id, external_customer_id)
        )

    def send_event(
        self,
        name: str,
        *,
        value: Decimal | int | str = 1,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        timestamp: datetime | None = None,
        properties: Mapping[str, Property] | None = None,
        idempotency_key: str | None = None,
    ) -> ingestion_service_pb2.RecordEventResponse:
        """Records one usage event, counted exactly once (SDK-1, EVT-1).

        When it returns, the event is durable and the next check counts it. Give an `idempotency_key` of your own when
        your code may run twice for the same fact. A `timestamp` without a time zone is a ValueError.
        """
        event = usage_event(
            name,
            value=value,
            user_id=user_id,
            customer_id=customer_id,
            external_customer_id=external_customer_id,
            timestamp=timestamp,
            properties=properties,
            idempotency_key=idempotency_key,
        )
        return self.ingestion.RecordEvent(ingestion_service_pb2.RecordEventRequest(event=event))

    def stream_events(
        self,
        events: Iterable[event_pb2.Event],
        *,
        on_progress: Callable[[StreamProgress], None] | None = None,
        chunk_events: int = CHUNK_EVENTS,
    ) -> StreamResult:
        """Streams many events and returns what became of them; a broken connection is resumed (EVT-3)."""
        return EventStream(self.ingestion, events, on_progress, chunk_events).run()

    def local(
        self,
        customers: Iterable[str] | None = None,
        *,
        on_unavailable: Mapping[str, Policy] | None = None,
        default_on_unavailable: Policy = "cached",
        max_age: timedelta = MAX_AGE,
    ) -> LocalEntitlements:
        """Answers checks inside the process, from a state that the server keeps current (ENT-8).

        `customers` are the server's ids ("cus_…") of at most 10,000 customers; all of the merchant's when None. Close
        it before the client. When the server cannot be reached and the state is older than `max_age`,
        `on_unavailable` says for each feature's slug whether to "allow", to "deny", or to answer what was last known
        ("cached", which is a no where nothing was); features that it does not name follow
        `default_on_unavailable`.
        """
        return LocalEntitlements(
            self.entitlements,
            customers=customers,
            on_unavailable=on_unavailable,
            default_on_unavailable=default_on_unavailable,
            max_age=max_age,
        )

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the connection."""
        self.close()
