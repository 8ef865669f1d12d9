-- Sessions
-- The latest sessions: who, where, how long, what they used, cost and brought.
-- param limit: integer = 20: sessions at most
SELECT
    session_id,
    started_at,
    round((epoch_us(ended_at) - epoch_us(started_at)) / 60e6, 1) AS minutes,
    client,
    "user",
    coalesce(project, repository) AS project,
    branch,
    models,
    prompts,
    requests,
    errors,
    tool_calls,
    failed_tool_calls,
    output_tokens,
    cost_usd,
    unpriced_requests,
    lines_added,
    lines_removed,
    commits
FROM sessions
WHERE ended_at >= $since
ORDER BY started_at DESC, session_id
LIMIT $limit;
