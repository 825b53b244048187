"""Acting as a merchant inside a test: the caller that mutations and audits expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from candela_server.kernel.caller import Caller, Mode, Scope, current_caller


@contextmanager
def acting_as(merchant_id: str, method: str = "tests/Act") -> Iterator[Caller]:
    """Everything inside is done with a secret key of this merchant."""
    caller = Caller(
        merchant_id=merchant_id,
        key_id="key_tests",
        actor="tests",
        scopes=frozenset(Scope),
        mode=Mode.TEST,
        request_id="req_tests",
        method=method,
    )
    token = current_caller.set(caller)
    try:
        yield caller
    finally:
        current_caller.reset(token)
