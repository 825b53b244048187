"""Answers gRPC for metrics."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import metric_service_pb2 as metric_pb
from candela.catalog.v1 import metric_service_pb2_grpc as metric_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import read, version_wire, wire
from .archive_metric import archive_metric
from .create_metric import create_metric
from .servicer import rest_after
from .update_metric import update_metric


class MetricServicer(Room, metric_grpc.MetricServiceServicer):
    """MetricService."""

    async def CreateMetric(
        self, request: metric_pb.CreateMetricRequest, context: Any
    ) -> metric_pb.CreateMetricResponse:
        """Adds a metric."""
        with FieldViolations() as fields:
            new = fields.read("metric", wire.new_metric_from_proto, request.metric)

        async def act(tx: Tx) -> metric_pb.CreateMetricResponse:
            metric = await create_metric(tx, self._clock, new)
            return metric_pb.CreateMetricResponse(metric=wire.metric_to_proto(metric))

        return await self._mutations.run(request, metric_pb.CreateMetricResponse, act)

    async def GetMetric(
        self, request: metric_pb.GetMetricRequest, context: Any
    ) -> metric_pb.GetMetricResponse:
        """One metric."""
        with FieldViolations() as fields:
            ref = fields.read("metric", wire.ref_from_proto, "met", request.metric)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            metric = await read.get_metric(tx, ref)
        return metric_pb.GetMetricResponse(metric=wire.metric_to_proto(metric))

    async def ListMetrics(
        self, request: metric_pb.ListMetricsRequest, context: Any
    ) -> metric_pb.ListMetricsResponse:
        """One page of metrics."""
        scope, wanted = self.page("metrics", request, str(request.include_archived))
        async with self._db.reading(scope.merchant_id) as tx:
            found = await read.list_metrics(tx)
        listed = [one for one in found if request.include_archived or one.archived_at is None]
        page = make_page(scope, wanted, rest_after(listed, wanted), position)
        return metric_pb.ListMetricsResponse(
            metrics=[wire.metric_to_proto(metric) for metric in page.items],
            next_page_token=page.next_token,
        )

    async def UpdateMetric(
        self, request: metric_pb.UpdateMetricRequest, context: Any
    ) -> metric_pb.UpdateMetricResponse:
        """Changes what people read of a metric."""
        command = version_wire.update_metric_from_proto(request)

        async def act(tx: Tx) -> metric_pb.UpdateMetricResponse:
            metric = await update_metric(tx, command)
            return metric_pb.UpdateMetricResponse(metric=wire.metric_to_proto(metric))

        return await self._mutations.run(request, metric_pb.UpdateMetricResponse, act)

    async def ArchiveMetric(
        self, request: metric_pb.ArchiveMetricRequest, context: Any
    ) -> metric_pb.ArchiveMetricResponse:
        """Takes a metric out of use for new prices and features."""
        command = version_wire.archive_metric_from_proto(request)

        async def act(tx: Tx) -> metric_pb.ArchiveMetricResponse:
            metric = await archive_metric(tx, self._clock, command)
            return metric_pb.ArchiveMetricResponse(metric=wire.metric_to_proto(metric))

        return await self._mutations.run(request, metric_pb.ArchiveMetricResponse, act)
