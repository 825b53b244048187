"""The token by which a change does exactly what its preview showed: instant, version, terms and amounts (SUB-6)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from candela_server.kernel.page import PageTokenInvalidError, TokenScope, decode_token, encode_token
from candela_server.storage.postgres import Tx

from .change import Changed, ChangeSubscription, PreviewStaleError
from .change_json import change_to_json

HOLDS_FOR: Final = timedelta(hours=1)
"""How long a preview can be carried out: long enough to decide, short of another day's amounts."""

Settle = Callable[[Tx, Changed], Awaitable[Sequence[str]]]
"""Bills a change at once where it asks for that, and says what each line of the invoices comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """What a preview showed: for which instant and version, and what it came to."""

    at: datetime
    version: int
    digest: str


def digest_of(changed: Changed, amounts: Sequence[str]) -> str:
    """Tells apart what a change leads to, and what the invoices that it causes at once come to.

    The terms, and where the difference goes, are in it because most changes are billed later, by them: a price that
    was published since is another, and the merchant's default may be.
    """
    terms = changed.terms
    shown = [
        changed.proration,
        *((terms.plan_version_id, terms.price_id) if terms else ()),
        *(f"{one} {count:f}" for one, count in sorted(terms.quantities.items() if terms else ())),
        *amounts,
    ]
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()[:32]


def token_of(secret: bytes, merchant_id: str, command: ChangeSubscription, shown: Previewed) -> str:
    """The token for carrying out this command as it was shown."""
    return encode_token(
        _scope(secret, merchant_id, command), (shown.at, f"{shown.version}:{shown.digest}")
    )


def read_token(secret: bytes, merchant_id: str, command: ChangeSubscription) -> Previewed:
    """What the command's token promises. Raises PreviewStaleError when it is for another change."""
    try:
        at, rest = decode_token(_scope(secret, merchant_id, command), command.preview_token)
    except PageTokenInvalidError as error:
        raise PreviewStaleError("the token was not issued for this change") from error
    version, _, digest = rest.partition(":")
    return Previewed(at=at, version=int(version), digest=digest)


def pinned(command: ChangeSubscription, shown: Previewed) -> ChangeSubscription:
    """The command for the instant and the version that were shown."""
    return replace(command, pinned_at=shown.at, expected_version=shown.version)


def check_amounts(shown: Previewed, changed: Changed, amounts: Sequence[str]) -> None:
    """Raises PreviewStaleError when it is too late, or when terms or invoices would not be those that were shown."""
    if changed.now > shown.at + HOLDS_FOR:
        raise PreviewStaleError("it is too old")
    if digest_of(changed, amounts) != shown.digest:
        raise PreviewStaleError("the price or the amounts have changed")


def _scope(secret: bytes, merchant_id: str, command: ChangeSubscription) -> TokenScope:
    wanted = [
        command.subscription_id,
        change_to_json(command.change),
        command.timing,
        command.effective_at.isoformat() if command.effective_at else None,
        command.proration,
    ]
    return TokenScope(
        secret=secret,
        merchant_id=merchant_id,
        list_name="preview",
        filter=json.dumps(wanted, sort_keys=True),
    )
