-- Rejected edits
-- What was decided about tool calls and by whom: accepted, rejected, and the share of rejections.
-- param by: tool | source | user | team | chapter | repository | day | session = tool: what a row stands for
-- param tools: edits | all = edits: only tools that change files, or all
-- param limit: integer = 50: rows at most
WITH decisions AS (
    SELECT
        CASE $by
            WHEN 'tool' THEN tool_name
            WHEN 'source' THEN decision_source
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'repository' THEN repository
            WHEN 'day' THEN CAST(utc_day AS VARCHAR)
            WHEN 'session' THEN session_id
        END AS "by",
        decision,
        decision_source,
        session_id,
        time
    FROM validation_results
    WHERE
        ingest_day >= $since_day AND time >= $since
        AND (
            $tools = 'all'
            OR tool_name IN ('Edit', 'MultiEdit', 'Write', 'NotebookEdit', 'apply_patch', 'replace', 'write_file')
        )
)

SELECT
    "by",
    count(*) AS decisions,
    count(*) FILTER (WHERE decision = 'accept') AS accepted,
    count(*) FILTER (WHERE decision = 'reject') AS rejected,
    round(100.0 * count(*) FILTER (WHERE decision = 'reject') / count(*), 1) AS rejected_percent,
    count(*) FILTER (WHERE decision = 'reject' AND decision_source LIKE 'user%') AS rejected_by_user,
    count(DISTINCT session_id) FILTER (WHERE decision = 'reject') AS sessions_with_rejections,
    max(time) FILTER (WHERE decision = 'reject') AS last_rejection
FROM decisions
GROUP BY "by"
ORDER BY rejected DESC, decisions DESC, "by" NULLS LAST
LIMIT $limit;
