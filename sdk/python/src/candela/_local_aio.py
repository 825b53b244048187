"""Checks answered inside the process, for an event loop: as `_local.py`, with tasks instead of threads (ENT-8)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, cast

import grpc
from candela.entitlement.v1 import entitlement_service_pb2_grpc
from grpc import aio

from ._local import ASK_TIMEOUT_S, MAX_AGE, LocalChecks
from ._local_rules import LocalAnswer, Origin, Policy, answer_of, readable_quantity
from ._local_state import MissedMessageError
from ._requests import check_request


class AsyncLocalEntitlements(LocalChecks):
    """As `LocalEntitlements`, awaited; made by `AsyncClient.local` inside a running loop, for that loop only."""

    def __init__(
        self,
        entitlements: entitlement_service_pb2_grpc.EntitlementServiceStub,
        *,
        customers: Iterable[str] | None = None,
        on_unavailable: Mapping[str, Policy] | None = None,
        default_on_unavailable: Policy = "cached",
        max_age: timedelta = MAX_AGE,
    ) -> None:
        """Begins to watch in the background. See `Client.local`."""
        super().__init__(customers, on_unavailable, default_on_unavailable, max_age)
        self._entitlements = cast(Any, entitlements)
        self._call: Any = None
        self._current = asyncio.Event()
        self._woken = asyncio.Event()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._tend())]

    async def is_feature_entitled(
        self,
        feature: str,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        quantity: Decimal | int | None = None,
    ) -> bool:
        """As `LocalEntitlements.is_feature_entitled`."""
        try:
            if customer_id is external_customer_id is None is quantity:
                return self._by_user[user_id][feature]  # type: ignore[index]
        except KeyError:
            pass
        answer = await self.check(
            feature,
            user_id=user_id,
            customer_id=customer_id,
            external_customer_id=external_customer_id,
            quantity=quantity,
        )
        return answer.entitled

    async def check(
        self,
        feature: str,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        quantity: Decimal | int | None = None,
    ) -> LocalAnswer:
        """As `LocalEntitlements.check`."""
        request = check_request(feature, user_id, customer_id, external_customer_id, quantity)
        number, known = readable_quantity(quantity), None
        if number is not None or quantity is None:
            answer, known = self._local_answer(
                feature, user_id, customer_id, external_customer_id, number
            )
            if answer is not None:
                return answer
        if not self._is_away():
            try:
                response = await self._entitlements.Check(request, timeout=ASK_TIMEOUT_S)
                return answer_of(response.entitlement, None, origin=Origin.SERVER)
            except grpc.RpcError as error:
                self._note_failure(error)
        return self._degraded_answer(feature, known, number)

    async def wait_until_current(self, timeout: timedelta | None = None) -> bool:
        """As `LocalEntitlements.wait_until_current`."""
        until_s = None if timeout is None else time.monotonic() + timeout.total_seconds()
        while not self._current.is_set():
            if self._follower.refusal is not None:
                raise self._follower.refusal
            if until_s is not None and time.monotonic() >= until_s:
                return False
            await asyncio.sleep(0.02)
        return True

    async def close(self) -> None:
        """Stops watching; checks are asked of the server from now on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._abandon()

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops watching."""
        await self.close()

    async def _follow(self) -> None:
        while True:
            problem: Exception | None = None
            try:
                self._call = self._entitlements.Watch(self._follower.request(time.monotonic()))
                async for message in self._call:
                    if self._follower.hear(message, time.monotonic()):
                        self._current.set()
                        self._away_until_s = 0.0
                        self._woken.set()
            except (grpc.RpcError, MissedMessageError) as error:
                problem = error
            except aio.UsageError:
                # The client was closed first; there is nothing to follow any more.
                self._abandon()
                return
            except asyncio.CancelledError:
                # Of the call, when it was silent for too long; of this task, when it is closed.
                if cast(asyncio.Task[None], asyncio.current_task()).cancelling():
                    raise
            finally:
                if self._call is not None:
                    self._call.cancel()
            await asyncio.sleep(self._follower.lose(problem))

    async def _tend(self) -> None:
        try:
            while True:
                now_s = time.monotonic()
                if self._call is not None and self._follower.is_dead(now_s):
                    self._call.cancel()
                try:
                    async with asyncio.timeout(self._follower.tend(now_s)):
                        await self._woken.wait()
                except TimeoutError:
                    pass
                self._woken.clear()
        finally:
            # Without this task nothing would ever be taken out of the tables again.
            self._abandon()
