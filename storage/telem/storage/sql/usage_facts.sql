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
FROM events
UNION ALL
SELECT
    time,
    NULL,
    make_timestamp(epoch_us(time))::DATE,
    ingest_day,
    client,
    session_id,
    "user",
    team,
    chapter,
    project,
    repository,
    branch,
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
WHERE metric LIKE 'claude_code.%';
