-- What each event and each point of Claude Code's metrics adds to the totals; never both, never added.
CREATE OR REPLACE VIEW usage_facts AS
SELECT
    time,
    time AS first_time,
    CAST(time AS Nullable(DateTime64(6, 'UTC'))) AS event_time,
    event_time AS first_event_time,
    utc_day AS day,
    ingest_day,
    client,
    session_id,
    `user`,
    team,
    chapter,
    project,
    repository,
    branch,
    app_version,
    model,
    query_source,
    sample_ratio,
    CAST(coalesce(event_type, '') = 'user_prompt' AS Nullable(Int64)) AS prompts,
    CAST(coalesce(event_type, '') = 'api_request' AS Nullable(Int64)) AS requests,
    CAST(coalesce(event_type, '') = 'api_error' AS Nullable(Int64)) AS errors,
    CAST(coalesce(event_type, '') = 'tool_call' AS Nullable(Int64)) AS tool_calls,
    CAST(coalesce(event_type, '') = 'tool_call' AND NOT coalesce(success, true) AS Nullable(Int64)) AS failed_tool_calls,
    CAST(coalesce(event_type, '') = 'validation_result' AND coalesce(decision, '') = 'reject' AS Nullable(Int64))
        AS rejected_tool_calls,
    if(requests = 1, input_tokens, NULL) AS input_tokens,
    if(requests = 1, cache_read_tokens, NULL) AS cache_read_tokens,
    if(requests = 1, cache_creation_tokens, NULL) AS cache_creation_tokens,
    if(requests = 1, output_tokens, NULL) AS output_tokens,
    if(requests = 1, cost_usd, NULL) AS cost_usd,
    CAST(requests = 1 AND cost_usd IS NULL AS Nullable(Int64)) AS unpriced_requests,
    CAST(NULL AS Nullable(Float64)) AS active_seconds,
    CAST(NULL AS Nullable(Float64)) AS lines_added,
    CAST(NULL AS Nullable(Float64)) AS lines_removed,
    CAST(NULL AS Nullable(Float64)) AS commits,
    CAST(NULL AS Nullable(Float64)) AS pull_requests
FROM placed_events
WHERE coalesce(source, '') != 'hook'
UNION ALL
SELECT
    m.time,
    m.time,
    NULL,
    NULL,
    m.utc_day,
    m.ingest_day,
    m.client,
    m.session_id,
    m.`user`,
    m.team,
    coalesce(m.chapter, c.chapter),
    coalesce(m.project, c.project),
    coalesce(m.repository, c.repository),
    coalesce(m.branch, c.branch),
    NULL,
    NULL,
    NULL,
    NULL,
    NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL,
    if(m.metric = 'claude_code.active_time.total', m.increment, 0),
    if(m.metric = 'claude_code.lines_of_code.count' AND m.type = 'added', m.increment, 0),
    if(m.metric = 'claude_code.lines_of_code.count' AND m.type = 'removed', m.increment, 0),
    if(m.metric = 'claude_code.commit.count', m.increment, 0),
    if(m.metric = 'claude_code.pull_request.count', m.increment, 0)
FROM metric_increments AS m
LEFT JOIN session_context AS c
    ON c.session_id = m.session_id AND m.time >= c.valid_from AND m.time < c.valid_until
WHERE startsWith(m.metric, 'claude_code.');
