"""Queries that try to leave their place, and what the parser says of each; the sandbox runs them all unparsed."""

from __future__ import annotations

from typing import NamedTuple


class Attack(NamedTuple):
    """A query that must be refused, by which word of the refusal; `kind` names it in test reports."""

    kind: str
    query: str
    named: str


_NUMBER = "SELECT count(*) FROM events"

ATTACKS = (
    # More than one statement, or another than SELECT.
    Attack("stacked drop", f"{_NUMBER}; DROP TABLE event", "2 statements"),
    Attack("stacked set role", f"{_NUMBER}; SET ROLE candela_events", "2 statements"),
    Attack(
        "stacked behind a comment", f"{_NUMBER} /* ; */ ; DELETE FROM event -- ", "2 statements"
    ),
    Attack(
        "commented to another end", "SELECT 1 FROM events) AS x; DROP TABLE event; --", "not SQL"
    ),
    Attack("nothing but a comment", "-- SELECT", "0 statements"),
    Attack("empty statement", ";;", "0 statements"),
    Attack("NUL", f"{_NUMBER}\x00; DROP TABLE event", "control character"),
    Attack("COPY", "COPY event TO STDOUT", "COPY"),
    Attack("COPY PROGRAM", "COPY event TO PROGRAM 'curl evil'", "COPY"),
    Attack("DO", "DO $$ BEGIN PERFORM 1; END $$", "DO"),
    Attack("INSERT", "INSERT INTO event SELECT * FROM event", "INSERT"),
    Attack("UPDATE", "UPDATE event SET value = 0 RETURNING value", "UPDATE"),
    Attack("DELETE", "DELETE FROM event RETURNING value", "DELETE"),
    Attack("SET ROLE", "SET ROLE postgres", "SET"),
    Attack("RESET ROLE", "RESET ROLE", "SET"),
    Attack("SHOW", "SHOW data_directory", "SHOW"),
    Attack("CALL", "CALL pg_sleep(1)", "CALL"),
    Attack("PREPARE", "PREPARE x AS SELECT 1", "PREPARE"),
    Attack("EXECUTE", "EXECUTE x", "EXECUTE"),
    Attack("EXPLAIN ANALYZE", "EXPLAIN ANALYZE DELETE FROM event", "EXPLAIN"),
    Attack("COMMIT", "COMMIT", "transaction"),
    Attack("SELECT INTO", "SELECT count(*) AS n INTO stolen FROM events", "INTO"),
    Attack("CREATE TABLE AS", "CREATE TABLE stolen AS SELECT 1", "CreateTableAsStmt"),
    Attack("VALUES", "VALUES (1)", "VALUES"),
    Attack("TABLE", "TABLE events", "*"),
    Attack("union", f"{_NUMBER} UNION SELECT 1", "UNION"),
    Attack("lock", "SELECT sum(value) FROM events FOR UPDATE", "a lock"),
    # WITH, in all its forms.
    Attack("CTE that writes", f"WITH x AS (DELETE FROM event RETURNING 1) {_NUMBER}", "WITH"),
    Attack(
        "recursive CTE bomb",
        "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x",
        "WITH",
    ),
    # Functions.
    Attack("pg_sleep", "SELECT sum(value) FROM events WHERE pg_sleep(600) IS NULL", "pg_sleep"),
    Attack(
        "set_config",
        "SELECT count(set_config('role', 'candela_events', false)) FROM events",
        "set_config",
    ),
    Attack(
        "set_config of the tenant",
        "SELECT length(set_config('candela.merchant_id', 'mer_x', false))::numeric FROM events",
        "set_config",
    ),
    Attack(
        "current_setting",
        "SELECT length(current_setting('data_directory'))::numeric FROM events",
        "current_setting",
    ),
    Attack(
        "dblink",
        "SELECT count(*) FROM dblink('host=x', 'SELECT 1') AS x(a int)",
        "function in FROM",
    ),
    Attack(
        "pg_read_file",
        "SELECT length(pg_read_file('/etc/passwd'))::numeric FROM events",
        "pg_read_file",
    ),
    Attack("pg_ls_dir", "SELECT count(*) FROM pg_ls_dir('/')", "function in FROM"),
    Attack("lo_export", "SELECT lo_export(1, '/tmp/x') FROM events", "lo_export"),
    Attack("lo_import", "SELECT lo_import('/etc/passwd') FROM events", "lo_import"),
    Attack("lo_creat", "SELECT lo_creat(-1) FROM events", "lo_creat"),
    Attack(
        "query_to_xml",
        "SELECT length(query_to_xml('SELECT * FROM event', true, true, '')::text) FROM events",
        "query_to_xml",
    ),
    Attack(
        "database_to_xml",
        "SELECT length(database_to_xml(true, true, '')::text) FROM events",
        "database_to_xml",
    ),
    Attack("now", "SELECT extract(epoch FROM now()) FROM events", "now"),
    Attack(
        "current_timestamp",
        "SELECT extract(epoch FROM current_timestamp) FROM events",
        "the present",
    ),
    Attack("current_user", "SELECT length(current_user) FROM events", "who asks"),
    Attack("random", "SELECT sum(random()) FROM events", "random"),
    Attack("pg_notify", "SELECT count(pg_notify('x', 'y')) FROM events", "pg_notify"),
    Attack("advisory lock", "SELECT count(pg_advisory_lock(1)) FROM events", "pg_advisory_lock"),
    Attack(
        "pg_terminate_backend",
        "SELECT count(pg_terminate_backend(1)) FROM events",
        "pg_terminate_backend",
    ),
    Attack("nextval", "SELECT nextval('event_writer_number_seq') FROM events", "nextval"),
    Attack(
        "our own function",
        "SELECT count(candela_prepare_events('2020-01-01'::timestamptz)) FROM events",
        "candela_prepare_events",
    ),
    Attack(
        "the sandbox itself",
        "SELECT sum(value) FROM candela_measure('SELECT 1', 1, 1)",
        "function in FROM",
    ),
    Attack("quoted name", 'SELECT "pg_sleep"(1) FROM events', "pg_sleep"),
    Attack("unicode-escaped name", 'SELECT U&"pg\\005fsleep"(1) FROM events', "pg_sleep"),
    Attack("schema-qualified function", "SELECT pg_catalog.sum(value) FROM events", "schema"),
    Attack(
        "qualified operator",
        "SELECT sum(value) FROM events WHERE value OPERATOR(pg_catalog.=) 1",
        "schema",
    ),
    Attack("function as a column", "SELECT sum(events.pg_sleep) FROM events", "column"),
    # Relations.
    Attack("the table behind", "SELECT count(*) FROM event", "'event'"),
    Attack("another schema", "SELECT count(*) FROM public.event", "schema"),
    Attack("the view with its schema", "SELECT count(*) FROM pg_temp.events", "schema"),
    Attack("the scope", "SELECT count(*) FROM sandbox_scope", "'sandbox_scope'"),
    Attack("quoted relation", 'SELECT count(*) FROM "Events"', "'Events'"),
    Attack("unicode-escaped relation", 'SELECT count(*) FROM U&"ev\\0065nt"', "'event'"),
    Attack("catalog", "SELECT count(*) FROM pg_class", "'pg_class'"),
    Attack("pg_stat_activity", "SELECT count(*) FROM pg_stat_activity", "'pg_stat_activity'"),
    Attack("pg_shadow", "SELECT count(*) FROM pg_shadow", "'pg_shadow'"),
    Attack("pg_stats", "SELECT count(*) FROM pg_stats WHERE tablename = 'event'", "'pg_stats'"),
    Attack("information_schema", "SELECT count(*) FROM information_schema.tables", "schema"),
    Attack("other tenants' rollups", "SELECT sum(value_sum) FROM usage_rollup", "'usage_rollup'"),
    Attack("keys of merchants", "SELECT count(*) FROM api_key", "'api_key'"),
    Attack("customers", "SELECT count(*) FROM customer", "'customer'"),
    Attack(
        "sub-select on another table",
        "SELECT sum(n) FROM (SELECT 1 AS n FROM event) AS x",
        "'event'",
    ),
    Attack(
        "sub-select in an expression",
        "SELECT sum(value) + (SELECT count(*) FROM event) FROM events",
        "sub-select",
    ),
    Attack(
        "sub-select in WHERE",
        "SELECT count(*) FROM events WHERE EXISTS (SELECT FROM event)",
        "sub-select",
    ),
    Attack(
        "sub-select in IN",
        "SELECT count(*) FROM events WHERE name IN (SELECT name FROM event)",
        "sub-select",
    ),
    Attack(
        "the merchant's column", "SELECT count(DISTINCT merchant_id) FROM events", "merchant_id"
    ),
    Attack("system column", "SELECT count(tableoid) FROM events", "tableoid"),
    Attack("whole row", "SELECT count(events) FROM events", "column"),
    Attack("star", "SELECT count(e.*) FROM events e", "'*'"),
    Attack("ONLY", "SELECT count(*) FROM ONLY events", "'events'"),
    Attack("TABLESAMPLE", "SELECT count(*) FROM events TABLESAMPLE SYSTEM (1)", "TABLESAMPLE"),
    Attack(
        "closing the sub-select",
        "SELECT count(*) FROM events WHERE name = 'x') OR ('' = ''",
        "not SQL",
    ),
    # What costs too much.
    Attack(
        "generate_series", "SELECT count(*) FROM generate_series(1, 1000000000)", "function in FROM"
    ),
    Attack(
        "generate_series in the list",
        "SELECT generate_series(1, 1000000000) FROM events",
        "generate_series",
    ),
    Attack("cross join", "SELECT count(*) FROM events a, events b, events c", "3 relations"),
    Attack("join", "SELECT count(*) FROM events a JOIN events b ON true", "a join"),
    Attack(
        "lateral",
        "SELECT count(*) FROM events a, LATERAL (SELECT 1 FROM events b) c",
        "2 relations",
    ),
    Attack("regex bomb", "SELECT count(*) FROM events WHERE name ~ '(a+)+$'", "operator ~"),
    Attack(
        "regexp_replace",
        "SELECT length(regexp_replace(name, '(a+)+', '')) FROM events",
        "regexp_replace",
    ),
    Attack("SIMILAR TO", "SELECT count(*) FROM events WHERE name SIMILAR TO '(a+)+'", "operator"),
    Attack(
        "huge IN",
        f"SELECT count(*) FROM events WHERE value IN ({', '.join(['1'] * 3000)})",
        "3000 values",
    ),
    Attack("deep nesting", f"SELECT sum({'abs(' * 200}value{')' * 200}) FROM events", "complex"),
    Attack("very deep nesting", f"SELECT {'NOT ' * 2400} true FROM events", "simpler"),
    Attack("many nodes", f"SELECT sum({'value + ' * 900} value) FROM events", "simpler"),
    Attack("too long", f"SELECT sum(value) FROM events WHERE name = '{'x' * 10_000}'", "10000"),
    Attack("repeat", "SELECT sum(length(repeat('x', 1000000000))) FROM events", "repeat"),
    Attack("lpad", "SELECT sum(length(lpad('x', 1000000000))) FROM events", "lpad"),
    Attack(
        "doubling text", f"SELECT sum(length({' || '.join(['name'] * 30)})) FROM events", "too long"
    ),
    Attack("string_agg", "SELECT length(string_agg(name, '')) FROM events", "string_agg"),
    Attack(
        "array_agg",
        "SELECT count(x) FROM (SELECT array_agg(name) AS x FROM events) AS y",
        "array_agg",
    ),
    Attack("power", "SELECT sum(power(10, 100000)) FROM events", "power"),
    Attack("window function", "SELECT sum(sum(value) OVER ()) FROM events", "a window"),
    # Casts, and numbers that are none.
    Attack("cast to regclass", "SELECT 'event'::regclass::numeric FROM events", "regclass"),
    Attack("cast that shows text", "SELECT sum(name::int) FROM events", "int4"),
    Attack("cast to float", "SELECT sum(value::float8) FROM events", "not exact"),
    Attack("cast to xml", "SELECT length(name::xml::text) FROM events", "xml"),
    Attack("NaN", "SELECT 'NaN'::numeric + sum(value) FROM events", "no plain number"),
    Attack("infinity", "SELECT sum('Infinity'::numeric) FROM events", "no plain number"),
    Attack("huge number", "SELECT sum(1e100000) FROM events", "no plain decimal"),
    Attack(
        "instant of the server's", "SELECT count(*) FROM events WHERE timestamp > 'now'", "ISO 8601"
    ),
    Attack("parameter", "SELECT count(*) FROM events WHERE value = $1", "parameter"),
    Attack("row", "SELECT count((name, value)) FROM events", "a row"),
    Attack("array", "SELECT count(ARRAY[1]) FROM events", "an array"),
    Attack("subscript", "SELECT count(properties['a']) FROM events", "subscript"),
    # More or less than one number.
    Attack("text", "SELECT min(name) FROM events", "cannot take a text"),
    Attack("truth", "SELECT count(*) > 1 FROM events", "must give a number"),
    Attack("two columns", "SELECT count(*), 1 FROM events", "2 columns"),
    Attack("rows", "SELECT value FROM events", "must aggregate"),
    Attack("grouped", "SELECT sum(value) FROM events GROUP BY name", "one number"),
    Attack("maybe no row", "SELECT sum(value) FROM events HAVING false", "one number"),
    Attack("constant", "SELECT 42 FROM events", "must aggregate"),
    Attack("no relation", "SELECT count(*)", "0 relations"),
    Attack("nested aggregate", "SELECT sum(sum(value)) FROM events", "another aggregate"),
    Attack(
        "aggregate in WHERE", "SELECT sum(value) FROM events WHERE sum(value) > 1", "inside WHERE"
    ),
    Attack("ungrouped column", "SELECT sum(value) + value FROM events", "GROUP BY"),
    Attack("LIMIT", "SELECT sum(value) FROM events LIMIT 1", "LIMIT"),
    Attack("ORDER BY", "SELECT sum(value) FROM events ORDER BY 1", "ORDER BY"),
    Attack(
        "DISTINCT ON",
        "SELECT sum(value) FROM (SELECT DISTINCT ON (name) value FROM events) AS x",
        "DISTINCT ON",
    ),
)
