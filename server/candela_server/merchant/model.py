"""What exists here: merchants, their API keys, and test clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from candela_server.kernel.caller import Mode, Scope
from candela_server.kernel.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Reason,
    Refused,
    Unauthenticated,
)

from .numbering import USUAL_NUMBERING, NumberingScheme

MerchantId = NewType("MerchantId", str)
ApiKeyId = NewType("ApiKeyId", str)
TestClockId = NewType("TestClockId", str)


class UnknownEventPolicy(StrEnum):
    """What becomes of an event that fits no customer (EVT-11)."""

    REJECT = "reject"
    DEAD_LETTER = "dead_letter"


class UnmatchedNamePolicy(StrEnum):
    """What becomes of an event whose name no metric reads (EVT-11)."""

    ACCEPT = "accept"
    REJECT = "reject"
    DEAD_LETTER = "dead_letter"


class PastDueAction(StrEnum):
    """What ends the grace of a past-due customer (ENT-10)."""

    KEEP = "keep"
    DOWNGRADE = "downgrade"
    BLOCK = "block"


class ProrationTiming(StrEnum):
    """Where the difference of a cut period is billed when a change does not say it; `Proration` of subscriptions."""

    NEXT_INVOICE = "next_invoice"
    INVOICE_NOW = "invoice_now"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDuePolicy:
    """What access a past-due customer keeps: all of it for `grace` after the due date, then what `then` says (ENT-10).

    `downgrade_plan_id` is the free plan whose features remain, for DOWNGRADE and for nothing else.
    """

    grace: timedelta = timedelta(days=7)
    then: PastDueAction = PastDueAction.BLOCK
    downgrade_plan_id: str | None = None

    def __post_init__(self) -> None:
        if (self.then is PastDueAction.DOWNGRADE) != (self.downgrade_plan_id is not None):
            raise ValueError("a downgrade has a plan, and nothing else has one")


CREDIT_NOTE_NUMBER_PREFIX: Final = "CN-"
"""Put before every credit note's number; no invoice number begins with it alone (INV-4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantSettings:
    """The merchant's defaults and policies; see MerchantSettings in the contract for the bounds."""

    event_dedupe_window: timedelta = timedelta(days=90)
    event_lateness: timedelta = timedelta(days=35)
    unknown_customer_policy: UnknownEventPolicy = UnknownEventPolicy.REJECT
    invoice_grace: timedelta = timedelta(hours=1)
    past_due_policy: PastDuePolicy = PastDuePolicy()
    invoice_number_prefix: str = "INV-"
    max_invoices_per_customer_per_day: int = 15
    unmatched_name_policy: UnmatchedNamePolicy = UnmatchedNamePolicy.ACCEPT
    invoice_numbering: NumberingScheme = USUAL_NUMBERING
    credit_note_numbering: NumberingScheme = USUAL_NUMBERING
    payment_terms_days: int = 30
    proration: ProrationTiming = ProrationTiming.NEXT_INVOICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """One tenant in one mode: live and test mode are two merchants (KEY-2).

    On a test clock, in test mode only, stand the customers who are created from now on (OPS-2).
    """

    id: MerchantId
    name: str
    mode: Mode
    time_zone: str
    default_currency: str
    settings: MerchantSettings
    created_at: datetime
    version: int
    test_clock_id: TestClockId | None = None


class ApiKeyKind(StrEnum):
    """Who may hold a key: servers (secret) or anybody (publishable)."""

    SECRET = "secret"
    PUBLISHABLE = "publishable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What a caller shows to act for a merchant; the secret itself is not kept (KEY-1)."""

    id: ApiKeyId
    name: str
    kind: ApiKeyKind
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by_id: ApiKeyId | None

    def works_at(self, instant: datetime) -> bool:
        """Whether the key opens anything at this instant."""
        return self.revoked_at is None and (self.expires_at is None or instant < self.expires_at)


