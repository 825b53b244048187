"""Changes what a merchant is called, its zone, and its policies from now on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from candela_server.kernel.caller import Mode
from candela_server.kernel.errors import InvalidInput
from candela_server.storage.postgres import Tx

from . import read, store
from .model import (
    LiveModeError,
    Merchant,
    MerchantSettings,
    MerchantVersionMismatchError,
    TestClockId,
)
from .rules.changed_settings import changed_settings
from .settings_change import SettingsChange
from .settings_json import settings_to_json

DowngradePlanProblem = Callable[[Tx, str], Awaitable[str | None]]
"""What speaks against a plan as the one that remains for past-due customers; plans are known above this room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMerchant:
    """What to change; None leaves it as it is. An empty `test_clock_id` takes the merchant off its clock."""

    name: str | None
    time_zone: str | None
    settings: SettingsChange
    expected_version: int | None
    default_currency: str | None = None
    test_clock_id: TestClockId | Literal[""] | None = None


async def update_merchant(
    tx: Tx, problem_of: DowngradePlanProblem, command: UpdateMerchant
) -> Merchant:
    """Changes what the command names and leaves the rest; finalized invoices and customers that exist stay as they are.

    Raises MerchantVersionMismatchError, TestClockNotFoundError, TestClockArchivedError, LiveModeError for a test clock
    in live mode, and InvalidInput for settings that cannot go together.
    """
    before = await read.get_merchant(tx, lock=True)
    if command.expected_version not in (None, before.version):
        raise MerchantVersionMismatchError(command.expected_version, before.version)
    after = replace(
        before,
        name=before.name if command.name is None else command.name,
        time_zone=command.time_zone or before.time_zone,
        default_currency=command.default_currency or before.default_currency,
        settings=_settings(before, command.settings),
        version=before.version + 1,
        test_clock_id=await _test_clock(tx, before, command),
    )
    await _check_downgrade_plan(tx, problem_of, after)
    await store.update_merchant(tx, after)
    await tx.audit(
        "merchant.updated", after.id, before=merchant_trace(before), after=merchant_trace(after)
    )
    # Checks depend on the past-due policy, and every process keeps the lateness bound of events.
    await tx.entitlements_changed(None)
    return after


def _settings(before: Merchant, change: SettingsChange) -> MerchantSettings:
    try:
        return changed_settings(before.settings, change)
    except InvalidInput as error:
        under = [violation.under("settings") for violation in error.violations]
        raise InvalidInput(error.message, violations=under) from error


async def _test_clock(tx: Tx, before: Merchant, command: UpdateMerchant) -> TestClockId | None:
    if command.test_clock_id is None:
        return before.test_clock_id
    if not command.test_clock_id:
        return None
    if before.mode is not Mode.TEST:
        raise LiveModeError
    return (await read.get_test_clock_in_use(tx, command.test_clock_id)).id


async def _check_downgrade_plan(tx: Tx, problem_of: DowngradePlanProblem, after: Merchant) -> None:
    plan_id = after.settings.past_due_policy.downgrade_plan_id
    if plan_id is None:
        return
    problem = await problem_of(tx, plan_id)
    if problem is not None:
        raise InvalidInput(problem, field="settings.past_due_policy.downgrade_plan_id")


def merchant_trace(merchant: Merchant) -> dict[str, Any]:
    """What the audit trail keeps of a merchant."""
    return {
        "name": merchant.name,
        "time_zone": merchant.time_zone,
        "default_currency": merchant.default_currency,
        "test_clock_id": merchant.test_clock_id,
        "settings": settings_to_json(merchant.settings),
        "version": merchant.version,
    }
