-- What each point of a sum adds: delta points as they are, running totals less what the series had reached before.
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
    `user`,
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
    if(temporality = 'delta', value, greatest(value - coalesce(max(value) OVER earlier, 0), 0)) AS increment
FROM (
    SELECT
        *,
        if(temporality = 'delta', id, concat(toString(mapSort(attributes)), toString(mapSort(resource)))) AS series
    FROM metrics
    WHERE kind = 'sum' AND isFinite(value) AND (temporality = 'delta' OR (temporality = 'cumulative' AND monotonic))
)
WINDOW earlier AS (
    PARTITION BY metric, start_time, series ORDER BY time, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
);
