"""The async client: the same calls, awaited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, cast

import grpc
from candela.entitlement.v1 import entitlement_service_pb2
from candela.metering.v1 import ingestion_service_pb2
from grpc import aio

from ._channel import DEFAULT_TIMEOUT_S, OPTIONS, fill_idempotency_key, uses_tls, with_key
from ._local import MAX_AGE
from ._local_aio import AsyncLocalEntitlements
from ._local_rules import Policy
from ._requests import Property, check_request, usage_event, usage_request
from ._services import Services


class _AuthorizedUnary(aio.UnaryUnaryClientInterceptor):
    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        fill_idempotency_key(request)
        details = _details(client_call_details, self._authorization)
        if details.timeout is None:
            details = details._replace(timeout=DEFAULT_TIMEOUT_S)
        return await continuation(details, request)


class _AuthorizedUnaryStream(aio.UnaryStreamClientInterceptor):
    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(_details(client_call_details, self._authorization), request)


class _AuthorizedStreamStream(aio.StreamStreamClientInterceptor):
    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(
            _details(client_call_details, self._authorization), request_iterator
        )


def _details(details: Any, authorization: str) -> Any:
    carried = with_key(details, authorization)
    return aio.ClientCallDetails(
        method=carried.method,
        timeout=carried.timeout,
        metadata=aio.Metadata(*carried.metadata),
        credentials=carried.credentials,
        wait_for_ready=carried.wait_for_ready,
    )


class AsyncClient(Services):
    """Talks to a Candela server from an event loop; the service attributes' methods are awaited.

    Made inside a running loop. See `Client` for what every call carries.
    """

    def __init__(self, address: str, api_key: str, *, tls: bool | None = None) -> None:
        """Connects lazily to "host:port". TLS is used unless the host is this machine, or as `tls` says."""
        authorization = f"Bearer {api_key}"
        interceptors: list[Any] = [
            _AuthorizedUnary(authorization),
            _AuthorizedUnaryStream(authorization),
            _AuthorizedStreamStream(authorization),
        ]
        encrypted = uses_tls(address) if tls is None else tls
        self._channel = (
            aio.secure_channel(
                address,
                grpc.ssl_channel_credentials(),
                options=OPTIONS,
                interceptors=interceptors,
            )
            if encrypted
            else aio.insecure_channel(address, options=OPTIONS, interceptors=interceptors)
        )
        super().__init__(cast(grpc.Channel, self._channel))

    async def is_feature_entitled(
        self,
        feature: str,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        quantity: Decimal | int | None = None,
    ) -> bool:
        """As `Client.is_feature_entitled`."""
        checked = await self.check_feature(
            feature,
            user_id=user_id,
            customer_id=customer_id,
            external_customer_id=external_customer_id,
            quantity=quantity,
        )
        return checked.entitlement.entitled

    async def check_feature(
        self,
        feature: str,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        quantity: Decimal | int | None = None,
    ) -> entitlement_service_pb2.CheckResponse:
        """As `Client.check_feature`."""
        request = check_request(feature, user_id, customer_id, external_customer_id, quantity)
        response = await cast(Any, self.entitlements.Check(request))
        return cast(entitlement_service_pb2.CheckResponse, response)

    async def get_usage(
        self,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
    ) -> entitlement_service_pb2.GetFeatureUsageResponse:
        """As `Client.get_usage`."""
        request = usage_request(user_id, customer_id, external_customer_id)
        response = await cast(Any, self.entitlements.GetFeatureUsage(request))
        return cast(entitlement_service_pb2.GetFeatureUsageResponse, response)

    async def send_event(
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
        """As `Client.send_event`."""
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
        request = ingestion_service_pb2.RecordEventRequest(event=event)
        response = await cast(Any, self.ingestion.RecordEvent(request))
        return cast(ingestion_service_pb2.RecordEventResponse, response)

    def local(
        self,
        customers: Iterable[str] | None = None,
        *,
        on_unavailable: Mapping[str, Policy] | None = None,
        default_on_unavailable: Policy = "cached",
        max_age: timedelta = MAX_AGE,
    ) -> AsyncLocalEntitlements:
        """As `Client.local`; its checks are awaited, and mostly return without waiting."""
        return AsyncLocalEntitlements(
            self.entitlements,
            customers=customers,
            on_unavailable=on_unavailable,
            default_on_unavailable=default_on_unavailable,
            max_age=max_age,
        )

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the connection."""
        await self.close()
