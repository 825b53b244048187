"""One question that was asked before: what it means, and the bytes of its last answer. See quick_check.py."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, TypeAlias

from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.contract.values import item_error_to_proto
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError
from candela_server.metering.quick_counters import QuickCounter, Raw

from . import wire
from .check_entitlement import asks_of
from .check_wire import field_1, response_item
from .model import Answer, FeatureState, Origin, Snapshot
from .rules.allowance import decide, reserved_at
from .snapshot_facts import Who

_NOTHING: Final = Decimal(0)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class PreparedCheck:
    """What a question means, and its last answer. `raw` is the counter that the answer rests on, if it needed one.

    At `ends_at` of the system's time, time alone makes it something else.
    """

    __slots__ = (
        "about",
        "counter",
        "ends_at",
        "held",
        "item",
        "quantity",
        "raw",
        "reserved",
        "response",
        "snapshot",
        "state",
    )

    def __init__(
        self, who: Who, snapshot: Snapshot, state: FeatureState, quantity: Decimal, merchant_id: str
    ) -> None:
        """Prepares the reading of the counter; where none is needed, the answer is there at once."""
        # A text is compared faster than what it stands for.
        self.about = repr(who)
        self.snapshot = snapshot
        self.state = state
        ends_at = snapshot.valid_until
        # A snapshot on a test clock stays valid until the clock is moved, and then it is not alive any more.
        self.ends_at = _NEVER if ends_at is None or snapshot.frozen_now is not None else ends_at
        self.quantity = quantity
        self.counter: QuickCounter | None = None
        if state.metered is not None:
            whole, *parts = asks_of(snapshot, state)
            self.counter = QuickCounter(merchant_id, whole, parts)
        self.raw: Raw | None = None
        self.held = state.metered.held if state.metered is not None else ()
        self.reserved = _NOTHING
        self.response = b""
        self.item = b""
        if self.counter is None:
            self._keep(decide(state, used=None, quantity=quantity))

    def with_raw(self, raw: Raw, clock: Clock) -> bytes:
        """The response for what the counter holds: the last one, unless it or what is reserved has moved."""
        reserved = self.reserved
        if self.held:
            reserved = reserved_at(self.held, self.snapshot.frozen_now or clock.now())
        if raw != self.raw or reserved != self.reserved:
            assert self.counter is not None, "only metered features have counters"
            used = self.counter.value(raw)
            self._keep(
                decide(
                    self.state,
                    used=used,
                    quantity=self.quantity,
                    origin=Origin.COUNTERS,
                    reserved=reserved,
                    past=self.counter.parts(raw),
                )
            )
            self.raw, self.reserved = raw, reserved
        return self.response

    def as_item(self) -> bytes:
        """The last response as an element of a CheckManyResponse."""
        if not self.item:
            self.item = response_item(self.response)
        return self.item

    def _keep(self, answer: Answer) -> None:
        self.response = wire.check_response_to_proto(answer, self.snapshot).SerializeToString()
        self.item = b""


class RefusedCheck:
    """A question of a CheckMany that means nothing: an element of the answer that says why."""

    __slots__ = ("item",)

    counter: None = None

    def __init__(self, index: int, error: CandelaError) -> None:
        """`index` is the question's place in the call."""
        field = error.violations[0].field if error.violations else ""
        problem = item_error_to_proto(index, error.reason, field, error.message)
        self.item = field_1(pb.CheckManyResult(error=problem).SerializeToString())

    def as_item(self) -> bytes:
        """The element of the CheckManyResponse."""
        return self.item


Understood: TypeAlias = PreparedCheck | RefusedCheck
"""What became of one question of several."""
