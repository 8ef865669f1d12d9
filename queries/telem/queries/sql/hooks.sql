-- Hooks
-- The client's hooks: how often they ran, how long they kept it waiting, how many blocked or failed; the slowest first.
-- param limit: integer = 30: hooks at most
WITH runs AS (
    SELECT
        coalesce(attributes ->> '$.hook_event', 'unknown') AS hook_event,
        attributes ->> '$.hook_name' AS hook,
        duration_ms,
        session_id,
        TRY_CAST(attributes ->> '$.num_hooks' AS BIGINT) AS hooks,
        TRY_CAST(attributes ->> '$.num_blocking' AS BIGINT) AS blocking,
        TRY_CAST(attributes ->> '$.num_non_blocking_error' AS BIGINT) AS failed,
        TRY_CAST(attributes ->> '$.num_cancelled' AS BIGINT) AS cancelled
    FROM events
    WHERE ingest_day >= $since_day AND time >= $since AND event = 'hook_execution_complete'
)

SELECT
    hook_event,
    hook,
    count(*) AS runs,
    count(DISTINCT session_id) AS sessions,
    max(hooks) AS hooks_each,
    round(median(duration_ms), 1) AS median_ms,
    round(quantile_cont(duration_ms, 0.95), 2) AS p95_ms,
    round(max(duration_ms), 1) AS longest_ms,
    round(sum(duration_ms) / 1000, 3) AS total_seconds,
    TRY_CAST(sum(blocking) AS BIGINT) AS blocked,
    TRY_CAST(sum(failed) AS BIGINT) AS errors,
    TRY_CAST(sum(cancelled) AS BIGINT) AS cancelled_hooks
FROM runs
GROUP BY hook_event, hook
ORDER BY total_seconds DESC NULLS LAST, hook_event, hook
LIMIT $limit;
