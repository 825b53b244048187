"""Ports of loopback for servers that tests start, end, and start again at the same address."""

from __future__ import annotations

import secrets
import socket
from typing import Final

_QUIET_PORTS: Final = range(20_000, 30_000)
"""Below those that Linux gives to connections that ask for none.

Such a connection has none of these by chance when its server comes back, not even one that was tried again and again
while the server was dead, and would have been connected to itself one day.
"""

_given: set[int] = set()


def free_port() -> int:
    """A port that is free now, that no outgoing connection is ever given, and that this session has not had before."""
    while True:
        port = secrets.choice(_QUIET_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
