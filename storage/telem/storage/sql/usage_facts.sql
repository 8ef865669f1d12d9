-- What each event and each point of Claude Code's metrics adds to the totals; the base of sessions, users, daily_metrics.
-- Tokens and cost come from events, lines, commits, pull requests and active time from metrics: never both, never added.
CREATE OR REPLACE VIEW usage_facts AS
SELECT
    time,
    time AS event_time, -- The same for events; NULL for points.
    make_timestamp(epoch_us(time))::DATE AS day, -- UTC day in which it happened.
    ingest_day,
    client,
    session_id,
    "user",
    team,
    chapter,
    project,
    repository,
    branch,
    app_version,
    model, -- Model; NULL for points.
    query_source,
    (event_type IS NOT DISTINCT FROM 'user_prompt')::INTEGER AS prompts, -- 1 for a prompt, 0 for other events, NULL for points.
    (event_type IS NOT DISTINCT FROM 'api_request')::INTEGER AS requests, -- 1 for an answered request to a model.
    (event_type IS NOT DISTINCT FROM 'api_error')::INTEGER AS errors, -- 1 for a request given up.
    (event_type IS NOT DISTINCT FROM 'tool_call')::INTEGER AS tool_calls, -- 1 for a tool that ran.
    (event_type IS NOT DISTINCT FROM 'tool_call' AND success IS NOT DISTINCT FROM false)::INTEGER
        AS failed_tool_calls, -- 1 for a tool that failed.
    (event_type IS NOT DISTINCT FROM 'validation_result' AND decision IS NOT DISTINCT FROM 'reject')::INTEGER
        AS rejected_tool_calls, -- 1 for a tool call that was rejected.
    CASE WHEN event_type = 'api_request' THEN input_tokens END AS input_tokens, -- [tokens] Fresh input of a request.
    CASE WHEN event_type = 'api_request' THEN cache_read_tokens END AS cache_read_tokens, -- [tokens] Read from the cache.
    CASE WHEN event_type = 'api_request' THEN cache_creation_tokens END
        AS cache_creation_tokens, -- [tokens] Written to the cache.
    CASE WHEN event_type = 'api_request' THEN output_tokens END AS output_tokens, -- [tokens] Output of a request.
    CASE WHEN event_type = 'api_request' THEN cost_usd END AS cost_usd, -- [USD] Cost of a request, as reported.
    (event_type IS NOT DISTINCT FROM 'api_request' AND cost_usd IS NULL)::INTEGER
        AS unpriced_requests, -- 1 for a request without a reported cost.
    NULL::DOUBLE AS active_seconds, -- [s] Active time; NULL for events, as for the following.
    NULL::DOUBLE AS lines_added, -- Lines added.
    NULL::DOUBLE AS lines_removed, -- Lines removed.
    NULL::DOUBLE AS commits, -- Commits.
    NULL::DOUBLE AS pull_requests -- Pull requests.
FROM placed_events
WHERE source IS DISTINCT FROM 'hook' -- Where a session is says nothing about its use.
UNION ALL
SELECT
    metric_increments.time,
    NULL,
    make_timestamp(epoch_us(metric_increments.time))::DATE,
    metric_increments.ingest_day,
    metric_increments.client,
    metric_increments.session_id,
    metric_increments."user",
    metric_increments.team,
    coalesce(metric_increments.chapter, session_context.chapter),
    coalesce(metric_increments.project, session_context.project),
    coalesce(metric_increments.repository, session_context.repository),
    coalesce(metric_increments.branch, session_context.branch),
    NULL,
    NULL,
    NULL,
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
WHERE metric LIKE 'claude_code.%';
