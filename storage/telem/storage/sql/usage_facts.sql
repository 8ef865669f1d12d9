-- What each event and each point of Claude Code's metrics adds to the totals, and what expired days added, summed up.
-- Tokens and cost come from events, lines, commits, pull requests and active time from metrics: never both, never added.
-- A row of an expired ingest day stands for all of a session's events, or points, of one day that agree in its columns.
CREATE OR REPLACE VIEW usage_facts AS
SELECT
    time, -- When it happened; the last time where a row stands for several.
    time AS first_time, -- The first time where a row stands for several.
    time AS event_time, -- As `time` for events; NULL for points.
    time AS first_event_time, -- As `first_time` for events; NULL for points.
    make_timestamp(epoch_us(time))::DATE AS day, -- UTC day in which it happened.
    ingest_day,
    client,
    session_id,
    "user",
    user_id,
    account_id,
    team,
    chapter,
    project,
    repository,
    branch,
    app_version,
    model, -- Model; NULL for points.
    query_source,
    sample_ratio,
    (event_type IS NOT DISTINCT FROM 'user_prompt')::BIGINT AS prompts, -- 1 for a prompt, 0 for other events, NULL for points.
    (event_type IS NOT DISTINCT FROM 'api_request')::BIGINT AS requests, -- 1 for an answered request to a model.
    (event_type IS NOT DISTINCT FROM 'api_error')::BIGINT AS errors, -- 1 for a request given up.
    (event_type IS NOT DISTINCT FROM 'tool_call')::BIGINT AS tool_calls, -- 1 for a tool that ran.
    (event_type IS NOT DISTINCT FROM 'tool_call' AND success IS NOT DISTINCT FROM false)::BIGINT
        AS failed_tool_calls, -- 1 for a tool that failed.
    (event_type IS NOT DISTINCT FROM 'validation_result' AND decision IS NOT DISTINCT FROM 'reject')::BIGINT
        AS rejected_tool_calls, -- 1 for a tool call that was rejected.
    CASE WHEN event_type = 'api_request' THEN input_tokens END AS input_tokens, -- [tokens] Fresh input of a request.
    CASE WHEN event_type = 'api_request' THEN cache_read_tokens END AS cache_read_tokens, -- [tokens] Read from the cache.
    CASE WHEN event_type = 'api_request' THEN cache_creation_tokens END
        AS cache_creation_tokens, -- [tokens] Written to the cache.
    CASE WHEN event_type = 'api_request' THEN output_tokens END AS output_tokens, -- [tokens] Output of a request.
    CASE WHEN event_type = 'api_request' THEN cost_usd END::DECIMAL(38, 9) AS cost_usd, -- [USD] Cost of a request, as reported.
    (event_type IS NOT DISTINCT FROM 'api_request' AND cost_usd IS NULL)::BIGINT
        AS unpriced_requests, -- 1 for a request without a reported cost.
    NULL::DOUBLE AS active_seconds, -- [s] Active time; NULL for events, as for the following.
    NULL::DOUBLE AS lines_added, -- Lines added.
    NULL::DOUBLE AS lines_removed, -- Lines removed.
    NULL::DOUBLE AS commits, -- Commits.
    NULL::DOUBLE AS pull_requests -- Pull requests.
FROM placed_events
WHERE ingest_day >= $logs_since
    AND (source IS NULL OR event_type IS NOT NULL) -- Where a session is, or a test, says nothing about its use.
UNION ALL
SELECT
    metric_increments.time,
    metric_increments.time,
    NULL,
    NULL,
    make_timestamp(epoch_us(metric_increments.time))::DATE,
    metric_increments.ingest_day,
    metric_increments.client,
    metric_increments.session_id,
    metric_increments."user",
    metric_increments.user_id,
    metric_increments.account_id,
    metric_increments.team,
    coalesce(metric_increments.chapter, session_context.chapter),
    coalesce(metric_increments.project, session_context.project),
    coalesce(metric_increments.repository, session_context.repository),
    coalesce(metric_increments.branch, session_context.branch),
    NULL,
    NULL,
    NULL,
    sample_ratio,
    NULL, NULL, NULL, NULL, NULL, NULL, -- prompts to rejected_tool_calls
    NULL, NULL, NULL, NULL, NULL, NULL, -- tokens, cost, unpriced_requests
    CASE metric WHEN 'claude_code.active_time.total' THEN increment ELSE 0 END,
    CASE WHEN metric = 'claude_code.lines_of_code.count' AND type = 'added' THEN increment ELSE 0 END,
    CASE WHEN metric = 'claude_code.lines_of_code.count' AND type = 'removed' THEN increment ELSE 0 END,
    CASE metric WHEN 'claude_code.commit.count' THEN increment ELSE 0 END,
    CASE metric WHEN 'claude_code.pull_request.count' THEN increment ELSE 0 END
FROM metric_increments
LEFT JOIN session_context
    ON
        session_context.session_id = metric_increments.session_id
        AND metric_increments.time >= session_context.valid_from
        AND metric_increments.time < session_context.valid_until
WHERE metric LIKE 'claude_code.%'
UNION ALL
SELECT
    time, first_time, event_time, first_event_time, day, ingest_day, client, session_id, "user", user_id, account_id,
    team, chapter, project, repository, branch, app_version, model, query_source, sample_ratio, prompts, requests,
    errors, tool_calls, failed_tool_calls, rejected_tool_calls, input_tokens, cache_read_tokens, cache_creation_tokens,
    output_tokens, cost_usd, unpriced_requests, active_seconds, lines_added, lines_removed, commits, pull_requests
FROM $usage_rollup
WHERE (event_time IS NOT NULL AND ingest_day < $logs_since) OR (event_time IS NULL AND ingest_day < $metrics_since)
UNION ALL -- What was imported as sums: of another folder's days, of which no rows were left there.
SELECT
    time, first_time, event_time, first_event_time, day, ingest_day, client, session_id, "user", user_id, account_id,
    team, chapter, project, repository, branch, app_version, model, query_source, sample_ratio, prompts, requests,
    errors, tool_calls, failed_tool_calls, rejected_tool_calls, input_tokens, cache_read_tokens, cache_creation_tokens,
    output_tokens, cost_usd, unpriced_requests, active_seconds, lines_added, lines_removed, commits, pull_requests
FROM $imported_rollup;
