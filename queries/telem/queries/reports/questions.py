# ruff: noqa: S608 - put together from the pieces below; values are bound
"""The questions a report asks. `$start`, `$end` bound its period, `$before` begins the one it is compared with.

`period` in an answer is 1 for the report's own period and 0 for the one before. `$team` is a team's tag, or empty.
"""

_WHEN = "ingest_day >= $first_ingest AND time >= $before AND time < $end AND ($team = '' OR team = $team)"
_PERIOD = "(time >= $start)::INTEGER AS period"

# Totals come from `usage_days`: closed days are summed up there already, and outlive their rows.
_ON_DAYS = "ingest_day >= $first_ingest AND day >= $before_day AND day < $end_day AND ($team = '' OR team = $team)"
_PERIOD_OF_DAY = "(day >= $first_day)::INTEGER AS period"

TOTALS = f"""
SELECT
    {_PERIOD_OF_DAY},
    count(DISTINCT session_id) AS sessions,
    count(DISTINCT "user") AS people,
    count(DISTINCT day) AS active_days,
    TRY_CAST(sum(prompts) AS BIGINT) AS prompts,
    TRY_CAST(sum(requests) AS BIGINT) AS requests,
    TRY_CAST(sum(errors) AS BIGINT) AS errors,
    TRY_CAST(sum(tool_calls) AS BIGINT) AS tool_calls,
    TRY_CAST(sum(failed_tool_calls) AS BIGINT) AS failed_tool_calls,
    TRY_CAST(sum(rejected_tool_calls) AS BIGINT) AS rejections,
    sum(cost_usd) AS cost_usd,
    TRY_CAST(sum(unpriced_requests) AS BIGINT) AS unreported_requests,
    TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    TRY_CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    TRY_CAST(sum(cache_creation_tokens) AS BIGINT) AS cache_creation_tokens,
    TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    round(sum(lines_added)) AS lines_added,
    round(sum(lines_removed)) AS lines_removed,
    round(sum(commits)) AS commits,
    round(sum(pull_requests)) AS pull_requests,
    round(sum(active_seconds) / 3600, 2) AS active_hours
FROM usage_days
WHERE {_ON_DAYS}
GROUP BY period
"""

DETAILS = f"""
SELECT
    {_PERIOD},
    count(*) AS events,
    count(*) FILTER (WHERE event_type = 'validation_result') AS decisions,
    count(*) FILTER (WHERE event_type = 'api_request' AND output_tokens IS NULL) AS tokenless_requests,
    round(median(duration_ms) FILTER (WHERE event_type = 'api_request'), 1) AS median_ms,
    round(quantile_cont(duration_ms, 0.95) FILTER (WHERE event_type = 'api_request'), 1) AS p95_ms,
    round(median(ttft_ms) FILTER (WHERE event_type = 'api_request'), 1) AS first_token_ms,
    count(*) FILTER (WHERE session_id IS NULL) AS sessionless_events,
    count(*) FILTER (WHERE "user" IS NULL) AS nameless_events,
    count(*) FILTER (WHERE time_from IS NOT NULL) AS untimed_events,
    count(*) FILTER (WHERE source = 'transcript') AS imported_events,
    count(*) FILTER (WHERE sample_ratio < 1) AS sampled_events
FROM events
WHERE {_WHEN}
GROUP BY period
"""

COMPUTED = f"""
SELECT {_PERIOD}, count(*) AS computed_requests, sum(computed_cost_usd) AS computed_cost_usd
FROM computed_costs
WHERE {_WHEN}
GROUP BY period
"""

DAYS = f"""
SELECT
    day,
    {_PERIOD_OF_DAY},
    count(DISTINCT session_id) AS sessions,
    TRY_CAST(sum(requests) AS BIGINT) AS requests,
    TRY_CAST(sum(errors) AS BIGINT) AS errors,
    sum(cost_usd) AS cost_usd
FROM usage_days
WHERE {_ON_DAYS} AND (requests > 0 OR errors > 0)
GROUP BY ALL
ORDER BY day
"""

SPENT = f"""
SELECT day, project, sum(cost_usd) AS usd
FROM usage_days
WHERE {_ON_DAYS} AND day >= $first_day AND cost_usd IS NOT NULL
GROUP BY ALL
"""

SPENT_COMPUTED = f"""
SELECT utc_day AS day, project, sum(computed_cost_usd) AS usd
FROM computed_costs
WHERE {_WHEN} AND time >= $start
GROUP BY ALL
"""

GROUPS = f"""
SELECT
    {_PERIOD_OF_DAY},
    CASE
        WHEN grouping(model) = 0 THEN 'model'
        WHEN grouping("user") = 0 THEN 'person'
        WHEN grouping(chapter) = 0 THEN 'chapter'
        WHEN grouping(repository) = 0 THEN 'repository'
        WHEN grouping(team) = 0 THEN 'team'
        ELSE 'client'
    END AS dimension,
    CASE
        WHEN grouping(model) = 0 THEN model
        WHEN grouping("user") = 0 THEN "user"
        WHEN grouping(chapter) = 0 THEN chapter
        WHEN grouping(repository) = 0 THEN repository
        WHEN grouping(team) = 0 THEN team
        ELSE client
    END AS name,
    TRY_CAST(sum(requests) AS BIGINT) AS requests,
    count(DISTINCT session_id) AS sessions,
    count(DISTINCT "user") AS people,
    sum(cost_usd) AS cost_usd,
    TRY_CAST(sum(unpriced_requests) AS BIGINT) AS unreported_requests,
    TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    TRY_CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    TRY_CAST(sum(cache_creation_tokens) AS BIGINT) AS cache_creation_tokens,
    TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens
FROM usage_days
WHERE {_ON_DAYS} AND requests > 0
GROUP BY period, GROUPING SETS ((model), ("user"), (chapter), (repository), (team), (client))
ORDER BY dimension, cost_usd DESC NULLS LAST, requests DESC, name
"""

FAILURES = f"""
SELECT
    CASE WHEN event_type = 'tool_call' THEN coalesce(tool_name, 'tool') ELSE 'API' END AS part,
    coalesce(error, error_type, 'HTTP ' || CAST(status_code AS VARCHAR), 'no text') AS text,
    count(*) FILTER (WHERE time >= $start) AS failures,
    count(*) FILTER (WHERE time < $start) AS failures_before,
    count(DISTINCT session_id) FILTER (WHERE time >= $start) AS sessions
FROM events
WHERE {_WHEN} AND (event_type = 'api_error' OR (event_type = 'tool_call' AND NOT success))
GROUP BY part, text
HAVING failures > 0
ORDER BY failures DESC, part, text
LIMIT 8
"""

TOOLS = f"""
SELECT
    tool_name AS tool,
    count(*) FILTER (WHERE event_type = 'tool_call') AS calls,
    count(*) FILTER (WHERE event_type = 'tool_call' AND NOT success) AS failures,
    count(*) FILTER (WHERE event_type = 'validation_result' AND decision = 'reject') AS rejections,
    round(median(duration_ms) FILTER (WHERE event_type = 'tool_call'), 1) AS median_ms
FROM events
WHERE {_WHEN} AND time >= $start AND event_type IN ('tool_call', 'validation_result') AND tool_name IS NOT NULL
GROUP BY tool_name
ORDER BY calls DESC, tool
LIMIT 8
"""

REDACTIONS = """
SELECT rule, TRY_CAST(sum("count") AS BIGINT) AS replacements
FROM sanitizer_audit
WHERE day >= $first_day AND day < $end_day
GROUP BY rule
ORDER BY replacements DESC, rule
LIMIT 8
"""
