"""Which addresses the SDK encrypts for when nobody says."""

from __future__ import annotations

import pytest
from candela._channel import uses_tls


@pytest.mark.spec("SDK-1")
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8430", "127.8.8.8:1", "localhost:8430", "[::1]:8430", "unix:/run/candela.sock"],
)
def test_this_machine__is_not_encrypted(address: str) -> None:
    assert not uses_tls(address)


@pytest.mark.spec("SDK-1")
@pytest.mark.parametrize(
    "address",
    [
        "candela.example:443",
        "10.0.0.1:8430",
        "[2001:db8::1]:443",
        "127.evil.example:8430",
        "localhost.example:1",
        "unix.example:443",
    ],
)
def test_another_machine__is_encrypted(address: str) -> None:
    assert uses_tls(address)
