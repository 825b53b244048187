"""The door that every call passes: who is calling, may they, what went wrong, how long did it take.

Data plane. Budget: 15 µs of the 140 µs that an empty call costs the server. What it gives up for that: one wrapper per
method made at registration instead of grpc.aio's interceptors; a request id is made only where one is needed; calls
that succeed are counted and timed, and only the ones that fail or change something are logged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc import aio
from grpc_status import rpc_status

from candela_server.kernel.caller import Caller, Scope, current_caller
from candela_server.kernel.errors import (
    CandelaError,
    Forbidden,
    InvalidInput,
    Reason,
    Unavailable,
    Unserved,
)
from candela_server.kernel.ids import new_id
from candela_server.merchant.authenticate import Authenticator
from candela_server.merchant.model import UnknownApiKeyError
from candela_server.storage.mutation import was_replayed

from .measures import MethodMeasures
from .methods import Method
from .status import internal_status, status_of
from .stream_guard import MAX_UNREAD_S, StreamGuard

log = structlog.get_logger("candela.call")

# A call that names no deadline still ends.
DEFAULT_DEADLINE_S = 60.0
MAX_REQUEST_ID_BYTES = 100

Context = aio.ServicerContext[Any, Any]
Unary = Callable[[Any, Context], Awaitable[Message]]
Stream = Callable[[Any, Context], AsyncGenerator[Message, None]]
FromBytes = Callable[[str, bytes], Awaitable[bytes]]
"""Answers a request's bytes with a response's bytes, for a merchant."""

# Metadata that the quick way does not know what to do with.
_OTHER_METADATA = frozenset({"x-candela-key", "x-lumen-key", "x-request-id"})


class ScopeMissingError(Forbidden):
    """The key is valid but lacks the scope."""

    reason = Reason.FORBIDDEN_SCOPE

    def __init__(self, method: Method) -> None:
        super().__init__(
            f"{method.name} needs the scope {method.scope}; use a key that has it",
            scope=method.scope,
            method=method.name,
        )


class PublishableKeyError(Forbidden):
    """A publishable key reaches public methods only (PUB-1)."""

    reason = Reason.FORBIDDEN_PUBLISHABLE_KEY

    def __init__(self, method: Method) -> None:
        super().__init__(
            f"{method.name} needs a secret key (sk_…); call it from a server, never from a browser",
            method=method.name,
        )


class MalformedRequestError(InvalidInput):
    """The bytes are no message of the method's request type."""

    reason = Reason.INVALID_FIELD

    def __init__(self) -> None:
        super().__init__("the request's bytes are no message of this method's request type")


