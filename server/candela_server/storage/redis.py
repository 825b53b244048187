"""Redis or Valkey: quick memory that may be gone at any moment, and is never the truth.

Whatever fails raises redis.exceptions.RedisError within a tenth of a second or little more. After a failure the breaker
opens: for a second nothing is tried at all, then one call probes, so that a Redis that hangs costs each process one
short timeout now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Self, TypeVar

from redis.asyncio import BlockingConnectionPool, Connection
from redis.asyncio import Redis as RedisClient
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

TIMEOUT_S: Final = 0.1
"""How long Redis may take for each step of a call: to connect, to take a command, to answer it."""

_CONNECTIONS: Final = 16
_OPEN_FOR_S: Final = 1.0
_OUTAGES: Final = (RedisConnectionError, RedisTimeoutError, BusyLoadingError, OSError)

_T = TypeVar("_T")


class RedisUnavailable(RedisConnectionError):  # noqa: N818 - stands beside redis's own errors
    """Redis is not configured, or failed so lately that it is not asked."""


class _Breaker(Retry):
    """Stands where redis-py retries: every connection and command passes here, and none is tried twice."""

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 0)
        self.open_until = 0.0

    def __deepcopy__(self, _memo: object) -> Self:
        # Each connection copies its retry policy; the breaker's point is that all share one.
        return self

    async def call_with_retry(
        self, do: Callable[[], Awaitable[_T]], fail: Any, *arguments: Any, **named: Any
    ) -> _T:
        if time.monotonic() < self.open_until:
            raise RedisUnavailable("Redis failed just now and is not asked for a moment")
        try:
            return await super().call_with_retry(do, fail, *arguments, **named)
        except _OUTAGES:
            self.open_until = time.monotonic() + _OPEN_FOR_S
            raise


class _Patience:
    """A timeout that a stall of this process does not use up.

    The timer of a loop that stood still fires before the tasks go on that the same turn's input woke. So what came
    meanwhile is looked at first, and something that came with it may follow.
    """

    _MORE_S: Final = 0.02

    def __init__(self, timeout_s: float | None) -> None:
        """None waits without end."""
        self._timeout_s = timeout_s
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        if self._timeout_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._timeout_s, self._look_once_more, loop)

    async def __aexit__(self, *raised: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._timeout.__aexit__(*raised)

    def _look_once_more(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._timeout.reschedule(loop.time() + self._MORE_S)


class _Connection(Connection):
    """Sends by itself, where redis-py has a task of its own do it: a busy loop would begin that milliseconds later.

    Waits for answers with _Patience. For both, redis-py must not see its own timeout.
    """

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,
        *,
        disconnect_on_error: bool = True,
        push_request: bool | None = False,
    ) -> Any:
        timeout_s, self.socket_timeout = self.socket_timeout, None
        try:
            async with _Patience(timeout_s if timeout is None else None):
                return await super().read_response(
                    disable_decoding,
                    timeout,
                    disconnect_on_error=disconnect_on_error,
                    push_request=push_request,
                )
        except TimeoutError:
            raise RedisTimeoutError("Redis does not answer") from None
        finally:
            self.socket_timeout = timeout_s

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        timeout_s, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(timeout_s):
                await super().send_packed_command(command, check_health)
        except TimeoutError:
            raise RedisTimeoutError("Redis does not take what is sent") from None
        finally:
            self.socket_timeout = timeout_s


class Redis:
    """A client behind a breaker. Without a `url` there is no Redis, which is the same as one that is down."""

    def __init__(self, url: str | None) -> None:
        """Connects with the first call."""
        self._breaker = _Breaker()
        self._client: RedisClient | None = None
        if url:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=TIMEOUT_S,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=self._breaker,
                connection_class=_Connection,
            )
            self._client = RedisClient(connection_pool=pool)

    @property
    def client(self) -> RedisClient:
        """The client. Raises RedisUnavailable when there is no Redis."""
        if self._client is None:
            raise RedisUnavailable("no Redis is configured")
        return self._client

    @property
    def available(self) -> bool:
        """Whether a call would be tried now."""
        return self._client is not None and time.monotonic() >= self._breaker.open_until

    async def close(self) -> None:
        """Ends the connections."""
        if self._client is not None:
            await self._client.aclose(close_connection_pool=True)
