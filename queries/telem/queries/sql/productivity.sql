-- Productivity
-- Lines, commits and pull requests, and what they cost. They measure activity, not the worth of the work.
-- param by: user | team | chapter | project | repository | branch | day | session | all = user: what a row stands for
-- param limit: integer = 50: rows at most
WITH facts AS (
    SELECT
        CASE $by
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'project' THEN project
            WHEN 'repository' THEN repository
            WHEN 'branch' THEN branch
            WHEN 'day' THEN CAST(day AS VARCHAR)
            WHEN 'session' THEN session_id
            WHEN 'all' THEN 'all'
        END AS "by",
        session_id,
        cost_usd,
        unpriced_requests,
        lines_added,
        lines_removed,
        commits,
        pull_requests,
        active_seconds
    FROM usage_facts
    WHERE ingest_day >= $since_day AND time >= $since
),

sums AS (
    SELECT
        "by",
        count(DISTINCT session_id) AS sessions,
        sum(cost_usd) AS cost_usd,
        TRY_CAST(sum(unpriced_requests) AS BIGINT) AS unpriced_requests,
        sum(lines_added) AS lines_added,
        sum(lines_removed) AS lines_removed,
        sum(commits) AS commits,
        sum(pull_requests) AS pull_requests,
        sum(active_seconds) AS active_seconds
    FROM facts
    GROUP BY "by"
)

SELECT
    "by",
    sessions,
    cost_usd,
    lines_added,
    lines_removed,
    commits,
    pull_requests,
    round((lines_added + lines_removed) / nullif(CAST(cost_usd AS DOUBLE), 0), 1) AS lines_per_usd,
    round(commits / nullif(CAST(cost_usd AS DOUBLE), 0), 3) AS commits_per_usd,
    round(CAST(cost_usd AS DOUBLE) / nullif(commits, 0), 4) AS usd_per_commit,
    round(3600 * CAST(cost_usd AS DOUBLE) / nullif(active_seconds, 0), 4) AS usd_per_active_hour,
    unpriced_requests
FROM sums
WHERE cost_usd IS NOT NULL OR lines_added IS NOT NULL
ORDER BY cost_usd DESC NULLS LAST, lines_added DESC NULLS LAST, "by" NULLS LAST
LIMIT $limit;