class Door:
    """Wraps handlers; one for the whole server."""

    def __init__(self, authenticator: Authenticator, *, max_unread_s: float = MAX_UNREAD_S) -> None:
        """Takes who knows the keys, and for how long a stream may go unread."""
        self._authenticator = authenticator
        self._max_unread_s = max_unread_s

    def guard(
        self,
        method: Method,
        handler: grpc.RpcMethodHandler[Any, Any],
        *,
        served: bool,
        from_bytes: FromBytes | None = None,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """The same handler behind the door. One that is not served says so, to callers who may call it.

        `from_bytes` answers in the handler's place, without the messages between bytes and bytes.
        """
        if from_bytes is not None:
            return grpc.unary_unary_rpc_method_handler(self._quick(method, from_bytes), None, None)
        if handler.response_streaming:
            streaming: Any = handler.stream_stream or handler.unary_stream
            guarded: Any = self._streaming(
                method, streaming if served else _unserved_stream(method)
            )
        else:
            unary: Any = handler.stream_unary or handler.unary_unary
            guarded = self._unary(method, unary if served else _unserved(method))
        make = _HANDLER_MAKERS[handler.request_streaming, handler.response_streaming]
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    def _unary(self, method: Method, behaviour: Unary) -> Unary:
        measures = MethodMeasures(method.name)
        admit = self._admit
        changes = method.scope is not Scope.READ
        perf_counter = time.perf_counter

        async def answer(request: Any, context: Context) -> Message:
            started = perf_counter()
            try:
                caller = await admit(method, context)
                current_caller.set(caller)
                if context.time_remaining() is None:
                    async with asyncio.timeout(DEFAULT_DEADLINE_S):
                        response = await behaviour(request, context)
                else:
                    response = await behaviour(request, context)
            except Exception as error:
                await _refuse(method, context, error)
            finally:
                measures.observe(context.code(), perf_counter() - started)
            if changes:
                _tell_trace(context, caller)
            return response

        return answer

    def _quick(
        self, method: Method, behaviour: FromBytes
    ) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """For reads of the data plane: no default deadline, as they bound what they wait for themselves."""
        assert method.scope is Scope.READ, "what changes something leaves traces"
        measures = MethodMeasures(method.name)
        admit, known = self._admit, self._authenticator.known
        perf_counter = time.perf_counter

        async def answer(request: bytes, context: Context) -> bytes:
            started = perf_counter()
            try:
                holder, named = None, False
                for name, value in context.invocation_metadata() or ():
                    if name == "authorization" and not named:
                        holder, named = known(value), True
                    elif name == "authorization" or name in _OTHER_METADATA:
                        holder = None
                        break
                if holder is None or Scope.READ not in holder.scopes:
                    caller = await admit(method, context)
                    current_caller.set(caller)
                    merchant_id = caller.merchant_id
                else:
                    merchant_id = holder.merchant_id
                return await behaviour(merchant_id, request)
            except Exception as error:
                if isinstance(error, DecodeError):
                    error = MalformedRequestError()
                await _refuse(method, context, error)
            finally:
                measures.observe(context.code(), perf_counter() - started)

        return answer

    def _streaming(self, method: Method, behaviour: Stream) -> Stream:
        measures = MethodMeasures(method.name)

        async def answer(request: Any, context: Context) -> AsyncGenerator[Message, None]:
            started = time.perf_counter()
            now_s = asyncio.get_running_loop().time
            guard = StreamGuard(
                lambda: self._admit(method, context),
                lambda error: _end(method, context, error),
                self._max_unread_s,
            )
            try:
                current_caller.set(await self._admit(method, context))
                guard.begin()
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        guard.unread_since_s = now_s()
                        yield response
                        guard.unread_since_s = None
            except Exception as error:
                await _refuse(method, context, error)
            finally:
                guard.end()
                measures.observe(context.code(), time.perf_counter() - started)

        return answer

    async def _admit(self, method: Method, context: Context) -> Caller:
        key = request_id = ""
        for name, value in context.invocation_metadata() or ():
            if name == "authorization":
                if key:
                    raise UnknownApiKeyError
                key = str(value)
            elif name == "x-candela-key" or name == "x-lumen-key":
                if key:
                    raise UnknownApiKeyError
                key = f"Bearer {value!s}"
            elif name == "x-request-id":
                request_id = str(value)[:MAX_REQUEST_ID_BYTES]
        if not key.startswith("Bearer "):
            raise UnknownApiKeyError
        holder = await self._authenticator.authenticate(key[7:])
        if method.scope not in holder.scopes:
            if holder.scopes == {Scope.PUBLIC}:
                raise PublishableKeyError(method)
            raise ScopeMissingError(method)
        # Only what changes something leaves traces that need an id to be found by.
        found_by = request_id or ("" if method.scope is Scope.READ else new_id("req"))
        return holder.caller(method.name, found_by)


def _tell_trace(context: Context, caller: Caller) -> None:
    """Tells a changing call's request id, under which audit entries have it, and whether the answer is an old one."""
    trailer = [("candela-request-id", caller.request_id)]
    if was_replayed.get():
        trailer.append(("candela-replayed", "true"))
    context.set_trailing_metadata(tuple(trailer))
    log.debug("call_done", method=caller.method, request_id=caller.request_id)


async def _refuse(method: Method, context: Context, error: Exception) -> NoReturn:
    """Aborts with the error's status; never returns normally."""
    if isinstance(error, aio.AbortError):
        raise error
    if isinstance(error, TimeoutError):
        error = Unavailable("the call took longer than the server allows; retry with a deadline")
    caller = current_caller.get(None)
    request_id = caller.request_id if caller and caller.request_id else new_id("req")
    context.set_trailing_metadata((("candela-request-id", request_id),))
    if isinstance(error, CandelaError):
        status = status_of(error)
        if not isinstance(error, InvalidInput):
            log.info("call_refused", method=method.name, reason=error.reason, request_id=request_id)
    else:
        status = internal_status(request_id)
        log.error("call_failed", method=method.name, request_id=request_id, exc_info=error)
    await context.abort_with_status(rpc_status.to_status(status))


async def _end(method: Method, context: Context, error: CandelaError) -> None:
    """Tells the caller of a stream that it is over; not from the handler, which may be waiting."""
    with suppress(aio.AbortError):
        await _refuse(method, context, error)


def _unserved(method: Method) -> Unary:
    async def refuse(_request: Any, _context: Context) -> Message:
        raise Unserved(method.name, method.awaited_spec_ids)

    return refuse


def _unserved_stream(method: Method) -> Stream:
    refuse = _unserved(method)

    async def refuse_stream(request: Any, context: Context) -> AsyncGenerator[Message, None]:
        yield await refuse(request, context)

    return refuse_stream


_HANDLER_MAKERS: dict[tuple[bool, bool], Callable[..., grpc.RpcMethodHandler[Any, Any]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
