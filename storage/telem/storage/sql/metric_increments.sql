-- What each point of a sum adds: delta points as they are, running totals less what the series had reached before.
-- Summing `increment` gives delta points once, and of cumulative ones the highest per series and start time. What can
-- also fall (a cumulative sum that is not monotonic) has no total and is left out, as are NaN and infinities.
CREATE OR REPLACE VIEW metric_increments AS
SELECT
    id,
    time,
    ingest_day,
    utc_day,
    client,
    metric,
    unit,
    type,
    start_type,
    language,
    session_id,
    "user",
    team,
    chapter,
    project,
    repository,
    branch,
    agent_id,
    agent_name,
    model,
    query_source,
    effort,
    tool_name,
    decision,
    decision_source,
    CASE
        WHEN temporality = 'delta' THEN value
        ELSE greatest(value - coalesce(max(value) OVER earlier, 0), 0)
    END AS increment -- [as `unit`] What this point adds to the sum of its series.
FROM metrics
WHERE kind = 'sum' AND isfinite(value) AND (temporality = 'delta' OR (temporality = 'cumulative' AND monotonic))
WINDOW earlier AS (
    PARTITION BY
        metric,
        start_time,
        CASE
            WHEN temporality = 'delta' THEN id
            ELSE concat_ws(' ', attributes, resource, scope_name, scope_version)
        END
    ORDER BY time, id
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
);
