"""Who is decided together with whom, among the callers of one process (ENT-9)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from candela_server.entitlement.allowance_queues import MAX_TOGETHER, AllowanceQueues
from candela_server.entitlement.decision import Allowance, Decision

_ALLOWANCE = Allowance(merchant_id="mch_1", customer_id=None)
_OTHER = Allowance(merchant_id="mch_2", customer_id=None)


class _Decider:
    """Notes who comes together, and holds the first batch until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.abandoned: list[str] = []
        self.go_on = asyncio.Event()
        self.failure: Exception | None = None
        self.queues = AllowanceQueues(
            self._decide, lambda decision: self.abandoned.append(decision.request.name[1])
        )

    async def _decide(self, allowance: Allowance, decisions: Sequence[Decision]) -> None:
        self.batches.append([one.request.name[1] for one in decisions])
        if self.failure is not None:
            raise self.failure
        await self.go_on.wait()

    def ask(self, key: str, allowance: Allowance = _ALLOWANCE) -> asyncio.Task[None]:
        """A caller."""
        decision: Any = SimpleNamespace(request=SimpleNamespace(name=("Reserve", key)))
        return asyncio.create_task(self.queues.put(allowance, decision))


@pytest.mark.spec("ENT-9")
async def test_callers_come_while_one_is_decided__they_are_the_next_batch_in_their_order() -> None:
    decider = _Decider()
    calls = [decider.ask("first")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls += [decider.ask(f"{number:03}") for number in range(MAX_TOGETHER + 5)]
    calls.append(decider.ask("elsewhere", _OTHER))
    await asyncio.sleep(0)
    decider.go_on.set()
    await asyncio.gather(*calls)

    wanted = [f"{number:03}" for number in range(MAX_TOGETHER + 5)]
    assert decider.batches[0] == ["first"]
    assert ["elsewhere"] in decider.batches
    rest = [batch for batch in decider.batches[1:] if batch != ["elsewhere"]]
    assert rest == [wanted[:MAX_TOGETHER], wanted[MAX_TOGETHER:]]


@pytest.mark.spec("ENT-9")
async def test_same_key_waits_twice__the_second_comes_after_the_first_and_holds_nobody_up() -> None:
    decider = _Decider()
    calls = [decider.ask("first")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls += [decider.ask(key) for key in ("a", "b", "a", "c", "a")]
    await asyncio.sleep(0)
    decider.go_on.set()
    await asyncio.gather(*calls)

    assert decider.batches == [["first"], ["a", "b", "c"], ["a"], ["a"]]


@pytest.mark.spec("ENT-9")
async def test_callers_give_up__those_who_wait_are_not_decided_and_the_one_who_is_stays_decided() -> (
    None
):
    decider = _Decider()
    first = decider.ask("first")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second, third = decider.ask("second"), decider.ask("third")
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    decider.go_on.set()
    await third

    assert decider.batches == [["first"], ["third"]]
    assert decider.abandoned == ["first"]


@pytest.mark.spec("ENT-9")
async def test_deciding_breaks__everybody_hears_of_it_and_the_next_are_decided() -> None:
    decider = _Decider()
    decider.failure = RuntimeError("defect")
    got = await asyncio.gather(decider.ask("a"), decider.ask("b"), return_exceptions=True)
    decider.failure = None
    decider.go_on.set()
    await decider.ask("c")

    assert [str(one) for one in got] == ["defect", "defect"]
    assert decider.batches[-1] == ["c"]
