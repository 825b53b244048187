"""The plan "Team" under names that nothing else has: for tests that share a server and its merchant."""

from __future__ import annotations

from candela.catalog.v1 import plan_service_pb2

from demo.team_plan import team_plan
from tests.helpers.names import fresh


def fresh_plan() -> plan_service_pb2.CreatePlanRequest:
    """A plan whose slugs, of its features and metrics too, are its own."""
    request = team_plan(fresh("team"))
    mark = fresh("of")
    for metric in request.metrics:
        metric.slug = f"{metric.slug}-{mark}"
    for granted in request.features:
        granted.new_feature.slug = f"{granted.new_feature.slug}-{mark}"
        if granted.new_feature.HasField("metric"):
            granted.new_feature.metric.slug = f"{granted.new_feature.metric.slug}-{mark}"
    for component in request.prices[0].components:
        if component.metric:
            component.metric = f"{component.metric}-{mark}"
    for definition in request.credit_definitions:
        definition.feature = f"{definition.feature}-{mark}"
    return request
