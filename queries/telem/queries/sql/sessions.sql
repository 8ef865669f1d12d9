-- Sessions
-- The latest sessions, or the most expensive, the longest, those with most errors: what they used, cost and brought.
-- param by: latest | cost | duration | errors | tokens = latest: what comes first
-- param limit: integer = 20: sessions at most
WITH listed AS (
    SELECT
        *,
        round(date_diff('millisecond', started_at, ended_at) / 60000.0, 1) AS minutes
    FROM sessions
    WHERE ended_at >= $since
)

SELECT
    session_id,
    started_at,
    minutes,
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
FROM listed
ORDER BY
    CASE $by
        WHEN 'cost' THEN coalesce(CAST(cost_usd AS DOUBLE), -1)
        WHEN 'duration' THEN CAST(minutes AS DOUBLE)
        WHEN 'errors' THEN CAST(coalesce(errors, 0) + coalesce(failed_tool_calls, 0) AS DOUBLE)
        WHEN 'tokens' THEN coalesce(CAST(output_tokens AS DOUBLE), -1)
    END DESC NULLS LAST,
    started_at DESC,
    session_id
LIMIT $limit;
