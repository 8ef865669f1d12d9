-- Compactions
-- When conversations were compacted: why, how long it took, and how many tokens went.
-- param limit: integer = 50: compactions at most
SELECT
    time,
    session_id,
    "user",
    attributes ->> '$.trigger' AS cause,
    success,
    round(duration_ms / 1000, 3) AS seconds,
    TRY_CAST(attributes ->> '$.pre_tokens' AS BIGINT) AS tokens_before,
    TRY_CAST(attributes ->> '$.post_tokens' AS BIGINT) AS tokens_after,
    round(
        100 * (1 - TRY_CAST(attributes ->> '$.post_tokens' AS DOUBLE)
        / nullif(TRY_CAST(attributes ->> '$.pre_tokens' AS DOUBLE), 0)), 1
    ) AS reduced_percent,
    error
FROM events
WHERE ingest_day >= $since_day AND time >= $since AND event = 'compaction'
ORDER BY time DESC, session_id
LIMIT $limit;
