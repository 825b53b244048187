"""Credits that could never be granted and trials nobody could have are refused by their fields (CRD, TRL)."""

from __future__ import annotations

import pytest
from candela.catalog.v1 import (
    credit_definition_pb2 as credit_pb,
)
from candela.catalog.v1 import plan_service_pb2
from google.protobuf.duration_pb2 import Duration

from candela_server.catalog.definition_wire import new_credit_definition_from_proto
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.kernel.errors import InvalidInput

from demo.team_plan import team_plan
from tests.unit.catalog.defining import fields_of


def a_credit() -> credit_pb.NewCreditDefinition:
    return credit_pb.NewCreditDefinition(
        name="Welcome",
        scope=credit_pb.CREDIT_SCOPE_PLAN,
        application_type=credit_pb.CREDIT_APPLICATION_TYPE_MONETARY,
        currency="USD",
        default_amount="50",
    )


@pytest.mark.spec("CRD-1", "CRD-3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": ""}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"feature": "calls"}, "feature"),
        ({"default_amount": "0"}, "default_amount"),
        ({"default_amount": "0.0000000000001"}, "default_amount"),
        ({"refill_amount": "-1"}, "refill_amount"),
        ({"renewal_rule": "FREQ=HOURLY"}, "renewal_rule"),
        ({"renewal_rule": "FREQ=MONTHLY", "renew_on_billing": True}, "renewal_rule"),
        ({"expires_after": Duration(seconds=0)}, "expires_after"),
        ({"expires_after": Duration(seconds=-1)}, "expires_after"),
        ({"expires_after": Duration(seconds=315_576_000_000)}, "expires_after"),
        ({"expires_after": Duration(seconds=60), "renew_on_billing": True}, "expires_after"),
        ({"rollover_cap": "-1", "renew_on_billing": True}, "rollover_cap"),
        ({"rollover_cap": "10"}, "rollover_cap"),
        ({"scope": credit_pb.CREDIT_SCOPE_UNSPECIFIED}, "scope"),
        ({"application_type": credit_pb.CREDIT_APPLICATION_TYPE_UNSPECIFIED}, "application_type"),
        (
            {"application_type": credit_pb.CREDIT_APPLICATION_TYPE_USAGE, "currency": ""},
            "feature",
        ),
        ({"priority": 1001}, "priority"),
    ],
    ids=[
        "money without currency",
        "no currency",
        "money of a feature",
        "nothing granted",
        "13 places",
        "negative refill",
        "hourly renewal",
        "renewed twice over",
        "lasts no time",
        "ended before",
        "lasts for ten thousand years",
        "expiry beside the period's end",
        "negative rollover",
        "rollover of what is granted once",
        "no scope",
        "no kind",
        "usage without feature",
        "priority",
    ],
)
def test_credit_that_could_not_be_granted__is_refused_by_its_field(
    changes: dict[str, object], field: str
) -> None:
    new = a_credit()
    for name, value in changes.items():
        if isinstance(value, Duration):
            new.expires_after.CopyFrom(value)
        else:
            setattr(new, name, value)

    with pytest.raises(InvalidInput) as caught:
        new_credit_definition_from_proto(new)

    assert fields_of(caught) == [field]


@pytest.mark.spec("TRL-1", "CAT-7")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"is_trial_plan": True, "trial_days": 7}, "trial_parent_plan"),
        ({"is_trial_plan": True, "parent": "pro"}, "trial_days"),
        ({"is_trial_plan": True, "parent": "pro", "trial_days": -1}, "trial_days"),
        ({"is_trial_plan": True, "parent": "pro", "trial_days": 366}, "trial_days"),
        ({"parent": "pro"}, "trial_parent_plan"),
        ({"trial_days": 7}, "trial_days"),
        (
            {"is_trial_plan": True, "parent": "pro", "trial_days": 7, "is_enterprise_plan": True},
            "is_enterprise_plan",
        ),
    ],
    ids=[
        "leads nowhere",
        "no days",
        "negative days",
        "more than a year",
        "parent of no trial",
        "days of no trial",
        "trial of nothing sold",
    ],
)
def test_trial_that_could_not_be_had__is_refused_by_its_field(
    changes: dict[str, object], field: str
) -> None:
    request = team_plan("trial")
    for name, value in changes.items():
        if name == "parent":
            request.trial_parent_plan.slug = str(value)
        else:
            setattr(request, name, value)

    with pytest.raises(InvalidInput) as caught:
        create_plan_from_proto(request)

    assert fields_of(caught) == [field]


@pytest.mark.spec("CAT-7")
def test_enterprise_plan__needs_no_price() -> None:
    command = create_plan_from_proto(
        plan_service_pb2.CreatePlanRequest(slug="big", name="Big", is_enterprise_plan=True)
    )

    assert command.prices == ()
