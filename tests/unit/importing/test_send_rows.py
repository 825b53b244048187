"""Sending a file to a server that has no room at first: the import waits for it, as it is asked to (EVT-1)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from candela import Client
from candela.metering.v1 import ingestion_service_pb2 as pb
from candela.metering.v1 import ingestion_service_pb2_grpc as pb_grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from candela_server.importing.model import ImportOptions, Progress
from candela_server.importing.progress_file import digest_of
from candela_server.importing.send_rows import ImportInterruptedError, Sender

ROWS = 3


class BusyServer(pb_grpc.IngestionServiceServicer):
    """Another process's side of the contract: refuses a stream, with the time to come again after if it has one."""

    def __init__(self, *, refusals: int, retry: bool) -> None:
        self._refusals = refusals
        self._retry = retry
        self.streams = 0

    def StreamEvents(
        self, request_iterator: Iterator[pb.StreamEventsRequest], context: Any
    ) -> Iterator[pb.StreamEventsResponse]:
        """Acknowledges every chunk once it takes any."""
        self.streams += 1
        if self.streams <= self._refusals:
            self._refuse(context)
        for chunk in request_iterator:
            yield pb.StreamEventsResponse(acknowledged_chunk_number=chunk.chunk_number)

    def _refuse(self, context: Any) -> NoReturn:
        status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="no room")
        if self._retry:
            detail = any_pb2.Any()
            detail.Pack(
                error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=1_000_000))
            )
            status.details.append(detail)
        context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("aborting raises")


def send(path: Path, peer: BusyServer) -> Progress:
    """Imports a file of some rows into a server of this process; answers how far it came."""
    path.write_text(
        "name,customer_id,timestamp\n" + "call,cus_1,2026-04-01T15:00:00Z\n" * ROWS,
        encoding="utf-8",
    )
    server = grpc.server(ThreadPoolExecutor(2))
    pb_grpc.add_IngestionServiceServicer_to_server(peer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    progress = Progress()
    try:
        with Client(f"127.0.0.1:{port}", "sk_test_x") as client:
            Sender(
                client,
                ImportOptions(path=path),
                progress,
                lambda: digest_of(path),
                lambda _progress, _rejected: None,
                patience_s=30.0,
            ).run()
    finally:
        server.stop(None).wait()
    return progress


@pytest.mark.spec("EVT-1")
def test_server_that_is_busy_and_says_when_to_come_again__gets_every_row(tmp_path: Path) -> None:
    peer = BusyServer(refusals=2, retry=True)

    progress = send(tmp_path / "usage.csv", peer)

    assert peer.streams == 3
    assert progress.accepted == ROWS


@pytest.mark.spec("EVT-1")
def test_server_that_refuses_for_good__ends_the_import_at_once(tmp_path: Path) -> None:
    peer = BusyServer(refusals=2, retry=False)

    with pytest.raises(ImportInterruptedError, match="no room"):
        send(tmp_path / "usage.csv", peer)

    assert peer.streams == 1
