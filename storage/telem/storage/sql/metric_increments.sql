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
    user_id,
    account_id,
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
    sample_ratio,
    value AS increment -- [as `unit`] What this point adds to the sum of its series.
FROM metrics
WHERE kind = 'sum' AND isfinite(value) AND temporality = 'delta' AND ingest_day >= $metrics_since
UNION ALL
SELECT
    id, time, ingest_day, utc_day, client, metric, unit, type, start_type, language, session_id, "user", user_id,
    account_id, team, chapter, project, repository, branch, agent_id, agent_name, model, query_source, effort, tool_name, decision,
    decision_source, sample_ratio,
    greatest(value - greatest(coalesce(max(value) OVER earlier, 0), coalesce(high, 0)), 0)
FROM (
    SELECT
        id, time, ingest_day, utc_day, client, metric, unit, type, start_type, language, session_id, "user", user_id,
        account_id, team, chapter, project, repository, branch, agent_id, agent_name, model, query_source, effort, tool_name,
        decision, decision_source, sample_ratio, value,
        md5(concat_ws(' ', metric, epoch_us(start_time), attributes, resource, scope_name, scope_version)) AS of_series
    FROM metrics
    WHERE kind = 'sum' AND isfinite(value) AND temporality = 'cumulative' AND monotonic AND ingest_day >= $metrics_since
)
LEFT JOIN (
    SELECT series, max(high) AS high
    FROM $series_rollup
    WHERE ingest_day < $metrics_since
    GROUP BY series
) AS reached ON of_series = reached.series
WINDOW earlier AS (
    PARTITION BY of_series
    -- In the order in which days are closed: what a closed day added never changes, however late a point comes.
    ORDER BY ingest_day, time, id
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
);
