"""Cutting a batch into questions gives what parsing it gives (ENT-5)."""

from __future__ import annotations

import pytest
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from candela_server.entitlement.check_wire import questions_in

QUESTIONS = st.lists(
    st.builds(
        pb.CheckRequest,
        external_user_id=st.text(max_size=200),
        feature=st.text(max_size=300),
        quantity=st.none() | st.just("2.5"),
        min_revision=st.integers(0, 2**40),
    ),
    max_size=20,
)


@pytest.mark.spec("ENT-5")
@given(QUESTIONS)
def test_batch__is_cut_into_the_questions_that_parsing_finds(
    questions: list[pb.CheckRequest],
) -> None:
    request = pb.CheckManyRequest(checks=questions)

    got = [pb.CheckRequest.FromString(one) for one in questions_in(request.SerializeToString())]

    assert got == questions


@pytest.mark.spec("ENT-5")
def test_batch_with_a_field_of_a_later_contract__is_understood() -> None:
    question = pb.CheckRequest(customer_id="cus_1", feature="reports")
    request = pb.CheckManyRequest(checks=[question]).SerializeToString()

    got = questions_in(b"\x10\x05" + request)  # an unknown field 2 with the number 5

    assert got == [question.SerializeToString()]


@pytest.mark.spec("ENT-5")
@given(st.binary(max_size=60))
def test_any_bytes__are_cut_as_parsing_cuts_them_or_refused(request: bytes) -> None:
    try:
        expected = len(pb.CheckManyRequest.FromString(request).checks)
    except DecodeError:
        expected = None
    try:
        got = questions_in(request)
        parsed = [pb.CheckRequest.FromString(one) for one in got]
    except DecodeError:
        assert expected is None
        return
    assert expected is None or len(parsed) == expected
