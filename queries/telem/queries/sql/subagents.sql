-- Subagents
-- Kinds of subagents: how often they ran, how long, how many tokens and tools each took.
-- param limit: integer = 30: kinds at most
SELECT
    coalesce(agent_name, 'unnamed') AS agent,
    count(*) AS runs,
    count(DISTINCT session_id) AS sessions,
    round(median(duration_ms) / 1000, 3) AS median_seconds,
    round(max(duration_ms) / 1000, 3) AS longest_seconds,
    round(avg(TRY_CAST(attributes ->> '$.total_tokens' AS DOUBLE)), 1) AS tokens_each,
    round(avg(TRY_CAST(attributes ->> '$.total_tool_uses' AS DOUBLE)), 1) AS tool_calls_each,
    string_agg(DISTINCT model, ', ' ORDER BY model) AS models
FROM events
WHERE ingest_day >= $since_day AND time >= $since AND event = 'subagent_completed'
GROUP BY 1
ORDER BY runs DESC, agent
LIMIT $limit;
