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

_held: dict[int, socket.socket] = {}
"""UDP ports of the same numbers, as long as this process lives: nobody serves there, and whoever asks sees them."""


def free_port() -> int:
    """A port that is free now, that no outgoing connection is ever given, and that no session gets while this one runs.

    Whatever listens there may end, be killed and come back: sessions beside this one take another.
    """
    while True:
        port = secrets.choice(_QUIET_PORTS)
        hold = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as probe:
            try:
                hold.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
            except OSError:
                hold.close()
                continue
        _held[port] = hold
        return port