class TestClockStatus(StrEnum):
    """Whether a test clock is at rest."""

    READY = "ready"
    ADVANCING = "advancing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestClock:
    """A time of its own for the customers put on it (OPS-2)."""

    id: TestClockId
    name: str
    now_at: datetime
    target_at: datetime | None
    status: TestClockStatus
    failure: str
    created_at: datetime
    archived_at: datetime | None = None


class MerchantNotFoundError(NotFound):
    """No merchant has the id."""

    reason = Reason.MERCHANT_NOT_FOUND

    def __init__(self, merchant_id: str) -> None:
        super().__init__(
            f"no merchant {merchant_id}; create one with `candela merchant create`",
            merchant_id=merchant_id,
        )


class MerchantVersionMismatchError(Conflict):
    """The change was based on another version of the merchant."""

    reason = Reason.VERSION_MISMATCH

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            f"the merchant's version is {actual}, not {expected}; read it again, then repeat",
            expected=expected,
            actual=actual,
        )


class UnknownApiKeyError(Unauthenticated):
    """The key is missing, malformed, unknown, expired or revoked; callers are not told which."""

    reason = Reason.UNAUTHENTICATED

    def __init__(self) -> None:
        super().__init__(
            'no valid API key; send the metadata "authorization: Bearer sk_…" with a working key'
        )


class ApiKeyNotFoundError(NotFound):
    """No API key of this merchant has the id."""

    reason = Reason.API_KEY_NOT_FOUND

    def __init__(self, api_key_id: str) -> None:
        super().__init__(
            f"no API key {api_key_id}; ListApiKeys shows what exists", api_key_id=api_key_id
        )


class ApiKeyRevokedError(Refused):
    """A revoked key cannot be rotated."""

    reason = Reason.API_KEY_REVOKED

    def __init__(self, api_key_id: ApiKeyId) -> None:
        super().__init__(
            f"API key {api_key_id} was revoked; create a new key", api_key_id=api_key_id
        )


class LiveModeError(Forbidden):
    """Test clocks exist in test mode only."""

    reason = Reason.FORBIDDEN_LIVE_MODE

    def __init__(self) -> None:
        super().__init__("test clocks exist in test mode only; use a key that begins with sk_test_")


class TestClockNotFoundError(NotFound):
    """No test clock of this merchant has the id."""

    reason = Reason.TEST_CLOCK_NOT_FOUND

    def __init__(self, test_clock_id: str) -> None:
        super().__init__(
            f"no test clock {test_clock_id}; ListTestClocks shows what exists",
            test_clock_id=test_clock_id,
        )


class TestClockBackwardsError(Refused):
    """Time moves forward only, and not further than the contract's bound."""

    reason = Reason.TEST_CLOCK_BACKWARDS

    def __init__(self, now_at: datetime, requested_at: datetime) -> None:
        super().__init__(
            f"the test clock shows {now_at:%Y-%m-%dT%H:%M:%SZ} and was asked to move to "
            f"{requested_at:%Y-%m-%dT%H:%M:%SZ}; ask for a later instant, at most 5 years ahead",
            now_at=now_at.isoformat(),
            requested_at=requested_at.isoformat(),
        )


class TestClockArchivedError(Refused):
    """An archived clock stands still for ever, and nobody new is put on it."""

    reason = Reason.TEST_CLOCK_ARCHIVED

    def __init__(self, test_clock_id: TestClockId, archived_at: datetime) -> None:
        super().__init__(
            f"test clock {test_clock_id} was archived at {archived_at:%Y-%m-%dT%H:%M:%SZ}; make another "
            "one by CreateTestClock",
            test_clock_id=test_clock_id,
            archived_at=archived_at.isoformat(),
        )


class TestClockAdvancingError(Refused):
    """A clock is sent forward again, or archived, only once it rests."""

    reason = Reason.TEST_CLOCK_ADVANCING

    def __init__(self, test_clock_id: TestClockId) -> None:
        super().__init__(
            f"test clock {test_clock_id} is still advancing; wait until it is ready",
            test_clock_id=test_clock_id,
        )
