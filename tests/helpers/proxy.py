"""A network that can go wrong: a TCP proxy that passes, delays, holds, swallows or cuts what goes through it."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from tests.helpers.waiting import PATIENCE_S

_READ_BYTES = 65_536
_LOOK_S = 0.005


class Proxy:
    """Stands in front of one server of loopback; runs in a thread of its own until closed."""

    def __init__(self, port: int) -> None:
        """`port` is the server's. Listens on `self.port` from now on, and passes."""
        self._target = port
        self._delay_s = 0.0
        self._held_after: float = math.inf
        self._open = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._run(self._listen())
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def url(self, url: str) -> str:
        """The address of the server behind, by way of the proxy."""
        parts = urlsplit(url)
        credentials = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{self.port}"))

    def delay(self, seconds: float) -> None:
        """Everything that the server says arrives so much later."""
        self._delay_s = seconds

    def hold_after(self, count: int) -> None:
        """Lets about so many bytes more through to the server, and no others; what the server says comes through."""
        self._held_after = count

    def swallow(self) -> None:
        """Nothing goes through in either direction, and nobody is told: a black hole."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def cut(self) -> None:
        """Ends all connections; new ones are taken as before."""
        self._run(self._cut())

    def heal(self) -> None:
        """Passes again, everything and without delay."""
        self._delay_s = 0.0
        self._held_after = math.inf
        self._loop.call_soon_threadsafe(self._open.set)

    def close(self) -> None:
        """Ends the connections and the thread."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)

    def __enter__(self) -> Self:
        """The proxy itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _listen(self) -> asyncio.Server:
        self._open.set()
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _close(self) -> None:
        self._server.close()
        self._open.set()
        await self._cut()
        # Somebody who was let in at the last moment is served by a task that begins meanwhile.
        while serving := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            self._writers.discard(writer)
            writer.transport.abort()
            return
        self._writers.add(back)
        pumps = [
            asyncio.ensure_future(self._pump(reader, back, slow=False)),
            asyncio.ensure_future(self._pump(there, writer, slow=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for one in (writer, back):
                self._writers.discard(one)
                one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                await self._open.wait()
                if slow:
                    await self._delayed()
                else:
                    await self._counted(len(data))
                writer.write(data)
                await writer.drain()

    async def _delayed(self) -> None:
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
            await self._open.wait()

    async def _counted(self, count: int) -> None:
        while self._held_after <= 0:
            await asyncio.sleep(_LOOK_S)
        self._held_after -= count
