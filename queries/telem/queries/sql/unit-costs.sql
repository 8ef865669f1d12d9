-- Unit costs
-- What one session, prompt or request costs: mean, median and the expensive end.
-- param unit: session | prompt | request = session: what is one
-- param by: all | model | user | team | chapter | repository | client = all: what a row stands for
-- param limit: integer = 50: rows at most
WITH units AS (
    SELECT
        CASE $by
            WHEN 'all' THEN 'all'
            WHEN 'model' THEN model
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'repository' THEN repository
            WHEN 'client' THEN client
        END AS "by",
        CASE $unit WHEN 'session' THEN session_id WHEN 'prompt' THEN prompt_id WHEN 'request' THEN id END AS unit,
        CAST(sum(cost_usd) AS DOUBLE) AS cost,
        count(*) AS requests
    FROM api_requests
    WHERE ingest_day >= $since_day AND time >= $since AND cost_usd IS NOT NULL
    GROUP BY 1, 2
)

SELECT
    "by",
    count(*) AS units,
    round(avg(requests), 1) AS requests_each,
    round(sum(cost), 6) AS cost_usd,
    round(avg(cost), 6) AS mean_usd,
    round(median(cost), 6) AS median_usd,
    round(quantile_cont(cost, 0.9), 6) AS p90_usd,
    round(max(cost), 6) AS most_usd
FROM units
WHERE unit IS NOT NULL
GROUP BY "by"
ORDER BY cost_usd DESC, "by" NULLS LAST
LIMIT $limit;
