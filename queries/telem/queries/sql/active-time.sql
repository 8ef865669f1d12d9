-- Active time
-- How long people and the client were at work, as the client measures it.
-- param by: day | user | team | chapter | project | repository | session = day: what a row stands for
-- param limit: integer = 50: rows at most
WITH points AS (
    SELECT
        CASE $by
            WHEN 'day' THEN CAST(utc_day AS VARCHAR)
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'project' THEN project
            WHEN 'repository' THEN repository
            WHEN 'session' THEN session_id
        END AS "by",
        session_id,
        type,
        increment
    FROM metric_increments
    WHERE
        ingest_day >= $since_day AND time >= $since
        AND metric = 'claude_code.active_time.total'
)

SELECT
    "by",
    count(DISTINCT session_id) AS sessions,
    round(sum(increment) / 3600, 3) AS active_hours,
    round(coalesce(sum(increment) FILTER (WHERE type = 'cli'), 0) / 3600, 3) AS client_hours,
    round(coalesce(sum(increment) FILTER (WHERE type = 'user'), 0) / 3600, 3) AS user_hours,
    round(sum(increment) / 60 / nullif(count(DISTINCT session_id), 0), 1) AS minutes_a_session
FROM points
GROUP BY "by"
ORDER BY CASE WHEN $by = 'day' THEN "by" END DESC, active_hours DESC, "by" NULLS LAST
LIMIT $limit;
