"""Free, a trial, Pro and an enterprise quote on one test clock, to the cent, as the demo shows it (S3)."""

from __future__ import annotations

import pytest
from candela import Client

from demo.growth import Growth
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command


@pytest.mark.spec("SUB-2", "TRL-2", "CRD-6", "CAT-7", "SUB-6", "INV-1")
def test_freemium_to_enterprise__every_invoice_is_what_was_worked_out_by_hand(
    live_server: LiveServer,
) -> None:
    merchant = create_merchant_by_command(dict(live_server.server.environment), "Growing")

    with Client(live_server.address, merchant["secret_key"]) as candela:
        assert Growth(candela, fresh("run")).run()
