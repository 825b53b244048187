"""What a metric's SQL may say, and what is refused with its reason and place: the first wall (EVT-6, faults 45-49)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candela_server.catalog.define_sql_metric import check_sql
from candela_server.catalog.errors import SqlMetricRefusedError
from candela_server.catalog.model import SqlMetric
from candela_server.catalog.rules.sql_metric.query import indexed_aggregate, read_sql
from candela_server.catalog.rules.sql_metric.tree import SqlRefusedError, quoted

from tests.helpers.sql_attacks import ATTACKS, Attack


@pytest.mark.spec("EVT-6")
@pytest.mark.parametrize("attack", ATTACKS, ids=[one.kind for one in ATTACKS])
def test_query_that_leaves_its_place__is_refused_by_name(attack: Attack) -> None:
    with pytest.raises(SqlRefusedError) as refused:
        read_sql(attack.query)

    assert attack.named in str(refused.value)


@pytest.mark.spec("EVT-6")
@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("SELECT sum(value) FROM events WHERE pg_sleep(1) IS NULL", 37),
        ("SELECT\n  sum(valeu)\nFROM events", 14),
        ("SELECT sum(value) FROM events WHERE name = 'é' AND now() IS NULL", 52),
        ("SELECT count(*) FROM events; SELECT 1", 30),
        ("WITH x AS (SELECT 1) SELECT count(*) FROM events", 6),
        ("SELECT count(*) FROM events ORDER BY value", 38),
        ("SELECT sum(value::int) FROM events", 19),
    ],
)
def test_refusal__says_where(query: str, position: int) -> None:
    with pytest.raises(SqlMetricRefusedError) as refused:
        check_sql(SqlMetric(query, False), True, "metric")

    assert refused.value.metadata["position"] == str(position)
    assert refused.value.violations[0].field == "metric.sql.query"


@pytest.mark.spec("EVT-6")
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT avg(value) FROM events", "does not add up"),
        ("SELECT sum(value) / count(*) FROM events", "one aggregate and nothing around it"),
        ("SELECT sum(value) * 2 FROM events", "one aggregate and nothing around it"),
        ("SELECT coalesce(sum(value), 1) FROM events", "one aggregate and nothing around it"),
        ("SELECT max(n) FROM (SELECT count(*) AS n FROM events) AS x", "may span quarter-hours"),
    ],
)
def test_query_that_does_not_add_up__cannot_be_indexed(query: str, named: str) -> None:
    check_sql(SqlMetric(query, False), True, "metric")

    with pytest.raises(SqlMetricRefusedError, match=named):
        check_sql(SqlMetric(query, True), True, "metric")


@pytest.mark.spec("EVT-6", "EVT-12")
@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM events",
        "select COUNT(DISTINCT customer_id) from events where name = 'login';",
        "SELECT coalesce(sum((properties->>'tokens')::numeric), 0) FROM events e WHERE e.value > 0",
        "SELECT max(value) FILTER (WHERE user_id IS NOT NULL) AS most FROM events",
    ],
)
def test_single_aggregate_over_events__can_be_indexed(query: str) -> None:
    check_sql(SqlMetric(query, True), True, "metric")

    assert indexed_aggregate(read_sql(query)).function in query.lower()


@pytest.mark.spec("EVT-6")
def test_query_that_reads_names_without_listing_them__is_refused() -> None:
    with pytest.raises(SqlMetricRefusedError, match="list the names"):
        check_sql(SqlMetric("SELECT count(*) FROM events WHERE name = 'x'", False), False, "metric")


@pytest.mark.spec("EVT-6")
@settings(max_examples=300)
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                "select",
                "from",
                "events",
                "(",
                ")",
                "sum",
                "value",
                "*",
                ",",
                "'",
                '"',
                "where",
                "name",
                "::",
                "1",
                ";",
                "--",
                "/*",
                "*/",
                "with",
                "as",
                "$$",
                "U&",
                "\\",
                "->>",
                "case",
                "when",
                "then",
                "end",
                "group by",
                "in",
                "not",
                "-",
            ]
        ),
        max_size=40,
    ).map(" ".join)
)
def test_any_text__is_read_or_refused_and_nothing_else(query: str) -> None:
    try:
        read_sql(query)
    except SqlRefusedError:
        return


@pytest.mark.spec("EVT-6")
@settings(max_examples=100)
@given(
    st.text(
        alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=50
    )
)
def test_any_text_constant__stays_inside_its_quotes(text: str) -> None:
    constant = quoted(text)

    assert constant[0] == constant[-1] == "'"
    assert constant[1:-1].replace("''", "") == text.replace("'", "")
