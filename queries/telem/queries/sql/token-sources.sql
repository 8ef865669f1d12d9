-- Token sources
-- What requests were made for: the main conversation, subagents, compaction, skills, MCP servers.
-- param by: query_source | agent | skill | plugin | mcp_server | effort | speed = query_source: what a row stands for
-- param limit: integer = 50: rows at most
WITH requests AS (
    SELECT
        CASE $by
            WHEN 'query_source' THEN query_source
            WHEN 'agent' THEN coalesce(agent_name, CASE WHEN agent_id IS NULL THEN 'main' ELSE 'subagent' END)
            WHEN 'skill' THEN skill_name
            WHEN 'plugin' THEN plugin_name
            WHEN 'mcp_server' THEN mcp_server
            WHEN 'effort' THEN effort
            WHEN 'speed' THEN speed
        END AS "by",
        session_id,
        agent_id,
        total_input_tokens,
        output_tokens,
        cost_usd
    FROM events
    WHERE ingest_day >= $since_day AND time >= $since AND event_type = 'api_request'
),

sums AS (
    SELECT
        "by",
        count(*) AS requests,
        count(DISTINCT session_id) AS sessions,
        count(DISTINCT agent_id) AS subagents,
        TRY_CAST(sum(total_input_tokens) AS BIGINT) AS total_input_tokens,
        TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
        sum(cost_usd) AS cost_usd,
        count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_requests
    FROM requests
    GROUP BY "by"
)

SELECT
    "by",
    requests,
    sessions,
    subagents,
    total_input_tokens,
    output_tokens,
    round(
        100.0 * coalesce(CAST(output_tokens AS DOUBLE), 0) / nullif(sum(CAST(output_tokens AS DOUBLE)) OVER (), 0), 1
    ) AS output_percent,
    cost_usd,
    unpriced_requests
FROM sums
ORDER BY cost_usd DESC NULLS LAST, requests DESC, "by" NULLS LAST
LIMIT $limit;
